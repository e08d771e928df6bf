# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Emptying a node of 100 pods costs no Ready pod, and half of the time that `kubectl drain` takes.

This collection, kubectl drain and kubernetes.core.k8s_drain each evacuate 100 pods of 20
Deployments, that need 2 to 5 s to become Ready, in the same cluster: without budgets, with
budgets of minAvailable = replicas - 1, and with minAvailable = replicas. This collection then
evacuates 1,000 pods. A client that is not done after 120 s is cut off.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from bench.evacuation import BUDGETS, CLIENTS, Outcome, trial
from tests.cluster.providers import provider

PODS = (100, 1000)
SPEED = 0.5
MAX_WRITES = 10.0
Bar = tuple[str, bool]


def measure(arguments: Sequence[str] = ()) -> dict[str, object]:
    """All trials that were asked for, each one's bars, and whether all are met."""
    options = _options(arguments)
    manager = provider("bench")
    cluster = manager.start()
    outcomes: list[Outcome] = []
    print(HEAD, flush=True)
    try:
        for client, budgets, pods in _trials(options):
            outcomes.append(trial(cluster, client, budgets, pods))
            print(_row(outcomes[-1]), flush=True)
    finally:
        manager.stop()
    bars = list(judge(outcomes))
    for text, met in bars:
        print(f"{'ok    ' if met else 'missed'}  {text}")
    return {
        "met": all(met for dummy, met in bars),
        "bars": [{"bar": text, "met": met} for text, met in bars],
        "results": [asdict(outcome) for outcome in outcomes],
    }


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench moves", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(CLIENTS), help="may be repeated")
    parser.add_argument("--budgets", action="append", choices=list(BUDGETS), help="the same")
    parser.add_argument("--pods", action="append", type=int, help="the same; 100 and 1000")
    return parser.parse_args(arguments)


def _trials(options: argparse.Namespace) -> Iterator[tuple[str, str, int]]:
    """The peers with the smaller number of pods alone: they would take a quarter of an hour."""
    few, *many = sorted(options.pods or PODS)
    for client in CLIENTS:
        if client in (options.only or CLIENTS):
            for budgets in options.budgets or BUDGETS:
                yield client, budgets, few
    if "ours" in (options.only or CLIENTS):
        for pods in many:
            yield "ours", "none", pods


HEAD = (
    f"{'client':<10} {'budgets':<13} {'pods':>5} {'ended':<8} {'wall s':>7} {'CPU s':>6} "
    f"{'lowest Ready':>13} {'unavailable pod-s':>18} {'writes/pod':>11} {'left':>5}"
)


def _row(one: Outcome) -> str:
    return (
        f"{one.client:<10} {one.budgets:<13} {one.pods:>5} {one.ended:<8} {one.seconds:>7.1f} "
        f"{one.cpu_seconds:>6.1f} {one.lowest_ready:>13.2f} {one.unavailable_pod_seconds:>18.2f} "
        f"{one.writes_per_pod:>11.2f} {one.left:>5}"
    )


def judge(outcomes: Sequence[Outcome]) -> Iterator[Bar]:
    """The bars that these trials can decide."""
    ours = [one for one in outcomes if one.client == "ours"]
    drain = [one for one in outcomes if (one.client, one.budgets) == ("kubectl", "none")]
    for one in ours:
        case = f"{one.pods} pods, budgets: {one.budgets}"
        yield f"{case}: node empty ({one.left} left, {one.ended})", _empty(one)
        lost = one.unavailable_pod_seconds
        yield f"{case}: 0 unavailable pod-seconds ({lost})", lost == 0
        yield f"{case}: lowest Ready fraction 1.0 ({one.lowest_ready})", one.lowest_ready >= 1
        writes = one.writes_per_pod
        yield f"{case}: at most {MAX_WRITES:g} writes a pod ({writes})", writes <= MAX_WRITES
        for peer in drain:
            if peer.pods == one.pods:
                limit = SPEED * peer.seconds
                text = f"at most {SPEED:g} x kubectl drain ({one.seconds} s, limit {limit:.2f} s)"
                yield f"{case}: {text}", one.seconds <= limit
    free = sorted((one for one in ours if one.budgets == "none"), key=lambda one: one.pods)
    for one in free[1:]:
        few, many = free[0].seconds / free[0].pods, one.seconds / one.pods
        text = f"time a pod no more than at {free[0].pods} ({many:.4f} s, {few:.4f} s)"
        yield f"{one.pods} pods: {text}", many <= few


def _empty(one: Outcome) -> bool:
    return one.left == 0 and one.ended == "done"
