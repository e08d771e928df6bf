# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scheduler daemon of this project as a process of its own, beside the cluster's scheduler."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster.cluster import Cluster

COMMAND = (sys.executable, "-m", "podplacement_scheduler")
LOCAL = {"healthAddress": "127.0.0.1:0", "address": "127.0.0.1:0"}
READY_WITHIN = 60.0
STOPPED_WITHIN = 30.0

Record = dict[str, Any]


class Daemon:
    """A running daemon; `process` is its own session, so signals reach nothing else."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def log(self) -> str:
        """What it has written to standard error."""
        with self._news:
            return "\n".join(self._lines)

    def records(self) -> list[Record]:
        """The structured lines of that."""
        with self._news:
            return [json.loads(line) for line in self._lines if line.startswith("{")]

    def wait_record(self, wanted: Callable[[Record], bool], *, timeout: float = 30.0) -> Record:
        """The first structured line that is as wanted, as soon as it is there."""
        deadline = time.monotonic() + timeout
        seen = 0
        with self._news:
            while True:
                for line in self._lines[seen:]:
                    record: Record = json.loads(line) if line.startswith("{") else {}
                    if record and wanted(record):
                        return record
                seen = len(self._lines)
                left = deadline - time.monotonic()
                if left <= 0 or (not self._reader.is_alive() and seen == len(self._lines)):
                    told = "\n".join(self._lines[-40:])
                    raise AssertionError(f"no such line within {timeout} s in:\n{told}")
                self._news.wait(min(left, 1.0))

    def metrics(self) -> dict[str, float]:
        """Every sample by its name and labels, as the text format has them."""
        lines = self.get("/metrics").decode().splitlines()
        samples = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, dummy, value in samples}

    def get(self, path: str) -> bytes:
        """A page; those of health are on the other address."""
        key = "health_address" if path.endswith("z") and path != "/configz" else "address"
        serving = self.wait_record(lambda record: record["message"] == "serving")
        with urllib.request.urlopen(f"http://{serving[key]}{path}", timeout=10) as answer:
            content: bytes = answer.read()
        return content

    def is_ready(self) -> bool:
        """Whether /readyz says so."""
        try:
            return self.get("/readyz") == b"ok"
        except OSError:  # it does not listen yet, is not ready, or too busy to say so
            return False

    def wait_ready(self, timeout: float = READY_WITHIN) -> None:
        """Return when it is in sync."""
        deadline = time.monotonic() + timeout
        while not self.is_ready():
            assert self.process.poll() is None, f"the daemon ended by itself:\n{self.log()}"
            assert time.monotonic() < deadline, f"not ready in {timeout} s:\n{self.log()}"
            time.sleep(0.05)

    def wait_scheduling(self) -> None:
        """Return when it leads and decides."""
        self.wait_record(lambda record: record["message"] == "scheduling", timeout=READY_WITHIN)

    def cpu(self) -> float:
        """Seconds of CPU that it has used."""
        fields = (
            Path(f"/proc/{self.process.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        )
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def send(self, number: signal.Signals) -> None:
        """A signal, to this process only."""
        os.kill(self.process.pid, number)

    def stop(self, timeout: float = STOPPED_WITHIN) -> int:
        """Ask it to end, frozen or not; its exit code."""
        if self.process.poll() is None:
            self.send(signal.SIGTERM)
            self.send(signal.SIGCONT)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self._reader.join(5)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self._lines.append(line.decode(errors="replace").rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()


def configuration(config: Mapping[str, Any]) -> dict[str, Any]:
    """The file as a test wants it: its own ports, and no election unless it asks for one."""
    return {
        "apiVersion": "scheduler.podplacement.io/v1",
        "kind": "SchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "logging": {"level": "debug"},
        **config,
        "server": {**LOCAL, **config.get("server", {})},
    }


@contextmanager
def daemon(
    cluster: Cluster,
    *,
    config: Mapping[str, Any],
    kubeconfig: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    ready: bool = True,
) -> Iterator[Daemon]:
    """Run it while the block runs, and wait until it is in sync, and decides if there is no
    election.
    """
    with tempfile.TemporaryDirectory(prefix="podplacement-daemon-") as folder:
        file = Path(folder, "config.json")
        content = configuration(config)
        file.write_text(json.dumps(content), encoding="utf-8")
        process = subprocess.Popen(
            [*COMMAND, "--config", file, "--kubeconfig", kubeconfig or cluster.kubeconfig],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
        running = Daemon(process)
        try:
            if ready:
                running.wait_ready()
                if not content["leaderElection"].get("leaderElect", True):
                    running.wait_scheduling()
            yield running
        finally:
            running.stop()
            assert process.stderr is not None
            process.stderr.close()
