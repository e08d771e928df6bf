# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin that blocks the event loop ends the process, by name, and stays off at the next start.

A thread sees whether the loop still turns. When it does not while a plugin runs, the thread says
which plugin and where, dumps all stacks, writes that down in `state_directory` and ends the process
with EXIT_CODE, well before the renew deadline: another replica may lead, this one restarts without
the plugin. Code that also keeps the interpreter's lock (a regular expression gone wild) stops the
thread as well; then a timer of the interpreter dumps the stacks to a file and ends the process at
the deadline, and the next start reads from the stacks whose file it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import hashlib
import json
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import msgspec

log = logging.getLogger(__name__)
EXIT_CODE = 70
_RECORD = "blocked.json"
_STACKS = "stacks.txt"
_KEPT = 32
_STDERR = 2
_FRAME = re.compile(r'^  File "(?P<file>[^"]+)", line \d+ in (?P<function>\S+)', re.MULTILINE)


class Blocked(msgspec.Struct, frozen=True):
    """A plugin that must not be loaded as long as its file is this one. `file` is its base name,
    `digest` the sha256 of its content; `plugin` is empty where only the file is known."""

    plugin: str
    point: str
    file: str
    digest: str
    time: str


class Observer(Protocol):
    """What is needed of `observe.metrics.Metrics`."""

    def loop_lag(self, seconds: float) -> None: ...


def budget(renew_deadline: float, retry_period: float) -> float:
    """How long the loop may stand still in a plugin: half of what a missed renewal leaves."""
    return 0.5 * (renew_deadline - retry_period)


def blocked(state_directory: str) -> list[Blocked]:
    """What blocked the process in former runs; the oldest first."""
    if not state_directory:
        return []
    path = Path(state_directory, _RECORD)
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Blocked])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError) as err:
        log.warning("%s cannot be read: %s; no plugin is kept off by it", path, err)
        return []


def source_file(plugin: type) -> Path | None:
    """The file of a plugin's class, however it was loaded."""
    for item in vars(plugin).values():
        code = getattr(item, "__code__", None)
        if code is not None:
            return Path(code.co_filename)
    return None


def kept_off(state_directory: str, files: Mapping[str, Path]) -> dict[str, str]:
    """Which plugins stay off, and why: those whose file blocked the process and has not changed.

    `files` is the file of each plugin that is not built in, by the plugin's name.
    """
    _recover(state_directory, files)
    reasons = {}
    for name, file in files.items():
        for one in blocked(state_directory):
            same = (one.file, one.digest) == (file.name, _digest(file))
            if same and one.plugin in (name, ""):
                reasons[name] = f"it blocked the process in {one.point} ({one.time}, {one.file})"
    return reasons


def _recover(state_directory: str, files: Mapping[str, Path]) -> None:
    """Read the stacks that the interpreter's timer left, if any, and blame the file in them."""
    if not state_directory:
        return
    path = Path(state_directory, _STACKS)
    with contextlib.suppress(OSError):
        frames = list(_FRAME.finditer(path.read_text(encoding="utf-8", errors="replace")))
        path.unlink()
        mine = {str(file): file for file in files.values()}
        for frame in frames:
            if frame["file"] in mine:
                _record(state_directory, _entry("", frame["function"], mine[frame["file"]]))
                return


class Watchdog:
    """Watches the loop that `start` was called in.

    `running` says which plugin holds the loop, and where; `files` is as for `kept_off`.
    """

    def __init__(
        self,
        running: Callable[[], tuple[str, str] | None],
        *,
        budget: float,
        deadline: float,
        files: Mapping[str, Path] = MappingProxyType({}),
        state_directory: str = "",
        metrics: Observer | None = None,
    ) -> None:
        self._running = running
        self._budget = budget
        self._deadline = deadline
        self._files = files
        self._state_directory = state_directory
        self._metrics = metrics
        self._tick = budget / 8
        self._beats = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._heart: asyncio.Task[None] | None = None
        self._stacks = _STDERR

    def start(self) -> None:
        """Begin; the loop is running."""
        if self._state_directory:
            Path(self._state_directory).mkdir(parents=True, exist_ok=True)
            path = Path(self._state_directory, _STACKS)
            self._stacks = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._heart = asyncio.create_task(self._beat(), name="watchdog")
        self._thread.start()

    def stop(self) -> None:
        """The end of a process that is well."""
        self._over.set()
        faulthandler.cancel_dump_traceback_later()
        if self._heart is not None:
            self._heart.cancel()
        if self._stacks != _STDERR:
            os.close(self._stacks)
            with contextlib.suppress(OSError):
                Path(self._state_directory, _STACKS).unlink()

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._beats += 1
            faulthandler.dump_traceback_later(self._deadline, exit=True, file=self._stacks)
            due = loop.time() + self._tick
            await asyncio.sleep(self._tick)
            if self._metrics is not None:
                self._metrics.loop_lag(max(0.0, loop.time() - due))

    def _watch(self) -> None:
        beats, still, before = 0, 0.0, time.monotonic()
        while not self._over.wait(self._tick):
            now = time.monotonic()
            # A process that was stopped did not block: its time does not count.
            still += min(now - before, 2 * self._tick)
            before = now
            if self._beats != beats:
                beats, still = self._beats, 0.0
                continue
            culprit = self._running()
            if still > (self._deadline if culprit is None else self._budget):
                self._end(culprit, still)

    def _end(self, culprit: tuple[str, str] | None, still: float) -> None:
        """Say who it was and end. Not by the log: whoever blocks may hold its lock."""
        about: dict[str, object] = {"level": "error", "logger": __name__}
        about["message"] = f"the event loop stood still for {still:.1f} s"
        if culprit is not None:
            plugin, point = culprit
            entry = _entry(plugin, point, self._files.get(plugin))
            _record(self._state_directory, entry)
            about["message"] = (
                f"plugin {entry.plugin} blocked the process in {point} for {still:.1f} s; it stays "
                f"off until its file {entry.file} changes"
            )
            about |= {"plugin": entry.plugin, "point": point, "digest": entry.digest}
        os.write(_STDERR, json.dumps(about).encode() + b"\n")
        faulthandler.dump_traceback(file=_STDERR, all_threads=True)
        os._exit(EXIT_CODE)


def _entry(plugin: str, point: str, file: Path | None) -> Blocked:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    name, digest = (file.name, _digest(file)) if file is not None else ("", "")
    return Blocked(plugin, point, name, digest, now)


def _digest(file: Path) -> str:
    with contextlib.suppress(OSError):
        return hashlib.sha256(file.read_bytes()).hexdigest()
    return ""


def _record(state_directory: str, entry: Blocked) -> None:
    """Add it to what former runs left; all or nothing, even if the process dies meanwhile."""
    if not state_directory:
        return
    known = [
        old
        for old in blocked(state_directory)
        if (old.file, old.plugin) != (entry.file, entry.plugin)
    ]
    path = Path(state_directory, _RECORD)
    new = path.with_suffix(".new")
    with contextlib.suppress(OSError):
        new.write_bytes(msgspec.json.encode([*known, entry][-_KEPT:]))
        new.replace(path)
