# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One Lease per workload: every way it changes hands, and every reply that gets lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.clock import Deadline
from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    Forbidden,
    NotFound,
    OutcomeUnknown,
    PlacementError,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.lock import Lock
from ansible_collections.podplacement.core.plugins.module_utils.resources import LEASE
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import NS, Object, entry, held_lock, holder, lease

NAME = "podmove-test"
LOST = OutcomeUnknown(0, "OutcomeUnknown", "the connection broke")


def lock_of(api: FakeApi, folder: Path, *, started: int = 100, duration: float = 30.0) -> Lock:
    return Lock(api, api.clock, holder(folder, started=started), NS, NAME, duration)


def stored(api: FakeApi) -> Object:
    return api.get(LEASE, NAME, NS)


def acquire(lock: Lock, seconds: float = 300) -> bool:
    return lock.acquire([entry()], Deadline(lock.clock, seconds))


def renewals(api: FakeApi, times: int, *, every: float) -> None:
    """Somebody else renews the Lease so many times."""

    def renew() -> None:
        api.change(LEASE, NAME, NS, {"spec": {"renewTime": api.clock.wall()}})

    for _again in range(times):
        api.later(every, renew)


# ---- getting it


def test_a_free_lock_is_taken_with_its_journal(tmp_path: Path) -> None:
    api = FakeApi()
    lock = lock_of(api, tmp_path, duration=2.5)
    assert acquire(lock)
    spec = stored(api)["spec"]
    assert spec["holderIdentity"] == lock.holder.identity
    assert (spec["leaseDurationSeconds"], spec["leaseTransitions"]) == (3, 0)
    assert stored(api)["metadata"]["labels"] == {"podplacement.io/move": "true"}
    assert (lock.entries, lock.epoch) == ([entry()], 0)


def test_the_lock_of_a_dead_process_of_this_host_is_taken_over_at_once(tmp_path: Path) -> None:
    api = FakeApi()
    lock_of(api, tmp_path, started=1).acquire([entry(cost="7")], Deadline(api.clock, 1))
    began = api.clock.now
    lock = lock_of(api, tmp_path, started=2)
    assert not acquire(lock)
    assert api.clock.now == began
    assert (lock.epoch, lock.entries) == (1, [entry(cost="7")])
    assert stored(api)["spec"]["holderIdentity"] == lock.holder.identity


def test_an_expired_lock_is_taken_over_after_its_duration_by_our_own_clock(tmp_path: Path) -> None:
    """The times that stand in it are another host's and are not looked at."""
    old = "1999-01-01T00:00:00.000000Z"
    api = FakeApi(lease(entry(), name=NAME, seconds=20, renewTime=old, leaseTransitions=4))
    began = api.clock.now
    lock = lock_of(api, tmp_path)
    assert not acquire(lock)
    assert api.clock.now - began == pytest.approx(20, abs=0.2)
    assert lock.epoch == 5


def test_a_lock_that_is_renewed_is_waited_for(tmp_path: Path) -> None:
    """Each renewal starts the waiter's clock anew; it gets the Lease when the holder lets go."""
    api = FakeApi(lease(entry(), name=NAME, seconds=10))
    renewals(api, 5, every=8.0)
    api.later(8.0, lambda: api.remove(LEASE, NAME, NS))
    began = api.clock.now
    assert acquire(lock_of(api, tmp_path))
    assert api.clock.now - began == pytest.approx(48)


def test_a_live_holder_that_stops_is_taken_over_a_duration_later(tmp_path: Path) -> None:
    api = FakeApi(lease(entry(), name=NAME, seconds=10))
    renewals(api, 3, every=8.0)
    began = api.clock.now
    assert not acquire(lock_of(api, tmp_path))
    assert api.clock.now - began == pytest.approx(24 + 10, abs=0.2)


def test_a_live_holder_at_the_deadline_is_an_error_with_its_name(tmp_path: Path) -> None:
    api = FakeApi(lease(entry(), name=NAME, seconds=10, holder="awx-job-9"))
    renewals(api, 9, every=8.0)
    with pytest.raises(PlacementError) as caught:
        acquire(lock_of(api, tmp_path), seconds=30)
    assert caught.value.code == "LockedBy"
    assert "awx-job-9" in caught.value.message
    assert caught.value.object == f"Lease {NS}/{NAME}"
    assert stored(api)["spec"]["holderIdentity"] == "awx-job-9"


def test_no_time_to_wait_is_refused_at_once(tmp_path: Path) -> None:
    api = FakeApi(lease(entry(), name=NAME))
    began = api.clock.now
    with pytest.raises(PlacementError, match="another run"):
        acquire(lock_of(api, tmp_path), seconds=0)
    assert api.clock.now == began


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda api: api.remove(LEASE, NAME, NS), id="released"),
        pytest.param(
            lambda api: api.change(LEASE, NAME, NS, {"spec": {"holderIdentity": "third"}}),
            id="taken over by a third",
        ),
    ],
)
def test_losing_the_race_for_a_takeover_starts_over(
    change: Callable[[FakeApi], None], tmp_path: Path
) -> None:
    api = FakeApi(lease(entry(), name=NAME, seconds=5))
    api.before("patch", "leases", lambda: change(api))
    lock = lock_of(api, tmp_path)
    acquire(lock)
    assert stored(api)["spec"]["holderIdentity"] == lock.holder.identity


def test_a_lease_that_vanishes_between_two_looks_is_created(tmp_path: Path) -> None:
    api = FakeApi(lease(entry(), name=NAME))
    api.before("get", "leases", lambda: api.remove(LEASE, NAME, NS))
    assert acquire(lock_of(api, tmp_path))


def test_a_lease_without_duration_or_holder_is_taken_over(tmp_path: Path) -> None:
    api = FakeApi({"kind": "Lease", "metadata": {"name": NAME, "namespace": NS}})
    lock = lock_of(api, tmp_path)
    assert not acquire(lock)
    assert (lock.entries, lock.epoch) == ([], 1)


# ---- lost replies


def happened(api: FakeApi, verb: str, action: Callable[[], object]) -> None:
    """The request is carried out, and its reply gets lost."""

    def carry_out() -> None:
        action()
        raise LOST

    api.before(verb, "leases", carry_out)


def test_a_lost_reply_of_a_create_that_did_not_happen(tmp_path: Path) -> None:
    api = FakeApi()
    api.before("create", "leases", LOST)
    assert acquire(lock_of(api, tmp_path))


def test_a_lost_reply_of_a_create_that_happened(tmp_path: Path) -> None:
    api = FakeApi()
    lock = lock_of(api, tmp_path)
    happened(api, "create", lambda: api.put(lease(entry(), name=NAME, holder=lock.holder.identity)))
    assert acquire(lock)
    assert lock.epoch == 0


def test_a_lost_reply_of_a_create_that_another_won(tmp_path: Path) -> None:
    api = FakeApi()
    happened(api, "create", lambda: api.put(lease(entry(), name=NAME, seconds=5)))
    lock = lock_of(api, tmp_path)
    assert not acquire(lock)
    assert lock.epoch == 1


def test_a_lost_reply_of_a_takeover_does_not_lock_us_out(tmp_path: Path) -> None:
    """The Lease is ours: nothing is waited for, and nobody is blamed for holding it."""
    api = FakeApi(lease(entry(), name=NAME, seconds=20))
    lock = lock_of(api, tmp_path)
    mine = {"spec": {"holderIdentity": lock.holder.identity, "leaseTransitions": 1}}
    happened(api, "patch", lambda: api.change(LEASE, NAME, NS, mine))
    began = api.clock.now
    assert not acquire(lock, seconds=25)
    assert api.clock.now - began == pytest.approx(20, abs=0.2)
    assert stored(api)["spec"]["holderIdentity"] == lock.holder.identity


def held(api: FakeApi, folder: Path) -> Lock:
    return held_lock(api, holder(folder), entry())


def test_a_lost_reply_of_a_renewal_is_looked_up(tmp_path: Path) -> None:
    api = FakeApi()
    lock = held(api, tmp_path)
    back = [entry().going_back("why")]
    api.before("patch", "leases", LOST)
    lock.write(back)
    assert lock.entries == back


def test_a_journal_that_never_arrives_is_not_taken_for_written(tmp_path: Path) -> None:
    api = FakeApi()
    lock = held(api, tmp_path)
    for _again in range(5):
        api.before("patch", "leases", LOST)
    with pytest.raises(OutcomeUnknown):
        lock.write([entry().going_back("why")])


def test_a_lost_reply_after_which_another_holds_it_is_a_lost_lock(tmp_path: Path) -> None:
    api = FakeApi()
    lock = held(api, tmp_path)
    happened(
        api,
        "patch",
        lambda: api.change(LEASE, lock.name, NS, {"spec": {"holderIdentity": "other"}}),
    )
    with pytest.raises(PlacementError) as caught:
        lock.write([])
    assert caught.value.code == "LockLost"


def test_a_lost_reply_of_a_release_that_happened(tmp_path: Path) -> None:
    api = FakeApi()
    lock = held(api, tmp_path)
    happened(api, "delete", lambda: api.remove(LEASE, lock.name, NS))
    lock.release()
    assert api.list(LEASE, NS)[0] == []


def test_a_lost_reply_of_a_release_that_did_not_happen(tmp_path: Path) -> None:
    api = FakeApi()
    lock = held(api, tmp_path)
    api.before("delete", "leases", LOST)
    lock.release()
    assert api.list(LEASE, NS)[0] == []


def test_a_released_lock_that_another_took_meanwhile_is_released(tmp_path: Path) -> None:
    """The reply is lost, and by the time of the look the next run holds a Lease of its own."""
    api = FakeApi()
    lock = held(api, tmp_path)

    def next_one() -> None:
        api.remove(LEASE, lock.name, NS)
        api.put(lease(entry(), name=lock.name, holder="next"))

    happened(api, "delete", next_one)
    lock.release()
    assert api.get(LEASE, lock.name, NS)["spec"]["holderIdentity"] == "next"


# ---- holding it


def test_it_is_renewed_when_a_third_of_the_duration_is_over(tmp_path: Path) -> None:
    api = FakeApi()
    lock = held(api, tmp_path)
    lock.keep()
    assert len(api.writes()) == 1
    api.clock.sleep(10.0)
    lock.keep()
    lock.keep()
    assert len(api.writes()) == 2


@pytest.mark.parametrize("verb", ["keep", "write", "release"])
@pytest.mark.parametrize("gone", [True, False])
def test_a_lock_that_another_took_is_lost_at_the_next_write(
    verb: str, gone: bool, tmp_path: Path
) -> None:
    api = FakeApi()
    lock = held(api, tmp_path)
    api.clock.sleep(40.0)
    if gone:
        api.remove(LEASE, lock.name, NS)
    else:
        api.change(LEASE, lock.name, NS, {"spec": {"holderIdentity": "other"}})
    calls: dict[str, Callable[[], object]] = {
        "keep": lock.keep,
        "write": lambda: lock.write([]),
        "release": lock.release,
    }
    if verb == "release" and gone:
        lock.release()
        return
    with pytest.raises(PlacementError) as caught:
        calls[verb]()
    assert caught.value.code == "LockLost"
    assert caught.value.object == f"Lease {NS}/{lock.name}"


def test_a_released_lock_is_not_held(tmp_path: Path) -> None:
    lock = held(FakeApi(), tmp_path)
    lock.release()
    with pytest.raises(AssertionError):
        lock.held()


def test_the_tie_of_a_replacement_is_no_controller_and_blocks_nothing(tmp_path: Path) -> None:
    lock = held(FakeApi(), tmp_path)
    tie = lock.owner_reference()
    assert (tie["controller"], tie["blockOwnerDeletion"]) == (False, False)
    assert tie["uid"] == lock.held()["metadata"]["uid"]


def test_other_answers_are_the_callers_business(tmp_path: Path) -> None:
    api = FakeApi()
    api.before("create", "leases", Forbidden(403, "Forbidden", "no"))
    with pytest.raises(Forbidden):
        acquire(lock_of(api, tmp_path))
    api.before("create", "leases", NotFound(404, "NotFound", "namespaces not found"))
    with pytest.raises(NotFound):
        acquire(lock_of(api, tmp_path))
