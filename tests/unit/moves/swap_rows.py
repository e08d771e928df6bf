# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows that adopt and shadow have in common (moves/swap.py): R is held back, then it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.podplacement.core.plugins.module_utils.moves.scene import DONE, WAIT
from tests.unit.moves.adopt_stage import OWNER, Stage, case, changed, old, other
from tests.unit.moves.objects import Object, controller


def shared(new: Callable[..., Object], loose: str, *holding: Object) -> list[Any]:
    """`new` makes R, `holding` is what holds it back; `loose` R is nobody's, for its controller."""
    return [
        *_without(new),
        *_held(new, holding),
        *_swapping(new, holding),
        *_let_go(new, new(**{loose: True})),
    ]


def _without(new: Callable[..., Object]) -> list[Any]:
    return [
        case("no R, O serves: create", "create", old(), other()),
        case("no R, in a recovery: done", DONE, old(), other(), resume=True, code="RolledBack"),
        case("no R, O gone, heir owned: done, moved", DONE, new(finished=True), other()),
        case("no R, O gone, no heir: done, gone", DONE, other(), code="PodGone"),
    ]


def _held(new: Callable[..., Object], holding: tuple[Object, ...]) -> list[Any]:
    gone: dict[str, Any] = {"code": "OwnerGone"}
    namesake = changed(OWNER, uid="uid-another")
    unready = [*holding, new(ready=False), old(), other()]
    return [
        case("R, owner gone: roll back", "roll_back", *holding, new(), old(), owner=None, **gone),
        case("R, a namesake", "roll_back", *holding, new(), old(), owner=namesake, **gone),
        case("R on another node: try again", "retry", *holding, new(on="z"), old(), other()),
        case("R not Ready: wait", WAIT, *unready, code="NotReady"),
        case("R not Ready in time: roll back", "roll_back", *unready, seconds=0, code="NotReady"),
    ]


def _swapping(new: Callable[..., Object], holding: tuple[Object, ...]) -> list[Any]:
    unready, whole = other(ready=False), [other(), other(name="third")]
    not_all: dict[str, Any] = {"code": "WorkloadNotReady"}
    return [
        case("R, O gone, owner short: hand over", "hand_over", *holding, new(), other()),
        case("R, O gone, owner whole", "roll_back", *holding, new(), *whole, code="PodGone"),
        case("R, a sibling not Ready: wait", WAIT, *holding, new(), old(), unready, **not_all),
        case("R Ready, gates open: mark O", "mark", *holding, new(), old(), other()),
        case("O marked: hand over", "hand_over", *holding, new(), old(marked=True), other()),
    ]


def _let_go(new: Callable[..., Object], loose: Object) -> list[Any]:
    marked, adopted = old(marked=True), new(adopted=True)
    more = controller(replicas=3)
    return [
        case("R nobody's: wait for adoption", WAIT, loose, marked, other()),
        case("R nobody's, no owner", "roll_back", loose, marked, owner=None, code="OwnerGone"),
        case("R adopted, one too many: wait", WAIT, adopted, marked, other()),
        case("R adopted, scaled up: O was spared", "spare", adopted, marked, other(), owner=more),
        case("R adopted, O gone: finalize", "finalize", adopted, other()),
    ]


def assert_decides(stage: Stage, verb: str, code: str) -> None:
    """What is seen is what is done."""
    step = stage.step()
    assert (step.verb, step.code) == (verb, code), step.why
    assert step.why or step.verb not in (WAIT, "roll_back")
    assert len(stage.api.writes()) == 1, "deciding writes nothing"
