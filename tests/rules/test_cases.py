# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every case of the table comes out as its row says, and no code is without a case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.rules import (
    CODES,
    RULES,
    Rejection,
    View,
    check_fit,
    node_not_ready,
)
from ansible_collections.podplacement.core.plugins.module_utils.rules.cluster import Cluster
from ansible_collections.podplacement.core.plugins.module_utils.rules.fit import NOT_REPEATED
from ansible_collections.podplacement.core.plugins.module_utils.rules.pod_affinity import (
    PodAffinity,
)
from ansible_collections.podplacement.core.plugins.module_utils.rules.spread import Spread
from tests.rules.table import Case, load

TABLE = list(load())
# These need more than a View: see tests/unit/rules/test_attach.py and test_exclusive.py.
BEYOND_A_VIEW = {code for code, entry in CODES.items() if entry.rule in NOT_REPEATED}
each_case = pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in TABLE])


def view_of(case: Case) -> View:
    """The node, and those that judge the pod by others, wherever these are."""
    here = View(node=case.node, pods_on_node=case.neighbours, volumes=case.claims)
    cluster = cluster_of(case)
    spread, affinity = Spread(case.pod, cluster), PodAffinity(case.pod, cluster)
    return replace(here, spread=spread, affinity=affinity)


def cluster_of(case: Case) -> Cluster:
    """All nodes of the case, and all pods."""
    nodes = [case.node, *(node for node, dummy in case.elsewhere)]
    pods = [*case.neighbours, *(pod for dummy, found in case.elsewhere for pod in found)]
    return Cluster({node["metadata"]["name"]: node for node in nodes}, pods, case.namespaces)


def judge(case: Case) -> list[Rejection]:
    """What a preflight asks: is the node ready, and does the pod fit it?"""
    not_ready = node_not_ready(case.node)
    return ([] if not_ready is None else [not_ready]) + check_fit(case.pod, view_of(case))


@each_case
def test_the_codes_are_those_of_the_row(case: Case) -> None:
    assert [rejection.code for rejection in judge(case)] == list(case.rejected)


@each_case
def test_the_texts_are_those_of_the_row(case: Case) -> None:
    rejections = judge(case)
    if case.details:
        assert [rejection.detail for rejection in rejections] == list(case.details)
    if case.reasons:
        assert [rejection.reason for rejection in rejections] == list(case.reasons)


@each_case
def test_only_what_removing_pods_can_help_is_resolvable(case: Case) -> None:
    for rejection in judge(case):
        hopeless = rejection.code in case.unresolvable
        assert rejection.resolvable is (CODES[rejection.code].resolvable and not hopeless)


@each_case
def test_stopping_at_the_first_rule_reports_all_that_this_rule_found(case: Case) -> None:
    everything = check_fit(case.pod, view_of(case))
    first = check_fit(case.pod, view_of(case), stop_at_first=True)
    rules = {CODES[rejection.code].rule for rejection in everything[:1]}
    assert first == [r for r in everything if CODES[r.code].rule in rules]


@each_case
def test_skipping_a_rule_leaves_out_its_rejections_only(case: Case) -> None:
    everything = check_fit(case.pod, view_of(case))
    for name, _dummy in RULES:
        rest = check_fit(case.pod, view_of(case), skip=frozenset({name}))
        assert rest == [r for r in everything if CODES[r.code].rule != name]


def test_every_code_appears_in_some_case() -> None:
    assert {code for case in TABLE for code in case.rejected} == set(CODES) - BEYOND_A_VIEW


def test_every_code_belongs_to_a_rule() -> None:
    rules = {entry.rule for entry in CODES.values()} - set(NOT_REPEATED)
    assert rules == {name for name, dummy in RULES} | {"NodeReady"}


def test_the_names_of_the_cases_are_unique() -> None:
    names = [case.name for case in TABLE]
    assert sorted(set(names)) == sorted(names)
