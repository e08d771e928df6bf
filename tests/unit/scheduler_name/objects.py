# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small controllers and pods for the tests of scheduler names."""

from __future__ import annotations

from typing import Any

from ansible_collections.podplacement.core.plugins.module_utils.clock import Deadline
from ansible_collections.podplacement.core.plugins.module_utils.moves.holder import Holder
from ansible_collections.podplacement.core.plugins.module_utils.moves.order import Settings
from tests.unit.fake_api import FakeApi

Object = dict[str, Any]
NAMESPACE = "shop"


def controller(kind: str, *, scheduler: str | None = None, **parts: Any) -> Object:
    """A controller `web`; `metadata`, `status` and fields of its spec are as given."""
    template = {"spec": {"schedulerName": scheduler} if scheduler else {}}
    spec: Object = {"template": template, "selector": {"matchLabels": {"app": "web"}}}
    if kind == "CronJob":
        spec = {"jobTemplate": {"spec": {"template": template}}}
    metadata = {
        "name": "web",
        "namespace": NAMESPACE,
        "uid": "web-uid",
        **parts.pop("metadata", {}),
    }
    status = parts.pop("status", {})
    return {"kind": kind, "metadata": metadata, "spec": {**spec, **parts}, "status": status}


def pod(name: str, scheduler: str = "old", *, owner: str = "web-uid", **metadata: Any) -> Object:
    """A pod of the controller `web`."""
    ref = {"kind": "ReplicaSet", "apiVersion": "apps/v1", "name": "web", "uid": owner}
    return {
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": name,
            "labels": {"app": "web"},
            "ownerReferences": [{**ref, "controller": True}],
            **metadata,
        },
        "spec": {"schedulerName": scheduler},
        "status": {"phase": "Pending"},
    }


def settings(api: FakeApi, seconds: float = 60.0, **more: Any) -> Settings:
    """The settings of a task on the fake server's virtual clock."""
    return Settings(clock=api.clock, deadline=Deadline(api.clock, seconds), holder=Holder(), **more)
