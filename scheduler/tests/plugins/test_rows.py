# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plugin says of many nodes at once is what it says of each."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podplacement_scheduler.cache.classes import Classes, Wants
from podplacement_scheduler.framework.interface import CycleState

from .here import Here, groups_agree, judge, plugin, rows_of

GPU, OTHER = "example.com/gpu", "example.com/other"
CPU = st.sampled_from(["0", "1m", "100m", "250m", "1", "2", "7"])
MEMORY = st.sampled_from(["0", "1", "100Mi", "1Gi", "3Gi"])
GPUS = st.sampled_from(["0", "1", "3"])
REQUESTS = st.fixed_dictionaries(
    {}, optional={"cpu": CPU, "memory": MEMORY, GPU: GPUS, OTHER: GPUS, "ephemeral-storage": MEMORY}
)
OFFERS = st.fixed_dictionaries(
    {"pods": st.sampled_from(["0", "1", "2", "9"])},
    optional={"cpu": CPU, "memory": MEMORY, GPU: GPUS, "ephemeral-storage": MEMORY},
)
PORTS = st.lists(st.sampled_from([80, 81, 443]), max_size=2, unique=True).map(tuple)
POD = st.fixed_dictionaries({"requests": REQUESTS, "ports": PORTS})
CLUSTER = st.lists(st.tuples(OFFERS, st.lists(POD, max_size=3)), min_size=1, max_size=5)
RESOURCES = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["cpu", "memory", GPU, "ephemeral-storage"])},
        optional={"weight": st.integers(1, 100)},
    ),
    min_size=1,
    unique_by=lambda resource: str(resource["name"]),
)


def filled(nodes: Any) -> Here:
    here = Here()
    for number, (offer, pods) in enumerate(nodes):
        here.add_node(f"n{number}", allocatable=offer)
        for index, pod in enumerate(pods):
            here.add_pod(f"p{number}-{index}", f"n{number}", **pod)
    return here


def beside_others(pod: Any) -> Classes:
    """The class of the pod, second among three."""
    mine = Wants(pod.requests, pod.pod_class.nonzero)
    return Classes([Wants({}, (100, 1)), mine, Wants({"cpu": 3000, OTHER: 1}, (3000, 1 << 30))])


def compare_filters(here: Here, judging: Any, pod: Any) -> None:
    state, rows = CycleState(), rows_of(here)
    verdicts = [judge(judging, pod, here, here.table.names[row]) for row in rows]
    fits = judging.filter_rows(state, pod, here.table, rows)
    assert fits.tolist() == [verdict.ok for verdict in verdicts]
    reasons = Counter(reason for verdict in verdicts for reason in verdict.reasons)
    assert judging.reasons_rows(state, pod, here.table, rows) == reasons
    # The engine asks for parts of the rows too.
    if hasattr(judging, "filter_row"):
        each = [judging.filter_row(state, pod, here.table, row) for row in rows.tolist()]
        assert each == fits.tolist()
    if hasattr(judging, "filter_classes"):
        together = judging.filter_classes(beside_others(pod), here.table, rows)
        assert together[1].tolist() == fits.tolist()
    some = rows[::2]
    assert judging.filter_rows(state, pod, here.table, some).tolist() == fits[::2].tolist()


def compare_scores(here: Here, judging: Any, pod: Any) -> None:
    state, rows = CycleState(), rows_of(here)
    scores = [judging.score(state, pod, here.table.info(row)) for row in rows]
    together = judging.score_rows(state, pod, here.table, rows)
    assert together.tolist() == scores
    assert all(0 <= score <= 100 for score in scores)
    assert [judging.score_row(state, pod, here.table, row) for row in rows.tolist()] == scores
    assert judging.score_rows(state, pod, here.table, rows[1:]).tolist() == scores[1:]
    if_at_once = judging.score_classes(beside_others(pod), here.table, rows)
    assert if_at_once is None or if_at_once[1].tolist() == scores


@settings(max_examples=80, deadline=None)
@given(nodes=CLUSTER, pod=POD, ignored=st.lists(st.sampled_from([GPU, OTHER]), unique=True))
def test_filters_by_rows_are_the_rules(nodes: Any, pod: Any, ignored: list[str]) -> None:
    here = filled(nodes)
    mine = here.add_pod("mine", **pod)
    for judging in (
        plugin("NodeResourcesFit", here),
        plugin("NodeResourcesFit", here, ignoredResources=ignored),
        plugin("NodePorts", here),
    ):
        compare_filters(here, judging, mine)


SHAPE = st.lists(
    st.fixed_dictionaries({"utilization": st.integers(0, 100), "score": st.integers(0, 10)}),
    min_size=1,
    max_size=4,
    unique_by=lambda point: point["utilization"],
).map(lambda points: sorted(points, key=lambda point: point["utilization"]))


@settings(max_examples=80, deadline=None)
@given(
    nodes=CLUSTER,
    pod=POD,
    resources=RESOURCES,
    kind=st.sampled_from(["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"]),
    shape=SHAPE,
)
def test_scores_by_rows_are_the_formulas(
    nodes: Any, pod: Any, resources: list[Any], kind: str, shape: list[Any]
) -> None:
    here = filled(nodes)
    mine = here.add_pod("mine", **pod)
    ratio = {"requestedToCapacityRatio": {"shape": shape}}
    strategy = {"type": kind, "resources": resources, **ratio}
    balanced = [{"name": resource["name"]} for resource in resources]
    for judging in (
        plugin("NodeResourcesFit", here),
        plugin("NodeResourcesFit", here, scoringStrategy={"type": "MostAllocated"}),
        plugin("NodeResourcesFit", here, scoringStrategy=strategy),
        plugin("NodeResourcesBalancedAllocation", here),
        plugin("NodeResourcesBalancedAllocation", here, resources=balanced),
    ):
        compare_scores(here, judging, mine)


def test_a_group_of_resources_can_be_left_to_somebody_else() -> None:
    here = filled([({"pods": "9", "cpu": "1"}, [])])
    pod = here.add_pod("mine", requests={GPU: "1", "cpu": "2"})
    judging = plugin("NodeResourcesFit", here, ignoredResourceGroups=["example.com", "cpu"])
    assert judge(judging, pod, here, "n0").reasons == ("Insufficient cpu",)
    compare_filters(here, judging, pod)
    smaller = here.add_pod("smaller", requests={GPU: "1", "cpu": "1"})
    assert judge(judging, smaller, here, "n0").ok
    compare_filters(here, judging, smaller)


def test_attach_limits_by_rows_are_the_rule() -> None:
    here = Here()
    for name in ("free", "full", "attached", "shared", "boundless"):
        here.add_node(name)
    for number, name in enumerate(("full", "attached", "free", "shared")):
        here.add_claim(f"c{number}", {"csi": {"driver": "disks", "volumeHandle": name}})
        here.add_csi_node(name, disks=1)
    here.add_pod("a", "full", claims=("c0",))
    here.add_attachment("x", "attached", "volume-of-c1")
    here.add_pod("b", "shared", claims=("c2",))
    pod = here.add_pod("mine", claims=("c2",))
    judging = plugin("NodeVolumeLimits", here)
    compare_filters(here, judging, pod)
    fits = judging.filter_rows(CycleState(), pod, here.table, rows_of(here))
    names = [here.table.names[row] for row in rows_of(here)]
    assert dict(zip(names, fits.tolist(), strict=True)) == {
        "free": True,
        "full": False,
        "attached": False,
        "shared": True,  # the same volume, attached already
        "boundless": True,
    }


LABELS = st.dictionaries(
    st.sampled_from(["a", "b", "topology.kubernetes.io/zone"]), st.sampled_from("xy")
)
TAINTS = st.lists(
    st.fixed_dictionaries(
        {
            "key": st.sampled_from("ab"),
            "effect": st.sampled_from(["NoSchedule", "PreferNoSchedule"]),
        }
    ),
    max_size=2,
)
TERM = st.fixed_dictionaries(
    {
        "matchExpressions": st.lists(
            st.fixed_dictionaries(
                {
                    "key": st.sampled_from("ab"),
                    "operator": st.sampled_from(["Exists", "DoesNotExist"]),
                }
            ),
            max_size=2,
        ),
        "matchFields": st.sampled_from(
            [[], [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]]
        ),
    }
)
NODES = st.lists(
    st.fixed_dictionaries(
        {"labels": LABELS, "taints": TAINTS, "unschedulable": st.booleans()},
        optional={
            "images": st.dictionaries(st.sampled_from(["app:1", "b:1"]), st.integers(0, 10**9))
        },
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize(
    "name",
    [
        "NodeUnschedulable",
        "NodeName",
        "TaintToleration",
        "NodeAffinity",
        "VolumeBinding",
        "VolumeZone",
        "VolumeRestrictions",
        "ExistingAntiAffinity",
        "ImageLocality",
    ],
)
@settings(max_examples=30, deadline=None)
@given(
    nodes=NODES,
    selector=LABELS,
    required=st.lists(TERM, max_size=2),
    preferred=st.lists(TERM, max_size=2),
    zone=st.sampled_from("xy"),
)
def test_nodes_that_agree_in_the_facets_get_one_verdict(
    name: str, nodes: Any, selector: Any, required: Any, preferred: Any, zone: str
) -> None:
    here = Here()
    for number, node in enumerate(nodes):
        here.add_node(f"n{number}", **node)
    terms = [{"matchExpressions": [{"key": "a", "operator": "In", "values": [zone]}]}]
    here.add_claim(
        "data",
        {"nodeAffinity": {"required": {"nodeSelectorTerms": terms}}},
        labels={"topology.kubernetes.io/zone": zone},
        accessModes=["ReadWriteOncePod"],
    )
    apart = {"topologyKey": "b", "labelSelector": {"matchLabels": {"app": "web"}}}
    key = "requiredDuringSchedulingIgnoredDuringExecution"
    here.add_pod("there", "n0", affinity={"podAntiAffinity": {key: [apart]}})
    wanted: dict[str, Any] = {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 7, "preference": term} for term in preferred
        ]
    }
    if required:
        wanted[key] = {"nodeSelectorTerms": required}
    pod = here.add_pod(
        "mine",
        claims=("data",),
        labels={"app": "web"},
        nodeSelector=selector,
        affinity={"nodeAffinity": wanted},
    )
    assert groups_agree(plugin(name, here), pod, here)
