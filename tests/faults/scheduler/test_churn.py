# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster changes under the daemon's hands: a decision may be void before it is written."""

from __future__ import annotations

import random
import threading

from tests.cluster.daemon import daemon
from tests.cluster.kube import ApiError
from tests.faults.scheduler.arena import Arena, each, until

SEED = 20261122
NODES = 'scheduler_cache_size{type="nodes"}'
EVER = 10**9  # versions


def test_pods_deleted_and_made_again_under_the_same_name(arena: Arena) -> None:
    arena.add_nodes(4)
    rng = random.Random(SEED)
    order = [rng.randrange(40) for dummy in range(400)]

    def again(n: int) -> None:
        name = f"same-{order[n]}"
        try:
            arena.kube.delete("Pod", name, arena.namespace, grace=0)
            arena.kube.create(arena.pod(name))
        except ApiError as error:
            if error.code not in (404, 409):  # another thread was quicker
                raise

    with (
        arena.audit() as audited,
        daemon(arena.cluster, config=arena.config()) as ours,
    ):
        arena.create([arena.pod(f"same-{n}") for n in range(40)])
        each(len(order), again)
        arena.wait_placed()
        arena.settle()
        drops = arena.drops(ours)
    report = audited.check(drops=drops)
    assert report.bound >= 40
    assert report.unbound == []


def test_nodes_are_removed_and_tainted_while_pods_fly(arena: Arena) -> None:
    names = arena.add_nodes(8, pods="40")
    ended = threading.Event()

    def stir() -> None:
        rng = random.Random(SEED)
        taint = {"key": "test.podplacement.io/stir", "effect": "NoSchedule"}
        while not ended.wait(0.05):
            name = rng.choice(names[:4])
            arena.kube.patch("Node", name, {"spec": {"taints": [arena.taint, taint]}})
            arena.kube.patch("Node", name, {"spec": {"taints": [arena.taint]}})
        for name in names[:2]:
            arena.kube.delete("Node", name)

    with (
        arena.audit() as audited,
        daemon(arena.cluster, config=arena.config()) as ours,
    ):
        stirring = threading.Thread(target=stir)
        stirring.start()
        arena.burst(150)
        ended.set()
        stirring.join()
        until(ours, NODES, lambda count: count == len(names) - 2)
        arena.burst(80, prefix="later")
        arena.wait_placed()
        arena.settle()
        drops = arena.drops(ours)
    report = audited.report
    # What was decided before it had heard of their end is nobody's fault; what came later is.
    gone = [text for text in report.overcommitted if "no such node" in text]
    assert [text for text in gone if "/later-" in text] == []
    report.overcommitted = [text for text in report.overcommitted if text not in gone]
    audited.check(drops=drops)
    assert report.bound == 230


def test_kube_scheduler_races_on_the_same_nodes(arena: Arena) -> None:
    """Ours never overcommits what it could know; what it could not know is counted, not hidden.

    It knows what was there before it began and, once all are placed, where each of theirs is: its
    one watch brings pods in the order of their changes.
    """
    names = arena.add_nodes(6, cpu="4")  # 6 x 40 pods of 100m
    # Pods of others have nearly filled two of the nodes long before.
    taken = [(name, number) for name in names[:2] for number in range(38)]
    arena.create(
        [arena.pod(f"old-{n}-{name}", scheduler="others", nodeName=name) for name, n in taken]
    )
    with (
        arena.audit(race_versions=EVER) as audited,
        daemon(arena.cluster, config=arena.config()) as ours,
    ):
        theirs = threading.Thread(
            target=lambda: arena.burst(75, prefix="theirs", scheduler="default-scheduler")
        )
        theirs.start()
        arena.burst(75, prefix="ours")
        theirs.join()
        arena.wait_bound(len(taken) + 150)
        arena.burst(10, prefix="later")
        arena.wait_placed()
        arena.settle()
        drops = arena.drops(ours)
    report = audited.check(drops=drops)
    assert report.bound == 85
    assert [text for text in report.raced if "/later-" in text] == []
    print(f"lost races: {len(report.raced)}")
