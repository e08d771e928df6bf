# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategies in one table: the state machine of each, the pod that it creates, and its own
checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional

from ..api import Api, Object
from ..errors import PlacementError
from .adopt import Adopt
from .journal import Entry
from .lock import Lock
from .machine import Machine
from .manifest import from_pod, from_template
from .names import replacement_name
from .order import Order, Settings
from .recreate import Recreate
from .surge import Surge

Body = Callable[[Entry, Object, Object], Object]
Prepare = Callable[[Api, Order, Settings, Entry, Object, Object], Entry]

# Those that make another pod from the template of a controller with replicas, and those of them
# that keep it out of the controller's sight by a missing label.
REPLICATING = ("adopt", "shadow", "replace")
DETACHING = ("adopt", "replace")


@dataclass(frozen=True)
class Strategy:
    """``machine(api, lock, entry, settings, owner, resume=)`` makes the state machine; ``body`` the
    pod that a plan is judged by (None: the strategy creates none); ``prepare`` makes further checks
    and completes the journal's entry.
    """

    machine: Callable[..., Machine]
    body: Optional[Body]
    prepare: Optional[Prepare] = None
    loses_availability: bool = False


def _bare(machine: Callable[..., Machine]) -> Callable[..., Machine]:
    def make(
        api: Api, lock: Lock, entry: Entry, settings: Settings, _owner: Object, **how: Any
    ) -> Machine:
        return machine(api, lock, entry, settings, **how)

    return make


def _beside(entry: Entry, pod: Object, owner: Object) -> Object:
    return from_template(owner, entry, pod, replacement_name(entry.owner_name, entry.id, 0))


def _renamed(entry: Entry, pod: Object, _owner: Object) -> Object:
    return from_pod(pod, entry, replacement_name(entry.pod, entry.id, 0))


def _same_name(entry: Entry, pod: Object, _owner: Object) -> Object:
    return from_pod(pod, entry, entry.pod)


STRATEGIES: Dict[str, Strategy] = {
    "adopt": Strategy(Adopt, _beside),
    "surge": Strategy(_bare(Surge), _renamed),
    "recreate": Strategy(_bare(Recreate), _same_name, loses_availability=True),
}


def machine_for(
    api: Api,
    lock: Lock,
    entry: Entry,
    settings: Settings,
    owner: Optional[Object],
    *,
    resume: bool = False,
) -> Machine:
    """The state machine of a journal's entry; ``owner`` is None when it is gone."""
    strategy = STRATEGIES.get(entry.strategy)
    if strategy is None:
        raise PlacementError(
            "JournalUnreadable",
            "the journal names a strategy %s that this version does not have" % entry.strategy,
            object="Lease %s/%s" % (lock.namespace, lock.name),
            step="recover",
            hint="Finish the move with the version of this collection that began it.",
        )
    return strategy.machine(api, lock, entry, settings, owner or {}, resume=resume)
