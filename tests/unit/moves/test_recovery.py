# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding what killed runs left, and making it good, one whatever becomes of the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    Conflict,
    NotFound,
    PlacementError,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.batch import recover_all
from ansible_collections.podplacement.core.plugins.module_utils.moves.journal import Entry
from ansible_collections.podplacement.core.plugins.module_utils.moves.lock import Lock
from ansible_collections.podplacement.core.plugins.module_utils.moves.names import (
    DELETION_COST,
    EPOCH,
    JOURNAL,
    MOVE_ID,
    MOVED_FROM_UID,
    lease_name,
    mark,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.order import Settings
from ansible_collections.podplacement.core.plugins.module_utils.moves.recovery import (
    finish_all,
    recover,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import LEASE, POD, SECRET
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import (
    NS,
    controller,
    entry,
    held_lock,
    holder,
    lease,
    node,
    pod,
    settings,
)
from tests.unit.moves.recreate_stage import Stage
from tests.unit.moves.world import World

OWNER = controller()


def options(api: FakeApi, folder: Path, **more: Any) -> Settings:
    return settings(api.clock, holder(folder, started=2), **more)


def dead(folder: Path, move: Entry, **more: Any) -> Any:
    """The Lease of a process of this host that is gone."""
    return lease(move, holder=holder(folder, started=1).identity, **more)


def bare(name: str) -> Entry:
    return entry("recreate", id=f"id-{name}", pod=name, pod_uid=f"uid-{name}")


def outcomes(items: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(item["pod"], item["outcome"], item["code"]) for item in items]


def test_every_interrupted_move_of_a_namespace_is_undone_or_finished(tmp_path: Path) -> None:
    api = World(node("a"), node("b"), pod("p"), pod("q"))
    for name in ("p", "q"):
        api.put(dead(tmp_path, bare(name)))
    items = recover(api, options(api, tmp_path), NS)
    assert sorted(outcomes(items)) == [
        ("p", "rolled_back", "RolledBack"),
        ("q", "rolled_back", "RolledBack"),
    ]
    assert api.list(LEASE, NS)[0] == []
    assert recover(api, options(api, tmp_path), NS) == []


def test_other_namespaces_only_when_they_are_meant(tmp_path: Path) -> None:
    api = World(node("a"), dead(tmp_path, bare("p")))
    assert recover(api, options(api, tmp_path), "elsewhere") == []
    assert len(recover(api, options(api, tmp_path), None)) == 1


def test_what_a_report_says(tmp_path: Path) -> None:
    api = World(node("a"), OWNER, dead(tmp_path, entry()))
    (item,) = recover(api, options(api, tmp_path), NS)
    assert item == {
        "namespace": NS,
        "move_id": entry().id,
        "strategy": "adopt",
        "pod": "old",
        "uid": "uid-old",
        "to_node": "b",
        "workload": "ReplicaSet/web-5d4f",
        "outcome": "rolled_back",
        "code": "PodGone",
    }


@pytest.mark.parametrize("kind", ["ReplicaSet", "ReplicationController"])
def test_a_move_whose_controller_is_gone_can_be_undone(kind: str, tmp_path: Path) -> None:
    moved = entry(owner_kind=kind)
    replacement = pod("new", on="b", labels={"app": "web", MOVED_FROM_UID: "uid-old"})
    replacement["metadata"]["labels"][MOVE_ID] = moved.id
    api = World(node("b"), replacement, dead(tmp_path, moved))
    (item,) = recover(api, options(api, tmp_path), NS)
    api.settle()
    assert (item["outcome"], item["code"]) == ("rolled_back", "OwnerGone")
    assert api.pods() == []


def test_a_live_run_is_waited_for_and_its_end_is_not_our_work(tmp_path: Path) -> None:
    api = FakeApi(lease(entry(), seconds=60))
    api.later(10.0, lambda: api.remove(LEASE, lease_name(entry().owner_uid), NS))
    assert recover(api, options(api, tmp_path), NS) == []
    assert api.list(LEASE, NS)[0] == []


def test_a_live_run_at_the_deadline_is_reported_as_in_progress(tmp_path: Path) -> None:
    """Its Secret is the same move: it is neither reported again nor touched."""
    api = World(node("a"), lease(bare("old"), seconds=600))
    api.put(a_secret(tmp_path))
    items = recover(api, options(api, tmp_path, seconds=5), NS)
    assert outcomes(items) == [("old", "in_progress", "LockedBy")]
    assert len(api.list(SECRET, NS)[0]) == 1
    result = recover_all(api, options(api, tmp_path, seconds=5), NS)
    assert (result["changed"], result["recovered"]) == (False, [])
    assert result["leftovers"] == [
        {"namespace": NS, "name": "old", "code": "LockedBy", "reason": "in progress"}
    ]


def a_secret(folder: Path, move: Entry | None = None) -> Any:
    """S of `move`, as a run wrote it."""
    (secret,) = Stage(folder / "other", saved=True, move=move or bare("old")).secrets()
    return secret


def test_a_pod_of_which_only_the_secret_is_left_comes_back(tmp_path: Path) -> None:
    """Somebody deleted the Lease by hand after the eviction."""
    api = World(node("a"), node("b"), a_secret(tmp_path))
    result = recover_all(api, options(api, tmp_path), None)
    assert outcomes(result["recovered"]) == [("old", "finished", "")]
    assert result["changed"]
    (found,) = api.pods()
    assert (found["metadata"]["name"], found["spec"]["nodeName"]) == ("old", "b")
    assert api.list(SECRET, NS)[0] == []
    assert api.list(LEASE, NS)[0] == []


def test_check_mode_reports_each_move_once_and_writes_nothing(tmp_path: Path) -> None:
    api = World(node("a"), pod("old"), dead(tmp_path, bare("old")), a_secret(tmp_path))
    before = len(api.writes())
    result = recover_all(api, options(api, tmp_path, check=True), NS)
    assert outcomes(result["recovered"]) == [("old", "interrupted", "")]
    assert result["changed"]
    assert len(api.writes()) == before
    done = recover_all(api, options(api, tmp_path), NS)
    assert len(done["recovered"]) == 1
    assert done["changed"]
    assert done["diff"] == result["diff"]


def test_check_mode_finds_a_secret_without_a_lease(tmp_path: Path) -> None:
    api = World(node("a"), a_secret(tmp_path))
    result = recover_all(api, options(api, tmp_path, check=True), NS)
    assert outcomes(result["recovered"]) == [("old", "interrupted", "")]
    assert api.writes() == []


def test_one_that_cannot_be_finished_does_not_keep_the_others_waiting(tmp_path: Path) -> None:
    foreign = pod("taken")
    foreign["metadata"]["uid"] = "uid-of-another"
    api = World(node("a"), pod("q"), foreign)
    newer = dead(tmp_path, bare("newer"))
    newer["metadata"]["annotations"][JOURNAL] = '{"schema": 99, "moves": []}'
    for one in (newer, dead(tmp_path, bare("taken")), dead(tmp_path, bare("q"))):
        api.put(one)
    with pytest.raises(PlacementError) as caught:
        recover(api, options(api, tmp_path), NS)
    err = caught.value
    assert {err.code} <= {"NameTaken", "JournalTooNew"}
    assert "also:" in err.message
    assert outcomes(err.result["recovered"]) == [("q", "rolled_back", "RolledBack")]
    assert err.changed
    left = {one["metadata"]["name"] for one in api.list(LEASE, NS)[0]}
    assert left == {lease_name("uid-newer"), lease_name("uid-taken")}


def test_one_failure_alone_is_told_as_it_is(tmp_path: Path) -> None:
    broken = dead(tmp_path, bare("p"))
    broken["metadata"]["annotations"][JOURNAL] = "garbage"
    api = World(broken)
    with pytest.raises(PlacementError) as caught:
        recover(api, options(api, tmp_path), NS)
    assert caught.value.code == "JournalUnreadable"
    assert not caught.value.changed
    assert caught.value.result == {"recovered": []}


def test_several_moves_of_one_journal(tmp_path: Path) -> None:
    """A later version may move many pods of a workload at once."""
    api = World(node("a"), pod("p"), pod("q"))
    lock = held_lock(api, holder(tmp_path), bare("p"), bare("q"))
    items = finish_all(api, lock, options(api, tmp_path))
    assert [item["pod"] for item in items] == ["p", "q"]
    assert api.list(LEASE, NS)[0] == []


# ---- the fence


def fenced(folder: Path, *objects: Any, move: Entry | None = None) -> tuple[FakeApi, Lock]:
    """A lock that was taken over for the first time."""
    api = FakeApi(node("a"), *objects)
    api.put(dead(folder, move or bare("old")))
    who = holder(folder, started=2)
    lock = Lock(api, api.clock, who, NS, lease_name("uid-old"), 30.0)
    assert not lock.acquire([], options(api, folder).deadline)
    return api, lock


def epoch(api: FakeApi, name: str) -> Any:
    return api.get(POD, name, NS)["metadata"]["annotations"].get(EPOCH)


def test_old_and_new_pod_get_the_epoch_and_nobody_else(tmp_path: Path) -> None:
    move = bare("old")
    mine = pod("new", labels={MOVE_ID: move.id, MOVED_FROM_UID: "uid-x"})
    api, lock = fenced(tmp_path, pod("old"), mine, pod("other"), pod("gone", terminating=True))
    seen: list[Any] = []
    api.before("list", "secrets", lambda: seen.append(1))
    versions: dict[str, Any] = {}

    def look() -> None:
        versions.update({n: epoch(api, n) for n in ("old", "new", "other", "gone")})

    api.before("get", "secrets", look)
    finish_all(api, lock, options(api, tmp_path))
    assert versions == {"old": "1", "new": "1", "other": None, "gone": None}
    assert epoch(api, "old") is None


def test_the_pod_of_the_way_there_is_fenced_on_the_way_back(tmp_path: Path) -> None:
    move = bare("old").going_back("NotReady|slow")
    there = pod("old", labels={MOVE_ID: bare("old").id, MOVED_FROM_UID: "uid-old"})
    there["metadata"]["uid"] = "uid-new"
    api, lock = fenced(tmp_path, there, move=move)
    fences: list[Any] = []
    api.before("get", "secrets", lambda: fences.append(epoch(api, "old")))
    api.before("delete", "pods", PlacementError("Stop", "far enough"))
    with pytest.raises(PlacementError, match="far enough"):
        finish_all(api, lock, options(api, tmp_path))
    assert fences == ["1"]


@pytest.mark.parametrize("error", [NotFound(404, "", "gone"), Conflict(409, "", "another")])
def test_a_pod_that_is_replaced_meanwhile_needs_no_fence(error: Any, tmp_path: Path) -> None:
    api, lock = fenced(tmp_path, pod("old"))
    api.before("patch", "pods", error)
    (item,) = finish_all(api, lock, options(api, tmp_path))
    assert item["code"] == "RolledBack"


def test_who_is_frozen_in_the_middle_of_fencing_leaves_no_fence(tmp_path: Path) -> None:
    api, lock = fenced(tmp_path, pod("old"))

    def freeze() -> None:
        api.clock.sleep(60.0)
        api.change(LEASE, lock.name, NS, {"spec": {"holderIdentity": "third"}})

    api.before("list", "pods", freeze)
    with pytest.raises(PlacementError) as caught:
        finish_all(api, lock, options(api, tmp_path))
    assert caught.value.code == "LockLost"
    assert epoch(api, "old") is None


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
def test_of_several_that_are_marked_each_gets_its_own_replacement(
    order: tuple[int, ...], tmp_path: Path
) -> None:
    """The controller deletes in the order of the marks, whatever that of the journal is."""
    owner = controller(replicas=3)
    moves = {
        n: entry(id=f"{n}" * 10, pod=f"o{n}", pod_uid=f"uid-o{n}", cost=None) for n in (1, 2, 3)
    }
    olds = [pod(f"o{n}", owner=owner, annotations={DELETION_COST: mark(n - 1)}) for n in moves]
    tied = {"app": "web"}
    news = [
        pod(f"r{n}", on="b", labels={**tied, MOVED_FROM_UID: f"uid-o{n}", MOVE_ID: moves[n].id})
        for n in moves
    ]
    api = World(node("a"), node("b"), owner, *olds, *news)
    journal = [moves[n] for n in order]
    api.put(lease(*journal, holder=holder(tmp_path, started=1).identity))
    items = recover(api, options(api, tmp_path), NS)
    assert sorted(outcomes(items)) == [(f"o{n}", "finished", "") for n in moves]
    assert sorted(p["metadata"]["name"] for p in api.list(POD, NS)[0]) == ["r1", "r2", "r3"]
