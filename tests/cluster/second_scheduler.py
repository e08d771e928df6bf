# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scheduler beside the cluster's own: the real kube-scheduler under another name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from tests.cluster.cluster import Cluster


def configuration(
    cluster: Cluster, name: str, profile: Mapping[str, object] = MappingProxyType({})
) -> dict[str, object]:
    """One profile of that name; no leader election, since nobody else has the name."""
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "clientConnection": {"kubeconfig": str(cluster.kubeconfig)},
        "profiles": [{"schedulerName": name, **profile}],
    }


@contextmanager
def scheduler(
    cluster: Cluster, name: str, profile: Mapping[str, object] = MappingProxyType({})
) -> Iterator[subprocess.Popen[bytes]]:
    """Run it while the block runs. It serves nothing, so any number can run side by side.

    `profile` is what its profile says beside the name. The test can stop and continue the process
    (SIGSTOP, SIGCONT) to play a dead scheduler.
    """
    assert cluster.bin_dir is not None, "the cluster's binaries are not at hand"
    with tempfile.TemporaryDirectory(prefix="podplacement-scheduler-") as folder:
        config = Path(folder, "config.json")
        config.write_text(json.dumps(configuration(cluster, name, profile)), encoding="utf-8")
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(
                [cluster.bin_dir / "kube-scheduler", f"--config={config}", "--secure-port=0"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                start_new_session=True,
            )
        try:
            yield process
            text = Path(folder, "log").read_text(encoding="utf-8", errors="replace")
            assert process.poll() is None, f"the scheduler {name} ended by itself:\n{text}"
        finally:
            os.kill(process.pid, signal.SIGCONT)
            process.terminate()
            process.wait(timeout=20)
