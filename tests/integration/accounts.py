# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users with exactly the rights that a test says, each with a token and a kubeconfig of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.kube import Kube

Call = tuple[str, str, str]  # verb, API group, resource or resource/subresource


@dataclass(frozen=True)
class Account:
    """A service account; good for `cluster` of `run_module`."""

    name: str
    token: str
    kubeconfig: Path


@contextmanager
def account(kube: Kube, namespace: str, folder: Path, calls: Collection[Call]) -> Iterator[Account]:
    """A service account that may make these calls in the whole cluster, and no others."""
    name = f"{namespace}-user"
    rules = [{"verbs": [v], "apiGroups": [g], "resources": [r]} for v, g, r in calls]
    rbac = "rbac.authorization.k8s.io"
    kube.create(
        {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "user"}}, namespace
    )
    role: dict[str, Any] = {"kind": "ClusterRole", "apiVersion": f"{rbac}/v1"}
    kube.create(role | {"metadata": {"name": name}, "rules": rules})
    binding: dict[str, Any] = {"kind": "ClusterRoleBinding", "apiVersion": f"{rbac}/v1"}
    subject = {"kind": "ServiceAccount", "namespace": namespace, "name": "user"}
    binding |= {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": name},
        "subjects": [subject],
    }
    kube.create(binding)
    path = f"api/v1/namespaces/{namespace}/serviceaccounts/user/token"
    token = kube.request("POST", path, {"spec": {"expirationSeconds": 3600}})["status"]["token"]
    kubeconfig = folder / f"{name}.kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(with_token(kube.kubeconfig, token)), encoding="utf-8")
    try:
        yield Account(f"system:serviceaccount:{namespace}:user", token, kubeconfig)
    finally:
        kube.delete("ClusterRoleBinding", name)
        kube.delete("ClusterRole", name)


def with_token(kubeconfig: Path, token: str) -> dict[str, Any]:
    """The kubeconfig with a bearer token in the place of its user's credentials."""
    config: dict[str, Any] = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    return config
