# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a kind cluster is asked for: the programs are stand-ins, the API server behind is real.

What real kubelets do is tested where there is a kind cluster: PODPLACEMENT_TEST_CLUSTER=kind.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.kind import FOLDER_IMAGE, PULLED_IMAGE, Kind
from tests.cluster.providers import provider

from .workloads import simulated

pytestmark = [pytest.mark.cluster, simulated]


@dataclass
class Host:
    """A machine with a kind program, and a folder of scripts, that write down their arguments."""

    root: Path
    cluster: Cluster

    def calls(self) -> list[list[str]]:
        lines = (self.root / "calls").read_text(encoding="utf-8").splitlines()
        return [line.split() for line in lines]

    def program(self, path: Path, *, brings_up: bool = False) -> Path:
        """A program that notes its call, and may write the kubeconfig of the running cluster."""
        unless = '[ "$1" = delete ] || '
        note = f'echo "$(basename "$0") $*" >>{shlex.quote(str(self.root / "calls"))}\n'
        copy = f'cp {shlex.quote(str(self.cluster.kubeconfig))} "$KUBECONFIG"\n'
        path.parent.mkdir(parents=True, exist_ok=True)
        text = f"#!/bin/sh\n{note}{unless + copy if brings_up else ''}"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
        return path


@pytest.fixture
def machine(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    for name in ("PODPLACEMENT_KIND_FOLDER", "PODPLACEMENT_TEST_IMAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PODPLACEMENT_TEST_CLUSTER", "kind")
    monkeypatch.setenv("PODPLACEMENT_CLUSTERS_DIR", str(tmp_path / "clusters"))
    monkeypatch.setenv("KIND_CACHE", str(tmp_path / "kind"))
    monkeypatch.setenv("PODPLACEMENT_KIND_NODE_IMAGE", "example.test/node:v1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return Host(tmp_path, cluster)


def test_a_node_image_by_variable(machine: Host) -> None:
    machine.program(machine.root / "bin" / "kind", brings_up=True)
    manager = provider("mine")
    assert isinstance(manager, Kind)
    found = manager.start()
    config = machine.root / "clusters" / "kind-mine" / "kind.yml"
    assert machine.calls() == [
        ["kind", "delete", "cluster", "--name", "podplacement-mine"],
        [
            "kind",
            "create",
            "cluster",
            "--config",
            str(config),
            "--image",
            "example.test/node:v1",
            "--wait",
            "180s",
        ],
    ]
    content = yaml.safe_load(config.read_text(encoding="utf-8"))
    assert content["name"] == "podplacement-mine"
    assert [n["role"] for n in content["nodes"]] == ["control-plane", "worker", "worker"]
    assert (found.provider, found.image, found.audit_log) == ("kind", PULLED_IMAGE, None)
    assert found.kubernetes == machine.cluster.kubernetes
    assert set(machine.cluster.nodes) <= set(found.nodes)
    assert manager.start() == found
    manager.stop()
    assert machine.calls()[2:] == [["kind", "delete", "cluster", "--name", "podplacement-mine"]]
    assert not config.parent.exists()


def test_a_folder_of_scripts_where_no_image_can_be_pulled(
    machine: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = machine.root / "scripts"
    for script in ("install-host-packages.sh", "build-node-image.sh"):
        machine.program(folder / script)
    machine.program(folder / "up.sh", brings_up=True)
    machine.program(machine.root / "kind" / "bin" / "kind")
    monkeypatch.setenv("PODPLACEMENT_KIND_FOLDER", str(folder))
    found = provider("mine").start()
    config = machine.root / "clusters" / "kind-mine" / "kind.yml"
    assert machine.calls()[1:] == [
        ["install-host-packages.sh"],
        ["build-node-image.sh"],
        ["up.sh", str(config)],
    ]
    assert found.image == FOLDER_IMAGE
    assert found.bin_dir == machine.root / "kind" / "bin"
