# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A crew moves the pods of one workload, under one lock: it is stepped, and never waits.

Its Lease holds the journal of all its moves from before the first is begun, so a run that dies
leaves nothing that the next one does not find. An entry that was not begun yet costs a recovery
nothing.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import Any, Deque, Dict, List, Optional, Protocol, Set

from ..api import Api, Object
from ..errors import ApiError, NotFound, PlacementError, api_to_placement
from ..resources import POD, meta, uid
from ..rules.pod_state import is_ready, is_terminating
from .engine import advance
from .lock import Lock
from .machine import Machine
from .names import MOVED_FROM_UID, lease_name
from .order import Settings
from .plan import Plan
from .results import failure_of, moved_item
from .scene import DONE, TICK_SECONDS, WAIT, Step
from .strategies import STRATEGIES, machine_for

# Waits for a move's own pods: what happens to others of the workload does not end them.
OWN_WAITS = ("", "NotReady", "NotScheduled")
SWAPS = ("adopt", "shadow")
TURNS = 12  # steps of one move before others of the queue have theirs
BUSY_SECONDS = 1.0  # between looks at a Lease that another run holds
SOON = 0.05


class Move:
    """One plan and what has become of it. ``state``: waiting, started, or one of Outcome's."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.machine: Optional[Machine] = None
        self.state = "waiting"
        self.moved: Optional[Dict[str, Any]] = None
        self.error: Optional[PlacementError] = None
        self.waits = ""  # the code of what it waits for
        self.due = 0.0  # when it has to look again at the latest
        self.unfinished = False  # the next run has to settle it
        self.turned = False  # an API error has turned it round already
        self.admitted = False  # it counts as in hand
        self.parked = 0  # for want of quota: until more moves of the namespace have ended
        self.again = 0.0  # and not before this time

    @property
    def namespace(self) -> str:
        """Of the pod."""
        return str(meta(self.plan.pod)["namespace"])

    @property
    def ended(self) -> bool:
        """It has an outcome."""
        return self.state not in ("waiting", "started")


class Foreman(Protocol):
    """Who decides over all crews what may be begun; see fleet.Fleet."""

    def admit(self, move: Move, crew: Crew) -> bool:
        """True: begin it now. False: later; or never, then it is ended already."""

    def started(self, move: Move, crew: Crew) -> None:
        """A move that was admitted begins."""

    def ended(self, move: Move, crew: Crew) -> None:
        """A move has its outcome."""

    def withdraw(self, move: Move, crew: Crew) -> None:
        """A move that was admitted cannot begin yet."""

    def quota_may_come(self, move: Move) -> int:
        """For a move that met a full quota: how many moves of the namespace must have ended before
        it is tried again; 0 when there is nothing to wait for.
        """

    def settle(self, crew: Crew) -> None:
        """Finish, beside the workers, what the journal of the crew's taken lock has."""


class Crew:
    """The moves of one workload."""

    def __init__(
        self, api: Api, settings: Settings, plans: List[Plan], surge: int, foreman: Foreman
    ) -> None:
        entry = plans[0].entry
        self.api = api
        self.settings = settings
        self.foreman = foreman
        self.moves = [Move(plan) for plan in sorted(plans, key=_last_ordinal_first)]
        self.namespace = self.moves[0].namespace
        self.workload = entry.owner_uid or entry.pod_uid
        lossy = any(STRATEGIES[p.entry.strategy].loses_availability for p in plans)
        self.surge = 1 if lossy else surge
        self.news: Deque[str] = deque()  # the pods that events were about
        self.held = False
        self.settling = False
        self.spoiled: Optional[PlacementError] = None  # why the settling failed
        self.lock = Lock(
            api,
            settings.clock,
            settings.holder,
            self.namespace,
            lease_name(self.workload),
            settings.lock_duration,
        )

    # ---- the turn of a worker

    def step(self) -> Optional[float]:
        """Do what can be done now; the seconds until there is more, None when all is done."""
        if self.settling:
            return BUSY_SECONDS
        if self.spoiled is not None:
            self._lose(self.spoiled)
            return None
        delay = self.lock.duration / 3.0
        try:
            self._advance_all()
            delay = min(delay, self._begin())
            delay = min([delay, *(self._left(m) for m in self.moves if m.state == "started")])
            if self.held and all(m.ended for m in self.moves):
                self._let_go()
        except PlacementError as err:  # of the lock itself: another run has it now
            self._lose(err)
        except ApiError as err:
            self._lose(api_to_placement(err, step=err.request or "lock"))
        return None if all(m.ended for m in self.moves) else delay

    def _advance_all(self) -> None:
        """Those that something has happened to; when one has acted, others may have their turn."""
        news = {self.news.popleft() for _n in range(len(self.news))}
        for _round in range(TURNS):
            acted = False
            for move in self.moves:
                if move.state == "started" and self._concerned(move, news):
                    acted = self._advance(move) or acted
            if not acted:
                return
            news = {""}

    def _concerned(self, move: Move, news: Set[str]) -> bool:
        own = self._left(move) <= 0.0 or move.plan.entry.pod_uid in news
        if own or (self.settings.stop() and move.machine is not None and not move.machine.failure):
            return True
        others = move.waits not in OWN_WAITS or move.plan.entry.strategy not in SWAPS
        return bool(news) and others

    def _left(self, move: Move) -> float:
        return max(0.0, move.due - self.settings.clock.monotonic())

    def _begin(self) -> float:
        """Start what may be started; the seconds until it may be worth while to ask again."""
        delay = self.lock.duration
        for move in self.moves:
            active = sum(m.state == "started" for m in self.moves)
            if move.state != "waiting" or (self.surge and active >= self.surge):
                continue
            if not self.foreman.admit(move, self):
                if move.state == "waiting":
                    break
                continue
            if not self.held and not self._take_lock(move):
                return BUSY_SECONDS
            self._start(move)
            if move.state == "started":
                self._advance(move)
        return delay

    def _take_lock(self, move: Move) -> bool:
        try:
            held = self.lock.attempt([m.plan.entry for m in self.moves if not m.ended])
        except BaseException:
            self.foreman.withdraw(move, self)
            raise
        if held:
            self.held = True
            return True
        self.foreman.withdraw(move, self)
        if held is False:
            self.settling = True
            self.foreman.settle(self)
        elif self.settings.deadline.passed():
            raise self.lock.locked()
        return False

    def _start(self, move: Move) -> None:
        """The pod is as it was planned for: or somebody was here in between."""
        try:
            now: Object = self.api.get(POD, move.plan.entry.pod, self.namespace)
        except NotFound:
            now = {}
        if uid(now) == move.plan.entry.pod_uid and not is_terminating(now):
            move.state = "started"
            move.machine = machine_for(
                self.api, self.lock, move.plan.entry, self.settings, move.plan.owner
            )
            self.foreman.started(move, self)
            return
        self._overtaken(move)

    def _overtaken(self, move: Move) -> None:
        """Another run, or what this one had to finish first, has moved the pod: or it is gone."""
        entry = move.plan.entry
        selector = "%s=%s" % (MOVED_FROM_UID, entry.pod_uid)
        heirs = self.api.list(POD, self.namespace, label_selector=selector)[0]
        for heir in heirs:
            if is_ready(heir) and (heir["spec"].get("nodeName") == entry.node or not entry.node):
                self._end(move, "moved", moved=moved_item(entry, self.namespace, new=heir))
                return
        step = Step(DONE, "the pod was deleted or replaced before its move began", "PodGone")
        self._end(move, "failed", error=failure_of(step, entry, self.namespace))

    def _advance(self, move: Move) -> bool:
        """As many turns as it takes until it waits or ends; whether it did anything."""
        machine, acted = move.machine, False
        move.due = 0.0
        for _turn in range(TURNS):
            if machine is None or move.state != "started":
                return True
            try:
                step = advance(machine)[1]
            except PlacementError as err:
                if err.code == "LockLost":
                    raise
                self._end(move, "failed", error=err, unfinished=True)
                continue
            except ApiError as err:
                self._turn_round(move, machine, err)
                continue
            if step.verb == DONE:
                self._finished(move, machine, step)
            elif step.verb == WAIT:
                move.waits = step.code
                move.due = self.settings.clock.monotonic() + min(step.limit, TICK_SECONDS)
                return acted
            acted = True
        return False

    def _turn_round(self, move: Move, machine: Machine, err: ApiError) -> None:
        """An API error that stops a move halfway makes it undo what it can, once."""
        problem = api_to_placement(err, step=err.request or "move")
        if move.turned:
            self._end(move, "failed", error=problem, unfinished=True)
            return
        move.turned = True
        machine.failure = Step("roll_back", problem.message, problem.code)

    def _finished(self, move: Move, machine: Machine, step: Step) -> None:
        entry = move.plan.entry
        if not step.code:
            self._end(move, "moved", moved=moved_item(entry, self.namespace, machine))
            return
        if step.code == "QuotaExceeded":
            move.parked = self.foreman.quota_may_come(move)
            if move.parked:
                move.state, move.machine = "waiting", None
                self.foreman.withdraw(move, self)
                return
        state = "cancelled" if step.code == "Cancelled" else "failed"
        self._end(move, state, error=failure_of(step, entry, self.namespace, machine))

    # ---- ends

    def _end(
        self,
        move: Move,
        state: str,
        *,
        moved: Optional[Dict[str, Any]] = None,
        error: Optional[PlacementError] = None,
        unfinished: bool = False,
    ) -> None:
        self.lock.forget(move.plan.entry)
        move.state, move.moved, move.error, move.unfinished = state, moved, error, unfinished
        self.foreman.ended(move, self)

    def _let_go(self) -> None:
        """Nothing is in hand: release the lock. A move that stopped halfway keeps its entry."""
        left = [m.plan.entry for m in self.moves if m.unfinished]
        if left:
            self.lock.write(left)
        else:
            self.lock.release()
        self.held = False

    def _lose(self, err: PlacementError) -> None:
        """Another run has the lock, or it cannot be had: what was begun is that run's now."""
        for move in self.moves:
            if move.state == "started" and move.machine is not None:
                with suppress(ApiError):
                    move.machine.abandon()
                self._end(move, "failed", error=err, unfinished=True)
            elif move.state == "waiting":
                move.state, move.error = "failed", err
                self.foreman.ended(move, self)
        self.held = False


def _last_ordinal_first(plan: Plan) -> int:
    """A StatefulSet is taken from its end, as its own updates are; others in the plan's order."""
    ordinal = plan.entry.pod.rpartition("-")[2]
    return -int(ordinal) if plan.entry.owner_kind == "StatefulSet" and ordinal.isdigit() else 0
