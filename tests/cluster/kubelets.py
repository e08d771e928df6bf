# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated kubelets' own name, and what it may not do.

A real kubelet ends a pod by name and uid (pkg/kubelet/status/status_manager.go, syncPod). KWOK ends
it by name alone, so a job of its that is late would take the next pod of that name, which nobody
asked it to. Under a name of their own the API server can refuse them that, and only them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.cluster.kube import Kube, Object

USER = "simulated-kubelets"
NAME = "podplacement-test-kubelets"
ADMISSION = "admissionregistration.k8s.io/v1"


def kubeconfig(pki: Path, port: int) -> dict[str, Any]:
    """The cluster's administrator under the kubelets' name; `pki` holds kwokctl's certificates."""
    server = {
        "server": f"https://127.0.0.1:{port}",
        "certificate-authority": str(pki / "ca.crt"),
    }
    user = {
        "client-certificate": str(pki / "admin.crt"),
        "client-key": str(pki / "admin.key"),
        "as": USER,
        "as-groups": ["system:masters"],
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": USER,
        "clusters": [{"name": USER, "cluster": server}],
        "users": [{"name": USER, "user": user}],
        "contexts": [{"name": USER, "context": {"cluster": USER, "user": USER}}],
    }


def guard(kube: Kube) -> None:
    """Let the API server refuse that they end a pod which is not being deleted."""
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
    policy: Object = {
        "matchConstraints": {"resourceRules": [pods | {"operations": ["DELETE"]}]},
        "matchConditions": [
            {"name": "by-kubelets", "expression": f"request.userInfo.username == '{USER}'"}
        ],
        "validations": [
            {
                "expression": "has(oldObject.metadata.deletionTimestamp)",
                "message": "this pod is not the one that was to end",
            }
        ],
    }
    binding: Object = {"policyName": NAME, "validationActions": ["Deny"]}
    for kind, spec in (
        ("ValidatingAdmissionPolicy", policy),
        ("ValidatingAdmissionPolicyBinding", binding),
    ):
        kube.create(
            {"apiVersion": ADMISSION, "kind": kind, "metadata": {"name": NAME}, "spec": spec}
        )
