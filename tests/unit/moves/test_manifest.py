# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a move creates: everything a user wrote, nothing that a server did."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.moves.manifest import (
    from_pod,
    from_template,
    own_cost,
    place,
    sanitized,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.names import (
    DELETION_COST,
    DO_NOT_MOVE,
    EPOCH,
    MOVE_ID,
    MOVED_FROM_NAME,
    MOVED_FROM_UID,
    SCHEDULED_AT,
)
from tests.unit.moves.objects import HASH, NS, Object, controller, deployment, entry, pod
from tests.unit.moves.world import PREFERRED, REQUIRED

APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def pin(node: str, operator: str = "In") -> Object:
    return {"key": "metadata.name", "operator": operator, "values": [node]}


def zone(*values: str) -> Object:
    return {"key": "zone", "operator": "In", "values": list(values)}


def required(spec: Object) -> Any:
    return spec["affinity"]["nodeAffinity"][REQUIRED]["nodeSelectorTerms"]


def pinned_to(*terms: Object) -> Object:
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": list(terms)}}}


# ---- where it goes


@pytest.mark.parametrize("affinity", [None, {}, {"nodeAffinity": None}, {"nodeAffinity": {}}])
def test_without_terms_the_pin_is_the_only_one(affinity: Object | None) -> None:
    spec: Object = {"affinity": affinity} if affinity is not None else {}
    place(spec, "b", "schedule")
    assert required(spec) == [{"matchFields": [pin("b")]}]


def test_terms_are_ored_so_the_pin_goes_into_every_one() -> None:
    terms = [{"matchExpressions": [zone("x")]}, {"matchExpressions": [zone("y")]}]
    spec = {"affinity": {**pinned_to(*terms), "podAffinity": {"keep": "me"}}}
    place(spec, "b", "schedule")
    assert required(spec) == [{**t, "matchFields": [pin("b")]} for t in terms]
    assert spec["affinity"]["podAffinity"] == {"keep": "me"}


@pytest.mark.parametrize("own", [pin("c", "NotIn"), pin("b", "NotIn"), pin("c")])
def test_what_the_user_says_about_node_names_still_holds(own: Object) -> None:
    """The pin is one more condition: a template that rules the node out is not overruled."""
    spec = {"affinity": pinned_to({"matchFields": [own]})}
    place(spec, "b", "schedule")
    (term,) = required(spec)
    assert sorted(term["matchFields"], key=str) == sorted([pin("b"), own], key=str)


def test_the_owners_objects_are_not_changed() -> None:
    owner = controller()
    owner["spec"]["template"]["spec"]["affinity"] = pinned_to({"matchExpressions": [zone("x")]})
    before = copy.deepcopy(owner)
    from_template(owner, entry(), pod("old"), "new")
    assert owner == before


def test_prefer_is_a_wish_beside_the_others() -> None:
    own = {"weight": 5, "preference": {"matchExpressions": [zone("x")]}}
    spec: Object = {"affinity": {"nodeAffinity": {PREFERRED: [own]}}}
    place(spec, "b", "prefer")
    assert spec["affinity"]["nodeAffinity"] == {
        PREFERRED: [own, {"weight": 100, "preference": {"matchFields": [pin("b")]}}]
    }


def test_bind_names_the_node_and_leaves_no_pin() -> None:
    spec: Object = {}
    place(spec, "b", "bind")
    assert spec == {"nodeName": "b"}


@pytest.mark.parametrize("placement", ["schedule", "prefer", "bind"])
def test_without_a_node_the_scheduler_is_free(placement: str) -> None:
    spec: Object = {}
    place(spec, "", placement)
    assert spec == {}


@pytest.mark.parametrize("placement", ["schedule", "prefer"])
def test_a_bare_pod_that_moves_again_loses_the_pin_of_the_first_time(placement: str) -> None:
    there = from_pod(pod("old"), entry("recreate", target="b", placement=placement), "old")
    there["metadata"] |= {"uid": "uid-2"}
    there["spec"]["nodeName"] = "b"
    again = from_pod(there, entry("recreate", target="c", placement=placement), "old")
    assert (
        again["spec"]["affinity"]
        == from_pod(pod("old"), entry("recreate", target="c", placement=placement), "old")["spec"][
            "affinity"
        ]
    )
    free = from_pod(there, entry("recreate", target=""), "old")
    assert "affinity" not in free["spec"]


def test_a_pin_comes_out_of_every_term_and_leaves_the_rest() -> None:
    terms = [
        {"matchExpressions": [zone("x")], "matchFields": [pin("a")]},
        {"matchExpressions": [zone("y")], "matchFields": [pin("a"), pin("z", "NotIn")]},
    ]
    affinity = {**pinned_to(*terms), "podAffinity": {"keep": "me"}}
    spec = sanitized(pod("old", affinity=affinity))["spec"]
    assert required(spec) == [
        {"matchExpressions": [zone("x")]},
        {"matchExpressions": [zone("y")], "matchFields": [pin("z", "NotIn")]},
    ]


def test_other_affinity_survives_when_the_pin_was_all_there_was_of_node_affinity() -> None:
    affinity = {**pinned_to({"matchFields": [pin("a")]}), "podAffinity": {"keep": "me"}}
    assert sanitized(pod("old", affinity=affinity))["spec"]["affinity"] == {
        "podAffinity": {"keep": "me"}
    }
    node_affinity = {
        REQUIRED: {"nodeSelectorTerms": [{"matchFields": [pin("a")]}]},
        PREFERRED: [{"weight": 5, "preference": {"matchExpressions": [zone("x")]}}],
    }
    spec = sanitized(pod("old", affinity={"nodeAffinity": node_affinity}))["spec"]
    assert list(spec["affinity"]["nodeAffinity"]) == [PREFERRED]


@pytest.mark.parametrize(
    "terms",
    [
        [{"matchFields": [pin("elsewhere")]}],
        [{"matchFields": [pin("a")]}, {"matchExpressions": [zone("x")]}],
    ],
)
def test_terms_that_no_move_wrote_stay(terms: list[Object]) -> None:
    spec = sanitized(pod("old", affinity=pinned_to(*terms)))["spec"]
    assert required(spec) == terms


# ---- from a controller's template


@pytest.mark.parametrize("kind", ["ReplicaSet", "ReplicationController"])
def test_the_replacement_is_the_template_without_the_detach_key(kind: str) -> None:
    owner = controller(kind)
    owner["spec"]["template"]["metadata"]["annotations"] = {"note": "kept"}
    old = pod("old", owner=owner, annotations={"added-by": "admission"})
    old["spec"]["tolerations"] = [{"key": "added by admission"}]
    body = from_template(owner, entry(owner_kind=kind), old, "new")
    assert body["metadata"] == {
        "name": "new",
        "namespace": NS,
        "labels": {"app": "web", MOVE_ID: entry().id, MOVED_FROM_UID: "uid-old"},
        "annotations": {"note": "kept", MOVED_FROM_NAME: '["old"]'},
    }
    assert "tolerations" not in body["spec"]
    assert required(body["spec"]) == [{"matchFields": [pin("b")]}]


def test_of_a_deployment_the_hash_is_what_is_missing() -> None:
    owner = controller(above=deployment())
    body = from_template(owner, entry(detach_key=HASH), pod("old"), "new")
    assert set(body["metadata"]["labels"]) == {"app", "tier", MOVE_ID, MOVED_FROM_UID}


def test_names_chain_when_a_pod_is_moved_again() -> None:
    old = pod("second", annotations={MOVED_FROM_NAME: '["first"]'})
    body = from_template(controller(), entry(), old, "third")
    assert json.loads(body["metadata"]["annotations"][MOVED_FROM_NAME]) == ["first", "second"]
    assert from_pod(old, entry("surge"), "third")["metadata"]["annotations"] == {
        MOVED_FROM_NAME: '["first", "second"]'
    }


# ---- from a bare pod


def lived_in() -> Object:
    """A pod that server, scheduler, kubelet, admission, CNI and we have written on."""
    found = pod("old", labels={"app": "db", "topology.kubernetes.io/zone": "z1"})
    found["metadata"] |= {
        "resourceVersion": "7",
        "generation": 2,
        "managedFields": [{}],
        "finalizers": ["x/y"],
        "ownerReferences": [
            {"kind": "ConfigMap", "name": "c", "uid": "u"},
            {"kind": "Lease", "name": "l", "uid": "v"},
            {"kind": "Thing", "name": "t", "uid": "w", "controller": True},
        ],
        "deletionGracePeriodSeconds": 30,
        "generateName": "old-",
        "selfLink": "/x",
    }
    found["metadata"]["labels"] |= {MOVE_ID: "x", MOVED_FROM_UID: "y"}
    found["metadata"]["labels"]["topology.kubernetes.io/region"] = "r"
    found["metadata"]["annotations"] = {
        "note": "mine",
        DO_NOT_MOVE: "true",
        EPOCH: "3",
        SCHEDULED_AT: "now",
        MOVED_FROM_NAME: "not a list",
        "cni.projectcalico.org/podIP": "10.0.0.1",
        "k8s.v1.cni.cncf.io/network-status": "[]",
        "k8s.ovn.org/pod-networks": "{}",
        "sidecar.istio.io/status": "{}",
        "openshift.io/scc": "restricted",
        "kubernetes.io/limit-ranger": "cpu",
        APPLIED: "{}",
    }
    token = {"name": "kube-api-access-x1", "projected": {}}
    mounts = [{"name": "kube-api-access-x1", "mountPath": "/t"}, {"name": "data", "mountPath": "/"}]
    found["spec"] |= {
        "priority": 7,
        "priorityClassName": "high",
        "preemptionPolicy": "Never",
        "overhead": {"cpu": "1"},
        "ephemeralContainers": [{"name": "debug"}],
        "schedulingGates": [],
        "hostname": "db-0",
        "subdomain": "db",
        "tolerations": [{"operator": "Exists"}],
        "serviceAccountName": "runner",
        "volumes": [token, {"name": "data", "emptyDir": {}}],
        "initContainers": [{"name": "init", "volumeMounts": mounts}],
    }
    found["spec"]["containers"][0]["volumeMounts"] = mounts
    return found


def test_a_bare_pod_keeps_what_its_user_wrote_and_nothing_else() -> None:
    body = sanitized(lived_in())
    assert body["metadata"] == {
        "name": "old",
        "namespace": NS,
        "labels": {"app": "db"},
        "annotations": {"note": "mine", DO_NOT_MOVE: "true", APPLIED: "{}"},
        "ownerReferences": [{"kind": "ConfigMap", "name": "c", "uid": "u"}],
    }
    assert "status" not in body
    spec = body["spec"]
    dropped = {
        "nodeName",
        "priority",
        "preemptionPolicy",
        "overhead",
        "ephemeralContainers",
        "schedulingGates",
    }
    assert dropped.isdisjoint(spec)
    kept = ("hostname", "subdomain", "tolerations", "priorityClassName", "serviceAccountName")
    assert {k: spec[k] for k in kept} == {k: lived_in()["spec"][k] for k in kept}


def test_the_service_accounts_token_is_left_to_admission() -> None:
    spec = sanitized(lived_in())["spec"]
    assert [v["name"] for v in spec["volumes"]] == ["data"]
    for container in spec["containers"] + spec["initContainers"]:
        assert [m["name"] for m in container["volumeMounts"]] == ["data"]


def test_cleaning_does_not_touch_the_pod_itself() -> None:
    old = lived_in()
    sanitized(old)
    assert old == lived_in()


def test_the_new_pod_under_the_old_name_needs_no_chain() -> None:
    body = from_pod(pod("old"), entry("recreate", scheduler="by-hand"), "old")
    assert body["metadata"]["annotations"] == {}
    assert body["metadata"]["labels"][MOVED_FROM_UID] == "uid-old"
    assert body["spec"]["schedulerName"] == "by-hand"


def test_a_chain_survives_a_move_under_the_same_name() -> None:
    old = pod("old", annotations={MOVED_FROM_NAME: '["first"]'})
    body = from_pod(old, entry("recreate"), "old")
    assert body["metadata"]["annotations"] == {MOVED_FROM_NAME: '["first"]'}


@pytest.mark.parametrize("cost", [None, "7"])
def test_the_users_own_deletion_cost(cost: str | None) -> None:
    assert own_cost(pod("old", annotations={DELETION_COST: cost} if cost else None)) == cost
