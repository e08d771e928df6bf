# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finish or undo what a killed run left: the same state machines, told to begin nothing new."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

from ..api import Api, Object
from ..errors import Conflict, NotFound, PlacementError
from ..resources import LEASE, POD, SECRET, label, meta, uid
from ..rules.pod_state import is_terminating
from ..workloads import known_kind
from .engine import drive
from .journal import Entry, decode
from .lock import Lock
from .manifest import own_cost
from .names import EPOCH, MOVE, MOVE_ID, is_mark
from .order import Settings
from .recreate import saved_moves
from .strategies import STRATEGIES, machine_for
from .toolbox import left_policies

FINISHED = "finished"
ROLLED_BACK = "rolled_back"
INTERRUPTED = "interrupted"
IN_PROGRESS = "in_progress"


def finish_all(api: Api, lock: Lock, settings: Settings) -> List[Dict[str, Any]]:
    """Finish or undo every move in the journal of a lock that was taken over, and release it."""
    done = []
    for entry in _by_marks(api, lock):
        _fence(api, lock, entry)
        owner = _owner(api, lock.namespace, entry)
        machine = machine_for(api, lock, entry, settings, owner, resume=True)
        step = drive(machine, api, settings.clock)
        outcome = FINISHED if not step.code else ROLLED_BACK
        done.append(describe_recovery(lock.namespace, entry, outcome, step.code))
    lock.release()
    return done


def _by_marks(api: Api, lock: Lock) -> List[Entry]:
    """The journal; moves of marked pods come first, in the order in which their controller takes
    these: whoever was handed over before would cost another one its place.
    """
    costs = {uid(pod): own_cost(pod) for pod in api.list(POD, lock.namespace)[0]}

    def place(entry: Entry) -> float:
        cost = costs.get(entry.pod_uid)
        return int(cost) if cost is not None and is_mark(cost) else float("inf")

    return sorted(lock.entries, key=place)


def settle(api: Api, lease: Object, settings: Settings) -> List[Dict[str, Any]]:
    """Wait until a live run of that Lease ends, or take a dead one over and finish its moves."""
    key = (str(meta(lease)["namespace"]), str(meta(lease)["name"]))
    lock = Lock(api, settings.clock, settings.holder, *key, settings.lock_duration)
    if not lock.acquire([], settings.deadline, settings.stop):
        return finish_all(api, lock, settings)
    lock.release()
    return []


def describe_recovery(namespace: str, entry: Entry, outcome: str, code: str = "") -> Dict[str, Any]:
    """One item of the result's ``recovered``."""
    return {
        "namespace": namespace,
        "move_id": entry.id,
        "strategy": entry.strategy,
        "pod": entry.pod,
        "uid": entry.pod_uid,
        "to_node": entry.node,
        "workload": "%s/%s" % (entry.owner_kind, entry.owner_name)
        if entry.owner_kind
        else "Pod/%s" % entry.pod,
        "outcome": outcome,
        "code": code,
    }


def _owner(api: Api, namespace: str, entry: Entry) -> Optional[Object]:
    core = entry.owner_kind == "ReplicationController"
    kind = known_kind(entry.owner_kind, entry.owner_api or ("v1" if core else "apps/v1"))
    if kind is None:
        return None
    try:
        return api.get(kind, entry.owner_name, namespace)
    except NotFound:
        return None


def _fence(api: Api, lock: Lock, entry: Entry) -> None:
    """Write the epoch on every object of the move: what the former holder still sends was read
    before, and gets a 409.
    """
    for kind in STRATEGIES[entry.strategy].fenced:
        for obj in api.list(kind, lock.namespace)[0]:
            ours = uid(obj) == entry.pod_uid or label(obj, MOVE_ID) in (
                entry.id,
                entry.id.replace("-back", ""),
            )
            if not ours or is_terminating(obj):
                continue
            lock.keep()
            found = meta(obj)
            body = {"metadata": {"uid": found["uid"], "annotations": {EPOCH: str(lock.epoch)}}}
            try:
                api.patch(kind, found["name"], body, lock.namespace)
            except (Conflict, NotFound):
                continue  # that object is gone, and its name another's


def unfinished(api: Api, namespace: Optional[str]) -> List[Object]:
    """The Leases of moves in progress, interrupted or not."""
    return api.list(LEASE, namespace, label_selector=MOVE + "=true")[0]


def recover(api: Api, settings: Settings, namespace: Optional[str]) -> List[Dict[str, Any]]:
    """``state: recovered``: every interrupted move of a namespace, or of the cluster, found by
    label.

    A move that a live run is busy with is waited for until the deadline, then reported as
    ``LockedBy``. One that cannot be finished does not keep the others waiting: its error is raised
    in the end, with what was done in ``recovered``.
    """
    results: List[Dict[str, Any]] = []
    failures: List[PlacementError] = []
    told: Set[Tuple[str, str]] = set()
    for key, journal, left in _journals(api, namespace):
        if key in told:
            continue
        try:
            items = recover_one(api, settings, key, journal(), left=left)
        except PlacementError as err:
            failures.append(err)
            told.add(key)
            continue
        results += items
        if any(item["outcome"] in (INTERRUPTED, IN_PROGRESS) for item in items):
            told.add(key)
    if failures:
        raise _first_of(failures, results)
    return results


def _journals(
    api: Api, namespace: Optional[str]
) -> Iterator[Tuple[Tuple[str, str], Callable[[], List[Entry]], bool]]:
    """Locks, their journals, and whether the Lease is gone. Secrets and policies count where it was
    deleted by hand: a pod may exist nowhere else, or may not be created.
    """
    for kind, journal in ((LEASE, decode), (SECRET, saved_moves)):
        for found in api.list(kind, namespace, label_selector=MOVE + "=true")[0]:
            key = (str(meta(found)["namespace"]), str(meta(found)["name"]))
            yield key, partial(journal, found), kind is SECRET
    for key, policy in left_policies(api, namespace):
        yield key, partial(decode, policy), True


def _first_of(failures: List[PlacementError], done: List[Dict[str, Any]]) -> PlacementError:
    first = failures[0]
    if len(failures) > 1:
        others = ", ".join("%s %s" % (err.object, err.code) for err in failures[1:])
        first.message = "%s (also: %s)" % (first.message, others)
    finished = any(item["outcome"] in (FINISHED, ROLLED_BACK) for item in done)
    first.changed = finished or any(err.changed for err in failures)
    first.result = dict(first.result, recovered=done)
    return first


def recover_one(
    api: Api, settings: Settings, key: Tuple[str, str], entries: List[Entry], *, left: bool
) -> List[Dict[str, Any]]:
    """The moves under one lock; ``left`` when there is no Lease any more."""
    namespace, name = key
    if settings.check:
        return [describe_recovery(namespace, e, INTERRUPTED) for e in entries]
    lock = Lock(api, settings.clock, settings.holder, namespace, name, settings.lock_duration)
    try:
        free = lock.acquire(entries if left else [], settings.deadline, settings.stop)
    except PlacementError as err:
        if err.code != "LockedBy":
            raise
        return [describe_recovery(namespace, e, IN_PROGRESS, err.code) for e in entries]
    if free and not left:
        lock.release()  # its run ended meanwhile
        return []
    return finish_all(api, lock, settings)
