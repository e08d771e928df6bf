# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server of a cluster of one's own is killed, started again, and made to forget."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import urllib3

from tests.cluster.kube import ApiError, Kube
from tests.cluster.kwok import Kwok

READY_SECONDS = 180.0
PORT_TAKEN = "address already in use"


class ApiServer:
    """The kube-apiserver process of one cluster."""

    def __init__(self, manager: Kwok, kube: Kube) -> None:
        self._kube = kube
        self._pid = manager.processes()["kube-apiserver"]
        words = Path(f"/proc/{self._pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        self._command = [os.fsdecode(word) for word in words]
        self._folder = os.readlink(f"/proc/{self._pid}/cwd")
        self._pid_file = manager.workdir / "pids" / "kube-apiserver.pid"
        self._log = manager.workdir / "logs" / "kube-apiserver-again.log"
        self._process: subprocess.Popen[bytes] | None = None

    def kill(self) -> None:
        """SIGKILL; it is gone when this returns."""
        os.kill(self._pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
        while os.path.exists(f"/proc/{self._pid}") and not _is_zombie(self._pid):
            time.sleep(0.01)

    def start(self) -> None:
        """Start it as it was, and wait until it answers.

        Its port is one that the system also gives to clients: one of them that knocks while nobody
        listens may get it for a moment, even be connected with itself, and the server ends.
        """
        deadline = time.monotonic() + READY_SECONDS
        process = self._start()
        while time.monotonic() < deadline:
            with suppress(ApiError, urllib3.exceptions.HTTPError, OSError):
                self._kube.request("GET", "readyz/ping")
                return
            if process.poll() is not None and PORT_TAKEN in self._told():
                process = self._start()
            time.sleep(0.05)
        state = "has ended" if process.poll() is not None else "runs"
        raise TimeoutError(f"the API server {state} and does not answer:\n{self._told()}")

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._pid = self._process.pid
        self._pid_file.write_text(str(self._pid), encoding="utf-8")
        return self._process

    def _told(self) -> str:
        """The end of its log."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-20:])

    def reap(self) -> None:
        """Take leave of the one that was started here, when its cluster has ended it."""
        if self._process is not None:
            self._process.wait(timeout=READY_SECONDS)


def _is_zombie(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True
