# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timers and verdicts over a replacement."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.moves.vigil import (
    SCHEDULE_SECONDS,
    UNSCHEDULABLE_SECONDS,
    Verdict,
    Vigil,
)
from tests.unit.fake_api import VirtualClock
from tests.unit.moves.objects import Object, node, pod


class Watch:
    """A vigil over a pod that is to run on node b."""

    def __init__(self, target: str = "b", soak: float = 0.0) -> None:
        self.clock = VirtualClock()
        self.vigil = Vigil(self.clock, target, soak)

    def sees(self, replacement: Object, target: Object | None = None) -> Verdict:
        return self.vigil.judge(replacement, target if target is not None else node("b"))


def unschedulable(message: str = "0/2 nodes are available") -> Object:
    found = pod("new", on="")
    found["status"]["conditions"] = [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
        }
    ]
    return found


def starting(reason: str, group: str = "containerStatuses") -> Object:
    found = pod("new", on="b", ready=False, phase="Pending")
    waiting = {"name": "app", "state": {"waiting": {"reason": reason, "message": "look here"}}}
    found["status"][group] = [waiting]
    return found


def test_a_ready_pod_on_its_target_is_ready() -> None:
    watch = Watch()
    assert watch.sees(pod("new", on="b")) == Verdict(ready=True)
    assert set(watch.vigil.times) == {"created", "scheduled", "ready"}


def test_a_ready_pod_stays_good_on_a_node_that_is_cordoned_or_unknown() -> None:
    watch = Watch()
    assert watch.sees(pod("new", on="b"), node("b", unschedulable=True)).ready
    assert watch.vigil.judge(pod("new", on="b"), None).ready


def test_any_node_will_do_where_none_was_named() -> None:
    assert Watch(target="").sees(pod("new", on="z")).ready
    assert Watch(target="").vigil.judge(pod("new", on=""), None) == Verdict(
        why="waiting for the scheduler", limit=SCHEDULE_SECONDS, late="NotScheduled"
    )


@pytest.mark.parametrize("ready", [True, False])
def test_another_node_is_a_failure(ready: bool) -> None:
    assert Watch().sees(pod("new", on="z", ready=ready)).code == "WrongNode"


def test_what_the_kubelet_refused_is_told_with_its_reason() -> None:
    refused = pod("new", on="b", phase="Failed")
    refused["status"] |= {"reason": "OutOfcpu", "message": "Node didn't have enough resource"}
    verdict = Watch().sees(refused)
    assert verdict.code == "KubeletRefused: OutOfcpu"
    assert "enough resource" in verdict.why


def test_soaking_begins_anew_when_the_pod_was_not_ready_in_between() -> None:
    watch = Watch(soak=10.0)
    assert watch.sees(pod("new", on="b")) == Verdict(why="soaking", limit=10.0)
    watch.clock.sleep(9.0)
    assert watch.sees(pod("new", on="b")).limit == pytest.approx(1.0)
    assert not watch.sees(pod("new", on="b", ready=False)).ready
    watch.clock.sleep(9.0)
    assert watch.sees(pod("new", on="b")).limit == pytest.approx(10.0)
    watch.clock.sleep(10.0)
    assert watch.sees(pod("new", on="b")).ready


def test_another_pod_has_timers_of_its_own() -> None:
    watch = Watch(soak=10.0)
    watch.sees(pod("new", on="b"))
    watch.clock.sleep(10.0)
    assert watch.sees(pod("second", on="b")) == Verdict(why="soaking", limit=10.0)


def test_a_scheduler_that_never_looks() -> None:
    watch = Watch()
    waiting = pod("new", on="")
    assert watch.sees(waiting).limit == SCHEDULE_SECONDS
    watch.clock.sleep(SCHEDULE_SECONDS)
    verdict = watch.sees(waiting)
    assert verdict.code == "NotScheduled"
    assert "default-scheduler" in verdict.why


def test_unschedulable_for_a_moment_is_no_failure() -> None:
    watch = Watch()
    assert watch.sees(unschedulable()).limit == UNSCHEDULABLE_SECONDS
    watch.clock.sleep(UNSCHEDULABLE_SECONDS - 1)
    assert watch.sees(pod("new", on="")).code == ""
    assert watch.sees(unschedulable()).limit == UNSCHEDULABLE_SECONDS
    watch.clock.sleep(UNSCHEDULABLE_SECONDS)
    verdict = watch.sees(unschedulable("0/2 nodes: Insufficient cpu"))
    assert (verdict.code, verdict.why) == ("Unschedulable", "0/2 nodes: Insufficient cpu")


@pytest.mark.parametrize(
    ("target", "code"),
    [
        (node("b", unschedulable=True), "NodeUnschedulable"),
        (node("b", ready=False), "NodeNotReady"),
    ],
)
def test_a_target_that_goes_bad_before_the_pod_is_there(target: Object, code: str) -> None:
    assert Watch().sees(pod("new", on=""), target).code == code


def test_a_target_that_is_gone() -> None:
    watch = Watch()
    for replacement in (pod("new", on=""), pod("new", on="b", ready=False)):
        assert watch.vigil.judge(replacement, None).code == "NodeNotFound"


def test_a_cordon_does_not_matter_to_a_pod_that_is_already_there() -> None:
    starts = pod("new", on="b", ready=False)
    assert Watch().sees(starts, node("b", unschedulable=True)).code == ""
    assert Watch().sees(starts, node("b", ready=False)).code == "NodeNotReady"


@pytest.mark.parametrize(
    "reason",
    [
        "CrashLoopBackOff",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "CreateContainerConfigError",
    ],
)
@pytest.mark.parametrize("group", ["containerStatuses", "initContainerStatuses"])
def test_what_time_does_not_cure(reason: str, group: str) -> None:
    verdict = Watch().sees(starting(reason, group))
    assert verdict.code == reason
    assert "look here" in verdict.why


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing", "ErrImagePull"])
def test_what_may_still_become_ready(reason: str) -> None:
    assert Watch().sees(starting(reason)) == Verdict(why="waiting until the replacement is Ready")


@pytest.mark.parametrize("state", [{"running": {}}, {"waiting": {}}, {}])
def test_containers_that_wait_for_nothing_hopeless(state: Any) -> None:
    found = pod("new", on="b", ready=False)
    found["status"]["containerStatuses"] = [{"name": "app", "state": state}]
    assert Watch().sees(found).code == ""
