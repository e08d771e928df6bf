# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A binding is one write, and what came of it is read where the answer does not say.

The body names the pod's uid, so it can only bind the pod that was decided about, and carries the
annotations, which the API server puts on the pod in the same write. A refusal that is certain is
acted on. Everything else (a lost answer, a 5xx, a conflict) is resolved by reading the pod: it is
bound to our node, bound elsewhere, gone, or still free, and only then is the same binding tried
again.
"""

from __future__ import annotations

import asyncio
import enum
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Protocol

import msgspec

from ..api.kinds import PODS
from ..api.retry import Backoff
from ..clock import rfc3339
from ..errors import ApiError, Unknown, Unreached

if TYPE_CHECKING:
    from ..api.client import Client
    from ..cache.objects import Pod
    from ..clock import Clock
    from .attempt import Attempt
    from .window import Window

STAMP = ',"Scheduler-Timestamp":"%d"'
BODY = (
    '{"apiVersion":"v1","kind":"Binding","metadata":{"name":"%s","namespace":"%s","uid":"%s",'
    '"annotations":{"podplacement.io/scheduled-at":"%s"%s}},'
    '"target":{"apiVersion":"v1","kind":"Node","name":"%s"}}'
)
# A pod that stays free after so many refusals is decided about anew.
TRIES = 5


class Ending(enum.Enum):
    """How a binding ended; the values are the label `outcome` of its metric."""

    BOUND = "bound"
    GONE = "gone"  # deleted, or another pod has its name
    LOST = "lost"  # bound to another node by somebody else
    REFUSED = "refused"  # still free: to be decided about anew


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end, and what the server said where it is not BOUND."""

    ending: Ending
    message: str = ""


BOUND = Outcome(Ending.BOUND)


def bound_to(node: str, ours: str) -> Outcome:
    """What it means that the pod is bound."""
    return BOUND if node == ours else Outcome(Ending.LOST, f"it was bound to {node}")


class Metrics(Protocol):
    """What the binder tells."""

    def bind_outcome(self, outcome: str) -> None: ...


class _Meta(msgspec.Struct, rename="camel"):
    uid: str
    deletion_timestamp: str | None = None


class _Spec(msgspec.Struct, rename="camel"):
    node_name: str = ""


class _Read(msgspec.Struct):
    """What a read of the pod must tell."""

    metadata: _Meta
    spec: _Spec


_read = msgspec.json.Decoder(_Read)


def body(pod: Pod, node: str, wall_ns: int, *, timestamp: bool = False) -> bytes:
    """The Binding. None of the names can hold a character that JSON escapes."""
    stamp = STAMP % wall_ns if timestamp else ""
    content = (pod.name, pod.namespace, pod.uid, rfc3339(wall_ns), stamp, node)
    return (BODY % content).encode()


class Binder:
    """Writes bindings, and finds out what came of them."""

    def __init__(
        self,
        client: Client,
        window: Window,
        *,
        clock: Clock,
        rng: Random,
        metrics: Metrics,
    ) -> None:
        self._client = client
        self._window = window
        self._clock = clock
        self._rng = rng
        self._metrics = metrics

    async def bind(self, attempt: Attempt) -> Outcome:
        """Until the end is certain."""
        pod, stamp = attempt.pod, attempt.profile.timestamp_annotation
        content = body(pod, attempt.node, self._clock.wall_ns(), timestamp=stamp)
        self._window.writing += 1
        try:
            await self._client.bind(pod.namespace, pod.name, content)
        except (ApiError, Unreached, Unknown) as err:
            outcome = await self._resolve(attempt, content, err)
        else:
            outcome = BOUND
        finally:
            self._window.writing -= 1
        self._window.answered()
        self._metrics.bind_outcome(outcome.ending.value)
        return outcome

    async def is_free(self, pod: Pod) -> bool:
        """Whether the API server says that this very pod has no node; False if it does not say."""
        try:
            now = _read.decode(await self._client.get(PODS, pod.name, pod.namespace))
        except (ApiError, Unreached, Unknown):
            return False
        return now.metadata.uid == pod.uid and not now.spec.node_name

    async def _resolve(self, attempt: Attempt, content: bytes, failure: Exception) -> Outcome:
        """The first try did not simply succeed: read, and try again, until it is clear."""
        pod, backoff = attempt.pod, Backoff(0.1, 5.0, self._rng)
        refusals = 0
        while True:
            found = await self._judge(attempt, failure)
            if found is not None:
                return found
            if isinstance(failure, ApiError) and failure.status != 429:
                refusals += 1
                if refusals >= TRIES:
                    return Outcome(Ending.REFUSED, str(failure))
            self._metrics.bind_outcome("retried")
            await asyncio.sleep(backoff.next(getattr(failure, "retry_after", None)))
            found = attempt.seen()
            if found is not None:
                return found
            try:
                await self._client.bind(pod.namespace, pod.name, content)
                return BOUND
            except (ApiError, Unreached, Unknown) as err:
                failure = err

    async def _judge(self, attempt: Attempt, failure: Exception) -> Outcome | None:
        """What a failed try means; None: nothing was written, and the same may be sent again."""
        if isinstance(failure, Unreached):
            return None
        if isinstance(failure, ApiError):
            if failure.status == 404:
                return Outcome(Ending.GONE, failure.message)
            if failure.is_transient:
                self._window.refused(failure.retry_after)
            if failure.status == 429:
                return None
            if failure.status < 500 and failure.status != 409:
                return Outcome(Ending.REFUSED, str(failure))
        found = await self._read(attempt)
        if found is None and isinstance(failure, ApiError) and failure.status == 409:
            return Outcome(Ending.REFUSED, failure.message)
        return found

    async def _read(self, attempt: Attempt) -> Outcome | None:
        """What the server knows of the pod now; None: it is free. Asks until there is an answer."""
        pod, backoff = attempt.pod, Backoff(0.1, 5.0, self._rng)
        while True:
            wait: float | None = None
            try:
                raw = await self._client.get(PODS, pod.name, pod.namespace)
                break
            except ApiError as err:
                if err.status == 404:
                    return Outcome(Ending.GONE, err.message)
                wait = err.retry_after
            except (Unreached, Unknown):
                pass
            self._metrics.bind_outcome("unread")
            await asyncio.sleep(backoff.next(wait))
            found = attempt.seen()
            if found is not None:
                return found
        now = _read.decode(raw)
        if now.metadata.uid != pod.uid:
            return Outcome(Ending.GONE, "another pod has its name")
        if now.spec.node_name:
            return bound_to(now.spec.node_name, attempt.node)
        if now.metadata.deletion_timestamp is not None:
            return Outcome(Ending.GONE, "it is being deleted")
        return None
