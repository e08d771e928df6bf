# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task that is asked to end brings what it has in hand to an end, and begins nothing more.

How the wish arrives (ansible-core 2.21, connection local): SIGTERM or SIGINT to ansible-playbook is
sent on to its worker, which sends it to its own process group, and so to the module; both then die,
and nobody reads the module's result. ansible-runner, and so AWX, kills ansible-playbook with
SIGKILL: then nothing arrives, but the worker, which leads our process group, has lost its parent.
Either is a soft stop. A second signal ends the process at once: the next run finds the journal.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Optional

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
SAME_SECONDS = 1.0  # a group and each of its processes may be sent the same signal
LOOK_SECONDS = 1.0  # between looks at who is still there


class Stop:
    """Called, it says whether the task should come to an end."""

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = Path(proc)
        self._asked = 0.0
        self._leader: Optional[int] = None
        self._parent = ""
        self._looked = 0.0

    def install(self) -> None:
        """From now on signals are a wish, and so is the end of whoever started this task."""
        if threading.current_thread() is not threading.main_thread():
            return  # no place for handlers
        for number in SIGNALS:
            signal.signal(number, self._signalled)
        leader = os.getpgrp()
        parent = self._parent_of(leader)
        if parent not in ("", "0", "1"):  # else it was left alone on purpose (async, nohup)
            self._leader, self._parent = leader, parent

    def __call__(self) -> bool:
        if not self._asked and self._deserted():
            self._asked = time.monotonic()
        return bool(self._asked)

    def _signalled(self, number: int, _frame: Optional[FrameType]) -> None:
        now = time.monotonic()
        if not self._asked:
            self._asked = now
        elif now - self._asked > SAME_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def _deserted(self) -> bool:
        """The leader of our process group has another parent than when we began, or is gone."""
        now = time.monotonic()
        if self._leader is None or now - self._looked < LOOK_SECONDS:
            return False
        self._looked = now
        return self._parent_of(self._leader) != self._parent

    def _parent_of(self, pid: int) -> str:
        """Field 4 of /proc/<pid>/stat; empty when there is no such process."""
        try:
            text = (self._proc / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            return ""
        return text.rpartition(")")[2].split()[1]


STOP = Stop()
