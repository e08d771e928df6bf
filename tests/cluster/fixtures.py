# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pytest plugin: one cluster for the whole run and its workers, a namespace for each test."""

from __future__ import annotations

import fcntl
import os
import re
import uuid
from collections.abc import Iterator

import pytest

from tests.cluster.audit import Audit
from tests.cluster.cluster import Cluster, clusters_dir, default_name
from tests.cluster.kube import Kube
from tests.cluster.providers import provider


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The running cluster that PODPLACEMENT_TEST_CLUSTER and PODPLACEMENT_CLUSTER_NAME name.

    Parallel workers share it. A cluster that the tests started is stopped by the last of them: each
    holds a shared lock, and whoever gets it for itself alone is the last.
    """
    name = default_name()
    manager = provider(name)
    path = clusters_dir() / f"{name}.users"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        if manager.find() is None:
            users.write("started by tests\n")
            users.flush()
        yield manager.start()
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        users.seek(0)
        ours = bool(users.read())
        users.truncate(0)
        if ours and os.environ.get("PODPLACEMENT_KEEP_CLUSTER") != "1":
            manager.stop()


@pytest.fixture(scope="session")
def kube(cluster: Cluster) -> Kube:
    """A client of the cluster, as its administrator."""
    return Kube(cluster.kubeconfig)


@pytest.fixture
def namespace(kube: Kube, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh namespace whose default service account is there; its removal is not waited for."""
    stem = re.sub(r"[^a-z0-9]+", "-", request.node.originalname.lower())[:40].strip("-")
    name = f"{stem}-{uuid.uuid4().hex[:6]}"
    labels = {"test.podplacement.io/namespace": "true"}
    kube.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    )
    kube.wait("ServiceAccount", "default", lambda _: True, name, what="default service account")
    yield name
    kube.delete_all("Pod", name, grace=0)
    kube.delete("Namespace", name)


@pytest.fixture
def audit(cluster: Cluster, kube: Kube) -> Audit:
    """The audit log from here on."""
    if cluster.audit_log is None:
        pytest.skip(f"the audit log of a {cluster.provider} cluster is not at hand")
    return Audit(cluster.audit_log, kube)
