# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is measured: the bare loop that does nothing but write, kube-scheduler twice, and ours."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.scheduler import interpreter
from bench.scheduler.stage import NAMESPACE, Stage
from tests.cluster.cluster import Cluster

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 120.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Contender:
    """A scheduler by the name that its pods ask for."""

    name: str
    command: Callable[[Cluster, Path], list[str]]
    pods: int  # of the burst
    rounds: int = sys.maxsize  # at most


def _kube_scheduler(qps: int, burst: int) -> Callable[[Cluster, Path], list[str]]:
    def command(cluster: Cluster, folder: Path) -> list[str]:
        assert cluster.bin_dir is not None
        client: dict[str, Any] = {"kubeconfig": str(cluster.kubeconfig)}
        if qps:
            client |= {"qps": qps, "burst": burst}
        config = {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "leaderElection": {"leaderElect": False},
            "clientConnection": client,
            "profiles": [{"schedulerName": folder.name}],
        }
        path = folder / "config.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        program = cluster.bin_dir / "kube-scheduler"
        return [str(program), f"--config={path}", "--secure-port=0", "-v=0"]

    return command


def _ours(cluster: Cluster, folder: Path) -> list[str]:
    config = {
        "apiVersion": "scheduler.podplacement.io/v1",
        "kind": "SchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "clientConnection": {"kubeconfig": str(cluster.kubeconfig)},
        "server": {"healthAddress": "127.0.0.1:0", "address": "127.0.0.1:0"},
        "profiles": [{"schedulerName": folder.name}],
    }
    path = folder / "config.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    return ["python", "-m", "podplacement_scheduler", "run", "--config", str(path)]


def _bare(cluster: Cluster, folder: Path) -> list[str]:
    program = ["python", "-m", "bench.scheduler.bare"]
    return [*program, "--kubeconfig", str(cluster.kubeconfig), "--scheduler", folder.name]


CONTENDERS = {
    "bare loop": Contender("bare-loop", _bare, 4000),
    "ours": Contender("ours", _ours, 4000),
    "kube-scheduler tuned": Contender("kube-tuned", _kube_scheduler(10000, 10000), 4000),
    "kube-scheduler": Contender("kube-default", _kube_scheduler(0, 0), 500, rounds=1),
}


@dataclass
class Running:
    """A contender's process."""

    process: subprocess.Popen[bytes]
    log: Path

    def cpu(self) -> float:
        """Seconds of CPU so far, user and system."""
        return cpu_seconds(self.process.pid)

    def peak_mib(self) -> float:
        """The most memory that it ever had."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        return 0.0

    def settle(self) -> None:
        """Wait until it does nothing: its CPU time stands still for half a second."""
        deadline, last, since = time.monotonic() + READY_SECONDS, -1.0, time.monotonic()
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise SystemExit(f"it ended: {self.log.read_text()[-2000:]}")
            now = self.cpu()
            if now - last > 0.02:
                last, since = now, time.monotonic()
            if time.monotonic() - since > 0.5:
                return
            time.sleep(0.05)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextmanager
def running(contender: Contender, stage: Stage, folder: Path, python: Path) -> Iterator[Running]:
    """The contender's process while the block runs; what is written in Python runs on `python`."""
    own = folder / contender.name
    own.mkdir(exist_ok=True)
    log = own / "log"
    program, *options = contender.command(stage.cluster, own)
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(python) if program == "python" else program, *options],
            cwd=ROOT,
            env=interpreter.environment() | {"BENCH_NAMESPACE": NAMESPACE},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        yield Running(process, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
