# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look, move what can be moved, look again: until nothing is left that time may help.

Whoever runs this again after a kill starts with a look, too: there is nothing to remember.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, Callable, Dict, List, Mapping, Sequence

from ..api import Api
from ..clock import Deadline
from ..errors import PlacementError
from ..moves.fleet import Fleet, Limits, Outcome
from ..moves.order import Settings
from ..resources import POD, describe, meta, uid
from .plans import PASSING, STAYING, Item, leftover
from .request import Request

Data = Dict[str, Any]
Look = Callable[[], List[Item]]

# Another look may find another node, or the workload in a better state.
_WORTH_ANOTHER_TRY = (
    "Conflict",
    "NotScheduled",
    "PodGone",
    "RolloutInProgress",
    "Unschedulable",
    "VictimMismatch",
    "WorkloadNotReady",
    "WrongNode",
)
TRIES = 3
LOOK_SECONDS = 5.0
STOPS = {
    "Cancelled": ("the run was told to stop", "Run the task again to go on."),
    "MaxFailures": ("too many moves failed", "Look at the leftovers, and run the task again."),
    "DeadlineReached": (
        "what is left would not be finished by the deadline",
        "Run the task again in the next window.",
    ),
}


class Waves:
    """``look`` gives the pods to be moved as they are now. ``items`` are those of the last look,
    ``plans`` all that was planned, in the order of the first look.
    """

    def __init__(self, api: Api, request: Request, settings: Settings, look: Look) -> None:
        self.api = api
        self.request = request
        self.settings = settings
        self.look = look
        self.began = settings.clock.monotonic()
        self.window = None if request.window is None else Deadline(settings.clock, request.window)
        self.items: List[Item] = []
        self.first: List[str] = []  # who was to be moved, at the first look
        self.plans: Dict[str, Data] = {}
        self.moved: List[Data] = []
        self.recovered: List[Data] = []
        self.warnings: List[str] = []
        self.failures: Dict[str, PlacementError] = {}
        self.failed = 0
        self.stopped = ""  # why nothing more is begun, one of STOPS
        self._tries: Counter[str] = Counter()

    def take_look(self) -> None:
        """See what is there now, and plan it."""
        self.items = self.look()
        if not self.settings.wait:  # until those that were moved are gone
            gone = {item["uid"] for item in self.moved}
            self.items = [item for item in self.items if uid(item.pod) not in gone]
        self.first = self.first or self.remaining()
        for item in self.items:
            if item.plan is not None:
                self.plans.setdefault(uid(item.pod), item.as_item())
                self.warnings += [w for w in item.plan.warnings if w not in self.warnings]

    def foretell(self) -> None:
        """After a look: as if all that is planned had been done."""
        self.moved = [_foretold(i.plan.as_item()) for i in self.items if i.plan is not None]
        self.items = [i for i in self.items if i.plan is None]

    def run(self, live: Api) -> None:
        """After a look: waves until nothing can be moved, or nothing more is to be begun."""
        while not self.stopped:
            if self.settings.stop():
                self.stopped = "Cancelled"
                return
            ready = [i for i in self.items if i.plan is not None and self._again(i)]
            if ready:
                self._move(live, ready)
            elif not self._wait():
                return
            self.take_look()

    def leftovers(self) -> List[Dict[str, str]]:
        """What is still to be moved, and what stays, with the reason of each."""
        return [leftover(item.pod, self._why(item)) for item in self.items]

    def remaining(self) -> List[str]:
        """The names of those that should be elsewhere."""
        return [
            "%s/%s" % (meta(i.pod)["namespace"], meta(i.pod)["name"])
            for i in self.items
            if i.error is None or i.error.code not in STAYING
        ]

    def summary(self) -> Data:
        """The counts of a result."""
        waiting = [i for i in self.items if i.plan is not None]
        broken = [i for i in waiting if uid(i.pod) in self.failures]
        refused = len(self.remaining()) - len(waiting)
        seconds = self.settings.clock.monotonic() - self.began
        return {
            "total": len(self.moved) + len(waiting) + refused,
            "moved": len(self.moved),
            "failed": len(broken),
            "refused": refused,
            "not_started": len(waiting) - len(broken),
            "seconds": round(seconds, 3),
        }

    # ---- inside

    def _again(self, item: Item) -> bool:
        failure = self.failures.get(uid(item.pod))
        if failure is None:
            return True
        return failure.code in _WORTH_ANOTHER_TRY and self._tries[uid(item.pod)] < TRIES

    def _move(self, live: Api, ready: Sequence[Item]) -> None:
        request = self.request
        left = max(1, request.max_failures - self.failed) if request.max_failures else 0
        limits = Limits(request.forks, request.surge, left, self.window)
        fleet = Fleet(live, replace(self.settings, say=self._teller()), limits)
        for outcome in fleet.run([item.plan for item in ready if item.plan is not None]):
            self._note(outcome)
        self.recovered += fleet.recovered
        self.warnings += [w for w in fleet.warnings if w not in self.warnings]
        if self.settings.stop():
            self.stopped = "Cancelled"
        elif request.max_failures and self.failed >= request.max_failures:
            self.stopped = "MaxFailures"

    def _teller(self) -> Callable[[Mapping[str, Any]], None]:
        """Progress of this wave as part of the whole."""
        before, say = len(self.moved), self.settings.say

        def tell(event: Mapping[str, Any]) -> None:
            say(dict(event, done=event["done"] + before, total=event["total"] + before))

        return tell

    def _note(self, outcome: Outcome) -> None:
        key = outcome.plan.entry.pod_uid
        if outcome.state == "moved" and outcome.moved is not None:
            self.moved.append(outcome.moved)
            self._check_downtime(outcome.moved)
            self.failures.pop(key, None)
        elif outcome.state == "failed" and outcome.error is not None:
            self._tries[key] += 1
            self.failed += 1
            self.failures[key] = outcome.error
        elif outcome.error is not None:
            self.stopped = outcome.error.code

    def _check_downtime(self, moved: Data) -> None:
        limit = self.settings.max_downtime
        if limit is not None and moved["downtime"] > limit:
            text = "Pod %s/%s was away for %ss, %ss were allowed"
            told = (moved["namespace"], moved["pod"], moved["downtime"], limit)
            self.warnings.append(text % told)

    def _wait(self) -> bool:
        """Until something happens on the node; False when nothing there is worth waiting for."""
        passing = [i for i in self.items if i.error is not None and i.error.code in PASSING]
        if not passing or not self.settings.wait:
            return False
        left = self.settings.deadline.left()
        if left <= 0.0:
            return False
        version = self.api.list(POD, field_selector="spec.nodeName=" + self.request.node)[1]
        self.api.wait_change(
            POD,
            resource_version=version,
            field_selector="spec.nodeName=" + self.request.node,
            timeout=max(0.05, min(LOOK_SECONDS, left)),
        )
        return True

    def _why(self, item: Item) -> PlacementError:
        if item.error is not None:
            return item.error
        failure = self.failures.get(uid(item.pod))
        if failure is not None:
            return failure
        code = self.stopped or "NotStarted"
        message, hint = STOPS.get(code, ("it was not begun", "Run the task again."))
        what = describe("Pod", item.pod)
        return PlacementError(code, message, object=what, step="evacuate", hint=hint)


def _foretold(item: Data) -> Data:
    """The ``moved`` item of a plan that is not carried out."""
    same = ("namespace", "pod", "uid", "new_pod", "from_node", "to_node", "strategy")
    nothing = {"new_uid": "", "victim_mismatch": False, "downtime": 0.0, "timings": {}}
    return dict({k: item[k] for k in same}, **nothing)
