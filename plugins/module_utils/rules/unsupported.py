# Copyright (c) 2026 podplacement contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a pod asks for and the scheduler daemon does not judge yet: such a pod is refused, in words.

To place it as if it had not asked would break a promise of its owner without a word.
"""

from __future__ import annotations

from .model import Field, Object, pod_field
from .pod_state import has_resource_claims

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def unsupported_features(pod: Object, *, ignore_preferred: bool = False) -> list[str]:
    """Each feature as its field, for a sentence such as "the pod uses X".

    `ignore_preferred` leaves out those that are wishes: they may be placed without.
    """
    spec = pod_field(pod)["spec"]
    found = [*_affinity(spec, _REQUIRED), *_spread(spec, "DoNotSchedule")]
    if not ignore_preferred:
        found += [*_affinity(spec, _PREFERRED), *_spread(spec, "ScheduleAnyway")]
    if has_resource_claims(pod):
        found.append("spec.resourceClaims (dynamic resource allocation)")
    for group in ("schedulingGroup", "workloadRef"):
        if spec[group].exists:
            found.append(f"spec.{group} (gang scheduling)")
    return found + _declared_features(spec)


def _affinity(spec: Field, strength: str) -> list[str]:
    return [
        f"spec.affinity.{kind}.{strength}"
        for kind in ("podAffinity", "podAntiAffinity")
        if any(True for dummy in spec["affinity"][kind][strength].elements())
    ]


def _spread(spec: Field, action: str) -> list[str]:
    constraints = spec["topologySpreadConstraints"].elements()
    wanted = any(constraint["whenUnsatisfiable"].text() == action for constraint in constraints)
    return [f"spec.topologySpreadConstraints ({action})"] if wanted else []


def _declared_features(spec: Field) -> list[str]:
    """What only a node that declares the feature can run (NodeDeclaredFeatures, on since 1.36;
    the pods that need one: k8s.io/component-helpers/nodedeclaredfeatures)."""
    found = []
    containers = [*spec["containers"].elements(), *spec["initContainers"].elements()]
    rules = [
        rule for container in containers for rule in container["restartPolicyRules"].elements()
    ]
    if any(rule["action"].text() == "RestartAllContainers" for rule in rules):
        found.append("restartPolicyRules with RestartAllContainers")
    if spec["hostNetwork"].flag() and spec["hostUsers"].value is False:
        found.append("hostNetwork in a user namespace (hostUsers: false)")
    return found
