# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A move to a named node is judged by the other pods, in the world as it will be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    Forbidden,
    PlacementError,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.order import Order
from ansible_collections.podplacement.core.plugins.module_utils.moves.plan import make_plan
from ansible_collections.podplacement.core.plugins.module_utils.resources import POD
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import NS, Object, controller, holder, node, pod, settings

HOST = "kubernetes.io/hostname"
WEB = {"matchLabels": {"app": "web"}}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
SPREAD = {
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "topologyKey": HOST,
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": WEB,
        }
    ]
}


def apart(key: str = HOST, selector: Object | None = None) -> Object:
    term = {"labelSelector": selector or WEB, "topologyKey": key}
    return {"affinity": {"podAntiAffinity": {REQUIRED: [term]}}}


def near(selector: Object) -> Object:
    term = {"labelSelector": selector, "topologyKey": HOST}
    return {"affinity": {"podAffinity": {REQUIRED: [term]}}}


def place(name: str, zone: str = "") -> Object:
    """A node with its labels."""
    found = node(name)
    found["metadata"]["labels"] = {HOST: name, "zone": zone or name}
    return found


def world(spec: Object, *more: Object, on: tuple[str, ...] = ("a", "b")) -> FakeApi:
    """A ReplicaSet whose pods ask for that, one on each of those nodes; three nodes."""
    owner = controller(replicas=len(on))
    owner["spec"]["template"]["spec"].update(spec)
    names = ["old", *(f"web-{n}" for n in range(1, len(on)))]
    pods = [pod(n, owner=owner, on=where, **spec) for n, where in zip(names, on, strict=True)]
    known = {obj["metadata"]["name"] for obj in more if obj["kind"] == "Node"}
    nodes = [place(n) for n in "abc" if n not in known]
    return FakeApi(owner, *nodes, *pods, *more)


def plan(api: FakeApi, folder: Path, to: str, strategy: str = "auto", **how: Any) -> list[str]:
    """The warnings of the plan."""
    options = settings(api.clock, holder(folder), **how)
    order = Order(NS, "old", to, strategy)
    return make_plan(api, order, options, api.get(POD, "old", NS)).warnings


def code(api: FakeApi, folder: Path, to: str, **how: Any) -> str:
    try:
        plan(api, folder, to, **how)
    except PlacementError as err:
        return err.code
    return ""


@pytest.mark.parametrize(
    ("on", "to", "expected"),
    [
        (("a", "b"), "c", ""),
        (("a", "b"), "b", "SpreadViolated"),
        (("a", "a", "b"), "c", ""),
        (("a", "a", "b"), "b", "SpreadViolated"),
        (("a", "a", "b", "c"), "b", ""),
    ],
)
def test_a_pin_does_not_hide_that_a_spread_would_end(
    on: tuple[str, ...], to: str, expected: str, tmp_path: Path
) -> None:
    """The pod that leaves does not count."""
    assert code(world(SPREAD, on=on), tmp_path, to) == expected


def test_with_warn_it_is_told_and_with_none_not_even_asked(tmp_path: Path) -> None:
    (told,) = plan(world(SPREAD), tmp_path, "b", validate="warn")
    assert "didn't match pod topology spread constraints" in told
    assert plan(world(SPREAD), tmp_path, "b", validate="none") == []


def test_pods_that_must_be_apart_stay_apart(tmp_path: Path) -> None:
    assert code(world(apart()), tmp_path, "b") == "PodAntiAffinityMismatch"
    assert code(world(apart()), tmp_path, "c") == ""


@pytest.mark.parametrize(
    ("strategy", "expected"), [("surge", "PodAntiAffinityMismatch"), ("recreate", "")]
)
def test_beside_the_old_pod_it_must_be_apart_from_that_too(
    strategy: str, expected: str, tmp_path: Path
) -> None:
    """One zone: the new pod has room there only when the old one is gone."""
    old = pod("old", on="a", **apart("zone"))
    api = FakeApi(place("a", "z"), place("b", "z"), old)
    assert code(api, tmp_path, "b", strategy=strategy) == expected


def test_a_pod_goes_where_the_one_is_that_it_must_be_near(tmp_path: Path) -> None:
    db = pod("db", on="b", labels={"app": "db"})
    spec = near({"matchLabels": {"app": "db"}})
    assert code(world(spec, db), tmp_path, "b") == ""
    assert code(world(spec, db), tmp_path, "c") == "PodAffinityMismatch"


def test_pods_of_the_target_may_keep_it_away(tmp_path: Path) -> None:
    guard = pod("guard", on="c", labels={"app": "guard"}, **apart())
    assert code(world({}, guard), tmp_path, "c") == "ExistingPodAntiAffinity"


@pytest.mark.parametrize("which", [{"namespaceSelector": {}}, {"namespaces": ["other"]}])
def test_terms_about_other_namespaces_have_their_pods_read(which: Object, tmp_path: Path) -> None:
    other = pod("web", on="c")
    other["metadata"]["namespace"] = "other"
    spaces = [{"kind": "Namespace", "metadata": {"name": n, "labels": {}}} for n in (NS, "other")]
    spec = apart()
    spec["affinity"]["podAntiAffinity"][REQUIRED][0].update(which)
    assert code(world(spec, other, *spaces), tmp_path, "c") == "PodAntiAffinityMismatch"


def test_a_pod_that_demands_nothing_costs_no_request(tmp_path: Path) -> None:
    api = world({})
    plan(api, tmp_path, "c")
    assert not [c for c in api.calls if (c.verb, c.resource) == ("list", "nodes")]


def test_what_may_not_be_seen_is_a_warning(tmp_path: Path) -> None:
    api = world(SPREAD)
    api.before("list", "nodes", Forbidden(403, "Forbidden", "no"))
    (told,) = plan(api, tmp_path, "b")
    assert "topology spread, which the preflight does not check" in told
