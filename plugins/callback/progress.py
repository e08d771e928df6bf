# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a task is, while it runs: a task tells a FIFO, a thread here reads it and shows it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: aggregate
short_description: Show how far moves and evacuations are
version_added: 0.1.0
author:
  - podplacement contributors (@podplacement)
description:
  - While a task of this collection moves pods, show how many are moved, failed and still to do, and about how long it
    will take.
  - On a terminal that is one line, which is written anew and gone at the end. Elsewhere, as in AWX, lines are written,
    and only when something has changed.
  - Only tasks that run on the controller, as the user who runs Ansible, tell their progress. For others nothing is
    shown.
requirements:
  - enabling in the configuration, C(callbacks_enabled = podplacement.core.progress)
options:
  style:
    description:
      - V(auto) takes V(line) when the output is a terminal that a person looks at, and V(lines) elsewhere.
      - V(line) writes one line again and again.
      - V(lines) writes a line when something has changed, at most one in O(interval) seconds.
    type: str
    choices: [auto, line, lines]
    default: auto
    env:
      - name: PODPLACEMENT_PROGRESS_STYLE
    ini:
      - section: callback_podplacement_progress
        key: style
  interval:
    description:
      - The least number of seconds between two lines, with V(lines).
    type: float
    default: 5
    env:
      - name: PODPLACEMENT_PROGRESS_INTERVAL
    ini:
      - section: callback_podplacement_progress
        key: interval
"""

import atexit
import json
import os
import select
import shutil
import sys
import tempfile
import threading
import time
from contextlib import suppress
from typing import Any, Callable, Dict, Mapping, Optional

from ansible.plugins.callback import CallbackBase

from ansible_collections.podplacement.core.plugins.module_utils.progress import VARIABLE

CLEAR = "\r\033[K"
# A terminal is written to no more often than an eye can follow.
GLANCE_SECONDS = 0.1


class Tally:
    """What the running tasks have told: the newest event of each, summed up in one sentence."""

    def __init__(self) -> None:
        self._runs: Dict[str, Mapping[str, Any]] = {}

    def note(self, line: bytes) -> bool:
        """Take one line of the FIFO; what is no event is passed over."""
        try:
            event = json.loads(line)
        except ValueError:
            return False
        if not isinstance(event, dict) or not isinstance(event.get("total"), int):
            return False
        self._runs[str(event.get("run"))] = event
        return True

    def forget(self) -> None:
        """All tasks have ended."""
        self._runs.clear()

    def text(self) -> str:
        """``37 of 100 moved, 2 failed, 61 to do, about 12 s left``; empty when nothing is known."""
        if not self._runs:
            return ""
        total, done, failed = (self._sum(key) for key in ("total", "done", "failed"))
        parts = ["%d of %d moved" % (done - failed, total)]
        if failed:
            parts.append("%d failed" % failed)
        parts.append("%d to do" % max(0, total - done))
        left = [e["left"] for e in self._runs.values() if isinstance(e.get("left"), (int, float))]
        if left and total > done:
            parts.append("about %s left" % spoken(max(left)))
        return ", ".join(parts)

    def _sum(self, key: str) -> int:
        return sum(int(event.get(key) or 0) for event in self._runs.values())


def spoken(seconds: float) -> str:
    """Seconds as a person says them: ``40 s``, ``3 min``, ``1 h 20 min``."""
    whole = int(seconds + 0.5)
    if whole < 90:
        return "%d s" % whole
    minutes = (whole + 30) // 60
    return "%d min" % minutes if minutes < 90 else "%d h %d min" % divmod(minutes, 60)


class Line:
    """One line of a terminal, written again and again."""

    pause = GLANCE_SECONDS

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._shown = ""

    def show(self, text: str) -> None:
        """Write the line anew; it must not wrap, or it could not be taken back."""
        width = shutil.get_terminal_size().columns - 1
        if text[:width] != self._shown:
            self._shown = text[:width]
            self._write(CLEAR + self._shown)

    def end(self, text: str) -> None:
        """Take the line away: the task's own result follows."""
        if self._shown:
            self._write(CLEAR)
        self._shown = ""


class Lines:
    """Lines for a log."""

    def __init__(self, write: Callable[[str], None], interval: float) -> None:
        self._write = write
        self.pause = interval
        self._last = ""

    def show(self, text: str) -> None:
        """Write a line if it says something new."""
        if text and text != self._last:
            self._write(text + "\n")
        self._last = text

    def end(self, text: str) -> None:
        """Write what was not yet said."""
        self.show(text)
        self._last = ""


class Reader(threading.Thread):
    """Reads the FIFO until it is told to stop. Whatever goes wrong, it only falls silent."""

    def __init__(self, path: str, screen: Any) -> None:
        super().__init__(name="podplacement-progress", daemon=True)
        self._path = path
        self._screen = screen
        self._tally = Tally()
        self._descriptor = self._open()
        self._stopped = threading.Event()
        self._rest = b""

    def run(self) -> None:
        """The thread: wait for events or for the moment to show them."""
        with suppress(Exception):
            self._loop()

    def stop(self) -> None:
        """End the thread, which may be waiting for events."""
        self._stopped.set()
        with suppress(OSError):
            descriptor = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
            os.write(descriptor, b"\n")
            os.close(descriptor)
        self.join(timeout=2)

    def _open(self) -> int:
        return os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)

    def _loop(self) -> None:
        shown_at, pending = float("-inf"), False
        while not self._stopped.is_set():
            wait = max(0.0, shown_at + self._screen.pause - time.monotonic()) if pending else None
            if self._ready(wait):
                alive, news = self._take()
                pending = pending or news
                if not alive:
                    self._all_ended()
                    pending = False
            if pending and time.monotonic() >= shown_at + self._screen.pause:
                self._screen.show(self._tally.text())
                shown_at, pending = time.monotonic(), False
        self._all_ended()

    def _ready(self, wait: Optional[float]) -> bool:
        return bool(select.select([self._descriptor], [], [], wait)[0])

    def _take(self) -> tuple[bool, bool]:
        """Read what is there: whether anybody still writes, and whether it was news."""
        try:
            data = os.read(self._descriptor, 65536)
        except BlockingIOError:
            return True, False
        *lines, self._rest = (self._rest + data).split(b"\n")
        noted = [self._tally.note(line) for line in lines]
        return bool(data), any(noted)

    def _all_ended(self) -> None:
        """The last task that wrote has ended: show the end, and listen for the next one."""
        self._screen.end(self._tally.text())
        self._tally.forget()
        self._rest = b""
        # The new one is open before the old one is closed: nobody may find the FIFO unread.
        old, self._descriptor = self._descriptor, self._open()
        os.close(old)


class CallbackModule(CallbackBase):
    """Makes the FIFO when a playbook starts, and takes it away when it ends."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "podplacement.core.progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._folder = ""
        self._reader: Optional[Reader] = None

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Tasks inherit the variable, because they are started from here on."""
        if os.environ.get(VARIABLE):
            return  # an outer playbook, or the user, listens already
        with suppress(Exception):
            self._folder = tempfile.mkdtemp(prefix="podplacement-")
            atexit.register(self._take_away)
            path = os.path.join(self._folder, "progress")
            os.mkfifo(path, 0o600)
            self._reader = Reader(path, self._screen())
            self._reader.start()
            os.environ[VARIABLE] = path

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The playbook is done."""
        self._take_away()

    def _take_away(self) -> None:
        folder, self._folder = self._folder, ""
        if not folder:
            return
        os.environ.pop(VARIABLE, None)
        with suppress(Exception):
            if self._reader is not None:
                self._reader.stop()
        shutil.rmtree(folder, ignore_errors=True)

    def _screen(self) -> Any:
        style = self.get_option("style")
        if style == "auto":
            style = "line" if watched() else "lines"
        if style == "line":
            return Line(self._write)
        return Lines(self._write, max(0.0, float(self.get_option("interval"))))

    def _write(self, text: str) -> None:
        # Through Ansible's own door: it locks out other threads, and AWX listens there.
        self._display.display(text, screen_only=not text.endswith("\n"), newline=False)
        sys.stdout.flush()


def watched() -> bool:
    """Whether a person looks at a terminal; ansible-runner, and so AWX, only pretends to be one."""
    if "AWX_ISOLATED_DATA_DIR" in os.environ or os.environ.get("TERM", "dumb") == "dumb":
        return False
    return sys.stdout.isatty()
