# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`steer: hold` races its controller for the pod's name: a lost race is run again, and heals."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest

from tests.cluster.kube import ApiError, is_ready
from tests.faults import verdicts, workloads
from tests.faults.proxy import Match, Write
from tests.faults.world import Run, World, creates

pytestmark = [pytest.mark.cluster, pytest.mark.faults]

NAME = "web-1"
FINALIZER = "podplacement.io/hold"
HOST = "kubernetes.io/hostname"


class Race:
    """A move by hold, whose first race the controller wins."""

    def __init__(self, world: World) -> None:
        self.world = world
        here = world.cluster.nodes[0]
        wish = {"matchExpressions": [{"key": HOST, "operator": "In", "values": [here]}]}
        preferred = [{"weight": 100, "preference": wish}]
        affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
        manifest = workloads.stateful_set(2, affinity=affinity)
        world.create(workloads.service(), manifest)
        self.pods = world.ready(2)
        self.old = self.pods[1]["metadata"]["uid"]
        self.target = world.elsewhere(self.pods[1])
        self.run: Run = world.move(NAME, self.target, steer="hold")
        self.run.proxy.at(creates("pods"), "before", self._outrun)

    def _outrun(self, _write: Write) -> None:
        """The controller's pod is there, with a node, before ours is asked for. It is not Ready yet
        and stays so: one that serves is left where it is.
        """
        kube, namespace = self.world.kube, self.world.namespace
        kube.wait(
            "Pod",
            NAME,
            lambda pod: pod["metadata"]["uid"] != self.old and pod["spec"].get("nodeName"),
            namespace,
        )
        kube.annotate("Pod", NAME, namespace, hold_unready="true")
        kube.wait(
            "Pod",
            NAME,
            lambda pod: pod["status"].get("phase") == "Running" and not is_ready(pod),
            namespace,
        )

    def healed(self) -> str:
        """The node of the pod, when the set is whole and no trace is left."""
        with suppress(ApiError):  # the next one is not held
            self.world.kube.annotate("Pod", NAME, self.world.namespace, hold_unready=None)
        after = self.world.wait_idle(2)
        assert not any("finalizers" in pod["metadata"] for pod in after)
        assert verdicts.leftovers(self.world.kube, self.world.namespace) == []
        assert after[0]["metadata"]["uid"] == self.pods[0]["metadata"]["uid"]
        return str(self.world.pod(NAME)["spec"]["nodeName"])


def test_a_lost_race_is_run_again(world: World) -> None:
    """It ends on its target, or tells how often the controller was quicker."""
    race = Race(world)
    result = race.run.start().finish()
    tries = [w for w in race.run.proxy.writes if creates("pods")(w)]
    assert len(tries) > 1, f"{result}\n{race.run}"
    if result.get("failed"):
        assert result["error"]["code"] == "WrongNode", f"{result}\n{race.run}"
        assert re.search("quicker [2-5] times", result["msg"]), result
        race.healed()
    else:
        assert race.healed() == race.target


def _holds(write: Write) -> bool:
    return write.method == "PATCH" and _finalizers(write) == [FINALIZER]


def _lets_go(write: Write) -> bool:
    patched: dict[str, Any] = (write.body or {}).get("metadata", {}) if write.body else {}
    return write.method == "PATCH" and "finalizers" in patched and not patched["finalizers"]


def _finalizers(write: Write) -> Any:
    return (write.body or {}).get("metadata", {}).get("finalizers")


def _discards(write: Write) -> bool:
    return (write.method, write.resource) == ("DELETE", "pods")


def _nth(match: Match, n: int) -> Match:
    """The n-th write that matches."""
    seen: list[Write] = []

    def chosen(write: Write) -> bool:
        if match(write) and write not in seen:
            seen.append(write)
        return len(seen) == n and match(write)

    return chosen


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(_nth(_holds, 1), id="held"),
        pytest.param(_nth(_lets_go, 1), id="let go"),
        pytest.param(_nth(_holds, 2), id="outrun and held"),
        pytest.param(_discards, id="outrun and discarded"),
        pytest.param(_nth(_lets_go, 2), id="outrun and let go"),
    ],
)
def test_no_pod_stays_held_when_the_run_is_killed(write: Match, world: World) -> None:
    """`state: recovered` takes the finalizer off, and the set heals."""
    race = Race(world)
    race.run.proxy.at(write, "after", race.run.kill)
    race.run.start().died()
    recovered = world.task("k8s_pod_move", {"namespace": world.namespace, "state": "recovered"})
    assert not recovered.get("failed"), f"{recovered}\n{race.run}"
    race.healed()
