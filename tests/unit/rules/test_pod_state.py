# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each predicate holds under exactly the conditions that it lists."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.rules import pod_state

DELETED = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
SINCE = "2026-01-01T00:00:01Z"


def pod(
    *, metadata: dict[str, Any] | None = None, spec: dict[str, Any] | None = None, **status: Any
) -> dict[str, Any]:
    return {"metadata": {"name": "pod", **(metadata or {})}, "spec": spec or {}, "status": status}


def condition(kind: str, status: str, **more: str) -> dict[str, Any]:
    return {"type": kind, "status": status, **more}


READY = [condition("Ready", "True", lastTransitionTime=SINCE)]
UNREADY = [condition("Ready", "False", lastTransitionTime=SINCE)]
NO_ROOM = [condition("PodScheduled", "False", reason="Unschedulable")]
GATED = [condition("PodScheduled", "False", reason="SchedulingGated")]
BY_NODE = [{"kind": "Node", "controller": True}]
BESIDE_NODE = [{"kind": "Node"}]
MIRROR = {"kubernetes.io/config.mirror": "hash"}


@pytest.mark.parametrize(
    ("predicate", "subject", "verdict"),
    [
        ("is_terminal", pod(phase="Succeeded"), True),
        ("is_terminal", pod(phase="Failed"), True),
        ("is_terminal", pod(phase="Running", metadata=DELETED), False),
        ("is_terminating", pod(metadata=DELETED), True),
        ("is_terminating", pod(), False),
        ("is_pending", pod(phase="Pending"), True),
        ("is_pending", pod(), True),
        ("is_pending", pod(phase="Running"), False),
        ("is_running", pod(phase="Running"), True),
        ("is_running", pod(phase="Running", metadata=DELETED), False),
        ("is_running", pod(phase="Pending"), False),
        ("is_scheduled", pod(spec={"nodeName": "node"}), True),
        ("is_scheduled", pod(spec={"nodeName": ""}), False),
        ("is_ready", pod(phase="Running", conditions=READY), True),
        ("is_ready", pod(phase="Running", conditions=UNREADY), False),
        ("is_ready", pod(phase="Running"), False),
        ("is_ready", pod(phase="Running", conditions=READY, metadata=DELETED), False),
        ("is_ready", pod(phase="Pending", conditions=READY), False),
        ("is_unschedulable", pod(conditions=NO_ROOM), True),
        ("is_unschedulable", pod(conditions=NO_ROOM, spec={"nodeName": "node"}), False),
        ("is_unschedulable", pod(conditions=GATED), False),
        ("is_unschedulable", pod(), False),
        ("has_scheduling_gates", pod(spec={"schedulingGates": [{"name": "wait"}]}), True),
        ("has_scheduling_gates", pod(spec={"schedulingGates": []}), False),
        ("has_resource_claims", pod(spec={"resourceClaims": [{"name": "gpu"}]}), True),
        ("has_resource_claims", pod(), False),
        ("is_mirror", pod(metadata={"annotations": MIRROR}), True),
        ("is_mirror", pod(metadata={"ownerReferences": BY_NODE}), True),
        ("is_mirror", pod(metadata={"ownerReferences": BESIDE_NODE}), False),
        ("is_mirror", pod(), False),
        ("is_system_critical", pod(spec={"priorityClassName": "system-node-critical"}), True),
        ("is_system_critical", pod(spec={"priorityClassName": "system-cluster-critical"}), True),
        ("is_system_critical", pod(metadata={"namespace": "kube-system"}), True),
        ("is_system_critical", pod(metadata={"namespace": "shop"}), False),
    ],
)
def test_the_predicate_holds_as_listed(predicate: str, subject: Any, verdict: bool) -> None:
    assert getattr(pod_state, predicate)(subject) is verdict


def test_the_phase_is_pending_until_the_server_says_otherwise() -> None:
    assert pod_state.phase(pod()) == "Pending"
    assert pod_state.phase(pod(phase="Running")) == "Running"


def test_ready_since_is_the_time_of_the_condition_while_it_holds() -> None:
    assert pod_state.ready_since(pod(conditions=READY)) == SINCE
    assert pod_state.ready_since(pod(conditions=UNREADY)) is None


def test_a_pod_that_the_kubelet_refused_says_why() -> None:
    assert pod_state.failure(pod(phase="Failed", reason="OutOfcpu")) == "OutOfcpu"
    assert pod_state.failure(pod(phase="Failed")) == "Failed"
    assert pod_state.failure(pod(phase="Running", reason="OutOfcpu")) == ""
