# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal: what it keeps, what it refuses."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import PlacementError
from ansible_collections.podplacement.core.plugins.module_utils.moves.journal import (
    MOST_BYTES,
    SCHEMA,
    Entry,
    decode,
    decode_text,
    encode,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.names import JOURNAL
from tests.unit.moves.objects import NS, Object, entry

WHERE = "Lease shop/podmove-x"


def with_journal(text: str | None) -> Object:
    annotations = {} if text is None else {JOURNAL: text}
    return {"metadata": {"name": "podmove-x", "namespace": NS, "annotations": annotations}}


def changed(**more: Any) -> str:
    data = json.loads(encode([entry()]))
    return json.dumps({**data, **more})


def test_what_goes_in_comes_out() -> None:
    entries = [entry(cost="7", deployment="web", revision="3"), entry("recreate", scheduler="s")]
    assert decode(with_journal(encode(entries))) == entries


@pytest.mark.parametrize("text", [None, "", encode([])])
def test_no_journal_is_no_moves(text: str | None) -> None:
    assert decode(with_journal(text)) == []


def test_a_newer_schema_is_refused_not_guessed_at() -> None:
    with pytest.raises(PlacementError) as caught:
        decode(with_journal(changed(schema=SCHEMA + 1)))
    assert caught.value.code == "JournalTooNew"
    assert caught.value.object == WHERE
    assert "newer version" in caught.value.hint


def test_an_older_schema_is_read() -> None:
    assert decode(with_journal(changed(schema=SCHEMA - 1))) == [entry()]


def test_keys_that_this_version_does_not_know_are_ignored() -> None:
    text = changed(columns=["colour"], moves=[["red"]], note="x")
    assert decode_text(text, WHERE) == [entry()]


def test_keys_that_an_older_version_did_not_write_have_defaults() -> None:
    move = asdict(entry("recreate"))
    old = {k: v for k, v in move.items() if k not in ("restoring", "scheduler", "cost")}
    text = json.dumps({"schema": 2, "moves": [old]})
    assert decode_text(text, WHERE) == [entry("recreate")]


def many(count: int) -> list[Entry]:
    """Moves of one workload, with names as long as they can be in practice."""
    return [
        replace(
            entry(deployment="d" * 63, revision="1234"),
            id=f"{number:010}",
            pod="p" * 58 + f"{number:05}",
            pod_uid=f"{number:036}",
            node="n" * 40 + f"{number:05}",
        )
        for number in range(count)
    ]


def test_a_thousand_moves_of_one_workload_fit_into_a_lease() -> None:
    entries = many(1000)
    text = encode(entries)
    assert len(text) <= MOST_BYTES
    assert decode_text(text, WHERE) == entries


def test_what_no_lease_would_hold_is_refused_with_what_to_do() -> None:
    with pytest.raises(PlacementError) as caught:
        encode(many(5000))
    assert caught.value.code == "JournalTooLong"
    assert caught.value.object == "ReplicaSet web-5d4f"
    assert "in parts" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        "null",
        "{}",
        '{"schema": "one", "moves": []}',
        '{"schema": 1}',
        '{"schema": 1, "moves": null}',
        '{"schema": 1, "moves": "all"}',
        '{"schema": 1, "moves": [7]}',
        '{"schema": 1, "moves": [{"id": "only"}]}',
        '{"schema": 3, "columns": ["id"], "moves": [["only"]]}',
        '{"schema": 3, "columns": 7, "moves": [["only"]]}',
    ],
)
def test_garbage_is_an_error_that_says_where(text: str) -> None:
    with pytest.raises(PlacementError) as caught:
        decode(with_journal(text))
    assert caught.value.code == "JournalUnreadable"
    assert caught.value.object == WHERE
    assert JOURNAL in caught.value.hint


def test_the_way_back_is_another_move_that_remembers_why() -> None:
    back = entry("recreate").going_back("NotReady|too slow")
    assert back.id == entry("recreate").id + "-back"
    assert back.restoring == "NotReady|too slow"
    assert back.pod_uid == "uid-old"
