# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of pod fields: what they say is what happens, and what the documentation says."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import PlacementError
from ansible_collections.podplacement.core.plugins.module_utils.moves.bare import prepare_bare
from ansible_collections.podplacement.core.plugins.module_utils.moves.choice import choose_strategy
from ansible_collections.podplacement.core.plugins.module_utils.moves.manifest import sanitized
from ansible_collections.podplacement.core.plugins.module_utils.moves.order import Order
from ansible_collections.podplacement.core.plugins.module_utils.moves.pod_fields import (
    ANNOTATIONS_OF_THE_OLD_POD,
    DROPPED,
    KEPT,
    LABELS_OF_THE_OLD_NODE,
    METADATA,
    REFUSED,
    SPEC,
    VOLUMES,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.refusals import check_volumes
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import NS, Object, entry, holder, pod, settings

DOC = Path(__file__).parents[3] / "docs/bare-pods.md"
VALUES: dict[str, Any] = {
    "affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}},
    "containers": [{"name": "app", "image": "x", "volumeMounts": []}],
    "initContainers": [{"name": "init", "image": "x", "volumeMounts": []}],
    "topologySpreadConstraints": [{"maxSkew": 1}],
    "volumes": [{"name": "data", "hostPath": {"path": "/x"}}],
    "labels": {"mine": "x"},
    "annotations": {"mine": "x"},
    "ownerReferences": [{"kind": "ConfigMap", "name": "c", "uid": "u"}],
}


@pytest.mark.parametrize("field", SPEC)
def test_a_field_of_the_spec_has_the_fate_that_the_table_says(field: str) -> None:
    value = VALUES.get(field, "as it was")
    spec = sanitized(pod("old", **{field: copy.deepcopy(value)}))["spec"]
    assert (spec.get(field) == value) is (SPEC[field][0] != DROPPED)


@pytest.mark.parametrize("field", METADATA)
def test_a_field_of_the_metadata_has_the_fate_that_the_table_says(field: str) -> None:
    old = pod("old")
    value = old["metadata"][field] = VALUES.get(field, "as it was")
    made = sanitized(old)["metadata"]
    assert (made.get(field) == value) is (METADATA[field][0] == KEPT)


def test_a_field_that_nobody_knows_yet_is_kept() -> None:
    assert sanitized(pod("old", tomorrow={"x": 1}))["spec"]["tomorrow"] == {"x": 1}


def test_what_was_written_about_the_old_pod_is_dropped_and_nothing_beside_it() -> None:
    old = pod("old", labels=dict.fromkeys([*LABELS_OF_THE_OLD_NODE, "app"], "x"))
    mine = {
        "cni.projectcalico.org/ipAddrs": "[]",
        "k8s.v1.cni.cncf.io/networks": "fast",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "vault.hashicorp.com/agent-inject-status": "injected",
    }
    old["metadata"]["annotations"] = {**dict.fromkeys(ANNOTATIONS_OF_THE_OLD_POD, "x"), **mine}
    made = sanitized(old)["metadata"]
    assert (made["labels"], made["annotations"]) == ({"app": "x"}, mine)


def test_a_volume_that_only_looks_like_the_token_is_kept() -> None:
    token = {"name": "kube-api-access-x", "projected": {"sources": []}}
    mine = {"name": "kube-api-access-mine", "configMap": {"name": "c"}}
    assert sanitized(pod("old", volumes=[token, mine]))["spec"]["volumes"] == [mine]


def selected(**more: Any) -> Object:
    return {"labelSelector": {"matchLabels": {"app": "web"}, **more}}


def test_the_keys_that_the_server_merged_into_a_selector_come_out_again() -> None:
    """It refuses a pod that has them in both places, and every live pod has."""
    merged = {"key": "rev", "operator": "In", "values": ["1"]}
    apart = {"key": "zone", "operator": "NotIn", "values": ["z"]}
    own = {"key": "tier", "operator": "Exists"}
    keys = {"matchLabelKeys": ["rev"], "mismatchLabelKeys": ["zone"]}
    live = keys | selected(matchExpressions=[merged, own, apart])
    alone = {"matchLabelKeys": ["rev"]} | selected(matchExpressions=[merged])
    required, preferred = (
        "requiredDuringSchedulingIgnoredDuringExecution",
        "preferredDuringSchedulingIgnoredDuringExecution",
    )
    affinity = {
        "podAffinity": {required: [copy.deepcopy(live)]},
        "podAntiAffinity": {preferred: [{"weight": 1, "podAffinityTerm": copy.deepcopy(live)}]},
    }
    spec = sanitized(pod("old", affinity=affinity, topologySpreadConstraints=[alone]))["spec"]
    wanted = keys | selected(matchExpressions=[own])
    assert spec["affinity"]["podAffinity"][required] == [wanted]
    assert spec["affinity"]["podAntiAffinity"][preferred][0]["podAffinityTerm"] == wanted
    assert spec["topologySpreadConstraints"] == [{"matchLabelKeys": ["rev"]} | selected()]


# ---- refused


def judge(old: Object, folder: Path, **how: Any) -> str:
    """The code of the refusal of a bare pod, or its strategy."""
    api = FakeApi(old)
    options = settings(api.clock, holder(folder), **how)
    order = Order(NS, "old", "b")
    try:
        strategy = choose_strategy(order, old, [], lambda: check_volumes(api, old, options))
        prepare_bare(api, order, options, replace(entry("recreate"), strategy=strategy), old, {})
    except PlacementError as err:
        return err.code
    return strategy


@pytest.mark.parametrize("field", [f for f, fate in SPEC.items() if fate[0] == REFUSED])
def test_a_field_that_is_refused_has_a_code(field: str, tmp_path: Path) -> None:
    code = SPEC[field][1].partition(":")[0]
    spec: Any = {field: [{"name": "x"}]}
    assert judge(pod("old", **spec), tmp_path) == code


@pytest.mark.parametrize("kind", sorted(VOLUMES.keys() - {"persistentVolumeClaim"}))
def test_a_volume_has_the_fate_that_the_table_says(kind: str, tmp_path: Path) -> None:
    fate, why = VOLUMES[kind]
    old = pod("old", volumes=[{"name": "data", kind: {}}])
    assert judge(old, tmp_path) == ("recreate" if fate == KEPT else "LocalData")
    assert judge(old, tmp_path, delete_emptydir_data=True) == "recreate"
    api = FakeApi(old)
    options = settings(api.clock, holder(tmp_path), delete_emptydir_data=True)
    assert (check_volumes(api, old, options) == "one_node") is why.startswith("attaches")


def test_a_pod_that_somebody_debugs_is_left_to_them(tmp_path: Path) -> None:
    old = pod("old", ephemeralContainers=[{"name": "debug"}])
    session = {"name": "debug", "state": {"running": {}}}
    assert judge(old, tmp_path) == "recreate"
    old["status"]["ephemeralContainerStatuses"] = [session]
    assert judge(old, tmp_path) == "DebugSession"
    assert judge(old, tmp_path, force=True) == "recreate"
    session["state"] = {"terminated": {}}
    assert judge(old, tmp_path) == "recreate"


# ---- told


def documented(title: str) -> dict[str, tuple[str, str]]:
    """The rows of one table of the documentation."""
    text = DOC.read_text(encoding="utf-8").partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) ?\|$", text, re.MULTILINE)
    return {field: (fate, why) for field, fate, why in rows}


@pytest.mark.parametrize(
    ("title", "table"), [("spec", SPEC), ("metadata", METADATA), ("Volumes", VOLUMES)]
)
def test_the_documentation_says_the_same(title: str, table: dict[str, tuple[str, str]]) -> None:
    assert documented(title) == table


def test_the_documentation_names_every_annotation_and_label_that_goes() -> None:
    text = DOC.read_text(encoding="utf-8")
    keys = ANNOTATIONS_OF_THE_OLD_POD | LABELS_OF_THE_OLD_NODE
    assert [key for key in sorted(keys) if f"`{key}`" not in text] == []
