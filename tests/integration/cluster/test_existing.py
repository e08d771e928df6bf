# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An existing cluster is used only when it was named by its uid, and only tests' namespaces end."""

from __future__ import annotations

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.existing import CONFIRM, Existing
from tests.cluster.kube import Kube
from tests.cluster.providers import provider
from tests.cluster.versions import ClusterError

from .workloads import simulated

pytestmark = [pytest.mark.cluster, simulated]


@pytest.fixture
def existing(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Existing:
    """The running cluster, given as somebody's own."""
    monkeypatch.setenv("PODPLACEMENT_TEST_CLUSTER", "existing")
    monkeypatch.setenv("PODPLACEMENT_TEST_KUBECONFIG", str(cluster.kubeconfig))
    monkeypatch.delenv(CONFIRM, raising=False)
    chosen = provider("mine")
    assert isinstance(chosen, Existing)
    return chosen


def test_a_cluster_that_nobody_named_is_refused(existing: Existing, kube: Kube) -> None:
    uid = kube.get("Namespace", "kube-system")["metadata"]["uid"]
    with pytest.raises(ClusterError, match=f"set {CONFIRM} to the uid .* {uid}"):
        existing.start()


def test_the_uid_of_another_cluster_is_refused(
    existing: Existing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONFIRM, "00000000-0000-0000-0000-000000000000")
    with pytest.raises(ClusterError, match="tests delete pods"):
        existing.reset()


def test_a_cluster_that_was_named_is_used(
    existing: Existing, cluster: Cluster, kube: Kube, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONFIRM, kube.get("Namespace", "kube-system")["metadata"]["uid"])
    found = existing.find()
    assert found
    assert (found.provider, found.kubeconfig) == ("existing", cluster.kubeconfig)
    assert found.kubernetes == cluster.kubernetes
    assert set(cluster.nodes) <= set(found.nodes)
    assert found.audit_log is None
    existing.stop()
    kube.request("GET", "readyz")


def test_without_a_kubeconfig_there_is_no_existing_cluster(
    existing: Existing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PODPLACEMENT_TEST_KUBECONFIG")
    with pytest.raises(ClusterError, match="PODPLACEMENT_TEST_KUBECONFIG"):
        existing.find()


def test_a_provider_that_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PODPLACEMENT_TEST_CLUSTER", "cloud")
    with pytest.raises(ClusterError, match="must be one of kwok, kind, existing"):
        provider("mine")
