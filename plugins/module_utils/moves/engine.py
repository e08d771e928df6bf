# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop that drives a strategy: look, decide one step, do it, look again.

A strategy's ``decide`` is a function of what it sees; the loop is the only place that waits. A
write that loses a race (409), meets a vanished object (404) or whose reply is lost is not an error:
the next look shows what is true.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Optional, Tuple

from ..api import Api
from ..clock import Clock
from ..errors import ApiError, Conflict, NotFound, OutcomeUnknown, PlacementError
from ..resources import POD
from .machine import Machine
from .scene import DONE, TICK_SECONDS, WAIT, Scene, Step

RACED = "raced"
MAX_LOST_REPLIES = 10
MAX_RACES = 100


def drive(machine: Machine, api: Api, clock: Clock) -> Step:
    """Run a machine to its DONE step and return that; it and its lock may raise PlacementError."""
    try:
        return _loop(machine, api, clock)
    except PlacementError as err:
        if err.code == "LockLost":
            with suppress(ApiError):  # what cannot be taken back now, a recovery finds
                machine.abandon()
        raise
    finally:
        machine.lock.forget(machine.entry)


def _loop(machine: Machine, api: Api, clock: Clock) -> Step:
    while True:
        scene, step = advance(machine)
        if step.verb == DONE:
            return step
        if step.verb == WAIT and scene is not None:
            _wait(machine, api, clock, scene, step)


def advance(machine: Machine) -> Tuple[Optional[Scene], Step]:
    """Look, decide, act: one turn, without waiting. The step says what was done, or what for to
    wait; the scene has the versions to wait from, and is None after a write that lost a race.
    """
    if machine.settings.stop():
        machine.stop()
    try:
        scene = machine.look()
        step = machine.decide(scene)
        if step.verb == DONE:
            return scene, step
        # Between looking and writing: who was frozen before the look finds out here, who is
        # frozen from here on writes with versions that the fence has outdated.
        machine.lock.keep()
        if step.verb != WAIT:
            step = machine.act(step.verb, scene, step) or step
        machine.lost = machine.races = 0
        return scene, step
    except (Conflict, NotFound) as err:
        machine.races += 1
        if machine.races >= MAX_RACES:
            text = "objects change faster than they can be written: %s" % err.message
            raise _given_up("Conflict", text) from err
    except OutcomeUnknown as err:
        machine.lost += 1
        if machine.lost >= MAX_LOST_REPLIES:
            text = "the API server stopped answering writes: %s" % err.message
            raise _given_up("OutcomeUnknown", text) from err
    return None, Step(RACED)


def _given_up(code: str, text: str) -> PlacementError:
    hint = "Run the task again when the cluster has calmed down: it finds out and finishes."
    return PlacementError(code, text, step="move", hint=hint)


def _wait(machine: Machine, api: Api, clock: Clock, scene: Scene, step: Step) -> None:
    """Block until something of the awaited kind changes, or the tick is over (renewals, deadlines
    and the wish to stop need it).
    """
    limit = max(0.05, min(step.limit, machine.lock.duration / 3.0, TICK_SECONDS))
    version = scene.versions.get(step.kind.kind)
    if version is None:
        clock.sleep(limit)
        return
    api.wait_change(
        step.kind,
        machine.namespace,
        resource_version=version,
        timeout=limit,
        label_selector=machine.selector if step.kind is POD else "",
        field_selector=machine.fields if step.kind is POD else "",
    )
