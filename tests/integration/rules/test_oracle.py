# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules and a real kube-scheduler come to the same verdicts, for the same reasons."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.rules import (
    CODES,
    Rejection,
    View,
    check_fit,
)
from ansible_collections.podplacement.core.plugins.module_utils.rules.fit import NOT_REPEATED
from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube
from tests.integration.rules.oracle import Answer, Oracle
from tests.rules.table import Case, load

pytestmark = pytest.mark.cluster

# Found before any node is looked at (PreFilter), so these win over whatever else is wrong.
FIRST = (
    "NodeAffinityConflict",
    "NodeNotNamedByAffinity",
    "VolumeClaimNotFound",
    "VolumeClaimLost",
    "VolumeClaimDeleting",
    "VolumeUnbound",
)
# A pod with a node is never scheduled, readiness reaches the scheduler as a taint, and a claim
# whose volume is gone is marked as lost too soon to be met in any other state.
BY_OTHERS = ("PodTopologySpread", "InterPodAffinity")  # see test_others.py
NEVER_GIVEN = {"NodeNameMismatch", "NodeNotReady", "VolumeNotFound"}


@pytest.fixture
def cases(cluster: Cluster, namespace: str) -> list[Case]:
    """The cases that this version of kube-scheduler can be asked about."""
    if cluster.provider != "kwok":
        pytest.skip("every case needs a simulated node of its own")
    table = load(node_name=f"{namespace}-{{id}}")
    version = _numbers(cluster.kubernetes)
    return [case for case in table if not case.not_asked and _numbers(case.since) <= version]


@pytest.fixture
def answers(kube: Kube, namespace: str, cases: list[Case]) -> Iterator[dict[str, Answer]]:
    oracle = Oracle(kube, namespace, cases)
    try:
        yield oracle.ask()
    finally:
        oracle.remove()


def test_the_rules_agree_with_kube_scheduler(cases: list[Case], answers: dict[str, Answer]) -> None:
    differences = []
    for case in cases:
        answer = answers[case.id]
        ours = _judge(answer)
        # A case that means something else on the cluster than in the table would prove nothing.
        codes = {rejection.code for rejection in ours}
        same_meaning = set(case.rejected) <= codes and bool(case.rejected) == bool(codes)
        reasons = _decisive_reasons(ours)
        if not same_meaning or (not ours, reasons) != (answer.scheduled, answer.reasons):
            theirs = "fits" if answer.scheduled else answer.message
            differences.append(f"{case.name}: rules: {ours or 'fits'}; kube-scheduler: {theirs}")
    assert not differences, "\n".join(differences)


def test_kube_scheduler_is_asked_about_every_code_that_it_can_give() -> None:
    asked = {code for case in load() if not case.not_asked for code in case.rejected}
    beyond = {c for c, entry in CODES.items() if entry.rule in (*NOT_REPEATED, *BY_OTHERS)}
    assert asked == set(CODES) - NEVER_GIVEN - beyond


def _judge(answer: Answer) -> list[Rejection]:
    return check_fit(answer.pod, View(answer.node, answer.neighbours, answer.claims))


def _decisive_reasons(rejections: list[Rejection]) -> frozenset[str]:
    """kube-scheduler stops at the first plugin that refuses, and reports all that it found."""
    for rejection in rejections:
        if rejection.code in FIRST:
            return frozenset({rejection.reason})
    rules = {CODES[rejection.code].rule for rejection in rejections[:1]}
    return frozenset(r.reason for r in rejections if CODES[r.code].rule in rules)


def _numbers(version: str) -> tuple[int, ...]:
    """1.36 -> (1, 36); v1.36.3 -> (1, 36, 3)."""
    return tuple(int(number) for number in version.lstrip("v").split("."))
