# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that a move leaves behind, and how the next run finds its way by them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.moves.names import (
    MOVED_FROM_NAME,
    MOVED_FROM_UID,
    former_names,
    lease_name,
    move_id,
    names_after,
    replacement_name,
    successor_of,
)
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import NS, Object, pod

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def moved(name: str, *names: str, created: str = "2026-01-01T00:00:00Z", **more: Any) -> Object:
    """A pod that a move made."""
    found = pod(name, annotations={MOVED_FROM_NAME: json.dumps(names)}, **more)
    found["metadata"]["labels"][MOVED_FROM_UID] = "uid-of-the-old-one"
    found["metadata"]["creationTimestamp"] = created
    return found


def test_the_same_pod_to_the_same_place_is_the_same_move() -> None:
    assert move_id("u", "a") == move_id("u", "a")
    assert len({move_id("u", "a"), move_id("u", "b"), move_id("v", "a")}) == 3
    assert re.fullmatch(r"[0-9a-f]{10}", move_id("u", "a"))
    assert re.fullmatch(r"podmove-[0-9a-f]{10}", lease_name("u"))


@pytest.mark.parametrize("length", [1, 5, 55, 56, 57, 62, 63, 64, 200, 253])
@pytest.mark.parametrize("fill", ["a", "a-", "-a"])
def test_a_replacement_name_is_a_dns_label(length: int, fill: str) -> None:
    name = replacement_name(("x" + fill * length)[:length], "0123456789", 3)
    assert len(name) <= 63
    assert DNS_LABEL.fullmatch(name), name


def test_a_base_with_dots_stays_a_pod_name() -> None:
    name = replacement_name("x" * 55 + ".y.z", "0123456789", 0)
    assert re.fullmatch(r"x{55}-m[0-9a-f]{5}", name)


def test_moving_again_does_not_grow_the_name() -> None:
    first = replacement_name("web", "id1", 0)
    assert re.fullmatch(r"web-m[0-9a-f]{5}", first)
    assert len(replacement_name(first, "id2", 0)) == len(first)


def test_attempts_have_names_of_their_own() -> None:
    assert len({replacement_name("web", "id", n) for n in range(20)}) == 20


@pytest.mark.parametrize("text", ["", "not json", '{"a": 1}', "3", "null"])
def test_a_chain_that_nobody_of_us_wrote_is_no_chain(text: str) -> None:
    assert former_names(pod("p", annotations={MOVED_FROM_NAME: text})) == []


def test_the_chain_grows_by_the_present_name_and_forgets_the_oldest() -> None:
    assert json.loads(names_after(pod("first"))) == ["first"]
    assert json.loads(names_after(moved("third", "first", "second"))) == [
        "first",
        "second",
        "third",
    ]
    long = json.loads(names_after(moved("last", *(f"p{n}" for n in range(40)))))
    assert (len(long), long[-1], long[0]) == (20, "last", "p21")


def test_the_successor_is_the_youngest_living_pod_with_that_name_in_its_chain() -> None:
    api = FakeApi(
        moved("elder", "web-1", created="2026-01-01T00:00:00Z"),
        moved("heir", "web-0", "web-1", created="2026-01-02T00:00:00Z"),
        moved("going", "web-1", created="2026-01-03T00:00:00Z", terminating=True),
        moved("stranger", "web-9", created="2026-01-04T00:00:00Z"),
        pod("never-moved"),
    )
    found = successor_of(api, NS, "web-1")
    assert found is not None
    assert found["metadata"]["name"] == "heir"
    assert successor_of(api, NS, "web-2") is None
    assert successor_of(api, "elsewhere", "web-1") is None
