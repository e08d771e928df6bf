# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a rollout is, told from the controller's status as `kubectl rollout status` does."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.clock import Deadline
from ansible_collections.podplacement.core.plugins.module_utils.errors import PlacementError
from ansible_collections.podplacement.core.plugins.module_utils.resources import (
    DEPLOYMENT,
)
from ansible_collections.podplacement.core.plugins.module_utils.rollout import (
    Progress,
    holds_back,
    left_behind,
    progress,
    unscheduled_reason,
    wait_complete,
)
from ansible_collections.podplacement.core.plugins.module_utils.scheduler_name import KINDS
from tests.unit.fake_api import FakeApi
from tests.unit.scheduler_name.objects import NAMESPACE, controller, pod

DONE = Progress(True, True)


def counts(replicas: int, updated: int, available: int, **more: Any) -> dict[str, Any]:
    own = {"replicas": replicas, "updatedReplicas": updated, "availableReplicas": available}
    return {**own, "readyReplicas": available, "observedGeneration": 1, **more}


def daemons(desired: int, updated: int, available: int) -> dict[str, Any]:
    return {
        "desiredNumberScheduled": desired,
        "updatedNumberScheduled": updated,
        "numberAvailable": available,
        "observedGeneration": 1,
    }


def revisions(same: bool) -> dict[str, str]:
    return {"currentRevision": "b" if same else "a", "updateRevision": "b"}


@pytest.mark.parametrize(
    ("kind", "status", "spec", "expected"),
    [
        ("Deployment", counts(3, 3, 3), {}, DONE),
        ("Deployment", counts(3, 3, 2), {}, Progress(True, False)),
        ("Deployment", counts(4, 3, 4), {}, Progress(False, True)),
        ("Deployment", counts(3, 2, 3), {}, Progress(False, True)),
        ("Deployment", counts(3, 3, 3, observedGeneration=0), {}, Progress(False)),
        ("StatefulSet", counts(3, 3, 3, **revisions(True)), {}, DONE),
        ("StatefulSet", counts(3, 3, 3, **revisions(False)), {}, Progress(False, True)),
        ("StatefulSet", counts(3, 1, 3, **revisions(False)), {}, Progress(False, True)),
        ("StatefulSet", counts(3, 1, 3, **revisions(False)), {"partition": 2}, DONE),
        (
            "StatefulSet",
            counts(3, 0, 3, **revisions(False)),
            {"partition": 2},
            Progress(False, True),
        ),
        ("StatefulSet", counts(3, 0, 3, **revisions(False)), {"partition": 9}, DONE),
        ("StatefulSet", counts(3, 0, 3, **revisions(False)), {"type": "OnDelete"}, DONE),
        ("DaemonSet", daemons(3, 3, 3), {}, DONE),
        ("DaemonSet", daemons(3, 2, 3), {}, Progress(False, True)),
        ("DaemonSet", daemons(3, 3, 2), {}, Progress(True, False)),
        ("DaemonSet", daemons(3, 0, 3), {"type": "OnDelete"}, DONE),
    ],
)
def test_how_far_a_rollout_is(kind: str, status: Any, spec: Any, expected: Progress) -> None:
    strategy: dict[str, Any] = {"type": spec.get("type", "RollingUpdate")}
    if "partition" in spec:
        strategy["rollingUpdate"] = {"partition": spec["partition"]}
    own: dict[str, Any] = {} if kind == "Deployment" else {"updateStrategy": strategy}
    obj = controller(kind, metadata={"generation": 1}, status=status, replicas=3, **own)
    assert progress(KINDS[kind], obj) == expected
    assert holds_back(KINDS[kind], obj) is bool(spec)


def test_how_many_pods_are_behind() -> None:
    assert left_behind(DEPLOYMENT, controller("Deployment", status=counts(3, 1, 3))) == 2
    assert left_behind(KINDS["DaemonSet"], controller("DaemonSet", status=daemons(3, 0, 3))) == 3
    assert left_behind(KINDS["ReplicaSet"], controller("ReplicaSet", status={"replicas": 3})) == 0


def test_waiting_ends_when_the_status_says_so() -> None:
    obj = controller("Deployment", metadata={"generation": 1}, status=counts(3, 0, 3), replicas=3)
    api = FakeApi(obj)
    done = {"status": counts(3, 3, 3)}
    api.later(40, lambda: api.change(DEPLOYMENT, "web", NAMESPACE, done))
    found = wait_complete(api, DEPLOYMENT, obj, Deadline(api.clock, 60))
    assert found["status"]["updatedReplicas"] == 3
    assert api.clock.monotonic() == 1040


def failure(api: FakeApi, seconds: float = 60) -> PlacementError:
    obj = api.get(DEPLOYMENT, "web", NAMESPACE)
    with pytest.raises(PlacementError) as raised:
        wait_complete(api, DEPLOYMENT, obj, Deadline(api.clock, seconds))
    assert raised.value.changed
    return raised.value


def test_a_timeout_names_the_pod_that_nobody_places() -> None:
    obj = controller("Deployment", metadata={"generation": 1}, status=counts(3, 0, 3))
    waiting = pod("web-1", "nobody")
    placed = pod("web-0", "nobody")
    placed["spec"]["nodeName"] = "node"
    for one in (waiting, placed):
        one["metadata"]["ownerReferences"][0].update(kind="Deployment")
    found = failure(FakeApi(obj, waiting, placed), 5)
    assert found.code == "RolloutTimeout"
    assert "pod web-1: no scheduler named nobody has looked at it" in found.message


def test_a_deployment_that_gives_up_and_one_that_is_deleted() -> None:
    gave_up = {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "too slow"}
    status = counts(3, 0, 3, conditions=[gave_up])
    found = failure(FakeApi(controller("Deployment", metadata={"generation": 1}, status=status)))
    assert (found.code, "too slow" in found.message) == ("RolloutFailed", True)

    api = FakeApi(controller("Deployment", metadata={"generation": 1}, status=counts(3, 0, 3)))
    api.later(1, lambda: api.remove(DEPLOYMENT, "web", NAMESPACE))
    assert failure(api).code == "ControllerGone"


def test_the_schedulers_own_words_are_the_reason() -> None:
    judged = pod("web-1")
    judged["status"]["conditions"] = [{"type": "PodScheduled", "message": "0/3 nodes"}]
    assert unscheduled_reason(judged) == "0/3 nodes"
