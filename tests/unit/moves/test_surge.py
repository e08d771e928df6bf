# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of the table at the head of moves/surge.py: what is seen, what is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    AlreadyExists,
    ApiError,
    Forbidden,
    TooManyRequests,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.names import (
    EPOCH,
    MOVE_ID,
    MOVED_FROM_UID,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.scene import (
    DONE,
    WAIT,
    Step,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.surge import Surge
from ansible_collections.podplacement.core.plugins.module_utils.resources import POD
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import (
    NS,
    Object,
    entry,
    held_lock,
    holder,
    node,
    pod,
    settings,
)

TIE = [{"kind": "Lease", "name": "l", "uid": "uid-lease"}]
MOVED = entry("surge")


def old(**more: Any) -> Object:
    return pod("old", **more)


def new(*, tied: bool = False, heir: bool = False, **more: Any) -> Object:
    """R: cut loose unless `tied`; an ordinary pod if it is the `heir`."""
    labels = {"app": "web", MOVED_FROM_UID: "uid-old"} | ({} if heir else {MOVE_ID: MOVED.id})
    found = pod("new", on=more.pop("on", "b"), labels=labels, **more)
    if tied:
        found["metadata"]["ownerReferences"] = TIE
    return found


def stage(folder: Path, *objects: Object, **how: Any) -> Surge:
    resume = how.pop("resume", False)
    targets = [] if how.pop("no_target", False) else [node("b")]
    api = FakeApi(*targets, *objects)
    who = holder(folder)
    options = settings(api.clock, who, **how)
    return Surge(api, held_lock(api, who, MOVED), MOVED, options, resume=resume)


def next_step(machine: Surge) -> Step:
    return machine.decide(machine.look())


def case(sentence: str, verb: str, *objects: Object, code: str = "", **how: Any) -> Any:
    return pytest.param(objects, how, verb, code, id=sentence)


FAILED: dict[str, Any] = {"phase": "Failed", "ready": False}
TABLE = [
    case("no R, O serves: create R", "create", old()),
    case("no R, O serves, in a recovery: done", DONE, old(), resume=True, code="RolledBack"),
    case(
        "no R, O serves and is fenced, in a recovery: take the fence off",
        "unmark",
        old(annotations={EPOCH: "1"}),
        resume=True,
    ),
    case(
        "R stops, O serves, in a recovery: done",
        DONE,
        old(),
        new(tied=True, terminating=True),
        resume=True,
        code="RolledBack",
    ),
    case(
        "R tied, failed: roll back",
        "roll_back",
        old(),
        new(tied=True, **FAILED),
        code="KubeletRefused: Failed",
    ),
    case(
        "R tied, hopeless: roll back",
        "roll_back",
        old(),
        new(tied=True, ready=False),
        no_target=True,
        code="NodeNotFound",
    ),
    case("R on another node: roll back", "roll_back", old(), new(on="z"), code="WrongNode"),
    case(
        "R tied, late: roll back",
        "roll_back",
        old(),
        new(tied=True, ready=False),
        seconds=0,
        code="NotReady",
    ),
    case(
        "R tied, not Ready, in a recovery: roll back",
        "roll_back",
        old(),
        new(tied=True, ready=False),
        resume=True,
        code="RolledBack",
    ),
    case("R tied, not Ready: wait", WAIT, old(), new(tied=True, ready=False)),
    case("R tied, soaks: wait", WAIT, old(), new(tied=True), soak=5.0),
    case("R tied, Ready: release", "release", old(), new(tied=True)),
    case("R tied, Ready, in a recovery: release", "release", old(), new(tied=True), resume=True),
    case("R loose, O serves: evict O", "evict", old(), new()),
    case("R loose, O serves, in a recovery: evict O", "evict", old(), new(), resume=True),
    case(
        "R loose, O held by a budget until the deadline: roll back",
        "roll_back",
        old(),
        new(),
        seconds=0,
        code="PdbBlocked",
    ),
    case("R loose, not Ready any more: wait", WAIT, old(), new(ready=False)),
    case("R loose, O terminating: wait", WAIT, old(terminating=True), new()),
    case(
        "R loose, O terminating, not to be waited for: finalize",
        "finalize",
        old(terminating=True),
        new(),
        wait=False,
    ),
    case(
        "R loose, O terminating at the deadline: finalize",
        "finalize",
        old(terminating=True),
        new(),
        seconds=0,
    ),
    case("R tied, O terminating: release", "release", old(terminating=True), new(tied=True)),
    case("R tied, O gone: release", "release", new(tied=True)),
    case("R loose, O gone: finalize", "finalize", new()),
    case("R loose, O failed: finalize", "finalize", old(**FAILED), new()),
    case("O gone, heir: done, moved", DONE, new(heir=True)),
    case("O terminating, heir: wait", WAIT, old(terminating=True), new(heir=True)),
    case("O gone, nothing else: done, gone", DONE, code="PodGone"),
    case("O terminating, nothing else: done, gone", DONE, old(terminating=True), code="PodGone"),
    case("O gone, R stops: done, gone", DONE, new(terminating=True), code="PodGone"),
]


@pytest.mark.parametrize(("objects", "how", "verb", "code"), TABLE)
def test_what_is_seen_is_what_is_done(
    objects: tuple[Object, ...], how: dict[str, Any], verb: str, code: str, tmp_path: Path
) -> None:
    machine = stage(tmp_path, *objects, **how)
    step = next_step(machine)
    assert (step.verb, step.code) == (verb, code), step.why
    assert step.why or step.verb not in (WAIT, "roll_back")


def api_of(machine: Surge) -> FakeApi:
    assert isinstance(machine.api, FakeApi)
    return machine.api


def act(machine: Surge, verb: str) -> None:
    machine.act(verb, machine.look(), Step(verb))


def test_it_goes_there_in_four_writes_on_pods(tmp_path: Path) -> None:
    machine = stage(tmp_path, old())
    act(machine, "create")
    made = machine.look().new
    assert made is not None
    assert made["metadata"]["ownerReferences"] == [machine.lock.owner_reference()]
    name = made["metadata"]["name"]
    for verb in ("release", "evict", "finalize"):
        act(machine, verb)
    (heir,) = machine.api.list(POD, NS)[0]
    assert heir["metadata"]["name"] == name
    assert "ownerReferences" not in heir["metadata"]
    assert heir["metadata"]["labels"] == {"app": "web", MOVED_FROM_UID: "uid-old"}
    assert next_step(machine) == Step(DONE)


def test_whose_deletion_was_the_old_pods_end_is_the_new_ones(tmp_path: Path) -> None:
    pod_of = old()
    tool = {"kind": "ConfigMap", "name": "c", "uid": "u"}
    pod_of["metadata"]["ownerReferences"] = [tool]
    machine = stage(tmp_path, pod_of)
    act(machine, "create")
    act(machine, "release")
    made = machine.look().new
    assert made is not None
    assert made["metadata"]["ownerReferences"] == [tool]
    assert next_step(machine).verb == "wait"


@pytest.mark.parametrize(
    "error", [AlreadyExists(409, "AlreadyExists", "taken"), Forbidden(403, "Forbidden", "no")]
)
def test_a_name_that_is_taken_is_tried_otherwise_a_refusal_is_the_end(
    error: ApiError, tmp_path: Path
) -> None:
    machine = stage(tmp_path, old())
    api_of(machine).before("create", "pods", error)
    act(machine, "create")
    step = next_step(machine)
    if isinstance(error, AlreadyExists):
        assert (step.verb, machine.attempt) == ("create", 1)
    else:
        assert (step.verb, step.code) == (DONE, "RbacDenied: ")


def test_a_budget_that_says_no_is_asked_again_when_it_changes(tmp_path: Path) -> None:
    machine = stage(tmp_path, old(), new())
    api_of(machine).before("create", "pods/eviction", TooManyRequests(429, "", "budget"))
    act(machine, "evict")
    assert next_step(machine).verb == "evict"
    act(machine, "evict")
    assert next_step(machine).verb == "finalize"


def test_the_way_back_takes_the_replacement_and_the_fence(tmp_path: Path) -> None:
    machine = stage(tmp_path, old(annotations={EPOCH: "1"}), new())
    machine.act("roll_back", machine.look(), Step("roll_back", "why", "Code"))
    assert next_step(machine).verb == "unmark"
    act(machine, "unmark")
    assert next_step(machine) == Step(DONE, "why", "Code")
    (left,) = machine.api.list(POD, NS)[0]
    assert left["metadata"]["annotations"] == {}
