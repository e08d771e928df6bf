# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What steer decides, from what is seen; each row is one of the table in its docstring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    AlreadyExists,
    Forbidden,
    TooManyRequests,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.names import EPOCH, MOVE_ID
from ansible_collections.podplacement.core.plugins.module_utils.moves.scene import DONE, WAIT
from ansible_collections.podplacement.core.plugins.module_utils.moves.steer import (
    FINALIZER,
    MAX_TRIES,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.steering import HOSTNAME
from ansible_collections.podplacement.core.plugins.module_utils.resources import (
    CONFIG_MAP,
    LEASE,
    POD,
    STATEFUL_SET,
    VALIDATING_POLICY,
    VALIDATING_POLICY_BINDING,
)
from tests.unit.moves.objects import NS, Object, node
from tests.unit.moves.steer_stage import OLD, Stage, arrived, member, stateful_set

FIRST = member("db-0")
OTHERS = (FIRST, member("db-2"))
GOING: dict[str, Any] = {"terminating": True}
GONE_SOON = {"deletionTimestamp": "now", "deletionGracePeriodSeconds": 0}


def outrun(*, held: bool = False, stopped: bool = False, **more: Any) -> Object:
    """N, made by a controller that was quicker, where its scheduler wanted it."""
    found = arrived(on="a", **more)
    found["metadata"] |= {"finalizers": [FINALIZER]} if held else {}
    found["metadata"] |= {"deletionGracePeriodSeconds": 0} if stopped else {}
    return found


@pytest.mark.parametrize(
    ("way", "found", "options", "verb", "code"),
    [
        # O serves
        ("static", [member()], {}, "install", ""),
        ("block", [member()], {}, "install", ""),
        ("policy", [member()], {}, "install", ""),
        ("hold", [member()], {}, "hold", ""),
        ("plain", [member()], {}, "evict", ""),
        ("static", [member()], {"tooled": True}, "evict", ""),
        ("static", [member()], {"tooled": True, "resume": True}, "remove", ""),
        ("static", [member()], {"resume": True}, DONE, "RolledBack"),
        ("static", [member(annotations={EPOCH: "1"})], {"resume": True}, "unmark", ""),
        ("static", [member()], {"tooled": True, "seconds": 0}, "remove", ""),
        ("static", [member()], {"seconds": 0}, DONE, "Timeout"),
        # O goes
        ("static", [member(**GOING)], {"tooled": True}, WAIT, ""),
        ("static", [member(**GOING)], {"tooled": True, "seconds": 0}, "remove", ""),
        ("static", [member(**GOING)], {"seconds": 0}, DONE, "TerminationTimeout"),
        # no pod
        ("static", [], {"tooled": True, "resume": True}, WAIT, ""),
        ("block", [], {"tooled": True, "resume": True}, "create", ""),
        ("hold", [], {"resume": True}, "create", ""),
        ("static", [], {}, DONE, "PodGone"),
        ("block", [], {"tooled": True}, "remove", ""),
        ("static", [], {"resume": True, "seconds": 0}, DONE, "NotReplaced"),
        # N
        ("static", [arrived(ready=False)], {"tooled": True}, WAIT, ""),
        ("static", [arrived(ready=False)], {"seconds": 0}, "give_up", "NotReady"),
        ("static", [arrived(phase="Failed")], {}, "give_up", "KubeletRefused: Failed"),
        ("static", [arrived(on="a")], {"tooled": True}, "remove", ""),
        ("static", [arrived(on="a")], {}, DONE, "WrongNode"),
        ("hold", [outrun(ready=False)], {}, "hold", ""),
        ("hold", [outrun(held=True, ready=False)], {}, "discard", ""),
        ("hold", [outrun(held=True)], {}, "release", ""),
        ("hold", [outrun(ready=False)], {"seconds": 0}, DONE, "WrongNode"),
        ("hold", [outrun(ready=False)], {"resume": True}, DONE, "WrongNode"),
        ("hold", [outrun(held=True, **GOING)], {}, WAIT, ""),
        ("hold", [outrun(held=True, stopped=True, **GOING)], {}, "let_go", ""),
        ("hold", [outrun(held=True, **GOING)], {"seconds": 0}, "release", ""),
        ("hold", [outrun(held=True, **GOING)], {"resume": True}, "release", ""),
        ("static", [arrived()], {"tooled": True}, "remove", ""),
        ("block", [arrived("block")], {}, "finalize", ""),
        ("static", [arrived()], {}, DONE, ""),
        ("static", [arrived(**GOING)], {}, WAIT, ""),
    ],
)
def test_what_is_seen_decides(
    tmp_path: Path, way: str, found: list[Any], options: dict[str, Any], verb: str, code: str
) -> None:
    stage = Stage(tmp_path, *OTHERS, *found, way=way, **options)
    step = stage.step()
    assert (step.verb, step.code if verb in (DONE, "give_up") else "") == (verb, code), step


@pytest.mark.parametrize(
    ("owner", "code"),
    [
        (None, "OwnerGone"),
        (stateful_set(replicas=1), "PodGone"),
        (stateful_set(status={"updateRevision": OLD}), "RolloutInProgress"),
        (stateful_set(status={"observedGeneration": 0}), "RolloutInProgress"),
    ],
)
def test_nothing_is_begun_when_the_set_changed_meanwhile(
    tmp_path: Path, owner: Any, code: str
) -> None:
    stage = Stage(tmp_path, *OTHERS, member(), owner=owner, tooled=True)
    verbs, last = stage.to_the_end()
    assert (verbs, last.verb, last.code) == (["remove"], DONE, code)


def test_a_lower_ordinal_that_is_away_is_waited_for(tmp_path: Path) -> None:
    stage = Stage(tmp_path, member("db-0", ready=False), member("db-2"), member(), tooled=True)
    step = stage.step()
    assert (step.verb, step.code) == (WAIT, "WorkloadNotReady")
    stage.api.change(POD, "db-0", NS, {"status": FIRST["status"]})
    assert stage.step().verb == "evict"


def test_what_has_no_effect_is_waited_for_and_then_taken_away(tmp_path: Path) -> None:
    stage = Stage(tmp_path, *OTHERS, member(), tooled=True)
    stage.api.obeys = False
    assert stage.step().verb == WAIT
    stage.api.clock.sleep(60)
    verbs, last = stage.to_the_end()
    assert (verbs, last.code) == (["remove"], "SteerUnavailable")
    assert stage.api.get(POD, "db-1", NS)["metadata"]["uid"] == "uid-db-1"


def test_a_pinned_pod_is_proved_without_its_pin(tmp_path: Path) -> None:
    """It was steered before: the policy leaves pods alone that name a node."""
    stage = Stage(tmp_path, *OTHERS, member(nodeSelector={HOSTNAME: "host-a"}), tooled=True)
    assert stage.step().verb == "evict"


def test_a_right_that_is_missing_after_all_ends_the_move(tmp_path: Path) -> None:
    stage = Stage(tmp_path, *OTHERS, member())
    stage.api.before("create", "configmaps", Forbidden(403, "Forbidden", "no", request="x"))
    verbs, last = stage.to_the_end()
    assert (verbs, last.verb) == (["install"], DONE)
    assert last.code.startswith("RbacDenied")


def test_a_budget_is_waited_for_and_named_at_the_deadline(tmp_path: Path) -> None:
    stage = Stage(tmp_path, *OTHERS, member(), tooled=True, seconds=5)
    no = TooManyRequests(429, "TooManyRequests", "the budget tight needs 3")
    stage.api.before("create", "pods/eviction", no)
    scene = stage.machine.look()
    waiting = stage.machine.act("evict", scene, stage.machine.decide(scene))
    assert waiting is not None
    assert (waiting.verb, waiting.code) == (WAIT, "PdbBlocked")
    stage.api.clock.sleep(10)
    verbs, last = stage.to_the_end()
    assert (verbs, last.code) == (["remove"], "PdbBlocked")
    assert "tight" in last.why


def test_the_block_is_renewed_while_the_old_pod_takes_its_time(tmp_path: Path) -> None:
    stage = Stage(tmp_path, *OTHERS, member(**GOING), way="block", tooled=True)
    assert stage.step().verb == WAIT
    stage.machine.tools.lapses = stage.api.clock.now + 10
    assert stage.step().verb == "renew"
    stage.act("renew")
    assert stage.step().verb == WAIT
    (rule,) = stage.api.get(VALIDATING_POLICY, f"podmove-{stage.move.id}")["spec"]["validations"]
    assert "2026-01-01T00:01:30Z" in rule["expression"]


def test_a_held_pod_is_let_go_when_its_containers_have_ended(tmp_path: Path) -> None:
    old = member(**GOING)
    old["metadata"]["finalizers"] = ["other", FINALIZER]
    stage = Stage(tmp_path, *OTHERS, old, way="hold")
    assert stage.step().verb == WAIT
    stage.api.change(POD, "db-1", NS, {"metadata": {"deletionGracePeriodSeconds": 0}})
    assert stage.step().verb == "let_go"


def test_a_race_that_is_always_lost_is_given_up(tmp_path: Path) -> None:
    stage = Stage(tmp_path, *OTHERS, member(), way="hold")
    stage.act("hold")
    stage.api.change(POD, "db-1", NS, {"metadata": GONE_SOON})
    races = 0
    while stage.step().verb == "let_go":
        races += 1
        stage.api.before("create", "pods", AlreadyExists(409, "AlreadyExists", "taken"))
        stage.act("let_go")
        stage.api.put(outrun(ready=False))
        if stage.step().verb == "hold":
            stage.act("hold")
            stage.api.change(POD, "db-1", NS, {"metadata": GONE_SOON})
    step = stage.step()
    assert (races, step.code) == (MAX_TRIES, "WrongNode")
    assert f"quicker {MAX_TRIES} times" in step.why


def test_a_held_pod_of_a_recovery_is_released(tmp_path: Path) -> None:
    old = member()
    old["metadata"]["finalizers"] = ["other", FINALIZER]
    stage = Stage(tmp_path, *OTHERS, old, way="hold", resume=True)
    verbs, last = stage.to_the_end()
    assert (verbs, last.code) == (["release"], "RolledBack")
    assert stage.api.get(POD, "db-1", NS)["metadata"]["finalizers"] == ["other"]


def test_a_target_that_does_not_do_is_given_up_and_the_controller_heals(tmp_path: Path) -> None:
    stage = Stage(tmp_path, *OTHERS, arrived(phase="Failed"), tooled=True)
    verbs, last = stage.to_the_end()
    assert (verbs, last.verb) == (["give_up", "remove", "discard"], WAIT)
    stage.api.put(member(uid="uid-third", on="a", ready=False))
    assert stage.step().verb == WAIT
    stage.api.put(member(uid="uid-third", on="a"))
    assert stage.step().code == "KubeletRefused: Failed"


def test_the_way_back_has_its_own_time(tmp_path: Path) -> None:
    stage = Stage(tmp_path, *OTHERS, arrived(ready=False), seconds=0)
    verbs, last = stage.to_the_end()
    assert (verbs, last.verb) == (["give_up", "discard"], WAIT)
    stage.api.clock.sleep(1000)
    assert stage.step().code == "NotReady"


def test_what_cannot_be_created_is_left_to_the_controller(tmp_path: Path) -> None:
    stage = Stage(tmp_path, *OTHERS, way="block", tooled=True, resume=True)
    stage.api.before("create", "pods", Forbidden(403, "Forbidden", "exceeded quota: pods"))
    verbs, last = stage.to_the_end()
    assert (verbs, last.verb) == (["create", "remove", "remove"], WAIT)
    stage.api.put(member(uid="uid-new", on="a"))
    assert stage.step().code == "QuotaExceeded"


def test_a_created_pod_is_adopted_before_the_end(tmp_path: Path) -> None:
    orphan = arrived("block")
    del orphan["metadata"]["ownerReferences"]
    stage = Stage(tmp_path, *OTHERS, orphan, way="block")
    verbs, last = stage.to_the_end()
    assert (verbs, last.verb) == (["finalize"], WAIT)
    late = Stage(tmp_path, *OTHERS, orphan, way="block", seconds=0)
    assert late.to_the_end()[1].verb == DONE
    assert late.machine.warnings


def test_a_cancelled_move_goes_back_before_the_eviction_and_on_after_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path, *OTHERS, member(), tooled=True)
    stage.machine.stop()
    assert stage.to_the_end()[1].code == "Cancelled"
    later = Stage(tmp_path, *OTHERS, arrived(), tooled=True)
    later.machine.stop()
    assert later.to_the_end()[1].code == ""


def test_a_target_that_is_cordoned_meanwhile_is_given_up(tmp_path: Path) -> None:
    pending = arrived(on="")
    stage = Stage(tmp_path, *OTHERS, pending, target=node("b", unschedulable=True))
    assert stage.step().code == "NodeUnschedulable"


def test_tools_that_were_made_after_another_run_had_finished_are_taken_back(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path, *OTHERS, member(), way="block")
    stage.act("install")
    stage.act("install")
    stage.machine.abandon()
    assert len(stage.api.list(VALIDATING_POLICY)[0]) == 1  # the Lease's new holder does it
    stage.api.remove(*_lease(stage))
    stage.machine.abandon()
    assert stage.api.list(VALIDATING_POLICY)[0] == []
    assert stage.api.list(VALIDATING_POLICY_BINDING)[0] == []


def _lease(stage: Stage) -> tuple[Any, str, str]:
    return LEASE, stage.lock.name, NS


def test_the_new_pod_is_made_of_the_old_ones_revision(tmp_path: Path) -> None:
    stage = Stage(tmp_path, *OTHERS, way="block", resume=True)
    newer = {"spec": {"template": {"metadata": {"annotations": {"release": "2"}}}}}
    stage.api.change(STATEFUL_SET, "db", NS, newer)
    stage.act("create")
    made = stage.api.get(POD, "db-1", NS)
    assert made["metadata"]["labels"]["controller-revision-hash"] == "db-new"
    assert made["metadata"]["labels"][MOVE_ID] == stage.move.id
    assert "ownerReferences" not in made["metadata"]
    assert made["metadata"]["annotations"] == {}
    assert (made["spec"]["hostname"], made["spec"]["subdomain"]) == ("db-1", "db")
    assert "nodeAffinity" in made["spec"]["affinity"]


def test_the_config_map_goes_with_its_lease(tmp_path: Path) -> None:
    stage = Stage(tmp_path, *OTHERS, member())
    stage.act("install")
    (made,) = stage.api.list(CONFIG_MAP, NS)[0]
    assert made["metadata"]["ownerReferences"][0]["kind"] == "Lease"
    assert made["data"]["db-1"] == "host-b"
