# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that outlives whoever started it, and is found again by its files."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path


class Background:
    """A process with a folder for its configuration, log and pid."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.config = folder / f"{name}.json"
        self.log = folder / f"{name}.log"
        self._pid_file = folder / f"{name}.pid"

    def run(self, command: Sequence[str | Path]) -> int:
        """Start it; the command names the configuration, by which it is known."""
        with self.log.open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._pid_file.write_text(str(process.pid), encoding="utf-8")
        return process.pid

    def pid(self) -> int | None:
        """Its process, if that is still the one: the number may belong to somebody else by now."""
        with suppress(OSError, ValueError):
            pid = int(self._pid_file.read_text(encoding="utf-8"))
            shown = subprocess.run(
                ["ps", "-o", "command=", "-p", str(pid)],
                capture_output=True,
                text=True,
                check=False,
            )
            if str(self.config) in shown.stdout:
                return pid
        return None

    def stop(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it if it runs."""
        if pid := self.pid():
            with suppress(ProcessLookupError):
                os.kill(pid, number)
            while self.pid() == pid:
                time.sleep(0.02)
        self._pid_file.unlink(missing_ok=True)
