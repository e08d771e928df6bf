# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters side by side, found again, recovered after a death, reset, and gone without a trace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster import binaries
from tests.cluster.kube import Kube
from tests.cluster.kwok import COMPONENTS, Kwok
from tests.cluster.nodes import node
from tests.cluster.versions import REPOSITORY, Versions, cache_dir

from .workloads import deployment, simulated

pytestmark = [pytest.mark.cluster, simulated]


@dataclass
class Tool:
    """The command line, run by a user whose home is empty."""

    home: Path
    clusters: Path

    def run(self, *arguments: str, code: int = 0) -> str:
        environment = {k: v for k, v in os.environ.items() if k != "KUBECONFIG"}
        environment |= {
            "HOME": str(self.home),
            "PODPLACEMENT_CACHE": str(cache_dir()),
            "PODPLACEMENT_CLUSTERS_DIR": str(self.clusters),
        }
        done = subprocess.run(
            [sys.executable, "-B", "-m", "tests.cluster", *arguments],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout

    def processes(self, name: str) -> dict[str, int]:
        lines = self.run("status", "--name", name).splitlines()[2:]
        return {component: int(pid) for component, pid in (line.split() for line in lines)}


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tool]:
    """The tool with a folder of its own; whatever it started ends with the test."""
    binaries.ensure(Versions.select())
    monkeypatch.setenv("PODPLACEMENT_CLUSTERS_DIR", str(tmp_path / "clusters"))
    monkeypatch.setenv("PODPLACEMENT_TEST_CLUSTER", "kwok")
    (tmp_path / "home").mkdir()
    yield Tool(tmp_path / "home", tmp_path / "clusters")
    for folder in (tmp_path / "clusters").glob("*/"):
        Kwok(folder.name).stop()


def alive(pid: int) -> bool:
    """Does the process run (a zombie does not)?"""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def test_two_clusters_side_by_side(tool: Tool) -> None:
    first = Kube(tool.run("start", "--name", "first", "--nodes", "1").strip())
    second = Kube(tool.run("start", "--name", "second", "--nodes", "2").strip())
    assert first.server != second.server
    assert first.server.startswith("https://127.0.0.1:")
    assert first.kubeconfig.stat().st_mode & 0o777 == 0o600
    assert "certificate-authority-data" in first.kubeconfig.read_text(encoding="utf-8")
    assert (len(first.list("Node")), len(second.list("Node"))) == (1, 2)
    marker = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "only-in-first"}}
    first.create(marker)
    assert second.find("Namespace", "only-in-first") is None

    before = tool.processes("first")
    assert sorted(before) == sorted(COMPONENTS)
    assert tool.run("start", "--name", "first") == f"{first.kubeconfig}\n"
    assert tool.processes("first") == before
    assert first.find("Namespace", "only-in-first")
    assert f"export K8S_AUTH_KUBECONFIG={first.kubeconfig}" in tool.run("env", "--name", "first")

    tool.run("stop", "--name", "first")
    assert not any(alive(pid) for pid in before.values())
    assert not (tool.clusters / "first").exists()
    assert "not running" in tool.run("status", "--name", "first", code=3)
    assert tool.run("kubeconfig", "--name", "second") == f"{second.kubeconfig}\n"
    second.request("GET", "readyz")

    tool.run("stop", "--name", "second")
    # the user's own kubeconfig, and everything else of the user, was left alone
    assert list(tool.home.rglob("*")) == []


def test_a_cluster_that_died_is_started_anew(tool: Tool) -> None:
    tool.run("start", "--name", "mortal", "--nodes", "1")
    processes = tool.processes("mortal")
    os.kill(processes["kube-apiserver"], signal.SIGKILL)
    assert "not running" in tool.run("status", "--name", "mortal", code=3)
    # the number in a pid file may belong to somebody else by the time that it is read
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        pid_file = Kwok("mortal").workdir / "pids" / "kube-apiserver.pid"
        pid_file.write_text(str(stranger.pid), encoding="utf-8")
        kube = Kube(tool.run("start", "--name", "mortal").strip())
        kube.request("GET", "readyz")
        assert not any(alive(pid) for pid in processes.values())
        assert stranger.poll() is None
        stranger.kill()


def test_a_reset_leaves_what_was_there_after_the_start(tool: Tool) -> None:
    kube = Kube(tool.run("start", "--name", "tidy", "--nodes", "2").strip())
    manager = Kwok("tidy")
    cluster = manager.find()
    assert cluster
    for name in ("one", "two"):
        kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        kube.create(deployment(cluster, "web", 3), name)
        kube.wait_ready(name, count=3)
    kube.create(deployment(cluster, "here", 2), "default")
    kube.create(node("extra"))
    kube.delete("Node", "node-1")
    kube.patch("Node", "node-0", {"spec": {"unschedulable": True}})
    own = {"metadata": {"name": "mine"}}
    kube.create(own | {"kind": "PriorityClass", "apiVersion": "scheduling.k8s.io/v1", "value": 7})
    kube.create(own | {"kind": "Lease", "apiVersion": "coordination.k8s.io/v1"}, "default")

    tool.run("reset", "--name", "tidy")
    assert [n["metadata"]["name"] for n in kube.list("Node")] == ["node-0", "node-1"]
    assert "unschedulable" not in kube.get("Node", "node-0")["spec"]
    namespaces = {n["metadata"]["name"] for n in kube.list("Namespace")}
    assert namespaces == {"default", "kube-system", "kube-public", "kube-node-lease"}
    for kind in ("Pod", "ReplicaSet", "Deployment"):
        assert kube.list(kind) == []
    assert kube.find("PriorityClass", "mine") is None
    assert kube.find("Lease", "mine", "default") is None

    # and it works as before
    kube.create(deployment(cluster, "here", 2), "default")
    kube.wait_ready("default", count=2)


def test_a_reset_of_a_cluster_that_does_not_run_is_an_error(tool: Tool) -> None:
    tool.run("reset", "--name", "absent", code=1)
    tool.run("kubeconfig", "--name", "absent", code=1)


@pytest.mark.parametrize("name", ["../other", "UPPER", "", "a b"])
def test_a_name_is_a_name(name: str, tool: Tool) -> None:
    tool.run("stop", "--name", name, code=1)
