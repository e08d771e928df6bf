# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A referee is believed only where it was seen to whistle: each foul once, and a clean game."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.auditor import Audited, Follower
from tests.cluster.books import SCHEDULED_AT, Auditor, Report
from tests.cluster.kube import Kube
from tests.cluster.shares import amount, requests

Object = dict[str, Any]


def node(name: str = "a", cpu: str = "2", pods: str = "3", version: int = 1) -> Object:
    return {
        "metadata": {"name": name, "resourceVersion": str(version)},
        "status": {"allocatable": {"cpu": cpu, "memory": "4Gi", "pods": pods}},
    }


def pod(name: str, where: str = "a", version: int = 10, **more: Any) -> Object:
    container: Object = {"resources": {"requests": {"cpu": more.get("cpu", "1")}}}
    if "port" in more:
        container["ports"] = [{"hostPort": more["port"], "hostIP": more.get("address", "")}]
    annotations = {} if more.get("bare") else {SCHEDULED_AT: "2026-11-22T10:00:00Z"}
    metadata = {"namespace": "t", "name": name, "uid": more.get("uid", name)}
    metadata |= {"resourceVersion": str(version), "annotations": annotations}
    spec: Object = {"schedulerName": more.get("scheduler", "ours"), "containers": [container]}
    if where:
        spec["nodeName"] = where
    return {"metadata": metadata, "spec": spec, "status": {"phase": more.get("phase", "Pending")}}


def event(uid: str, own: str = "one", count: int = 1) -> Object:
    series = {"count": count} if count > 1 else None
    return {"involvedObject": {"uid": uid}, "metadata": {"uid": own}, "series": series}


@pytest.fixture
def auditor() -> Auditor:
    found = Auditor({"ours"}, race_versions=5)
    found.node("ADDED", node())
    return found


def test_a_clean_game(auditor: Auditor) -> None:
    auditor.pod("ADDED", pod("one", ""))
    auditor.pod("MODIFIED", pod("one"))
    auditor.pod("MODIFIED", pod("one", version=12))
    auditor.event(event("one"))
    auditor.event(event("one"))  # the same one, seen once more after a relist
    report = auditor.close()
    assert (report.bound, report.scheduled_events, report.faults()) == (1, 1, {})
    assert (report.without_event, report.unbound, report.by_node) == ([], [], {"a": 1})


def test_a_second_node_for_one_uid(auditor: Auditor) -> None:
    auditor.pod("MODIFIED", pod("one"))
    auditor.pod("MODIFIED", pod("one", "b", 11))
    assert list(auditor.close().faults()) == ["moved"]


def test_more_than_the_node_has(auditor: Auditor) -> None:
    auditor.pod("MODIFIED", pod("one", cpu="1500m"))
    auditor.pod("MODIFIED", pod("two", version=11, cpu="501m"))
    found = auditor.close().overcommitted
    assert found == ["t/two on a at 11: cpu: 2.001 of 2"]


def test_more_pods_than_the_node_has_room_for(auditor: Auditor) -> None:
    for name in "wxyz":
        auditor.pod("MODIFIED", pod(name, cpu="0"))
    assert len(auditor.close().overcommitted) == 1


def test_a_pod_that_ended_gives_its_share_back(auditor: Auditor) -> None:
    auditor.pod("MODIFIED", pod("one", cpu="2"))
    auditor.pod("MODIFIED", pod("one", version=11, cpu="2", phase="Succeeded"))
    auditor.pod("MODIFIED", pod("two", version=12, cpu="2"))
    auditor.pod("DELETED", pod("two", version=13, cpu="2"))
    auditor.pod("MODIFIED", pod("three", version=14, cpu="2"))
    assert auditor.close().faults() == {}


def test_a_lost_race_is_no_foul_and_an_old_pod_is(auditor: Auditor) -> None:
    auditor.pod("MODIFIED", pod("theirs", version=10, cpu="2", scheduler="default-scheduler"))
    auditor.pod("MODIFIED", pod("soon", version=12))
    auditor.pod("MODIFIED", pod("late", version=40))
    report = auditor.close()
    assert [text.split()[0] for text in report.raced] == ["t/soon"]
    assert [text.split()[0] for text in report.overcommitted] == ["t/late"]


def test_what_was_there_before_is_no_race() -> None:
    auditor = Auditor({"ours"}, race_versions=10**9)
    auditor.node("ADDED", node())
    auditor.pod("ADDED", pod("old", version=3, cpu="1", scheduler="others"), first=True)
    auditor.pod("MODIFIED", pod("theirs", version=10, cpu="1", scheduler="others"))
    auditor.pod("MODIFIED", pod("raced", version=11, cpu="1"))
    auditor.pod("MODIFIED", pod("over", version=12, cpu="1m"))
    report = auditor.close()
    assert [text.split()[0] for text in report.raced] == ["t/raced"]
    assert [text.split()[0] for text in report.overcommitted] == ["t/over"]


def test_a_node_that_is_not_there(auditor: Auditor) -> None:
    auditor.node("DELETED", node())
    auditor.pod("MODIFIED", pod("one"))
    assert auditor.close().overcommitted == ["t/one on a at 10: no such node"]


@pytest.mark.parametrize(("address", "clashes"), [("", 1), ("10.0.0.1", 1), ("10.0.0.2", 0)])
def test_the_same_host_port(auditor: Auditor, address: str, clashes: int) -> None:
    auditor.pod("MODIFIED", pod("one", cpu="0", port=80, address="10.0.0.1"))
    auditor.pod("MODIFIED", pod("two", cpu="0", port=80, address=address))
    assert len(auditor.close().port_clashes) == clashes


def test_events_are_one_each(auditor: Auditor) -> None:
    auditor.pod("MODIFIED", pod("one", cpu="0"))
    auditor.pod("MODIFIED", pod("two", cpu="0"))
    auditor.pod("MODIFIED", pod("three", cpu="0"))
    for told in (event("one"), event("one", "other"), event("three", count=2), event("stranger")):
        auditor.event(told)
    report = auditor.close()
    assert (report.several_events, report.without_event) == (["t/one", "t/three"], ["t/two"])


def test_the_annotation(auditor: Auditor) -> None:
    auditor.pod("MODIFIED", pod("one", bare=True))
    assert auditor.close().without_annotation == ["t/one"]


def test_a_pod_that_was_made_with_a_node_is_nobodys_placement(auditor: Auditor) -> None:
    auditor.pod("ADDED", pod("made", cpu="2", bare=True))
    auditor.pod("MODIFIED", pod("ours", version=40, cpu="1m"))
    report = auditor.close()
    assert (report.bound, report.without_annotation) == (1, [])
    assert len(report.overcommitted) == 1


def test_what_still_waits(auditor: Auditor) -> None:
    auditor.pod("ADDED", pod("one", ""))
    auditor.pod("ADDED", pod("two", "", phase="Failed"))
    auditor.pod("ADDED", pod("theirs", "", scheduler="default-scheduler"))
    assert auditor.close().unbound == ["t/one"]


def test_what_was_there_before_is_counted_and_not_judged() -> None:
    auditor = Auditor({"ours"})
    auditor.node("ADDED", node())
    auditor.pod("ADDED", pod("old", cpu="5", bare=True), first=True)
    auditor.pod("MODIFIED", pod("new", version=11, cpu="1m"))
    report = auditor.close()
    assert (report.bound, report.without_annotation) == (1, [])
    assert len(report.overcommitted) == 1


class Lists(Kube):
    """An API server that has these objects."""

    def __init__(self, *pods: Object) -> None:
        self.lists = {"nodes": [node()], "pods": list(pods), "events": [event("one")]}

    def request(self, method: str, path: str, *_body: Any, **_more: Any) -> Any:
        items = self.lists[path.rpartition("/")[2]]
        return {"metadata": {"resourceVersion": "99"}, "items": items}


@pytest.mark.parametrize("went", [True, False])
def test_what_went_while_the_watch_was_lost_takes_no_room(auditor: Auditor, went: bool) -> None:
    old, new = pod("old", cpu="2"), pod("one", version=11, cpu="2")
    auditor.pod("MODIFIED", old)
    follower = Follower(Lists(*([new] if went else [old, new])), auditor)
    follower._versions |= {"Pod": 10, "Node": 10}
    follower._again("Pod")
    follower._again("Node")
    follower.settle()
    report = auditor.close()
    assert (report.bound, report.gaps, len(report.overcommitted)) == (2, 2, not went)


@pytest.mark.parametrize("cpu", ["1", "1001m"])
def test_what_there_is_can_be_judged_at_once(cpu: str) -> None:
    auditor = Auditor({"ours"})
    theirs = pod("two", version=3, scheduler="default-scheduler", bare=True)
    Follower(Lists(pod("one", cpu=cpu), theirs), auditor).review({"ours"})
    report = auditor.close()
    assert (report.bound, report.scheduled_events, report.without_event) == (1, 1, [])
    assert len(report.overcommitted) == (cpu != "1")


def test_missing_events_must_be_counted_drops() -> None:
    audited = Audited.__new__(Audited)
    audited.report = Report(bound=1, without_event=["t/one"])
    assert audited.check(drops=1) is audited.report
    with pytest.raises(AssertionError, match="1 pods without a Scheduled event"):
        audited.check()
    audited.report = Report(moved=["t/one"])
    with pytest.raises(AssertionError, match="the auditor found"):
        audited.check(drops=9)


def test_shares_of_init_containers_and_sidecars() -> None:
    def container(cpu: str, **more: Any) -> Object:
        return {"resources": {"requests": {"cpu": cpu}}, **more}

    sidecar = container("100m", restartPolicy="Always")
    item: Object = {"spec": {"containers": [container("1")], "overhead": {"cpu": "50m"}}}
    item["spec"]["initContainers"] = [sidecar, container("1500m"), container("200m")]
    assert requests(item)["cpu"] == amount("1650m")
    item["spec"]["resources"] = {"requests": {"cpu": "3"}}
    assert requests(item)["cpu"] == amount("3050m")
