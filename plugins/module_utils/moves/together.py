# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods of one workload whose replacements are Ready are handed over in one turn.

Each hand-over makes the controller look at its pods, and write its status, the Deployment's and the
budget's. Those that come within one look of it share these writes. They go in the order in which
their old pods were marked, and none goes past one that may not: the controller deletes as many pods
as it was given too many, those first that were marked first.

The budget is asked for each of them before the last look, so that nothing but the writes themselves
lies between this and the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Optional, Tuple

from ..api import Cached
from ..errors import ApiError
from ..resources import CONTROLLERS, POD, uid
from .scene import DONE, WAIT, Scene, Step

if TYPE_CHECKING:
    from .swap import Swap

CONFIRM_SECONDS = 1.0
Ready = Tuple["Swap", Scene, Step]


def hand_over(first: Swap, scene: Scene, cache: Cached) -> Optional[Step]:
    """Hand ``first`` over, and with it those that may go now; the step that stands against it, when
    there is one. What goes wrong with another pod is told when that one has its own turn.
    """
    squad, closed = _with_budget(first, scene)
    if closed is not None:
        return closed
    kinds = [*CONTROLLERS.values(), *([] if all(map(_just_marked, squad)) else [POD])]
    with cache.fresh(*kinds):
        looked = _last_look(squad)
    ready = [one for one in looked if one[2].verb == "hand_over"]
    if not ready:
        return _instead(*looked[0])
    _tell_who_goes(ready)
    for swap, seen, step in ready:
        first.lock.keep()
        try:
            swap.act(step.verb, seen, step)
        except ApiError:
            if swap is first:
                raise
            break  # its own next look shows what has become of it
    return None


def _with_budget(first: Swap, scene: Scene) -> Tuple[List[Swap], Optional[Step]]:
    """Those in the line whose budget allows that they go after the ones before them."""
    squad: List[Swap] = []
    for swap in list(first.lock.line.values()):
        if squad and first.settings.stop():
            break
        try:
            seen = scene if swap is first else swap.look()
            if swap is not first and swap.unseen(seen) is not None:
                break
            seen.ahead = len(squad)
            closed = _closed_budget(swap, seen)
        except ApiError:
            if swap is first:
                raise
            break
        if closed is not None:
            return squad, _instead(swap, seen, closed) if swap is first else None
        squad.append(swap)
    return squad, None


def _closed_budget(swap: Swap, scene: Scene) -> Optional[Step]:
    """What the old pod's budget has against it: a wait, or at the deadline the way back."""
    closed = swap.budget()(swap.api, swap.namespace, swap.entry, scene)
    return None if closed is None else swap.or_give_up(closed)


def _just_marked(swap: Swap) -> bool:
    """The pods are known as of the mark, and that was only just written."""
    return swap.settings.clock.monotonic() - swap.marked < CONFIRM_SECONDS


def _last_look(squad: List[Swap]) -> List[Ready]:
    """What each of them is to do as it is now, up to the first that is not to be handed over."""
    looked: List[Ready] = []
    for swap in squad:
        try:
            scene, step = _look_past_the_cache(swap)
        except ApiError:
            if not looked:
                raise
            break
        looked.append((swap, scene, step))
        if step.verb != "hand_over":
            break
    return looked


def _look_past_the_cache(swap: Swap) -> Tuple[Scene, Step]:
    swap.last = True
    try:
        scene = swap.look()
        return scene, swap.decide(scene)
    finally:
        swap.last = False


def _instead(swap: Swap, scene: Scene, step: Step) -> Step:
    """Do what has to be done before the pod can be handed over."""
    if step.verb in (WAIT, DONE):
        return step
    return swap.act(step.verb, scene, step) or step


def _tell_who_goes(ready: List[Ready]) -> None:
    """That the others of the turn lose their old pods is no theft: their replacements count."""
    heirs = {uid(seen.old or {}): uid(seen.new or {}) for _swap, seen, _step in ready}
    for swap, _seen, _step in ready:
        swap.company = {heirs.get(one, one) for one in swap.company}
