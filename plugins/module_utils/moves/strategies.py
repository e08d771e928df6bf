# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategies in one table: the state machine of each, the pod that it creates, and its own
checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional, Tuple

from ..api import Api, Object
from ..errors import PlacementError
from ..resources import POD, REPLICA_SET, Kind
from .adopt import Adopt
from .bare import prepare_bare
from .evict import Evict, prepare_evict
from .journal import Entry
from .lock import Lock
from .machine import Machine
from .manifest import from_pod, from_template
from .names import replacement_name
from .order import Order, Settings
from .recreate import Recreate
from .replace import Replace, prepare_replace
from .shadow import Shadow, prepare_shadow
from .steer import Steer
from .steering import prepare_steer, steered_pod
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
    and completes the journal's entry; ``fenced`` are the kinds of the objects that a recovery must
    fence; ``by_controller`` says that a controller makes the new pod and names it.
    """

    machine: Callable[..., Machine]
    body: Optional[Body]
    prepare: Optional[Prepare] = None
    loses_availability: bool = False
    fenced: Tuple[Kind, ...] = (POD,)
    by_controller: bool = False


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
    "shadow": Strategy(
        Shadow, _beside, prepare_shadow, fenced=(POD, REPLICA_SET), by_controller=True
    ),
    "surge": Strategy(_bare(Surge), _renamed, prepare_bare),
    "recreate": Strategy(_bare(Recreate), _same_name, prepare_bare, loses_availability=True),
    "replace": Strategy(Replace, _beside, prepare_replace, loses_availability=True),
    "steer": Strategy(Steer, steered_pod, prepare_steer, loses_availability=True),
    "evict": Strategy(Evict, None, prepare_evict, loses_availability=True, by_controller=True),
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
