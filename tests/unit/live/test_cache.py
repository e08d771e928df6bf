# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The newest version wins, and what is deleted stays deleted, whatever comes late."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.cache import (
    REMEMBERED_CHANGES,
    Store,
)
from ansible_collections.podplacement.core.plugins.module_utils.selecting import query

Object = dict[str, Any]


def pod(name: str, version: int, *, uid: str = "", ns: str = "shop", **labels: str) -> Object:
    return {
        "metadata": {
            "name": name,
            "namespace": ns,
            "uid": uid or f"uid-{name}",
            "resourceVersion": str(version),
            "labels": labels,
            "managedFields": [{"manager": "kubelet"}],
        },
        "spec": {"nodeName": "a"},
    }


def names(store: Store, labels: str = "", fields: str = "", ns: str | None = "shop") -> list[str]:
    return [p["metadata"]["name"] for p in store.find(query(labels, fields), ns)[0]]


def filled(*pods: Object, version: str = "100") -> Store:
    store = Store()
    store.replace(list(pods), version)
    return store


def test_what_was_listed_and_told_is_found_by_name_and_selector() -> None:
    store = filled(pod("a", 90, app="web"), pod("b", 91, app="db"))
    store.apply("ADDED", pod("c", 101, app="web", tier="front"))
    assert names(store) == ["a", "b", "c"]
    assert names(store, "app=web") == ["a", "c"]
    assert names(store, "app=web,tier=front") == ["c"]
    assert names(store, "app in (db),!tier") == ["b"]
    assert names(store, fields="metadata.name=b") == ["b"]
    assert names(store, fields="spec.nodeName=a,metadata.name!=a") == ["b", "c"]
    assert names(store, ns="other") == []
    assert names(store, ns=None) == ["a", "b", "c"]
    assert store.get("shop", "a") is not None
    assert store.get("shop", "z") is None


def test_managed_fields_are_not_kept() -> None:
    store = filled(pod("a", 90))
    found = store.get("shop", "a")
    assert found is not None
    assert "managedFields" not in found["metadata"]


def test_an_index_follows_the_labels() -> None:
    store = filled(pod("a", 90, app="web"))
    store.apply("MODIFIED", pod("a", 101, app="db"))
    assert (names(store, "app=web"), names(store, "app=db")) == ([], ["a"])
    store.apply("DELETED", pod("a", 102, app="db"))
    assert names(store, "app=db") == []


def test_our_own_write_is_seen_before_the_watch_tells_of_it() -> None:
    store = filled(pod("a", 90, app="web"))
    store.fold(pod("a", 105, app="mine"))
    assert names(store, "app=mine") == ["a"]
    store.apply("MODIFIED", pod("a", 103, app="late"))
    assert names(store, "app=mine") == ["a"]
    store.apply("MODIFIED", pod("a", 106, app="new"))
    assert names(store, "app=new") == ["a"]


def test_an_answer_that_is_late_does_not_take_a_pod_back() -> None:
    store = filled(pod("a", 90, app="web"))
    store.apply("MODIFIED", pod("a", 105, app="new"))
    store.fold(pod("a", 103, app="old"))
    assert names(store, "app=new") == ["a"]


@pytest.mark.parametrize("late", ["fold", "ADDED", "MODIFIED", "list"])
def test_what_is_deleted_stays_deleted(late: str) -> None:
    store = filled(pod("a", 90))
    store.apply("DELETED", pod("a", 110))
    if late == "fold":
        store.fold(pod("a", 105))
    elif late == "list":
        store.replace([pod("a", 105)], "107")
    else:
        store.apply(late, pod("a", 105))
    assert names(store) == []


def test_a_pod_that_the_server_denies_is_gone_and_its_namesake_is_not() -> None:
    store = filled(pod("a", 90))
    store.forget("shop", "a", "uid-a")
    assert names(store) == []
    store.apply("MODIFIED", pod("a", 101))
    assert names(store) == []
    store.apply("ADDED", pod("a", 102, uid="second"))
    store.forget("shop", "a", "uid-a")
    assert names(store) == ["a"]


def test_the_end_of_a_former_namesake_does_not_touch_the_new_one() -> None:
    store = filled(pod("a", 90))
    store.fold(pod("a", 120, uid="second"))
    store.apply("DELETED", pod("a", 110))
    assert names(store) == ["a"]


def test_a_new_list_tells_what_is_gone_but_not_of_what_we_made_since() -> None:
    store = filled(pod("a", 90), pod("b", 91))
    store.fold(pod("mine", 205))
    store.fold(pod("old", 150))
    store.replace([pod("b", 180, app="new")], "200")
    assert names(store) == ["b", "mine"]
    assert names(store, "app=new") == ["b"]
    store.apply("MODIFIED", pod("a", 201))
    assert names(store) == ["b", "mine"]


def test_a_bookmark_moves_the_watch_on_and_nothing_else() -> None:
    store = filled(pod("a", 90))
    store.apply("BOOKMARK", {"metadata": {"resourceVersion": "300"}})
    assert (store.version, names(store)) == ("300", ["a"])


def test_listeners_hear_of_changes_only() -> None:
    heard: list[str] = []
    store = Store(lambda obj: heard.append(obj["metadata"]["name"]))
    store.replace([pod("a", 90)], "100")
    store.apply("MODIFIED", pod("a", 90))
    store.fold(pod("b", 101))
    store.apply("DELETED", pod("b", 102))
    store.replace([], "200")
    assert heard == ["a", "b", "b", "a"]


# ---- waiting


def changed(store: Store, version: str, labels: str = "", *, timeout: float = 0.0) -> bool:
    return store.wait(version, query(labels, ""), "shop", timeout)


def test_what_changed_between_the_look_and_the_wait_is_not_missed() -> None:
    store = filled(pod("a", 90, app="web"), pod("b", 91, app="db"))
    version = store.find(query("app=web", ""), "shop")[1]
    assert not changed(store, version, "app=web")
    store.apply("MODIFIED", pod("b", 101, app="db"))
    assert not changed(store, version, "app=web")
    store.apply("MODIFIED", pod("a", 102, app="other"))
    assert changed(store, version, "app=web")  # it left the selection


def test_a_deletion_is_a_change() -> None:
    store = filled(pod("a", 90))
    version = store.find(query(), "shop")[1]
    store.apply("DELETED", pod("a", 101))
    assert changed(store, version)


def test_an_objects_own_version_can_be_waited_from() -> None:
    store = filled(pod("a", 90))
    assert not store.wait("90", query("", "metadata.name=a"), "shop", 0.0)
    assert store.wait("89", query("", "metadata.name=a"), "shop", 0.0)
    assert store.wait("90", query("", "metadata.name=gone"), "shop", 0.0)


def test_a_version_from_before_all_memory_is_a_change() -> None:
    store = filled(pod("a", 90))
    version = store.find(query(), "shop")[1]
    for n in range(REMEMBERED_CHANGES + 2):
        store.apply("MODIFIED", pod("other", 101 + n, ns="far"))
    assert changed(store, version)


@pytest.mark.parametrize(("label", "woken"), [("web", True), ("db", False)])
def test_only_who_waits_for_it_is_woken(label: str, *, woken: bool) -> None:
    store = filled(pod("a", 90, app="web"))
    version = store.find(query("app=web", ""), "shop")[1]
    found: list[bool] = []
    waiter = threading.Thread(
        target=lambda: found.append(
            changed(store, version, "app=web", timeout=5.0 if woken else 0.2)
        )
    )
    waiter.start()
    store.apply("ADDED", pod("new", 101, app=label))
    waiter.join()
    assert found == [woken]


def test_closing_wakes_everybody() -> None:
    store = filled(pod("a", 90))
    version = store.find(query(), "shop")[1]
    found: list[bool] = []
    waiter = threading.Thread(target=lambda: found.append(changed(store, version, timeout=5.0)))
    waiter.start()
    while not found:
        store.wake()
    waiter.join()
    assert found == [True]
