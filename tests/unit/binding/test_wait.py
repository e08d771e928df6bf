# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod is placed when it runs: what k8s_pod_bind waits for, and for how long."""

from __future__ import annotations

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.resources import POD
from tests.unit.binding.harness import (
    ALL,
    ONE,
    Options,
    batch,
    refusal,
    run,
    set_phase,
)
from tests.unit.binding.objects import Object, node, pod
from tests.unit.fake_api import FakeApi


def test_it_waits_until_the_pod_runs() -> None:
    api = FakeApi(node("a"), pod("p"))
    api.later(5, set_phase(api, "p", containerStatuses=[{"name": "app"}]))
    api.later(7, set_phase(api, "p", phase="Running"))
    assert run(api, ONE, wait=True)["changed"]
    assert api.clock.now == 1012


def test_a_pod_that_the_kubelet_refuses_is_a_failure_with_its_reason() -> None:
    api = FakeApi(node("a"), pod("p"))
    refused = {"phase": "Failed", "reason": "OutOfcpu", "message": "not enough cpu"}
    api.later(1, set_phase(api, "p", **refused))
    error = refusal(api, ONE, wait=True)
    assert error.code == "KubeletRefused: OutOfcpu"
    assert error.step == "wait for Running"
    assert "not enough cpu" in error.message
    assert error.changed
    assert error.result["bound"][0]["name"] == "p"


@pytest.mark.parametrize("check", [False, True])
def test_the_next_run_does_not_call_a_refused_pod_placed(check: bool) -> None:
    api = FakeApi(node("a"), pod("p", on="a", phase="Failed"))
    assert refusal(api, ONE, wait=True, check=check).code == "KubeletRefused: Failed"


def test_a_container_that_ran_and_failed_is_not_the_kubelets_refusal() -> None:
    api = FakeApi(node("a"), pod("p"))
    ended = {"phase": "Failed", "containerStatuses": [{"name": "app"}]}
    api.later(1, set_phase(api, "p", **ended))
    assert refusal(api, ONE, wait=True).code == "PodFailed: Failed"


def test_a_timeout_says_at_which_step_and_what_the_pod_waits_for() -> None:
    api = FakeApi(node("a"), pod("p"))
    state = {"waiting": {"reason": "ErrImagePull"}}
    pulling = set_phase(api, "p", containerStatuses=[{"name": "app", "state": state}])
    api.later(1, pulling)
    error = refusal(api, ONE, wait=True, wait_timeout=30)
    assert (error.code, error.step, error.changed) == ("Timeout", "wait for Running", True)
    assert "container app waits: ErrImagePull" in error.message
    assert api.clock.now == 1030


def test_a_pod_that_is_deleted_while_it_is_waited_for() -> None:
    api = FakeApi(node("a"), pod("p"))
    api.later(1, lambda: api.remove(POD, "p", "shop"))
    assert refusal(api, ONE, wait=True).code == "PodGone"


def test_of_many_all_are_waited_for_and_the_refused_ones_reported_together() -> None:
    api = batch(3)
    api.later(1, set_phase(api, "p0", phase="Failed", reason="OutOfpods"))
    api.later(1, set_phase(api, "p1", phase="Running"))
    api.later(1, set_phase(api, "p2", phase="Failed", reason="NodeAffinity"))
    error = refusal(api, ALL, wait=True)
    assert error.code == "KubeletRefused: OutOfpods"
    assert "shop/p0" in error.message
    assert "shop/p2" in error.message
    assert len(error.result["bound"]) == 3


@pytest.mark.parametrize(
    ("options", "made"),
    [(ONE, pod("p")), (ONE, pod("p", on="a", phase="Pending")), (ALL, pod("p"))],
)
def test_check_mode_does_not_wait(options: Options, made: Object) -> None:
    api = FakeApi(node("a"), made)
    run(api, options, wait=True, check=True)
    assert api.clock.now == 1000
    assert "watch" not in {call.verb for call in api.calls}
