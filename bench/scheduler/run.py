# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many pods a second, and at what CPU a pod: the daemon beside kube-scheduler and a bare loop.

One machine, one run, fresh servers for each contender and number of nodes, one referee. All pods
wait before a scheduler starts; each writes an event for each pod. The contenders take turns, and
the median of their rounds counts: a slow minute of the machine does not. Bars (with 1 class and
with 100):

- pods/s at least 0.85 x the bare loop's, at 1,000 and 5,000 nodes;
- CPU a pod at most 1/4 of the tuned kube-scheduler's at 1,000 nodes, 1/6 at 5,000;
- peak memory at most 1/2 of its;
- CPU a pod at 5,000 nodes at most 1.5 x that at 100.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from statistics import median

from bench.scheduler import interpreter
from bench.scheduler.contenders import CONTENDERS
from bench.scheduler.plot import plot
from bench.scheduler.stage import stage
from bench.scheduler.trial import Outcome, startup_cpu, trial

SIZES = (100, 1000, 5000)
CLASSES = (1, 100)
ROUNDS = 3
ARTIFACTS = Path(__file__).resolve().parents[2] / ".artifacts" / "bench"


def measure(arguments: Sequence[str] = ()) -> dict[str, object]:
    """Run the trials that are asked for (all, if none is named) and judge them."""
    parser = argparse.ArgumentParser(prog="python -m bench scheduler")
    parser.add_argument("--nodes", type=int, action="append", help=f"of {SIZES}")
    parser.add_argument("--classes", type=int, action="append", help=f"of {CLASSES}")
    parser.add_argument("--only", action="append", choices=list(CONTENDERS))
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"{ROUNDS}, if not given")
    parser.add_argument("--python", help="an interpreter for the daemon and the loop")
    options = parser.parse_args(list(arguments))
    python = interpreter.chosen(options.python)
    told = ".".join(map(str, interpreter.version(str(python))))
    print(f"the daemon and the bare loop run on Python {told}", flush=True)
    rounds: list[Outcome] = []
    for nodes in options.nodes or SIZES:
        for label in _turns(options.only or CONTENDERS, options.rounds):
            for outcome in _trials(label, nodes, options.classes or CLASSES, python):
                rounds.append(outcome)
                print(_line(outcome), flush=True)
    outcomes = medians(rounds)
    bars = judge(outcomes)
    for one in bars:
        print(f"{'ok    ' if one['met'] else 'MISSED'} {one['bar']}: {one['value']}", flush=True)
    result = [outcome.as_dict() for outcome in outcomes]
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    plot(result, ARTIFACTS / "scheduler.svg")
    return {
        "met": all(one["met"] for one in bars),
        "bars": bars,
        "python": told,
        "results": result,
        "rounds": [outcome.as_dict() for outcome in rounds],
    }


def _turns(labels: Iterable[str], rounds: int) -> Iterator[str]:
    """Who is measured, one after the other."""
    for number in range(rounds):
        yield from (label for label in labels if number < CONTENDERS[label].rounds)


def _trials(label: str, nodes: int, all_classes: Sequence[int], python: Path) -> Iterator[Outcome]:
    """On servers of its own: an API server gets slower with what it has done before."""
    contender = CONTENDERS[label]
    with stage("bench-scheduler", nodes) as scene, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        startup = startup_cpu(contender, scene, folder, python)
        for classes in all_classes:
            yield trial(label, contender, scene, folder, python, classes=classes, startup=startup)


def _line(one: Outcome) -> str:
    waits = "" if one.p50_ms is None else f", p50 {one.p50_ms} ms, p99 {one.p99_ms} ms"
    return (
        f"{one.nodes:5d} nodes, {one.classes:3d} classes, {one.contender:21s} "
        f"{one.pods_per_second:7.1f} pods/s, CPU {one.cpu_ms:.3f} ms a pod (API server "
        f"{one.api_server_cpu_ms:.2f}, etcd {one.etcd_cpu_ms:.2f}), {one.peak_mib:.0f} MiB{waits}"
    )


def medians(rounds: Sequence[Outcome]) -> list[Outcome]:
    """One outcome for each contender, size and number of classes: each figure's median."""
    trials: dict[tuple[str, int, int], list[Outcome]] = {}
    for one in rounds:
        trials.setdefault((one.contender, one.nodes, one.classes), []).append(one)
    return [_median(same) for same in trials.values()]


def _median(same: Sequence[Outcome]) -> Outcome:
    figures = (field.name for field in fields(Outcome))
    first = same[0].as_dict()
    middle = {
        name: median(getattr(one, name) for one in same)
        for name in figures
        if isinstance(first[name], float)
    }
    return replace(same[0], **middle)


def judge(outcomes: Sequence[Outcome]) -> list[dict[str, object]]:
    """The bars for which there is what they compare."""
    found = {(one.contender, one.nodes, one.classes): one for one in outcomes}
    bars: list[dict[str, object]] = []

    def hold(text: str, value: float, limit: float, *, least: bool = False) -> None:
        met = value >= limit if least else value <= limit
        bars.append({"bar": text, "value": round(value, 3), "limit": limit, "met": met})

    for (label, nodes, classes), ours in found.items():
        if label != "ours":
            continue
        where = f"{nodes} nodes, {classes} classes"
        bare = found.get(("bare loop", nodes, classes))
        tuned = found.get(("kube-scheduler tuned", nodes, classes))
        small = found.get(("ours", 100, classes))
        if bare and nodes >= 1000:
            rate = ours.pods_per_second / bare.pods_per_second
            hold(f"{where}: pods/s of the bare loop's, at least 0.85", rate, 0.85, least=True)
        if tuned and nodes in (1000, 5000):
            limit = 1 / 4 if nodes == 1000 else 1 / 6
            cpu = ours.cpu_ms / tuned.cpu_ms
            hold(f"{where}: CPU of the tuned kube-scheduler's, at most {limit:.3f}", cpu, limit)
            memory = ours.peak_mib / tuned.peak_mib
            hold(f"{where}: peak memory of its, at most 0.5", memory, 0.5)
        if small and nodes == 5000:
            cpu = ours.cpu_ms / small.cpu_ms
            hold(f"{where}: CPU of that at 100 nodes, at most 1.5", cpu, 1.5)
    return bars
