# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reflector lists once, follows, and lists again only when the server has forgotten."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.cache import Store
from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    ApiError,
    Forbidden,
    Gone,
    OutcomeUnknown,
)
from ansible_collections.podplacement.core.plugins.module_utils.reflector import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    Reflector,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import POD, Kind
from ansible_collections.podplacement.core.plugins.module_utils.selecting import Query, query

EXPIRED = Gone(410, "Expired", "too old")
BROKEN = OutcomeUnknown(0, "OutcomeUnknown", "broken")
DENIED = Forbidden(403, "Forbidden", "may not watch")


def pod(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": name, "resourceVersion": str(version)}}


def event(name: str, version: int, kind: str = "ADDED") -> dict[str, Any]:
    return {"type": kind, "object": pod(name, version)}


class Server:
    """Answers lists and watches from two scripts; an exception in one is raised there."""

    def __init__(self, lists: list[Any], watches: list[list[Any]]) -> None:
        self.lists = lists
        self.watches = watches
        self.asked: list[str] = []

    def list(
        self, _kind: Kind, _namespace: str | None = None, **_how: str
    ) -> tuple[list[dict[str, Any]], str]:
        found = self.lists.pop(0)
        if isinstance(found, ApiError):
            raise found
        return found, "100"

    def events(
        self, _kind: Kind, _namespace: str | None, *, resource_version: str, seconds: int
    ) -> Generator[Mapping[str, Any], None, None]:
        self.asked.append(resource_version)
        for found in self.watches.pop(0):
            if isinstance(found, Exception):
                raise found
            yield found
        assert seconds > 0


def reflector(lists: list[Any], watches: list[list[Any]]) -> tuple[Reflector, Server]:
    server = Server(lists, watches)
    return Reflector(server, POD, "shop", Store()), server


def names(found: Reflector) -> set[str]:
    return {name for dummy, name in found.store._objects}


def test_a_watch_goes_on_where_it_ended() -> None:
    found, server = reflector([[pod("a", 90)]], [[event("b", 101)], [event("c", 102)], []])
    found.refill()
    for _turn in range(3):
        found.turn()
    assert names(found) == {"a", "b", "c"}
    assert server.asked == ["100", "101", "102"]
    assert found._pause == 0.0


def test_a_forgotten_version_is_listed_anew_with_what_is_gone() -> None:
    found, server = reflector([[pod("a", 90)], [pod("b", 95)]], [[EXPIRED], [event("c", 101)]])
    found.refill()
    found.turn()
    assert names(found) == {"b"}
    found.turn()
    assert names(found) == {"b", "c"}
    assert server.lists == []


@pytest.mark.parametrize("trouble", [[BROKEN], [event("b", 101), BROKEN], [ValueError("no JSON")]])
def test_a_broken_watch_is_begun_again_after_a_pause_that_grows(trouble: list[Any]) -> None:
    found, _server = reflector([[]], [list(trouble) for dummy in range(9)] + [[]])
    found.refill()
    pauses = []
    for _turn in range(9):
        found.turn()
        pauses.append(found._pause)
    assert (pauses[0], pauses[1], pauses[-1]) == (FIRST_PAUSE, 2 * FIRST_PAUSE, LONGEST_PAUSE)
    found.turn()
    assert found._pause == 0.0


def test_a_list_that_fails_after_a_410_is_tried_again() -> None:
    found, _server = reflector([[], BROKEN, [pod("a", 90)]], [[EXPIRED], [EXPIRED]])
    found.refill()
    found.turn()
    assert found._pause > 0
    found.turn()
    assert names(found) == {"a"}
    assert found._pause == 0.0


def test_who_may_not_list_or_watch_has_no_cache() -> None:
    found, _server = reflector([DENIED], [])
    found.start()
    assert not found.usable
    found, _server = reflector([[]], [[DENIED]])
    found.start()
    for _try in range(100):
        if not found.usable:
            break
        found.store.wait("0@0", _nothing(), "shop", 0.05)
    assert not found.usable


def test_the_first_list_fails_in_the_callers_thread() -> None:
    found, _server = reflector([BROKEN], [])
    with pytest.raises(OutcomeUnknown):
        found.start()


def _nothing() -> Query:

    return query("no=such", "")
