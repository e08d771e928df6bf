# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One attempt to place one pod, and what its profile's plugins do with the node found for it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..framework.guard import PluginFailed
from ..framework.interface import SUCCESS, Code, CycleState, Plugin, Status
from .binder import Ending, Outcome, bound_to
from .entry import Entry, Place

if TYPE_CHECKING:
    from ..cache.objects import Pod
    from ..framework.profile import Profile

log = logging.getLogger(__name__)


class Attempt:
    """The pod as it was when it was taken, and what was decided; `began` is monotonic seconds."""

    __slots__ = ("began", "entry", "node", "pod", "profile", "state")

    def __init__(self, entry: Entry, profile: Profile, began: float) -> None:
        self.entry = entry
        self.pod: Pod = entry.pod
        self.profile = profile
        self.began = began
        self.node = ""
        self.state = CycleState()

    def about(self) -> dict[str, str]:
        """The fields of a log line."""
        pod = self.pod
        told = {"pod": f"{pod.namespace}/{pod.name}", "uid": pod.uid}
        return {**told, "node": self.node} if self.node else told

    def seen(self) -> Outcome | None:
        """What the watch has told of the pod since, if it ended the attempt."""
        if self.entry.place is not Place.GONE:
            return None
        if self.entry.pod.node_name:
            return bound_to(self.entry.pod.node_name, self.node)
        return Outcome(Ending.GONE, "the watch saw it go")

    # The extension points between the decision and the end

    def reserve(self) -> Status:
        """All or none of the plugins hold something for the pod afterwards."""
        for plugin in self.profile.reserves:
            if not hasattr(plugin, "reserve"):
                continue
            try:
                status: Status = self._call(plugin, "reserve")
            except PluginFailed:
                self.unreserve()
                raise
            if not status.ok:
                self.unreserve()
                return replace(status, plugin=plugin.name)
        return SUCCESS

    def unreserve(self) -> None:
        """Of all plugins, last first, as upstream: it does nothing for what was not reserved."""
        for plugin in reversed(self.profile.reserves):
            if hasattr(plugin, "unreserve"):
                self._quietly(plugin, "unreserve")

    def permit(self) -> tuple[Status, float]:
        """Refused by one, or to wait for as long as the least patient one says, or permitted."""
        waits: list[tuple[float, str]] = []
        for plugin in self.profile.permits:
            try:
                status, seconds = self._call(plugin, "permit")
            except PluginFailed as err:
                return Status(Code.ERROR, (str(err),), plugin.name), 0.0
            if status.code is Code.WAIT:
                waits.append((seconds, plugin.name))
            elif not status.ok:
                return replace(status, plugin=plugin.name), 0.0
        if waits:
            seconds, name = min(waits)
            return Status(Code.WAIT, plugin=name), seconds
        return SUCCESS, 0.0

    async def pre_bind(self) -> Status:
        """The first refusal, or success."""
        for plugin in self.profile.pre_binds:
            status = await self._acall(plugin, "pre_bind")
            if not status.ok:
                return status
        return SUCCESS

    async def bind(self) -> Outcome | None:
        """By the first plugin that does not skip the pod; None: none did, it is ours to bind."""
        for plugin in self.profile.binds:
            status = await self._acall(plugin, "bind")
            if status.code is Code.SUCCESS:
                return Outcome(Ending.BOUND)
            if not status.ok:
                return Outcome(Ending.REFUSED, f"{plugin.name}: {', '.join(status.reasons)}")
        return None

    async def post_bind(self) -> None:
        """Only tells; the pod is bound."""
        for plugin in self.profile.post_binds:
            try:
                await self._acall(plugin, "post_bind")
            except PluginFailed as err:
                log.warning("%s", err, extra=self.about())

    def _call(self, plugin: Plugin, point: str) -> Any:
        function = getattr(plugin, point)
        return self.profile.guard.call(plugin, point, function, self.state, self.pod, self.node)

    async def _acall(self, plugin: Plugin, point: str) -> Status:
        guard, function = self.profile.guard, getattr(plugin, point)
        status = await guard.acall(plugin, point, function, self.state, self.pod, self.node)
        return replace(status, plugin=plugin.name) if isinstance(status, Status) else SUCCESS

    def _quietly(self, plugin: Plugin, point: str) -> None:
        try:
            self._call(plugin, point)
        except PluginFailed as err:
            log.warning("%s", err, extra=self.about())
