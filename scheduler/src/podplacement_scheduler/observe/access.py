# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever asks for more than health shows a token; the API server says whose it is and what he may.

TokenReview, then SubjectAccessReview of `get` on the path as a nonResourceURL, as kube-scheduler
does it. A verdict is kept for a few seconds under a keyed hash: no token is stored, none is logged.
Whatever cannot be found out is a no.
"""

from __future__ import annotations

import asyncio
import enum
import hashlib
import hmac
import logging
import secrets
from collections import OrderedDict
from typing import Any, Protocol

import msgspec

from ..api.kinds import ACCESS_REVIEWS, TOKEN_REVIEWS, Kind
from ..clock import Clock
from ..errors import SchedulerError

log = logging.getLogger(__name__)
_REMEMBERED = 256
_SECONDS = 10.0
_AT_A_TIME = 4
_WAITING = 32
_LONGEST_TOKEN = 8192


class Verdict(enum.Enum):
    """What the caller is told; values are HTTP codes."""

    ALLOWED = 200
    UNAUTHENTICATED = 401
    FORBIDDEN = 403
    BUSY = 503


class Caller(Protocol):
    """What is needed of `api.client.Client`."""

    async def call(
        self, method: str, path: str, body: Any = None, *, timeout: float = ...
    ) -> bytes: ...


class Access:
    """Asks the API server, and remembers for a moment what it said."""

    def __init__(self, client: Caller, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, tuple[float, Verdict]] = OrderedDict()
        self._turn = asyncio.Semaphore(_AT_A_TIME)
        self._waiting = 0

    async def judge(self, authorization: str, path: str) -> Verdict:
        """May the bearer of this `Authorization` header get `path`?"""
        scheme, _space, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > _LONGEST_TOKEN:
            return Verdict.UNAUTHENTICATED
        key = hmac.digest(self._key, f"{path}\n{token}".encode(), hashlib.sha256)
        known = self._known.get(key)
        if known is not None and self._clock.monotonic() < known[0]:
            return known[1]
        if self._waiting >= _WAITING:
            return Verdict.BUSY
        self._waiting += 1
        try:
            async with self._turn:
                verdict = await self._ask(token, path)
        except (SchedulerError, OSError, TimeoutError, msgspec.MsgspecError) as err:
            log.warning("who asks for %s could not be found out: %s", path, err)
            return Verdict.BUSY
        finally:
            self._waiting -= 1
        self._remember(key, verdict)
        return verdict

    def _remember(self, key: bytes, verdict: Verdict) -> None:
        self._known[key] = (self._clock.monotonic() + _SECONDS, verdict)
        self._known.move_to_end(key)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    async def _ask(self, token: str, path: str) -> Verdict:
        status = await self._review(TOKEN_REVIEWS, {"token": token})
        if status.get("authenticated") is not True or status.get("error"):
            return Verdict.UNAUTHENTICATED
        user = status.get("user") or {}
        spec: dict[str, Any] = {
            "user": user.get("username", ""),
            "groups": user.get("groups") or [],
            "extra": user.get("extra") or {},
            "nonResourceAttributes": {"path": path, "verb": "get"},
        }
        if user.get("uid"):
            spec["uid"] = user["uid"]
        status = await self._review(ACCESS_REVIEWS, spec)
        allowed = status.get("allowed") is True and status.get("denied") is not True
        return Verdict.ALLOWED if allowed else Verdict.FORBIDDEN

    async def _review(self, kind: Kind, spec: dict[str, Any]) -> dict[str, Any]:
        body = {"apiVersion": kind.api_version, "kind": kind.kind, "spec": spec}
        answer = await self._client.call("POST", kind.path(), msgspec.json.encode(body))
        status = msgspec.json.decode(answer, type=dict[str, Any]).get("status")
        return status if isinstance(status, dict) else {}
