# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet does many moves at a time: one crew a workload, stepped by a few workers when the cluster
tells something new.

What may be in hand at one time is limited by the caller (``Limits``), by quotas (a full one makes
moves wait for others of the namespace to end), and by the crews themselves (one swap of a workload
at a time). Every plan ends in exactly one Outcome.
"""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence

from ..api import Api
from ..clock import Deadline
from ..errors import ApiError, PlacementError, api_to_placement
from ..live import LiveApi
from ..resources import meta
from .announce import Announcer
from .crew import Crew, Move
from .estimate import expected_downtime, startup_seconds
from .order import Settings
from .plan import Plan
from .recovery import finish_all
from .results import failure_of
from .scene import DONE, Step
from .switchboard import Switchboard
from .workqueue import WorkQueue

WORKERS = 12
SETTLERS = 4  # dead runs whose moves are finished at a time, beside the workers
TICK_SECONDS = 0.5  # between looks at the wish to stop
QUOTA_SECONDS = 10.0
SWAP_SECONDS = 5.0  # from Ready until the old pod is gone, where that is not waited for long


@dataclass(frozen=True)
class Limits:
    """0 is no limit. ``forks`` counts moves in hand, ``surge`` those of one workload; after
    ``max_failures`` failures nothing is begun, nor what ``deadline`` would not suffice for.
    """

    forks: int = 0
    surge: int = 0
    max_failures: int = 0
    deadline: Optional[Deadline] = None
    workers: int = WORKERS


@dataclass(frozen=True)
class Outcome:
    """What became of a plan: ``moved``, ``failed`` (``error`` says why), ``cancelled`` (begun, and
    rolled back because the run was stopped) or ``not_started``.
    """

    plan: Plan
    moved: Optional[Dict[str, Any]]
    error: Optional[PlacementError]
    state: str


class Fleet:
    """One run. ``recovered`` and ``warnings`` are for its result. ``api`` is a ``live.LiveApi``:
    without its events, moves look again only every other second.
    """

    def __init__(self, api: Api, settings: Settings, limits: Limits) -> None:
        self.api = api
        self.settings = settings
        self.limits = limits
        self.recovered: List[Dict[str, Any]] = []
        self.warnings: List[str] = []
        self.queue = WorkQueue(settings.clock)
        self._began = settings.clock.monotonic()
        self._lock = threading.RLock()
        self._finished = threading.Event()
        self._crews: Dict[str, Crew] = {}
        self._outcomes: Dict[int, Outcome] = {}
        self._in_hand: Counter[str] = Counter()  # moves by namespace
        self._ended: Counter[str] = Counter()
        self._freed: Dict[str, float] = {}  # when the last of them ended
        self._blocked: Dict[str, None] = {}  # crews that wait for a fork, in that order
        self._parked: Dict[str, Dict[str, None]] = {}  # crews that wait for quota, by namespace
        self._total = self._failures = 0
        self._stopped = ""
        self._left: Dict[str, None] = {}
        self._settlers: Optional[ThreadPoolExecutor] = None
        self._crier: Optional[ThreadPoolExecutor] = None

    def run(self, plans: Sequence[Plan]) -> List[Outcome]:
        """Do them all; the outcomes are in the order of the plans."""
        if not plans:
            return []
        self._total = len(plans)
        self._muster(plans)
        for plan in plans:
            self._say("planned", plan)
        with ExitStack() as stack:
            if self.limits.workers:
                self._crier = stack.enter_context(ThreadPoolExecutor(1))
                self._settlers = stack.enter_context(ThreadPoolExecutor(SETTLERS))
            if isinstance(self.api, LiveApi):
                ears = Switchboard(plans, self._news)
                stack.enter_context(self.api.subscribed(ears.hear))
            self._work()
        return [self._outcomes[id(plan)] for plan in plans]

    def _muster(self, plans: Sequence[Plan]) -> None:
        groups: Dict[str, List[Plan]] = {}
        for plan in plans:
            groups.setdefault(plan.entry.owner_uid or plan.entry.pod_uid, []).append(plan)
        for key, group in groups.items():
            self._crews[key] = Crew(self.api, self.settings, group, self.limits.surge, self)
            self._left[key] = None
            self.queue.add(key)

    # ---- workers

    def _work(self) -> None:
        """With ``workers`` 0 in this very thread: for a world that is not live."""
        if not self.limits.workers:
            self._serve()
            return
        count = min(self.limits.workers, len(self._crews))
        with ThreadPoolExecutor(count) as pool:
            served = [pool.submit(self._serve) for dummy in range(count)]
            while not self._finished.wait(TICK_SECONDS):
                self._heed_stop()
        for one in served:
            one.result()  # raises what a worker did not expect

    def _serve(self) -> None:
        try:
            while True:
                key = self.queue.take()
                if key is None:
                    return
                self._heed_stop()
                delay = self._crews[str(key)].step()
                if delay is not None:
                    self.queue.add_after(key, delay)
                self.queue.done(key)
                if delay is None:
                    self._dismiss(str(key))
        finally:
            self._close()

    def _news(self, workload: str, about: str) -> None:
        self._crews[workload].news.append(about)
        self.queue.add(workload)

    def _dismiss(self, key: str) -> None:
        with self._lock:
            self._left.pop(key, None)
            if not self._left:
                self._close()

    def _close(self) -> None:
        self.queue.close()
        self._finished.set()

    def _heed_stop(self) -> None:
        """Once: tell, and let every crew find out."""
        if self._stopped or not self.settings.stop():
            return
        with self._lock:
            self._stopped = self._stopped or "Cancelled"
        self._say("stopped", None)
        for key in self._crews:
            self.queue.add(key)

    # ---- what may be begun: the foreman of the crews

    def admit(self, move: Move, crew: Crew) -> bool:
        """See ``crew.Foreman``."""
        with self._lock:
            never = self._never(move)
            if never is not None:
                move.state, move.error = "not_started", never
                self._conclude(move)
                self._wake_next()
                return False
            wait = move.again - self.settings.clock.monotonic()
            if wait > 0:
                self.queue.add_after(crew.workload, wait)
                return False
            if move.parked > self._ended[crew.namespace]:
                self._parked.setdefault(crew.namespace, {})[crew.workload] = None
                return False
            if self.limits.forks and sum(self._in_hand.values()) >= self.limits.forks:
                self._blocked[crew.workload] = None
                return False
            self._in_hand[crew.namespace] += 1
            move.admitted = True
        return True

    def _never(self, move: Move) -> Optional[PlacementError]:
        code = why = ""
        window = self.limits.deadline
        if self._stopped or self.settings.stop():
            code, why = "Cancelled", "the task was cancelled before this move began"
        elif self.limits.max_failures and self._failures >= self.limits.max_failures:
            code, why = "MaxFailures", "%d moves have failed" % self._failures
        elif window is not None and window.left() < self._needed(move):
            code = "DeadlineReached"
            why = "it may take %ds, and %ds are left" % (self._needed(move), window.left())
        if not code:
            return None
        return failure_of(Step(DONE, why, code), move.plan.entry, move.namespace)

    def _needed(self, move: Move) -> float:
        pod = move.plan.pod
        seconds = startup_seconds(pod) + self.settings.soak + SWAP_SECONDS
        return seconds + expected_downtime(move.plan.entry.strategy, pod)

    def _wake_next(self) -> None:
        """Whoever was refused first may ask again."""
        key = next(iter(self._blocked), None)
        if key is not None:
            del self._blocked[key]
            self.queue.add(key)

    def started(self, move: Move, crew: Crew) -> None:
        """See ``crew.Foreman``."""
        self._say("started", move.plan)
        entry = move.plan.entry
        self._cry(lambda announcer: announcer.moving(entry), crew.namespace)

    def withdraw(self, move: Move, crew: Crew) -> None:
        """See ``crew.Foreman``."""
        with self._lock:
            self._in_hand[crew.namespace] -= 1
            move.admitted = False
            self._wake_next()

    def ended(self, move: Move, crew: Crew) -> None:
        """See ``crew.Foreman``."""
        with self._lock:
            self._in_hand[crew.namespace] -= move.admitted
            self._ended[crew.namespace] += 1
            if move.state == "moved":
                self._freed[crew.namespace] = self.settings.clock.monotonic()
            self._failures += move.state == "failed"
            self._conclude(move)
            self._wake_next()
            for key in self._parked.pop(crew.namespace, {}):
                self.queue.add(key)
            if self._failures == self.limits.max_failures:
                for key in self._left:
                    self.queue.add(key)
        if move.machine is not None:
            self.warnings.extend(move.machine.warnings)
            self._announce_end(move, crew.namespace)

    def quota_may_come(self, move: Move) -> int:
        """See ``crew.Foreman``."""
        with self._lock:
            ended = self._ended[move.namespace]
            if self._in_hand[move.namespace] > 1:
                return ended + 1
            # The quota controller counts a pod that is gone some time after it is.
            now = self.settings.clock.monotonic()
            freed = self._freed.get(move.namespace)
            if freed is None or now - freed > QUOTA_SECONDS:
                return 0
            move.again = now + TICK_SECONDS
            return ended

    def settle(self, crew: Crew) -> None:
        """See ``crew.Foreman``."""
        if self._settlers is None:
            self._settle(crew)
        else:
            self._settlers.submit(self._settle, crew)

    def _settle(self, crew: Crew) -> None:
        try:
            self.recovered += finish_all(self.api, crew.lock, self.settings)
        except PlacementError as err:
            crew.spoiled = err
        except ApiError as err:
            crew.spoiled = api_to_placement(err, step=err.request or "recover")
        crew.settling = False
        self.queue.add(crew.workload)

    # ---- telling

    def _conclude(self, move: Move) -> None:
        self._outcomes[id(move.plan)] = Outcome(move.plan, move.moved, move.error, move.state)
        self._say("moved" if move.state == "moved" else "failed", move.plan)

    def _say(self, event: str, plan: Optional[Plan]) -> None:
        with self._lock:
            done = len(self._outcomes)
            failed = sum(o.state != "moved" for o in self._outcomes.values())
        seconds = self.settings.clock.monotonic() - self._began
        left = seconds / done * (self._total - done) if done else None
        told: Dict[str, Any] = {"namespace": "", "pod": "", "node": "", "strategy": ""}
        if plan is not None:
            told.update(
                namespace=str(meta(plan.pod)["namespace"]),
                pod=plan.entry.pod,
                node=plan.entry.node,
                strategy=plan.entry.strategy,
            )
        told.update(
            event=event,
            done=done,
            total=self._total,
            failed=failed,
            seconds=round(seconds, 1),
            left=None if left is None else round(left, 1),
        )
        self.settings.say(told)

    def _announce_end(self, move: Move, namespace: str) -> None:
        entry, machine, err = move.plan.entry, move.machine, move.error
        new = (machine.replacement if machine is not None else None) or {}
        if err is None:
            self._cry(lambda announcer: announcer.moved(entry, new), namespace)
        elif move.unfinished:
            code, why = err.code, err.message
            self._cry(lambda announcer: announcer.failed(entry, code, why), namespace)
        else:
            code, why = err.code, err.message
            self._cry(lambda announcer: announcer.rolled_back(entry, code, why), namespace)

    def _cry(self, tell: Any, namespace: str) -> None:
        """Events on pods, one after the other beside the work: nobody waits for them."""
        if self._crier is None:
            self._told(tell, namespace)
        else:
            self._crier.submit(self._told, tell, namespace)

    def _told(self, tell: Any, namespace: str) -> None:
        announcer = Announcer(self.api, self.settings, namespace)
        tell(announcer)
        self.warnings.extend(w for w in announcer.warnings if w not in self.warnings)
