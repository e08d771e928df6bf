# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An existing cluster is touched only when its owner has named it: tests delete and cordon."""

from __future__ import annotations

import os
from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.cluster.kind import (
    PULLED_IMAGE,
    answers,
    remove_test_namespaces,
    server_version,
    workers,
)
from tests.cluster.kube import Kube
from tests.cluster.versions import ClusterError

CONFIRM = "PODPLACEMENT_TEST_EXISTING_CONFIRM"


class Existing:
    """The cluster of the kubeconfig in PODPLACEMENT_TEST_KUBECONFIG."""

    provider = "existing"

    def __init__(self, name: str) -> None:
        self.name = name

    def start(self, *, nodes: int | None = None) -> Cluster:
        """Check that it is the cluster that was meant."""
        kubeconfig = self._kubeconfig()
        kube = Kube(kubeconfig)
        uid = kube.get("Namespace", "kube-system")["metadata"]["uid"]
        if os.environ.get(CONFIRM) != uid:
            raise ClusterError(
                f"tests delete pods and cordon nodes: to run them on {kube.server}, set {CONFIRM} "
                f"to the uid of its namespace kube-system, {uid}"
            )
        image = os.environ.get("PODPLACEMENT_TEST_IMAGE") or PULLED_IMAGE
        version = server_version(kube)
        return Cluster(
            self.name, self.provider, kubeconfig, workers(kube), image, kubernetes=version
        )

    def find(self) -> Cluster | None:
        """The cluster if it answers and is the one that was meant."""
        return self.start() if answers(self._kubeconfig()) else None

    def stop(self) -> None:
        """It is not ours to stop."""

    def reset(self) -> int:
        """Remove the namespaces of tests."""
        return remove_test_namespaces(Kube(self.start().kubeconfig))

    def processes(self) -> dict[str, int]:
        """None of ours."""
        return {}

    def _kubeconfig(self) -> Path:
        chosen = os.environ.get("PODPLACEMENT_TEST_KUBECONFIG")
        if not chosen:
            raise ClusterError("an existing cluster is given by PODPLACEMENT_TEST_KUBECONFIG")
        return Path(chosen).absolute()
