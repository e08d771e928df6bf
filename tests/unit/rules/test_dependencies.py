# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever remembers verdicts can ask what they depend on."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.rules import NodeUsage
from ansible_collections.podplacement.core.plugins.module_utils.rules.affinity import (
    labels_read,
    named_nodes,
)
from ansible_collections.podplacement.core.plugins.module_utils.rules.resources import (
    insufficient_resources,
    insufficient_text,
)
from ansible_collections.podplacement.core.plugins.module_utils.rules.volumes import (
    volume_labels_read,
)

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def term(*labels: str, names: tuple[str, ...] = ()) -> dict[str, Any]:
    fields = [{"key": "metadata.name", "operator": "In", "values": list(names)}] if names else []
    expressions = [{"key": label, "operator": "Exists"} for label in labels]
    return {"matchExpressions": expressions, "matchFields": fields}


def pod(*required: dict[str, Any], prefers: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    preferred = [{"weight": 1, "preference": wish} for wish in prefers]
    affinity = {REQUIRED: {"nodeSelectorTerms": list(required)}, PREFERRED: preferred}
    return {"spec": {"nodeSelector": {"pool": "a"}, "affinity": {"nodeAffinity": affinity}}}


def test_an_affinity_reads_the_labels_of_all_its_terms() -> None:
    asked = pod(term("zone"), term("disk", "cpu"), prefers=(term("rack"),))
    assert labels_read(asked) == ({"pool", "zone", "disk", "cpu", "rack"}, False)
    assert labels_read({"spec": {}}) == (frozenset(), False)


@pytest.mark.parametrize("wish", [False, True])
def test_an_affinity_may_ask_for_the_name_too(wish: bool) -> None:
    named = term(names=("n1",))
    asked = pod(prefers=(named,)) if wish else pod(named)
    assert labels_read(asked) == ({"pool"}, True)


@pytest.mark.parametrize(
    ("terms", "names"),
    [
        ([], None),
        ([term("zone")], None),
        ([term(names=("n1",)), term("zone")], None),
        ([term(names=("n1",)), term("zone", names=("n2", "n3"))], {"n1", "n2", "n3"}),
        ([term(names=("n1",))], {"n1"}),
    ],
)
def test_the_nodes_that_every_term_names(terms: list[Any], names: set[str] | None) -> None:
    assert named_nodes(pod(*terms)) == names


def test_a_volume_reads_the_labels_of_its_affinity() -> None:
    required = {"nodeSelectorTerms": [term("zone"), term("disk")]}
    assert volume_labels_read({"spec": {"nodeAffinity": {"required": required}}}) == {
        "zone",
        "disk",
    }
    assert volume_labels_read({"spec": {}}) == frozenset()


def test_a_resource_that_somebody_else_looks_after_is_never_too_little() -> None:
    requests = {"cpu": "1", "example.com/gpu": "1"}
    asking = {"spec": {"containers": [{"resources": {"requests": requests}}]}}
    node = {"status": {"allocatable": {"pods": "1"}}}
    found = insufficient_resources(asking, node, NodeUsage(), ignores="example.com/gpu".__eq__)
    assert [rejection.reason for rejection in found] == [insufficient_text("cpu")]
    assert insufficient_text("example.com/gpu") == "Insufficient example.com/gpu"
