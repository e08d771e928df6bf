# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One Lease per workload is lock and journal in one object.

States: free -> held (POST) -> renewed (PATCH, every third of its duration) -> free (DELETE). A
holder that is dead, or whose Lease stayed unchanged for its whole duration by the waiter's own
clock, is taken over by a compare-and-swap that raises ``leaseTransitions``: the epoch that fences
the former holder's writes (moves.md, corrections, item 1).
"""

from __future__ import annotations

import math
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    FrozenSet,
    Iterable,
    List,
    Mapping,
    Optional,
)

from ..api import Api, Object
from ..clock import Clock, Deadline
from ..errors import AlreadyExists, Conflict, NotFound, OutcomeUnknown, PlacementError
from ..resources import LEASE, describe, meta, uid
from .holder import Holder
from .journal import Entry, decode, decode_company, encode
from .names import COMPANY, JOURNAL, MOVE

if TYPE_CHECKING:
    from .swap import Swap

TICK = 2.0  # between looks at the wish to stop


class Lock:
    """The Lease of one workload. Every method may raise ApiError; LockLost means another run took
    over.
    """

    def __init__(
        self, api: Api, clock: Clock, holder: Holder, namespace: str, name: str, duration: float
    ) -> None:
        self.api = api
        self.clock = clock
        self.holder = holder
        self.namespace = namespace
        self.name = name
        self.duration = duration
        self.lease: Optional[Object] = None
        self.renewed = 0.0
        self.rival: Object = {}  # the Lease as another holder last wrote it
        self.turn = ""  # the move whose old pod is evicted: one at a time
        self.marks = 0
        self.line: Dict[str, Swap] = {}  # moves whose old pods are marked, in that order
        self.flying: Dict[str, str] = {}  # handed over: old pod, which is to go, and new one
        self._lapses = 0.0

    def forget(self, entry: Entry) -> None:
        """A move has come to its end: it is in nobody's way."""
        if self.turn == entry.id:
            self.turn = ""
        self.line.pop(entry.id, None)
        self.flying.pop(entry.pod_uid, None)

    # ---- getting it

    def acquire(
        self, entries: List[Entry], deadline: Deadline, stop: Callable[[], bool] = lambda: False
    ) -> bool:
        """Hold the Lease. True: it was free and holds ``entries`` now; False: taken over, its own
        journal stands.

        Raises ``LockedBy`` when a live holder keeps it until the deadline, or until ``stop``.
        """
        while True:
            held = self.attempt(entries)
            if held is not None:
                return held
            if deadline.passed() or stop():
                raise self.locked()
            self.api.wait_change(
                LEASE,
                self.namespace,
                resource_version=meta(self.rival)["resourceVersion"],
                field_selector="metadata.name=" + self.name,
                timeout=max(
                    0.05, min(deadline.left(), self._lapses - self.clock.monotonic(), TICK)
                ),
            )

    def attempt(self, entries: List[Entry]) -> Optional[bool]:
        """``acquire`` without waiting: None while another holder, ``rival``, seems to live."""
        while not self._create(entries):
            lease = self._read()
            if lease is None:
                continue
            spec = lease.get("spec") or {}
            now = self.clock.monotonic()
            if meta(lease)["resourceVersion"] != meta(self.rival).get("resourceVersion"):
                self.rival = lease
                self._lapses = now + float(spec.get("leaseDurationSeconds") or 0)
            if not self._abandoned(spec) and now < self._lapses:
                return None
            if self.take_over(lease):
                return False
        return True

    def _abandoned(self, spec: Mapping[str, Any]) -> bool:
        """Its process is gone; or it is this very one, whose takeover had its reply lost."""
        identity = str(spec.get("holderIdentity") or "")
        return identity == self.holder.identity or self.holder.is_gone(identity)

    def take_over(self, lease: Object) -> bool:
        """Compare-and-swap the Lease from its former holder; False when another run was quicker."""
        spec = dict(
            self._spec(),
            leaseTransitions=int((lease.get("spec") or {}).get("leaseTransitions") or 0) + 1,
        )
        try:
            self._patch(lease, {"spec": spec})
        except (Conflict, NotFound, OutcomeUnknown):
            return False
        return True

    def _create(self, entries: List[Entry]) -> bool:
        body = {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "labels": {MOVE: "true"},
                "annotations": {JOURNAL: encode(entries)},
            },
            "spec": dict(self._spec(), leaseTransitions=0),
        }
        began = self.clock.monotonic()
        try:
            self.lease = self.api.create(LEASE, body, self.namespace)
        except AlreadyExists:
            return False
        except OutcomeUnknown:
            # Ours if our identity stands in it.
            lease = self._read()
            if lease is None or lease["spec"].get("holderIdentity") != self.holder.identity:
                return False
            self.lease = lease
        self.renewed = began
        return True

    def _read(self) -> Optional[Object]:
        try:
            return self.api.get(LEASE, self.name, self.namespace)
        except NotFound:
            return None

    def _spec(self) -> Dict[str, Any]:
        now = self.clock.wall()
        return {
            "holderIdentity": self.holder.identity,
            "leaseDurationSeconds": max(1, math.ceil(self.duration)),
            "acquireTime": now,
            "renewTime": now,
        }

    # ---- holding it

    def held(self) -> Object:
        """The Lease as last written; a programming error when it is not held."""
        if self.lease is None:
            raise AssertionError("the lock %s is not held" % self.name)
        return self.lease

    @property
    def epoch(self) -> int:
        """How often the Lease changed hands."""
        return int(self.held()["spec"].get("leaseTransitions") or 0)

    @property
    def entries(self) -> List[Entry]:
        """The journal as it stands."""
        return decode(self.held())

    def keep(self) -> None:
        """Renew when a third of the duration is over. Called before each write: a process that was
        frozen finds out here.
        """
        if self.clock.monotonic() - self.renewed >= self.duration / 3.0:
            self._guarded({"spec": {"renewTime": self.clock.wall()}})

    def write(self, entries: List[Entry]) -> None:
        """Replace the journal."""
        self._annotate(JOURNAL, encode(entries))

    @property
    def company(self) -> Optional[FrozenSet[str]]:
        """The uids of the workload's pods from before its last eviction; None before the first."""
        return decode_company(self.held())

    def note_company(self, uids: Iterable[str]) -> None:
        """Before an eviction: whoever is not among them later came after it."""
        self._annotate(COMPANY, " ".join(sorted(uids)))

    def _annotate(self, key: str, text: str) -> None:
        metadata = {"annotations": {key: text}}
        self._guarded({"metadata": metadata, "spec": {"renewTime": self.clock.wall()}})

    def release(self) -> None:
        """Delete the Lease: the last write of a move."""
        lease = self.held()
        try:
            self.api.delete(
                LEASE,
                self.name,
                self.namespace,
                uid=uid(lease),
                resource_version=meta(lease)["resourceVersion"],
            )
        except NotFound:
            pass
        except OutcomeUnknown:
            if self.still_there(uid(lease)):
                self._guarded({"spec": {"renewTime": self.clock.wall()}})
                self.release()
        except Conflict:
            raise self._lost() from None
        self.lease = None

    def still_there(self, lease_uid: str) -> bool:
        """The Lease of that uid exists, whoever holds it."""
        lease = self._read()
        return lease is not None and uid(lease) == lease_uid

    def owner_reference(self) -> Dict[str, Any]:
        """Ties a replacement to the Lease: a net for the garbage collector, never a controller."""
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "name": self.name,
            "uid": uid(self.held()),
            "controller": False,
            "blockOwnerDeletion": False,
        }

    def _guarded(self, change: Dict[str, Any]) -> None:
        for attempt in range(3):
            try:
                self._patch(self.held(), change)
                return
            except (Conflict, NotFound):
                raise self._lost() from None
            except OutcomeUnknown:
                lease = self._read()
                if lease is None or lease["spec"].get("holderIdentity") != self.holder.identity:
                    raise self._lost() from None
                self.lease = lease
                if attempt == 2:
                    raise

    def _patch(self, lease: Object, change: Dict[str, Any]) -> None:
        guard = {"uid": uid(lease), "resourceVersion": meta(lease)["resourceVersion"]}
        body = dict(change, metadata=dict(change.get("metadata") or {}, **guard))
        began = self.clock.monotonic()
        self.lease = self.api.patch(LEASE, self.name, body, self.namespace)
        self.renewed = began

    # ---- failing

    def _lost(self) -> PlacementError:
        return PlacementError(
            "LockLost",
            "another run took this workload over while this one did not answer",
            object="Lease %s/%s" % (self.namespace, self.name),
            step="lock",
            hint="The other run finishes the move; run the task again to see its result.",
        )

    def locked(self) -> PlacementError:
        """``LockedBy``: the rival holds it still."""
        lease = self.rival
        spec = lease.get("spec") or {}
        return PlacementError(
            "LockedBy",
            "another run (%s) is moving pods of this workload" % spec.get("holderIdentity"),
            object=describe("Lease", lease),
            step="lock",
            hint="Wait for it, or raise wait_timeout; a dead run's lock is taken over after %ss."
            % spec.get("leaseDurationSeconds"),
        )
