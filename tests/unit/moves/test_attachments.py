# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes that one node or one pod has to itself, and what a replacement makes of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    Forbidden,
    PlacementError,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.attachments import (
    Attachments,
    exclusive_claims,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.order import Order
from ansible_collections.podplacement.core.plugins.module_utils.moves.replace import (
    Replace,
    prepare_replace,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.scene import WAIT, Step
from ansible_collections.podplacement.core.plugins.module_utils.resources import VOLUME_ATTACHMENT
from tests.unit.fake_api import FakeApi
from tests.unit.moves.adopt_stage import Stage, new, other
from tests.unit.moves.objects import NS, Object, entry, holder, pod, settings

VOLUMES = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
CSI: Object = {"csi": {"driver": "d", "volumeHandle": "h"}}
ENTRY = replace(entry(), strategy="replace", way="one_node")


def claim(mode: str, name: str = "data") -> Object:
    return {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": NS},
        "spec": {"accessModes": [mode], "volumeName": "pv"},
    }


def volume(**source: Any) -> Object:
    return {"kind": "PersistentVolume", "metadata": {"name": "pv"}, "spec": source or CSI}


def attached(node: str, name: str = "pv") -> Object:
    source = {"persistentVolumeName": name}
    return {
        "kind": "VolumeAttachment",
        "metadata": {"name": f"{name}-{node}"},
        "spec": {"nodeName": node, "source": source},
    }


def user(name: str = "old", **more: Any) -> Object:
    return pod(name, volumes=VOLUMES, **more)


@pytest.mark.parametrize(
    ("mode", "found"),
    [
        ("ReadWriteOnce", {"data": "one_node"}),
        ("ReadWriteOncePod", {"data": "one_pod"}),
        ("ReadWriteMany", {}),
        ("ReadOnlyMany", {}),
    ],
)
def test_claims_of_one_node_or_one_pod_are_exclusive(mode: str, found: dict[str, str]) -> None:
    assert exclusive_claims(FakeApi(claim(mode)), user()) == found


@pytest.mark.parametrize(
    ("objects", "held"),
    [
        ([volume(), attached("a")], ["pv"]),
        ([volume(), attached("b")], []),
        ([volume(), attached("a", "another")], []),
        ([volume(hostPath={"path": "/data"}), attached("a")], []),
        ([volume(), {**attached("a"), "spec": {"nodeName": "a", "source": {}}}], []),
        ([attached("a")], []),
    ],
    ids=["attached", "elsewhere", "another", "never attached", "inline", "no volume"],
)
def test_what_a_node_still_holds(objects: list[Object], held: list[str]) -> None:
    api = FakeApi(claim("ReadWriteOnce"), *objects)
    assert Attachments(api, "a").held(user()) == held


def test_who_may_not_see_attachments_is_told_once_and_not_kept_waiting() -> None:
    api = FakeApi(claim("ReadWriteOnce"), volume(), attached("a"))
    api.before("list", "volumeattachments", Forbidden(403, "Forbidden", "no"))
    found = Attachments(api, "a")
    assert found.held(user()) == found.held(user()) == []
    assert found.blind


def stage(folder: Path, *objects: Object, **how: Any) -> Stage:
    """R adopted and Ready, with the claim; O gone."""
    heir = new(adopted=True, volumes=VOLUMES)
    given = (claim("ReadWriteOnce"), volume(), attached("a"), heir, other(), *objects)
    return Stage(folder, *given, kind=Replace, moved=ENTRY, **how)


def test_a_move_ends_when_the_old_node_has_let_go(tmp_path: Path) -> None:
    found = stage(tmp_path)
    step = found.step()
    assert (step.verb, step.kind) == (WAIT, VOLUME_ATTACHMENT)
    assert "node a still has volume pv attached" in step.why
    found.api.remove(VOLUME_ATTACHMENT, "pv-a")
    assert found.step() == Step("finalize")
    assert found.machine.warnings == []


def test_at_the_deadline_it_ends_with_a_warning(tmp_path: Path) -> None:
    found = stage(tmp_path, seconds=0)
    assert found.step() == Step("finalize")
    assert "still has volume pv attached" in found.machine.warnings[0]


def test_a_replacement_that_waits_for_its_volume_says_so(tmp_path: Path) -> None:
    waiting = new(adopted=True, volumes=VOLUMES, phase="Pending", ready=False)
    objects = (claim("ReadWriteOnce"), volume(), attached("a"), waiting, other())
    found = Stage(tmp_path, *objects, kind=Replace, moved=ENTRY, seconds=0)
    assert (found.step().verb, found.step().code) == ("finalize", "VolumeStillAttached")


def prepared(folder: Path, mode: str, *others: Object, placement: str = "schedule") -> str:
    """The journal's `way`, or the code of the refusal."""
    api = FakeApi(claim(mode), user(), *others)
    moved = replace(ENTRY, placement=placement, way="")
    options = settings(api.clock, holder(folder))
    try:
        return prepare_replace(api, Order(NS, "old", "b"), options, moved, user(), {}).way
    except PlacementError as err:
        return err.code


@pytest.mark.parametrize(
    ("others", "answer"),
    [
        ([], "one_node"),
        ([user("x", on="b")], "one_node"),
        ([user("x", on="a")], "VolumeInUse"),
        ([user("x", on="c")], "VolumeInUse"),
        ([user("x", on="c", terminating=True)], "one_node"),
        ([user("x", on="c", phase="Succeeded")], "one_node"),
        ([user("x", on="")], "one_node"),
        ([pod("x", on="c")], "one_node"),
    ],
)
def test_a_volume_goes_only_where_all_its_pods_are(
    others: list[Object], answer: str, tmp_path: Path
) -> None:
    assert prepared(tmp_path, "ReadWriteOnce", *others) == answer


def test_a_volume_of_one_pod_needs_the_scheduler(tmp_path: Path) -> None:
    assert prepared(tmp_path, "ReadWriteOncePod") == "one_pod"
    assert prepared(tmp_path, "ReadWriteOncePod", placement="bind") == "VolumeOnePod"
    assert prepared(tmp_path, "ReadWriteMany", user("x", on="c")) == "one_node"
