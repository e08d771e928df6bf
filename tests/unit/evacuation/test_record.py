# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was on the node, in words and in a ConfigMap."""

from __future__ import annotations

import json

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    AlreadyExists,
    Conflict,
    OutcomeUnknown,
    PlacementError,
)
from ansible_collections.podplacement.core.plugins.module_utils.evacuation import record as records
from ansible_collections.podplacement.core.plugins.module_utils.evacuation.record import (
    Record,
    record_name,
    take_stock,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import CONFIG_MAP
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import NS, Object, controller, deployment, pod

ABOVE = deployment()
OWNER = controller(above=ABOVE)
SET = controller("StatefulSet", "db")
WEB, DB = (NS, "Deployment", "web"), (NS, "StatefulSet", "db")
SOME = Record("a", "then", False, {WEB: 2}, ((NS, "alone"),))


def stock(*pods: Object) -> Record:
    foreign = {**controller(name="weird"), "apiVersion": "example.org/v1"}
    api = FakeApi(ABOVE, OWNER, SET, foreign, *pods)
    return take_stock(api, "a", pods, began="then", was_unschedulable=False)


def test_pods_of_a_controller_are_counted_and_bare_ones_named() -> None:
    mirror = pod("mirror", annotations={"kubernetes.io/config.mirror": "x"})
    found = stock(
        pod("one", owner=OWNER),
        pod("two", owner=OWNER),
        pod("db-0", owner=SET),
        pod("alone"),
        mirror,
        pod("over", phase="Succeeded"),
        pod("going", terminating=True),
        pod("agent", owner=controller("DaemonSet", "agent")),
        pod("odd", owner={**controller(name="weird"), "apiVersion": "example.org/v1"}),
    )
    assert found == Record("a", "then", False, {WEB: 2, DB: 1}, ((NS, "alone"),))
    assert not found.is_empty()
    assert stock(mirror).is_empty()


def test_what_came_meanwhile_is_added_and_what_was_there_stays() -> None:
    newer = Record("a", "now", True, {WEB: 1, DB: 3}, ((NS, "late"),))
    both = SOME.merged(newer)
    assert both.controllers == {WEB: 2, DB: 3}
    assert both.pods == ((NS, "alone"), (NS, "late"))
    assert (both.began, both.was_unschedulable) == ("then", False)
    assert both.merged(newer) == both
    assert both.merged(Record("a", "now", False, {WEB: 5})).controllers == {WEB: 5, DB: 3}


def test_a_record_is_written_read_replaced_and_removed() -> None:
    api = FakeApi()
    assert records.find(api, NS, "a") is None
    records.save(api, NS, SOME)
    found = records.find(api, NS, "a")
    assert found is not None
    assert records.read(found) == SOME
    assert found["metadata"]["labels"] == {"podplacement.io/evacuation": "true"}
    writes = len(api.writes())
    records.save(api, NS, SOME)
    assert len(api.writes()) == writes
    more = SOME.merged(Record("a", "now", False, {DB: 1}))
    assert records.read(records.save(api, NS, more)) == more
    records.remove(api, found)
    records.remove(api, found)
    assert records.find(api, NS, "a") is None


@pytest.mark.parametrize("error", [AlreadyExists(409, "x", "x"), OutcomeUnknown(0, "x", "x")])
def test_a_record_that_came_at_the_same_time_is_looked_at(error: Exception) -> None:
    api = FakeApi()
    api.before("create", "configmaps", error)
    assert records.read(records.save(api, NS, SOME)) == SOME


def test_a_record_that_changes_is_read_again() -> None:
    api = FakeApi()
    records.save(api, NS, Record("a", "then", False))
    api.before("patch", "configmaps", Conflict(409, "Conflict", "x"))
    assert records.read(records.save(api, NS, SOME)) == SOME


def config_map(**data: str) -> Object:
    text = SOME.text()
    return {
        "kind": CONFIG_MAP.kind,
        "metadata": {"name": record_name("a"), "namespace": NS},
        "data": {"node": "a", "schema": "1", "state.json": text, **data},
    }


def test_a_record_of_the_future_is_refused() -> None:
    with pytest.raises(PlacementError) as caught:
        records.read(config_map(schema="2"))
    assert caught.value.code == "RecordTooNew"


@pytest.mark.parametrize(
    "data",
    [
        {"schema": "one"},
        {"state.json": "{"},
        {"state.json": "{}"},
        {"state.json": "[]"},
        {"state.json": json.dumps({**json.loads(SOME.text()), "controllers": [1]})},
    ],
)
def test_a_record_that_cannot_be_read_is_refused(data: dict[str, str]) -> None:
    with pytest.raises(PlacementError) as caught:
        records.read(config_map(**data))
    assert caught.value.code == "RecordUnreadable"
    assert "ConfigMap" in caught.value.object


def test_a_record_under_that_name_must_be_of_that_node() -> None:
    with pytest.raises(PlacementError) as caught:
        records.find(FakeApi(config_map(node="b")), NS, "a")
    assert caught.value.code == "RecordUnreadable"
