# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Some volumes serve one pod at a time."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.rules.exclusive import (
    claim_in_use,
    disk_conflict,
    exclusive_claims,
    has_exclusive_disks,
)


def pod(name: str, *volumes: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": name}, "spec": {"volumes": list(volumes)}}


def mount(claim: str) -> dict[str, Any]:
    return {"name": claim, "persistentVolumeClaim": {"claimName": claim}}


def claim(mode: str) -> tuple[dict[str, Any], None]:
    return {"spec": {"accessModes": [mode]}}, None


KNOWN = {"one": claim("ReadWriteOncePod"), "many": claim("ReadWriteMany"), "gone": None}


@pytest.mark.parametrize(
    ("name", "users", "refused"),
    [
        ("one", [], False),
        ("one", ["other"], True),
        ("one", ["pod"], False),  # the pod itself, assumed
        ("many", ["other"], False),
        ("gone", ["other"], False),
    ],
)
def test_a_claim_for_one_pod_has_one_user(name: str, users: list[str], refused: bool) -> None:
    found = claim_in_use(pod("pod", mount(name)), KNOWN, lambda claim: users)
    assert (found is not None) is refused
    if found is not None:
        assert found.reason == (
            "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode "
            "already in-use by another pod"
        )
        assert found.resolvable


def test_only_claims_with_that_mode_are_exclusive() -> None:
    mounts = [mount("one"), mount("many"), mount("unknown"), {"emptyDir": {}}]
    assert exclusive_claims(pod("pod", *mounts), KNOWN) == ["one"]


def gce(name: str, *, read_only: bool = False) -> dict[str, Any]:
    return {"name": "d", "gcePersistentDisk": {"pdName": name, "readOnly": read_only}}


def rbd(image: str, *monitors: str, read_only: bool = False) -> dict[str, Any]:
    source = {"image": image, "pool": "rbd", "monitors": monitors, "readOnly": read_only}
    return {"name": "d", "rbd": source}


def iscsi(iqn: str, *, read_only: bool = False) -> dict[str, Any]:
    return {"name": "d", "iscsi": {"iqn": iqn, "readOnly": read_only}}


def ebs(volume: str) -> dict[str, Any]:
    return {"name": "d", "awsElasticBlockStore": {"volumeID": volume, "readOnly": True}}


@pytest.mark.parametrize(
    ("mine", "theirs", "refused"),
    [
        (gce("a"), gce("a"), True),
        (gce("a"), gce("b"), False),
        (gce("a", read_only=True), gce("a"), True),
        (gce("a", read_only=True), gce("a", read_only=True), False),
        (ebs("a"), ebs("a"), True),  # even to read
        (ebs("a"), ebs("b"), False),
        (iscsi("q"), iscsi("q"), True),
        (iscsi("q", read_only=True), iscsi("q", read_only=True), False),
        (rbd("i", "m1", "m2"), rbd("i", "m2", "m3"), True),
        (rbd("i", "m1"), rbd("i", "m2"), False),
        (rbd("i", "m1"), rbd("j", "m1"), False),
        (rbd("i", "m1", read_only=True), rbd("i", "m1", read_only=True), False),
        (gce("a"), ebs("a"), False),
        ({"name": "d", "emptyDir": {}}, gce("a"), False),
    ],
)
def test_a_disk_that_two_pods_name(
    mine: dict[str, Any], theirs: dict[str, Any], refused: bool
) -> None:
    found = disk_conflict(pod("mine", mine), [pod("theirs", theirs)])
    assert (found is not None) is refused
    assert found is None or found.reason == "node(s) had no available disk"


def test_a_pod_is_no_neighbour_of_its_own() -> None:
    assert disk_conflict(pod("mine", gce("a")), [pod("mine", gce("a"))]) is None


def test_which_pods_name_disks_themselves() -> None:
    assert has_exclusive_disks(pod("a", mount("one"), gce("a")))
    assert not has_exclusive_disks(pod("a", mount("one"), {"emptyDir": {}}))
