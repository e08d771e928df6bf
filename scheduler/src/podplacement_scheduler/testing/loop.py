# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An event loop whose time stands still while something runs, and jumps when all of it waits.

A day of sleeps costs no time, and two runs of the same program are the same run. There is no I/O.

Programs on one loop can be told apart as processes are: all that is started in the context of
`process("a")` is of the process `a`, and can be stopped (`freeze`) while time goes on for others.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
_Ts = TypeVarTuple("_Ts")
_EPOCH_NS = 1_767_225_600 * 10**9  # 2026-01-01T00:00:00Z
_PROCESS: ContextVar[str] = ContextVar("process", default="")
_Call = tuple[asyncio.Handle, Context]


_MOST_TURNS = 100_000


class Deadlock(Exception):
    """Everything waits for something that no timer will bring."""


class Livelock(Exception):
    """Something runs on and on, and never lets the time go on."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks in the order in which they were asked for; see the module."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._turns = 0  # at this moment
        self._order = itertools.count()
        self._due: deque[_Call] = deque()
        self._timers: list[tuple[float, int, _Call]] = []
        self._frozen: dict[str, list[_Call]] = {}
        self.errors: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _loop, context: self.errors.append(context))

    def time(self) -> float:
        return self._now

    def freeze(self, process: str) -> None:
        """As SIGSTOP: nothing of this process runs until `thaw`; its timers go on."""
        self._frozen.setdefault(process, [])

    def thaw(self, process: str) -> None:
        """As SIGCONT: what came due meanwhile runs now."""
        self._due.extend(self._frozen.pop(process, []))

    def call_soon(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        where = context or copy_context()
        handle = asyncio.Handle(callback, args, self, where)
        self._due.append((handle, where))
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        where = context or copy_context()
        handle = asyncio.TimerHandle(when, callback, args, self, where)
        heapq.heappush(self._timers, (when, next(self._order), (handle, where)))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """A cancelled timer is left where it is, and passed over when its time comes."""

    def _run_once(self) -> None:
        """One turn, as the base class asks for: to the next moment if nothing is due now."""
        while self._timers and (self._timers[0][2][0].cancelled() or not self._is_later()):
            call = heapq.heappop(self._timers)[2]
            if not call[0].cancelled():
                self._due.append(call)
        if not self._due:
            if not self._timers:
                raise Deadlock(f"at {self._now:.3f} s nothing is left to wait for")
            self._now, self._turns = self._timers[0][0], 0
            return
        self._turns += 1
        if self._turns > _MOST_TURNS:
            raise Livelock(f"at {self._now:.3f} s: {self._due[0][0]}")
        for call in [self._due.popleft() for _count in range(len(self._due))]:
            self._run(call)

    def _is_later(self) -> bool:
        return self._timers[0][0] > self._now

    def _run(self, call: _Call) -> None:
        handle, context = call
        held = self._frozen.get(context.get(_PROCESS, "")) if self._frozen else None
        if held is not None:
            held.append(call)
        elif not handle.cancelled():
            handle._run()


@contextlib.contextmanager
def process(name: str) -> Iterator[None]:
    """What is started inside belongs to this process, and so does what that starts."""
    token = _PROCESS.set(name)
    try:
        yield
    finally:
        _PROCESS.reset(token)


def process_context(name: str) -> Context:
    """A context of that process, for `create_task(..., context=)` and `call_later`."""
    context = copy_context()
    context.run(_PROCESS.set, name)
    return context


def current_process() -> str:
    """The process that runs now."""
    return _PROCESS.get()


class VirtualClock:
    """The clocks of the running VirtualLoop; the wall clock can be set wrong by `wall_offset`."""

    def __init__(self) -> None:
        self.wall_offset = 0.0

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def boottime(self) -> float:
        return asyncio.get_running_loop().time()

    def wall_ns(self) -> int:
        return _EPOCH_NS + round((self.monotonic() + self.wall_offset) * 10**9)


def run(main: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, in virtual time; what no task of `main` caught is raised at the end."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        result = runner.run(main)
        loop = runner.get_loop()
        errors = loop.errors if isinstance(loop, VirtualLoop) else []
    for context in errors:
        if isinstance(context.get("exception"), BaseException):
            raise context["exception"]
    return result
