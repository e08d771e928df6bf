# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each strategy as a case: a workload, the task that changes it, and what must hold in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.kube import Object
from tests.faults import case_evict, case_replace, case_shadow, case_steer, verdicts, workloads
from tests.faults.case import REPLICAS, Case
from tests.faults.referee import History
from tests.faults.world import World

OLD_SCHEDULER = "nobody-runs-this"
LEDGER = Path(__file__).with_name("kill_points.yml")


@dataclass
class Adopted(Case):
    """A controller's pod: never short, the controller untouched, exactly one pod moved."""

    def check_result(self, after: list[Object], history: History) -> None:
        """See moves.md, f2."""
        now = verdicts.controllers(self.world.kube, self.world.namespace)
        assert now == self.controllers
        verdicts.assert_moved_once(self.pods, after, self.pods[0], self.args["node"])
        verdicts.assert_untouched_spec(history, self.controllers)
        verdicts.assert_never_short(history, "web", REPLICAS, owned=True)


@dataclass
class Bare(Case):
    """A bare pod: never lost, and the same in the end."""

    renamed: bool = False

    def check_result(self, after: list[Object], history: History) -> None:
        """See moves.md, f6."""
        verdicts.assert_moved_once(self.pods, after, self.pods[0], self.args["node"])
        assert verdicts.identity(after[0]) == verdicts.identity(self.pods[0])
        same_name = after[0]["metadata"]["name"] == self.pods[0]["metadata"]["name"]
        assert same_name != self.renamed
        assert not history.lost("web")
        if self.renamed:
            verdicts.assert_never_short(history, "web", 1)


@dataclass
class Rescheduled(Case):
    """A bare pod under another scheduler."""

    def check_result(self, after: list[Object], history: History) -> None:
        """Another pod of the same name, placed by the scheduler that was asked for."""
        assert [pod["metadata"]["name"] for pod in after] == ["web"]
        assert after[0]["metadata"]["uid"] != self.pods[0]["metadata"]["uid"]
        assert after[0]["spec"]["schedulerName"] == "default-scheduler"
        assert verdicts.identity(after[0]) == verdicts.identity(self.pods[0])
        assert not history.lost("web")


@dataclass
class Rolled(Case):
    """A controller whose pods were all replaced, after one change of its template."""

    def check_result(self, after: list[Object], history: History) -> None:
        """Every pod is new, none was missing meanwhile, and the template changed once."""
        assert {pod["spec"]["schedulerName"] for pod in after} == {"default-scheduler"}
        old = {pod["metadata"]["uid"] for pod in self.pods}
        assert not old & {pod["metadata"]["uid"] for pod in after}
        verdicts.assert_never_short(history, "web", REPLICAS, owned=True)
        generations = {
            generation for dummy, generation in history.generations("ReplicationController")
        }
        assert len(generations) == 2, generations


@dataclass
class Bound(Case):
    """A pending pod that got its node."""

    def check_result(self, after: list[Object], history: History) -> None:
        """The same pod, on that node."""
        assert [p["metadata"]["uid"] for p in after] == [p["metadata"]["uid"] for p in self.pods]
        assert after[0]["spec"]["nodeName"] == self.args["node"]


def _move(world: World, name: str, node: str, **options: Any) -> dict[str, Any]:
    found = {"namespace": world.namespace, "name": name, "node": node, "wait_timeout": 60}
    return found | options


def _adopted(manifest: Callable[..., Object], *companions: Object) -> Callable[[World], Case]:
    def make(world: World) -> Case:
        world.create(manifest(REPLICAS), *companions)
        pods = world.ready(REPLICAS)
        name, node = pods[0]["metadata"]["name"], world.elsewhere(*pods)
        return Adopted(world, "k8s_pod_move", _move(world, name, node, strategy="adopt"), pods)

    return make


def _bare(strategy: str) -> Callable[[World], Case]:
    def make(world: World) -> Case:
        # recreate keeps a host name; surge refuses such a pod, because its name would change
        hostname = {"hostname": "keep-me"} if strategy == "recreate" else {}
        world.create(workloads.pod("web", None, **hostname))
        pods = world.ready(1)
        args = _move(world, "web", world.elsewhere(*pods), strategy=strategy)
        return Bare(world, "k8s_pod_move", args, pods, renamed=strategy == "surge")

    return make


def bind(world: World, pod: Object, node: str) -> None:
    """Play the scheduler that nobody runs."""
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": pod["metadata"]["name"]},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    }
    path = f"api/v1/namespaces/{world.namespace}/pods/{pod['metadata']['name']}/binding"
    world.kube.request("POST", path, binding)


def _pending(world: World, manifest: Object, count: int) -> list[Object]:
    world.create(manifest)
    return world.wait_pods(f"{count} pods", lambda pods: len(pods) == count)


def _bound(world: World) -> Case:
    pods = _pending(world, workloads.pod(schedulerName=OLD_SCHEDULER), 1)
    args = {"namespace": world.namespace, "name": "web", "node": world.cluster.nodes[1]}
    return Bound(world, "k8s_pod_bind", args, pods)


def _rescheduled(world: World) -> Case:
    for pod in _pending(world, workloads.pod(schedulerName=OLD_SCHEDULER), 1):
        bind(world, pod, world.cluster.nodes[1])
    args = {"namespace": world.namespace, "name": "web", "scheduler_name": "default-scheduler"}
    return Rescheduled(world, "k8s_pod_scheduler", args, world.ready(1))


def _rolled(world: World) -> Case:
    manifest = workloads.replication_controller(REPLICAS, schedulerName=OLD_SCHEDULER)
    for pod in _pending(world, manifest, REPLICAS):
        bind(world, pod, world.cluster.nodes[1])
    args = {
        "namespace": world.namespace,
        "kind": "ReplicationController",
        "name": "web",
        "scheduler_name": "default-scheduler",
        "roll": True,
    }
    return Rolled(world, "k8s_controller_scheduler", args, world.ready(REPLICAS))


CASES: dict[str, Callable[[World], Case]] = {
    "adopt-deployment": _adopted(
        workloads.deployment, workloads.service(), workloads.budget(REPLICAS)
    ),
    "adopt-replicaset": _adopted(workloads.replica_set, workloads.service()),
    "adopt-replicationcontroller": _adopted(workloads.replication_controller, workloads.service()),
    "shadow-replicaset": case_shadow.replica_set,
    "replace-deployment": case_replace.deployment,
    "evict-unknown-owner": case_evict.unknown_owner,
    "steer-static": case_steer.stateful_set("static"),
    "steer-block": case_steer.stateful_set("block"),
    "recreate": _bare("recreate"),
    "surge": _bare("surge"),
    "bind": _bound,
    "pod-scheduler": _rescheduled,
    "controller-roll": _rolled,
}


def ledger() -> dict[str, dict[str, int]]:
    """How many writes each strategy makes, as committed."""
    found: dict[str, dict[str, int]] = yaml.safe_load(LEDGER.read_text(encoding="utf-8"))
    return found
