# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two replicas never both may write, whatever fails, freezes or tells the wrong time."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from random import Random

import pytest

from podplacement_scheduler.clock import LoopClock
from podplacement_scheduler.errors import ApiError, ConfigError, Unknown, Unreached
from podplacement_scheduler.leader import AlwaysLeader, Leader
from podplacement_scheduler.testing.loop import VirtualClock, run

from .election import LeaseServer, Pair, Replica, loop


def test_one_of_two_leads_and_renews() -> None:
    async def main() -> None:
        pair = Pair()
        await pair.start()
        assert pair.server.spec["holderIdentity"] == "a"
        assert pair.server.spec["leaseDurationSeconds"] == 15
        assert pair.server.spec["leaseTransitions"] == 0
        assert pair.server.spec["renewTime"] > pair.server.spec["acquireTime"]
        pair.end()

    run(main())


def test_the_other_takes_over_from_one_that_was_killed() -> None:
    async def main() -> None:
        pair = Pair()
        await pair.start()
        pair.a.kill()
        await asyncio.sleep(20)
        assert pair.turns() == ["a", "b"]
        assert pair.server.spec["holderIdentity"] == "b"
        assert pair.server.spec["leaseTransitions"] == 1
        pair.end()

    run(main())


def test_a_leader_that_was_frozen_writes_nothing_when_it_wakes() -> None:
    async def main() -> None:
        pair = Pair()
        await pair.start()
        loop().freeze("a")
        await asyncio.sleep(20)
        loop().thaw("a")
        await asyncio.sleep(20)
        assert pair.turns() == ["a", "b"]
        assert pair.a.task.done()
        pair.end()

    run(main())


def test_a_frozen_leader_that_nobody_replaced_stops_as_well() -> None:
    """Somebody may have led and gone meanwhile: what it believes is no longer known to be true."""

    async def main() -> None:
        pair = Pair()
        await pair.start()
        pair.b.kill()
        loop().freeze("a")
        await asyncio.sleep(12)
        woken = loop().time()
        loop().thaw("a")
        await asyncio.sleep(20)
        assert not pair.writers(since=woken)
        assert pair.a.task.done()
        pair.end()

    run(main())


@pytest.mark.parametrize(
    "error",
    [
        Unreached("no route"),
        Unknown("no answer"),
        ApiError(500, "InternalError"),
        ApiError(409, "Conflict"),
        OSError("broken"),
        RuntimeError("a mistake of our own"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_any_error_is_a_renewal_that_failed(error: Exception) -> None:
    """Leadership ends at the deadline, before the other replica takes it."""

    async def main() -> None:
        pair = Pair()
        await pair.start()
        cut = loop().time()
        pair.server.fault = lambda when, who: error if (who, when) == ("a", "before") else None
        await asyncio.sleep(40)
        assert pair.turns() == ["a", "b"]
        last = max(at for at, who in pair.writes if who == "a")
        first = min(at for at, who in pair.writes if who == "b")
        assert last < cut + 10
        assert first - last > 15 - 10 - 2.1
        assert pair.a.task.result() is None
        pair.end()

    run(main())


def test_an_error_that_passes_costs_nothing() -> None:
    async def main() -> None:
        pair = Pair()
        await pair.start()
        pair.server.fault = lambda _when, who: Unknown("lost") if who == "a" else None
        await asyncio.sleep(6)
        pair.server.fault = lambda _when, _who: None
        await asyncio.sleep(40)
        assert pair.turns() == ["a"]
        assert pair.server.spec["leaseTransitions"] == 0
        pair.end()

    run(main())


def test_renewals_whose_answers_are_lost_still_end_leadership() -> None:
    """The Lease is renewed on the server, but this replica cannot know: it stops in time."""

    async def main() -> None:
        pair = Pair()
        await pair.start()
        cut = loop().time()
        pair.server.fault = lambda when, who: 3600.0 if (who, when) == ("a", "after") else None
        await asyncio.sleep(60)
        assert pair.turns() == ["a", "b"]
        assert max(at for at, who in pair.writes if who == "a") < cut + 10
        assert pair.a.task.done()
        pair.end()

    run(main())


def test_a_renewal_counts_from_when_it_was_begun() -> None:
    async def main() -> None:
        pair = Pair()
        await pair.start()
        pair.server.fault = lambda when, who: 4.0 if (who, when) == ("a", "after") else None
        await asyncio.sleep(31)
        assert pair.turns() == ["a"]
        renewed = max(at for at, who in pair.server.history)
        pair.server.fault = lambda _when, who: Unreached("cut") if who == "a" else None
        await asyncio.sleep(40)
        assert max(at for at, who in pair.writes if who == "a") < renewed + 10
        pair.end()

    run(main())


def test_wall_clocks_may_be_wrong() -> None:
    async def main() -> None:
        pair = Pair()
        await pair.start()
        for offset in (86400.0, -86400.0, 1e8):
            pair.a.clock.wall_offset = offset
            pair.b.clock.wall_offset = -offset
            await asyncio.sleep(60)
        assert pair.turns() == ["a"]
        pair.a.kill()
        await asyncio.sleep(20)
        assert pair.turns() == ["a", "b"]
        pair.end()

    run(main())


def test_a_lease_that_was_given_away_is_taken_at_once() -> None:
    async def main() -> None:
        pair = Pair()
        await pair.start()
        pair.a.kill()
        await pair.a.leader.release()
        assert pair.server.spec["holderIdentity"] == ""
        assert not pair.a.leader.may_write()
        given = loop().time()
        await asyncio.sleep(4)
        assert min(at for at, who in pair.writes if who == "b") < given + 3
        assert pair.server.spec["leaseTransitions"] == 1
        pair.end()

    run(main())


@pytest.mark.parametrize("sure", [True, False])
def test_a_lease_that_another_took_is_not_given_away(sure: bool) -> None:
    """Neither where the Lease is believed to be known, nor where it must be read first."""

    async def main() -> None:
        server = LeaseServer()
        a = Replica(server, "a", [])
        await asyncio.sleep(1)
        if not sure:
            server.fault = lambda _when, _who: Unknown("lost")
            await asyncio.sleep(2)
            server.fault = lambda _when, _who: None
        assert a.leader.may_write()
        assert server.lease is not None
        server.version += 1
        server.lease["metadata"]["resourceVersion"] = str(server.version)
        server.spec["holderIdentity"] = "thief"
        await a.leader.release()
        assert server.spec["holderIdentity"] == "thief"
        a.kill()

    run(main())


def test_a_lease_that_another_holds_ends_leadership_at_once() -> None:
    async def main() -> None:
        server = LeaseServer()
        writes: list[tuple[float, str]] = []
        a = Replica(server, "a", writes)
        await asyncio.sleep(1)
        server.version += 1
        assert server.lease is not None
        server.lease["metadata"]["resourceVersion"] = str(server.version)
        server.spec["holderIdentity"] = ""
        await asyncio.sleep(5)
        assert a.task.done()
        assert max(at for at, _who in writes) < 5
        a.kill()

    run(main())


def test_what_others_wrote_on_the_lease_stays() -> None:
    async def main() -> None:
        server = LeaseServer()
        server.lease = {
            "metadata": {"name": "it", "resourceVersion": "7", "labels": {"team": "blue"}},
            "spec": {"holderIdentity": "", "leaseTransitions": 4},
        }
        a = Replica(server, "a", [])
        await asyncio.sleep(5)
        assert server.lease["metadata"]["labels"] == {"team": "blue"}
        assert server.spec["leaseTransitions"] == 5
        a.kill()

    run(main())


def test_a_lease_that_was_deleted_is_made_again() -> None:
    async def main() -> None:
        pair = Pair()
        await pair.start()
        pair.server.lease = None
        pair.b.kill()
        await asyncio.sleep(20)
        assert pair.server.spec["holderIdentity"] == "a"
        pair.end()

    run(main())


def test_a_machine_that_sleeps_does_not_stop_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "clock_gettime", lambda which: {time.CLOCK_BOOTTIME: 7.0}[which])
    assert LoopClock().boottime() == 7.0


def test_the_lease_of_kube_scheduler_is_refused() -> None:
    with pytest.raises(ConfigError, match="resourceName"):
        Leader(
            LeaseServer().seen_by("a"),
            VirtualClock(),
            Random(0),
            namespace="kube-system",
            name="kube-scheduler",
            identity="a",
        )


def test_without_an_election_one_may_always_write() -> None:
    async def main() -> None:
        leader = AlwaysLeader()
        await leader.acquire()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1e6):
                await leader.keep()
        assert leader.may_write()

    run(main())


@pytest.mark.parametrize("seed", range(12))
def test_never_two_writers_within_a_lease(seed: int) -> None:
    """Random errors, delays and freezes: between two writers there is always a pause."""

    async def main() -> None:
        rng = Random(seed)
        server = LeaseServer()
        writes: list[tuple[float, str]] = []

        def fault(_when: str, _who: str) -> BaseException | float | None:
            return rng.choice(
                [None, None, None, 0.5, 4.0, 20.0, Unknown("lost"), ApiError(503), Unreached("no")]
            )

        server.fault = fault
        serial = 0
        replicas: list[Replica] = []
        for _step in range(60):
            for ended in (replica for replica in replicas if replica.task.done()):
                ended.kill()
            replicas = [replica for replica in replicas if not replica.task.done()]
            while len(replicas) < 2:
                serial += 1
                replicas.append(Replica(server, f"r{serial}", writes))
            frozen = rng.choice(replicas).name if rng.random() < 0.3 else None
            if frozen:
                loop().freeze(frozen)
            await asyncio.sleep(rng.uniform(0, 30))
            if frozen:
                loop().thaw(frozen)
        for replica in replicas:
            replica.kill()
        assert writes
        for (at, who), (then, other) in pairwise(writes):
            assert who == other or then - at > 2.0, f"{who} at {at}, {other} at {then}"

    run(main())
