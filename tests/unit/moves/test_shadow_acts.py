# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the steps of a shadow move write, and what they make of a refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PlacementError,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.names import (
    DELETION_COST,
    EPOCH,
    GOES_LAST,
    MOVE_ID,
    MOVED_FROM_NAME,
    MOVED_FROM_UID,
    replacement_name,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.order import Order
from ansible_collections.podplacement.core.plugins.module_utils.moves.recovery import finish_all
from ansible_collections.podplacement.core.plugins.module_utils.moves.scene import DONE, Step
from ansible_collections.podplacement.core.plugins.module_utils.moves.shadow import (
    holder_for,
    prepare_shadow,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import POD, REPLICA_SET
from tests.unit.fake_api import FakeApi
from tests.unit.moves.adopt_stage import OWNER, old, other
from tests.unit.moves.objects import HASH, NS, Object, controller, deployment, pod
from tests.unit.moves.shadow_stage import Stage, new, shadow_entry, temporary

FIRST = replacement_name("web-5d4f", shadow_entry().id, 0)
EPOCHS: Object = {"metadata": {"annotations": {EPOCH: "1"}}}


def holders(stage: Stage) -> list[str]:
    return [
        str(found["metadata"]["name"])
        for found in stage.api.list(REPLICA_SET, NS, label_selector=MOVE_ID)[0]
    ]


def test_it_is_nobodys_but_the_leases_and_selects_by_the_move_alone(tmp_path: Path) -> None:
    stage = Stage(tmp_path, old(), other())
    stage.act("create")
    made = stage.api.get(REPLICA_SET, FIRST, NS)
    assert made["metadata"]["ownerReferences"] == [stage.machine.lock.owner_reference()]
    assert made["metadata"]["labels"] == {MOVE_ID: shadow_entry().id}
    assert made["spec"]["selector"] == {"matchLabels": {MOVE_ID: shadow_entry().id}}
    assert made["spec"]["replicas"] == 1


@pytest.mark.parametrize("above", [None, deployment()])
def test_its_pod_is_one_that_the_owner_would_take(above: Object | None) -> None:
    owner = controller(above=above)
    template = holder_for(owner, shadow_entry(), pod("old", owner=owner), 0)["spec"]["template"]
    found = template["metadata"]
    marks = {MOVE_ID: shadow_entry().id, MOVED_FROM_UID: "uid-old"}
    assert found["labels"] == {**owner["spec"]["selector"]["matchLabels"], **marks}
    assert (HASH in found["labels"]) is (above is not None)
    assert found["annotations"][DELETION_COST] == GOES_LAST
    assert json.loads(found["annotations"][MOVED_FROM_NAME]) == ["old"]
    assert "metadata.name" in str(template["spec"]["affinity"])


def test_a_name_that_is_taken_is_left_alone(tmp_path: Path) -> None:
    taken = controller(name=FIRST, labels={"app": "other"})
    stage = Stage(tmp_path, old(), other(), taken)
    stage.act("create")
    stage.act("create")
    assert holders(stage) == [replacement_name("web-5d4f", shadow_entry().id, 1)]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Forbidden(403, "Forbidden", "exceeded quota: replicasets"), "QuotaExceeded"),
        (Invalid(422, "Invalid", "spec.x"), "Invalid"),
    ],
)
def test_a_create_that_is_refused_is_the_way_back(
    error: ApiError, code: str, tmp_path: Path
) -> None:
    stage = Stage(tmp_path, old(), other())
    stage.api.before("create", "replicasets", error)
    stage.act("create")
    step = stage.step()
    assert (step.verb, step.code) == (DONE, code)


@pytest.mark.parametrize("verb", ["hand_over", "roll_back", "dismiss"])
def test_it_goes_only_as_it_was_seen(verb: str, tmp_path: Path) -> None:
    """A frozen run must not delete what another made good in the meantime."""
    stage = Stage(tmp_path, temporary(), new(), old(), other())
    scene = stage.machine.look()
    stage.api.change(REPLICA_SET, FIRST, NS, EPOCHS)
    with pytest.raises(Conflict):
        stage.machine.act(verb, scene, Step(verb))
    stage.act(verb)
    assert holders(stage) == []


def test_it_is_orphaned_at_the_hand_over_and_else_takes_its_pod_with_it(tmp_path: Path) -> None:
    asked: list[Any] = []

    class Watched(FakeApi):
        def delete(self, *what: Any, **how: Any) -> None:
            asked.append(how["propagation"])
            super().delete(*what, **how)

    for verb in ("hand_over", "roll_back", "dismiss"):
        stage = Stage(tmp_path, temporary(), new(), old(), other())
        stage.api.__class__ = Watched
        stage.act(verb)
    assert asked == ["Orphan", "Background", "Background"]


def test_a_pod_that_is_loose_goes_by_itself(tmp_path: Path) -> None:
    stage = Stage(tmp_path, new(loose=True), old(), other())
    stage.act("roll_back", Step("roll_back", "why", "OwnerGone"))
    with pytest.raises(NotFound):
        stage.api.get(POD, "new", NS)


def test_it_is_halted_unless_it_was_fenced_meanwhile(tmp_path: Path) -> None:
    """Its version changes with each pod that fails, so the annotations are the guard."""
    stage = Stage(tmp_path, temporary(), new(phase="Failed", ready=False), old(), other())
    scene = stage.machine.look()
    stage.api.change(REPLICA_SET, FIRST, NS, {"status": {"replicas": 3}})
    stage.machine.act("halt", scene, Step("halt"))
    assert stage.api.get(REPLICA_SET, FIRST, NS)["spec"]["replicas"] == 0
    stage.api.change(REPLICA_SET, FIRST, NS, EPOCHS)
    with pytest.raises(Conflict):
        stage.machine.act("halt", scene, Step("halt"))
    stage.api.before("patch", "replicasets", Invalid(422, "Invalid", "the test failed"))
    with pytest.raises(Conflict):
        stage.act("halt")


def test_only_the_finalizer_of_the_garbage_collector_is_taken(tmp_path: Path) -> None:
    stage = Stage(tmp_path, temporary(going=True), old(), other())
    stage.act("strip")
    assert stage.metadata(REPLICA_SET, FIRST)["finalizers"] == ["theirs"]


def test_the_heir_is_an_ordinary_pod(tmp_path: Path) -> None:
    adopted = new(adopted=True, annotations={DELETION_COST: GOES_LAST, EPOCH: "1"})
    stage = Stage(tmp_path, adopted, other())
    stage.act("finalize")
    found = stage.metadata(POD, "new")
    assert MOVE_ID not in found["labels"]
    assert found["annotations"] == {}


def test_a_recovery_fences_the_temporary_replicaset_too(tmp_path: Path) -> None:
    """What a frozen holder read of it before is outdated afterwards."""
    stage = Stage(tmp_path, temporary(), new(ready=False), old(), other())
    seen: list[str] = []

    def note() -> None:
        seen.append(stage.metadata(REPLICA_SET, FIRST)["annotations"][EPOCH])

    stage.api.before("delete", "replicasets", note)
    stage.api.change(POD, "new", NS, {"metadata": {"deletionTimestamp": "now"}})
    finish_all(stage.api, stage.machine.lock, stage.machine.settings)
    assert seen == ["0"]
    assert holders(stage) == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Forbidden(403, "Forbidden", "exceeded quota: replicasets"), "QuotaExceeded"),
        (Forbidden(403, "Forbidden", "denied the request: no"), "AdmissionDenied"),
        (AlreadyExists(409, "AlreadyExists", "there"), ""),
        (None, ""),
    ],
)
def test_the_plan_asks_for_the_replicaset_without_making_it(
    error: ApiError | None, code: str, tmp_path: Path
) -> None:
    stage = Stage(tmp_path, old(), other())
    if error is not None:
        stage.api.before("create", "replicasets", error)
    before = len(stage.api.writes())
    told = ""
    try:
        options, order = stage.machine.settings, Order(NS, "old", "b")
        prepare_shadow(stage.api, order, options, shadow_entry(), old(), OWNER)
    except PlacementError as err:
        told = err.code
    assert told == code
    assert len(stage.api.writes()) - before == 0
