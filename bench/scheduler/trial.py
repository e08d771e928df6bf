# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One trial: so many pods wait, a scheduler starts, and the clock runs until it has said it all."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.scheduler.contenders import Contender, Running, cpu_seconds, running
from bench.scheduler.referee import Refereeing, refereeing
from bench.scheduler.stage import Stage, clear, create_pods, event_count

PACED_PODS, PACED_RATE = 300, 100.0
EVENTS_SECONDS = 120.0


@dataclass(frozen=True)
class Outcome:
    """What one trial showed. Milliseconds of CPU are those of a pod."""

    contender: str
    nodes: int
    classes: int
    pods: int
    pods_per_second: float  # from the first binding to the last binding or event
    cpu_ms: float  # of the scheduler, without its start
    api_server_cpu_ms: float
    etcd_cpu_ms: float
    p50_ms: float | None  # from the pod's creation to its binding, at PACED_RATE pods a second
    p99_ms: float | None
    peak_mib: float
    events: int

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def startup_cpu(contender: Contender, stage: Stage, folder: Path, python: Path) -> float:
    """Seconds of CPU until it has seen all nodes and has nothing to do."""
    with running(contender, stage, folder, python) as process:
        process.settle()
        return process.cpu()


def trial(
    label: str,
    contender: Contender,
    stage: Stage,
    folder: Path,
    python: Path,
    *,
    classes: int,
    startup: float,
) -> Outcome:
    """Burst, then (where the contender watches) a paced stream."""
    paced = label != "bare loop"
    names = [f"burst-{n:05d}" for n in range(contender.pods)]
    asyncio.run(create_pods(stage.cluster, names, contender.name, classes))
    counts = (len(names), len(names) + PACED_PODS) if paced else (len(names),)
    with refereeing(stage.cluster.kubeconfig, *counts) as referee:
        before = {name: cpu_seconds(pid) for name, pid in stage.servers.items()}
        with running(contender, stage, folder, python) as process:
            first, last = _time(referee), _time(referee)
            last = max(last, _until_events(stage, len(names)))
            cpu = process.cpu() - startup
            servers = {n: cpu_seconds(pid) - before[n] for n, pid in stage.servers.items()}
            events = event_count(stage.kube)
            p50, p99 = _paced(stage, contender, classes, referee) if paced else (None, None)
            peak = process.peak_mib()
            _check_alive(process)
    clear(stage.kube)
    pods = len(names)
    return Outcome(
        label,
        stage.nodes,
        classes,
        pods,
        round((pods - 1) / (last - first), 1),
        round(1000 * cpu / pods, 3),
        round(1000 * servers["kube-apiserver"] / pods, 3),
        round(1000 * servers["etcd"] / pods, 3),
        p50,
        p99,
        round(peak, 1),
        events,
    )


def _check_alive(process: Running) -> None:
    if process.process.poll() is not None:
        raise SystemExit(f"it ended: {process.log.read_text()[-2000:]}")


def _time(referee: Refereeing) -> float:
    found = referee.read()["time"]
    assert isinstance(found, float)
    return found


def _until_events(stage: Stage, count: int) -> float:
    """When there was an event for each pod."""
    deadline = time.monotonic() + EVENTS_SECONDS
    while event_count(stage.kube) < count:
        if time.monotonic() > deadline:
            raise SystemExit(f"{event_count(stage.kube)} events for {count} pods")
        time.sleep(0.02)
    return time.monotonic()


def _paced(
    stage: Stage, contender: Contender, classes: int, referee: Refereeing
) -> tuple[float, float]:
    """p50 and p99 of the time from creation to binding, in milliseconds."""
    names = [f"paced-{n:04d}" for n in range(PACED_PODS)]
    made = asyncio.run(create_pods(stage.cluster, names, contender.name, classes, rate=PACED_RATE))
    found = referee.read()
    while found["event"] != "all":
        found = referee.read()
    times = found["times"]
    assert isinstance(times, dict)
    waits = sorted(1000 * max(0.0, times[name] - made[name]) for name in names)
    return round(waits[len(waits) // 2], 1), round(waits[int(len(waits) * 0.99)], 1)
