# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod that is gone: which controller replaced it, told from names and our record there."""

from __future__ import annotations

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.scheduler_name import PREVIOUS
from ansible_collections.podplacement.core.plugins.module_utils.successors import (
    replaced_by_controller,
)
from tests.unit.fake_api import FakeApi
from tests.unit.scheduler_name.objects import NAMESPACE, Object, controller


def changed(kind: str, name: str, *, recorded: bool = True, owner: bool = False) -> Object:
    ref = {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "name": "x",
        "uid": "u",
        "controller": True,
    }
    metadata = {
        "name": name,
        "uid": name,
        "annotations": {PREVIOUS: "old"} if recorded else {},
        "ownerReferences": [ref] if owner else [],
    }
    return controller(kind, scheduler="new", metadata=metadata)


@pytest.mark.parametrize(
    ("kind", "controller_name", "pod_name"),
    [
        ("ReplicationController", "web", "web-x7k2p"),
        ("ReplicaSet", "web", "web-m0a1b2"),
        ("DaemonSet", "node-agent", "node-agent-x7k2p"),
        ("Deployment", "web", "web-5d9c7b8f6d-x7k2p"),
        ("ReplicaSet", "r" * 70, "r" * 57 + "-x7k2p"),
    ],
)
def test_the_controller_of_a_gone_pod_is_found(
    kind: str, controller_name: str, pod_name: str
) -> None:
    api = FakeApi(changed(kind, controller_name))
    found = replaced_by_controller(api, NAMESPACE, pod_name, "new")
    assert found is not None
    assert (found[0].kind, found[1]["metadata"]["name"]) == (kind, controller_name)


@pytest.mark.parametrize(
    "obj",
    [
        changed("ReplicaSet", "web", recorded=False),
        changed("ReplicaSet", "web", owner=True),
        changed("ReplicaSet", "web-x"),
        changed("StatefulSet", "web"),
    ],
    ids=["not-ours", "under-a-deployment", "another", "keeps-names"],
)
def test_others_are_not_taken_for_it(obj: Object) -> None:
    assert replaced_by_controller(FakeApi(obj), NAMESPACE, "web-x7k2p", "new") is None


def test_another_scheduler_name_proves_nothing() -> None:
    api = FakeApi(changed("ReplicaSet", "web"))
    assert replaced_by_controller(api, NAMESPACE, "web-x7k2p", "other") is None
    assert replaced_by_controller(api, NAMESPACE, "bare", "new") is None
