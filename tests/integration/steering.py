# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The static steering policy of role placement_policies, for one namespace of a test.

The API server ends the watch on ConfigMaps for good when for a second no policy needs it, and later
policies see stale ones (kubernetes/kubernetes#130887). Tests that share a cluster come and go, so
an idle policy stays to keep the watch alive.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.cluster.kube import ApiError, Kube, Object

ROLE = Path(__file__).resolve().parents[2] / "roles" / "placement_policies"
API = "admissionregistration.k8s.io/v1"
POLICY, BINDING = "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"
LABELS = {"podplacement.io/steer": "true"}
KEEPER = "keeps-the-watch-on-configmaps"
# Everything of a move that is not of a namespace.
CLUSTER_WIDE = (
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    POLICY,
    BINDING,
)


@contextmanager
def steering_policy(kube: Kube, namespace: str) -> Iterator[None]:
    """The policy, in effect for this namespace only."""
    _install(kube, KEEPER, "no-such-namespace", {})
    _install(kube, namespace, namespace, LABELS)
    try:
        yield
    finally:
        for kind in (BINDING, POLICY):
            kube.delete(kind, namespace)


def _install(kube: Kube, name: str, namespace: str, labels: dict[str, str]) -> None:
    spec = yaml.safe_load((ROLE / "files" / "steering.yml").read_text(encoding="utf-8"))
    bound = {
        "policyName": name,
        "paramRef": {"selector": {"matchLabels": LABELS}, "parameterNotFoundAction": "Allow"},
        "matchResources": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
        },
    }
    for kind, body in ((POLICY, spec), (BINDING, bound)):
        metadata = {"name": name, "labels": labels}
        try:
            kube.create({"apiVersion": API, "kind": kind, "metadata": metadata, "spec": body})
        except ApiError as error:
            if error.code != 409:
                raise


def left_of_moves(kube: Kube, namespace: str) -> list[str]:
    """Policies of moves in this namespace that are still there, and their ConfigMaps."""
    marked = [(k, o) for k in CLUSTER_WIDE for o in kube.list(k, selector="podplacement.io/move")]
    found = [(k, o) for k, o in marked if _lease(o).startswith(namespace + "/")]
    found += [
        ("ConfigMap", o) for o in kube.list("ConfigMap", namespace, selector="podplacement.io/move")
    ]
    return [f"{kind} {item['metadata']['name']}" for kind, item in found]


def _lease(policy: Object) -> str:
    return str(policy["metadata"].get("annotations", {}).get("podplacement.io/lease", ""))
