# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the scheduler daemon does not judge yet has a name, so that it can be refused."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.rules.unsupported import (
    unsupported_features,
)

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
RESTART_ALL = [{"action": "RestartAllContainers"}]


@pytest.mark.parametrize(
    ("spec", "features"),
    [
        (
            {"affinity": {"podAffinity": {REQUIRED: [{}]}}},
            [f"spec.affinity.podAffinity.{REQUIRED}"],
        ),
        (
            {"affinity": {"podAntiAffinity": {REQUIRED: [{}]}}},
            [f"spec.affinity.podAntiAffinity.{REQUIRED}"],
        ),
        (
            {"topologySpreadConstraints": [{"whenUnsatisfiable": "DoNotSchedule"}]},
            ["spec.topologySpreadConstraints (DoNotSchedule)"],
        ),
        ({"resourceClaims": [{}]}, ["spec.resourceClaims (dynamic resource allocation)"]),
        ({"schedulingGroup": {}}, ["spec.schedulingGroup (gang scheduling)"]),
        ({"workloadRef": {}}, ["spec.workloadRef (gang scheduling)"]),
        (
            {"containers": [{"restartPolicyRules": RESTART_ALL}]},
            ["restartPolicyRules with RestartAllContainers"],
        ),
        (
            {"hostNetwork": True, "hostUsers": False},
            ["hostNetwork in a user namespace (hostUsers: false)"],
        ),
        ({"hostNetwork": True}, []),
        ({"hostUsers": False}, []),
        ({"affinity": {"nodeAffinity": {REQUIRED: {}}, "podAffinity": {REQUIRED: []}}}, []),
        ({}, []),
    ],
)
def test_a_demand_is_never_left_out(spec: dict[str, Any], features: list[str]) -> None:
    for ignore in (False, True):
        assert unsupported_features({"spec": spec}, ignore_preferred=ignore) == features


@pytest.mark.parametrize(
    ("spec", "feature"),
    [
        (
            {"affinity": {"podAffinity": {PREFERRED: [{}]}}},
            f"spec.affinity.podAffinity.{PREFERRED}",
        ),
        (
            {"affinity": {"podAntiAffinity": {PREFERRED: [{}]}}},
            f"spec.affinity.podAntiAffinity.{PREFERRED}",
        ),
        (
            {"topologySpreadConstraints": [{"whenUnsatisfiable": "ScheduleAnyway"}]},
            "spec.topologySpreadConstraints (ScheduleAnyway)",
        ),
    ],
)
def test_a_wish_can_be_left_out(spec: dict[str, Any], feature: str) -> None:
    assert unsupported_features({"spec": spec}) == [feature]
    assert unsupported_features({"spec": spec}, ignore_preferred=True) == []
