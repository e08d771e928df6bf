# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin that misbehaves costs its own pod, never the scheduler.

Every call of a plugin goes through `Guard`. An exception becomes `PluginFailed`, which names the
plugin and the point and rejects one pod. A plugin that is not built in has a budget: the time it
holds the loop for one pod at one point, however many calls that takes. So many overruns in a row,
and it is switched off: its scores are left out, and pods that it would have to judge are refused
rather than placed without it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from numbers import Integral
from types import MappingProxyType
from typing import Any, Protocol, TypeVar, cast

from ..errors import SchedulerError
from .interface import SUCCESS, Code, CycleState, Plugin, Status
from .registry import is_built_in

LOG = logging.getLogger(__name__)
T = TypeVar("T")
Entered = tuple[tuple[str, str] | None, float]  # who ran before, and the time

_SAMPLED = 10
# What a plugin must answer, where that can be told by its type.
_STATUS = ("pre_enqueue", "pre_filter", "filter", "post_filter", "pre_score", "reserve")
_ANSWERS: Mapping[str, type] = {
    **dict.fromkeys((*_STATUS, "pre_bind", "bind"), Status),
    "score": Integral,
    "less": bool,
    "permit": tuple,
}
# None stands for success, as nil does upstream.
_NOTHING: Mapping[type, Any] = {Status: SUCCESS, tuple: (SUCCESS, 0.0)}


class PluginFailed(SchedulerError):
    """A plugin raised, answered what it must not, or is switched off; its pod is not placed."""

    def __init__(self, plugin: str, point: str, cause: str) -> None:
        super().__init__(f"plugin {plugin} failed in {point}: {cause}")
        self.plugin = plugin
        self.point = point


class Counters(Protocol):
    """What of the metrics the guard feeds."""

    def plugin_failed(self, plugin: str, point: str, reason: str) -> None: ...

    def plugin_off(self, plugin: str) -> None: ...

    def plugin_execution(self, plugin: str, point: str, status: str, seconds: float) -> None: ...


class Guard:
    """Calls plugins, and keeps what they may cost.

    `blocked` names plugins that stay off from the start, and why. `patience` bounds what an async
    point may take in all, waiting included: a pod must not hang for ever.
    """

    def __init__(
        self,
        *,
        budget: float,
        max_overruns: int,
        blocked: Mapping[str, str] = MappingProxyType({}),
        patience: float = 600.0,
        metrics: Counters | None = None,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._budget = budget
        self._max_overruns = max_overruns
        self._patience = patience
        self._metrics = metrics
        self._timer = timer
        self._off: dict[str, str] = {}
        self._calls = 0
        self._spent: dict[tuple[str, str], _Spent] = {}
        # Which plugin holds the loop, and where; the watchdog's thread reads it.
        self.running: tuple[str, str] | None = None
        for plugin, why in blocked.items():
            self.switch_off(plugin, why)

    @property
    def off(self) -> Mapping[str, str]:
        """The plugins that are switched off, and why."""
        return MappingProxyType(self._off)

    def is_off(self, plugin_name: str) -> bool:
        """Whether the plugin's scores are left out and its pods refused."""
        return plugin_name in self._off

    def switch_off(self, plugin: str, why: str) -> None:
        """From now on, until the process ends."""
        self._off[plugin] = why
        LOG.error("plugin %s is switched off: %s", plugin, why, extra={"plugin": plugin})
        if self._metrics is not None:
            self._metrics.plugin_off(plugin)

    def call(self, plugin: Plugin, point: str, function: Callable[..., T], *args: Any) -> T:
        """`function(*args)`, a method of the plugin; `point` is the method's name."""
        if is_built_in(plugin):
            try:
                return function(*args)
            except Exception as err:
                raise self._failure(plugin, point, err) from err
        self.check_on(plugin, point)
        entered = self.enter(plugin, point)
        status = Code.ERROR
        try:
            answer = function(*args)
            status = answer.code if isinstance(answer, Status) else Code.SUCCESS
        except Exception as err:
            raise self._failure(plugin, point, err) from err
        finally:
            self._sample(plugin, point, status, self.leave(plugin, point, entered, args))
        return self._checked(plugin, point, answer)

    async def acall(
        self, plugin: Plugin, point: str, function: Callable[..., Awaitable[T]], *args: Any
    ) -> T:
        """The same for an async point: only the time on the loop counts for the budget."""
        trusted = is_built_in(plugin)
        if not trusted:
            self.check_on(plugin, point)
        try:
            async with asyncio.timeout(self._patience):
                if trusted:
                    return await function(*args)
                answer: T = await _Steps(self, plugin, point, args, function)
        except TimeoutError as err:
            cause = TimeoutError(f"it did not end, or something in it, within its time ({err})")
            raise self._failure(plugin, point, cause) from err
        except Exception as err:
            raise self._failure(plugin, point, err) from err
        return self._checked(plugin, point, answer)

    def check_on(self, plugin: Plugin, point: str) -> None:
        """Raises PluginFailed, with the reason, where the plugin is switched off."""
        why = self._off.get(plugin.name)
        if why is not None:
            raise PluginFailed(plugin.name, point, f"it is switched off: {why}")

    def enter(self, plugin: Plugin, point: str) -> Entered:
        """The plugin holds the loop from now on; who held it before (a plugin may cause a call of
        another) has it again afterwards."""
        before, self.running = self.running, (plugin.name, point)
        return before, self._timer()

    def leave(self, plugin: Plugin, point: str, entered: Entered, args: tuple[Any, ...]) -> float:
        """Add up what one pod took at this point; a new CycleState is a new pod."""
        self.running, start = entered
        elapsed = self._timer() - start
        key = (plugin.name, point)
        state = args[0] if args and isinstance(args[0], CycleState) else None
        spent = self._spent.setdefault(key, _Spent())
        if state is None or state is not spent.state:
            spent.begin(state)
        spent.seconds += elapsed
        if spent.seconds > self._budget and not spent.counted:
            self._overran(plugin, point, spent)
        return elapsed

    def _overran(self, plugin: Plugin, point: str, spent: _Spent) -> None:
        spent.counted = True
        spent.overruns += 1
        told = (
            f"{spent.seconds * 1000:.0f} ms for one pod, {self._budget * 1000:.0f} ms are allowed"
        )
        LOG.warning("plugin %s overran in %s: %s", plugin.name, point, told)
        self._count(plugin.name, point, "overrun")
        if spent.overruns >= self._max_overruns and not self.is_off(plugin.name):
            self.switch_off(plugin.name, f"{spent.overruns} overruns in a row in {point}: {told}")

    def _checked(self, plugin: Plugin, point: str, answer: T) -> T:
        expected = _ANSWERS.get(point)
        if expected is None or isinstance(answer, expected):
            return answer
        if answer is None and expected in _NOTHING:
            return cast(T, _NOTHING[expected])
        cause = TypeError(f"it answered {answer!r}, and not a {expected.__name__}")
        raise self._failure(plugin, point, cause)

    def _failure(self, plugin: Plugin, point: str, err: Exception) -> PluginFailed:
        if isinstance(err, PluginFailed):
            return err
        LOG.error("plugin %s failed in %s", plugin.name, point, exc_info=err)
        self._count(plugin.name, point, type(err).__name__)
        return PluginFailed(plugin.name, point, f"{type(err).__name__}: {err}")

    def _sample(self, plugin: Plugin, point: str, status: Code, seconds: float) -> None:
        """Every tenth call is measured, as upstream does."""
        self._calls += 1
        if self._metrics is not None and self._calls % _SAMPLED == 0:
            self._metrics.plugin_execution(plugin.name, point, status.value, seconds)

    def _count(self, plugin: str, point: str, reason: str) -> None:
        if self._metrics is not None:
            self._metrics.plugin_failed(plugin, point, reason)


class _Spent:
    """What a plugin took at one point for the pod in hand, and how often it took too much."""

    __slots__ = ("counted", "overruns", "seconds", "state")

    def __init__(self) -> None:
        self.state: CycleState | None = None
        self.seconds = 0.0
        self.counted = True  # there was no pod before the first
        self.overruns = 0

    def begin(self, state: CycleState | None) -> None:
        """A pod that kept to the budget ends the row of overruns."""
        if not self.counted:
            self.overruns = 0
        self.state, self.seconds, self.counted = state, 0.0, False


class _Steps(Generator[Any, Any, Any]):
    """Drives a plugin's coroutine, and times each stretch in which it holds the loop."""

    def __init__(
        self,
        guard: Guard,
        plugin: Plugin,
        point: str,
        args: tuple[Any, ...],
        function: Callable[..., Awaitable[Any]],
    ) -> None:
        self._guard, self._plugin, self._point, self._args = guard, plugin, point, args
        self._steps = function(*args).__await__()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self

    def send(self, value: Any) -> Any:
        return self._timed(lambda: self._steps.send(value))

    def throw(self, *error: Any) -> Any:
        return self._timed(lambda: self._steps.throw(*error))

    def _timed(self, step: Callable[[], T]) -> T:
        entered = self._guard.enter(self._plugin, self._point)
        try:
            return step()
        finally:
            self._guard.leave(self._plugin, self._point, entered, self._args)
