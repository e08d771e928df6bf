# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Only the replica that holds the Lease may write, and it knows by itself when it no longer may.

Leadership ends `renew_deadline` after the last successful renewal was *begun*. That is at least
`lease_duration - renew_deadline` before another replica may take the Lease, because that one counts
`lease_duration` from the moment at which it saw the renewal. No wall clock takes part: both sides
measure time that has passed, suspended machines and stopped processes included. `may_write` is
asked in the moment before bytes leave, so a replica that was frozen finds out before it does harm.

Fields and rules are those of client-go's tools/leaderelection, and its durations too.
"""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import uuid
from random import Random
from typing import Any, Protocol

import msgspec

from .api.kinds import LEASES
from .clock import Clock, rfc3339
from .errors import ApiError, ConfigError, SchedulerError

log = logging.getLogger(__name__)
_JITTER = 0.2


class Caller(Protocol):
    """What is needed of `api.client.Client`."""

    async def call(
        self, method: str, path: str, body: Any = None, *, timeout: float = ...
    ) -> bytes: ...


class Observer(Protocol):
    """What is needed of `observe.metrics.Metrics`."""

    def leading(self, now: bool) -> None: ...


class HeldByOther(SchedulerError):
    """Another replica holds the Lease."""


def own_identity() -> str:
    """Who this process is: never the same twice, so that nobody takes an old Lease for his own."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"


class Leader:
    """One replica's part in the election: `acquire`, `keep` until it is lost, `release`."""

    alone = False  # another one may have led, and placed pods, a moment ago

    def __init__(
        self,
        client: Caller,
        clock: Clock,
        rng: Random,
        *,
        namespace: str,
        name: str,
        identity: str,
        lease_duration: float = 15.0,
        renew_deadline: float = 10.0,
        retry_period: float = 2.0,
        metrics: Observer | None = None,
    ) -> None:
        if (namespace, name) == ("kube-system", "kube-scheduler"):
            raise ConfigError(
                "leaderElection: kube-system/kube-scheduler is the Lease of the cluster's own "
                "scheduler; give resourceName a name of its own"
            )
        self.identity = identity
        self._client = client
        self._clock = clock
        self._rng = rng
        self._namespace = namespace
        self._name = name
        self._lease_duration = lease_duration
        self._renew_deadline = renew_deadline
        self._retry_period = retry_period
        # A request that is answered later than this is of no use: see the module.
        self._timeout = 0.9 * min(lease_duration - renew_deadline, renew_deadline / 2)
        self._metrics = metrics
        self._renewed: float | None = None
        self._lease: dict[str, Any] | None = None
        self._seen: tuple[Any, float] = (None, -math.inf)

    def may_write(self) -> bool:
        """Is this replica the leader, in this moment?"""
        return self._left() > 0

    async def acquire(self) -> None:
        """Return when this replica is the leader."""
        holder = ""
        while not await self._round():
            if self._holder() != holder:
                holder = self._holder()
                log.info("waiting for the lease", extra=self._about(holder=holder))
            await asyncio.sleep(self._pause())
        log.info("leading", extra=self._about(identity=self.identity))
        self._tell(True)

    async def keep(self) -> None:
        """Renew; return when leadership is lost, at the deadline at the latest."""
        begun = self._clock.boottime()
        while self.may_write():
            pause = begun + self._retry_period - self._clock.boottime()
            await asyncio.sleep(max(0.0, min(pause, self._left())))
            begun = self._clock.boottime()
            # After the deadline another one may have led, and all that is believed may be wrong.
            if self.may_write():
                await self._round()
        self._lost()

    async def release(self) -> None:
        """Give the Lease away, so that the next replica need not wait; all writes are done."""
        if not self.may_write():
            return
        self._lost()
        try:
            async with asyncio.timeout(self._timeout):
                lease = self._lease or await self._read()
                if lease is not None and lease["spec"].get("holderIdentity") == self.identity:
                    await self._write(lease, holder="")
        except (SchedulerError, OSError, TimeoutError) as err:
            log.warning("the lease was not released: %s", err, extra=self._about())

    async def _round(self) -> bool:
        """One attempt to take or renew the Lease. Whatever goes wrong is an attempt that failed."""
        begun = self._clock.boottime()
        limit = min(self._timeout, self._left()) if self.may_write() else self._timeout
        try:
            async with asyncio.timeout(limit):
                await self._take_or_renew()
        except HeldByOther:
            self._renewed = self._lease = None
            return False
        except (SchedulerError, OSError, TimeoutError) as err:
            self._lease = None
            log.warning("the lease was not renewed: %r", err, extra=self._about())
            return False
        except Exception:
            self._lease = None
            log.exception("the lease was not renewed", extra=self._about())
            return False
        self._renewed = begun
        return self.may_write()

    async def _take_or_renew(self) -> None:
        """Write the Lease if nobody else holds it; a conflict means that somebody else wrote it."""
        lease = self._lease or await self._read()
        if lease is None:
            body = {
                "apiVersion": LEASES.api_version,
                "kind": LEASES.kind,
                "metadata": {"name": self._name, "namespace": self._namespace},
            }
            await self._write(body, holder=self.identity)
            return
        spec = lease.get("spec") or {}
        taken = self._renewed is not None and spec.get("holderIdentity") != self.identity
        if self._is_held(spec) or taken:
            raise HeldByOther(self._holder())
        await self._write(lease, holder=self.identity)

    def _is_held(self, spec: dict[str, Any]) -> bool:
        """Does another one hold it? Judged by how long we have seen it unchanged, on our clock."""
        now = self._clock.boottime()
        if self._seen[0] != spec:
            self._seen = (dict(spec), now)
        holder = spec.get("holderIdentity")
        if not holder or holder == self.identity:
            return False
        lasts = spec.get("leaseDurationSeconds") or self._lease_duration
        return bool(now < self._seen[1] + lasts)

    async def _read(self) -> dict[str, Any] | None:
        path = LEASES.path(self._namespace, self._name)
        try:
            found = await self._client.call("GET", path, timeout=self._timeout)
        except ApiError as err:
            if err.status == 404:
                return None
            raise
        return msgspec.json.decode(found, type=dict[str, Any])

    async def _write(self, lease: dict[str, Any], *, holder: str) -> None:
        """Create or update, on the condition that the Lease is still the one that was read."""
        now = rfc3339(self._clock.wall_ns())
        before = lease.get("spec") or {}
        spec = {**before, "holderIdentity": holder, "renewTime": now}
        spec["leaseDurationSeconds"] = math.ceil(self._lease_duration) if holder else 1
        if holder != before.get("holderIdentity"):
            spec["acquireTime"] = now
        if holder and holder != before.get("holderIdentity"):
            spec["leaseTransitions"] = (before.get("leaseTransitions") or 0) + bool(before)
        body = msgspec.json.encode({**lease, "spec": spec})
        known = "resourceVersion" in lease["metadata"]
        path = LEASES.path(self._namespace, self._name if known else "")
        written = await self._client.call(
            "PUT" if known else "POST", path, body, timeout=self._timeout
        )
        self._lease = msgspec.json.decode(written, type=dict[str, Any])

    def _left(self) -> float:
        """Seconds until this replica must stop writing."""
        if self._renewed is None:
            return 0.0
        return self._renewed + self._renew_deadline - self._clock.boottime()

    def _lost(self) -> None:
        self._renewed = None
        log.info("not leading any more", extra=self._about(identity=self.identity))
        self._tell(False)

    def _tell(self, leading: bool) -> None:
        if self._metrics is not None:
            self._metrics.leading(leading)

    def _holder(self) -> str:
        seen = self._seen[0] or {}
        return seen.get("holderIdentity") or ""

    def _pause(self) -> float:
        return self._retry_period * (1 + self._rng.uniform(0, _JITTER))

    def _about(self, **more: str) -> dict[str, str]:
        return {"lease": f"{self._namespace}/{self._name}", **more}


class AlwaysLeader:
    """Leadership without an election, for a single replica."""

    alone = True

    def may_write(self) -> bool:
        """Always."""
        return True

    async def acquire(self) -> None:
        """At once."""

    async def keep(self) -> None:
        """For good."""
        await asyncio.Event().wait()

    async def release(self) -> None:
        """Nothing to give away."""
