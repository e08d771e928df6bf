# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Permit may hold a pod back that has a node: it waits here, its place on the node kept.

It goes on when `allow` is called, and back to the queue when it is rejected, when the shortest of
the times that its plugins gave is over, or when the pod is gone.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ..framework.interface import SUCCESS, Status, unschedulable


class Waiting:
    """The pods in Permit, by uid."""

    def __init__(self) -> None:
        self._pods: dict[str, asyncio.Future[Status]] = {}

    def __len__(self) -> int:
        return len(self._pods)

    async def wait(self, uid: str, plugin: str, seconds: float) -> Status:
        """Until somebody decides, `seconds` at most; `plugin` is who asked for that."""
        decided = self._pods[uid] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                status: Status = await decided
        except TimeoutError:
            status = unschedulable(f"{plugin} did not permit it within {seconds:g} seconds")
        finally:
            del self._pods[uid]
        return replace(status, plugin=plugin)

    def allow(self, uid: str) -> None:
        """Let it go on; nothing happens if it does not wait."""
        self._decide(uid, SUCCESS)

    def reject(self, uid: str, reason: str) -> None:
        """Send it back to the queue."""
        self._decide(uid, unschedulable(reason))

    def reject_all(self, reason: str) -> None:
        """The scheduler stops."""
        for uid in list(self._pods):
            self.reject(uid, reason)

    def _decide(self, uid: str, status: Status) -> None:
        decided = self._pods.get(uid)
        if decided is not None and not decided.done():
            decided.set_result(status)
