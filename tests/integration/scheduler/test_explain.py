# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`explain` says of each node what a decision would, with nothing but the rights to read."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.cluster.daemon import COMMAND
from tests.integration.scheduler.ground import Ground


def run(ground: Ground, pod: str, *options: str) -> subprocess.CompletedProcess[str]:
    """The command as a user calls it."""
    kubeconfig = str(ground.cluster.kubeconfig)
    command = [*COMMAND, "explain", f"{ground.namespace}/{pod}", "--kubeconfig", kubeconfig]
    return subprocess.run(
        [*command, *options], capture_output=True, text=True, check=False, timeout=60
    )


def explained(ground: Ground, pod: str, *options: str) -> dict[str, Any]:
    done = run(ground, pod, "-o", "json", *options)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_pod_that_waits(own_ground: Ground) -> None:
    ground = own_ground
    ground.nodes(big={"cpu": "4"}, small={"cpu": "500m"}, cordoned={"unschedulable": True})
    ground.kube.create(ground.pod("waits", requests={"cpu": "1"}), ground.namespace)
    found = explained(ground, "waits")
    nodes = {node["name"]: node for node in found["nodes"]}
    assert (found["scheduler_name"], found["refusals"]) == (ground.scheduler, [])
    assert nodes[ground.name("big")]["fits"]
    assert nodes[ground.name("small")]["refusals"] == [
        {"plugin": "NodeResourcesFit", "reason": "Insufficient cpu"}
    ]
    # The node controller adds a taint for the cordon, sooner or later.
    assert nodes[ground.name("cordoned")]["refusals"][0]["plugin"] == "NodeUnschedulable"
    others = [nodes[name]["refusals"] for name in ground.cluster.nodes]
    assert all(refusals[0]["plugin"] == "NodeAffinity" for refusals in others)
    table = run(ground, "waits").stdout.splitlines()
    # Tests beside this one make and remove nodes of their own.
    assert re.search(r": 1 of \d+ nodes fit$", table[0])
    assert table[2].startswith(ground.name("big"))


def test_a_pod_with_a_node_and_another_scheduler(own_ground: Ground, tmp_path: Path) -> None:
    ground = own_ground
    ground.nodes(only={"cpu": "1"})
    pod = ground.pod("placed", requests={"cpu": "800m"}, nodeName=ground.name("only"))
    ground.kube.create(pod, ground.namespace)
    found = explained(ground, "placed")
    fitting = [node["name"] for node in found["nodes"] if node["fits"]]
    assert fitting == [ground.name("only")], "it does not compete with itself"
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"profiles": [{"schedulerName": "another"}]}), encoding="utf-8")
    done = run(ground, "placed", "--config", str(file))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "--scheduler-name" in done.stderr
    told = explained(ground, "placed", "--config", str(file), "--scheduler-name", "another")
    assert told["scheduler_name"] == "another"


def test_a_pod_that_is_not_there(own_ground: Ground) -> None:
    done = run(own_ground, "nobody")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "not found" in done.stderr
