# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node attaches only so many volumes of a driver, and counts each volume once."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.rules.attach import (
    attach_limits,
    attachable,
    attachable_volume,
    too_many_volumes,
)

Known = dict[str, tuple[dict[str, Any], dict[str, Any] | None] | None]


def pod(*claims: str, **inline: Any) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = [{"persistentVolumeClaim": {"claimName": c}} for c in claims]
    return {
        "metadata": {"name": "pod"},
        "spec": {"volumes": volumes + ([inline] if inline else [])},
    }


def csi(handle: str, driver: str = "disks") -> dict[str, Any]:
    return {"spec": {"csi": {"driver": driver, "volumeHandle": handle}}}


def csi_node(**limits: int) -> dict[str, Any]:
    drivers: list[dict[str, Any]] = [
        {"name": name, "allocatable": {"count": count}} for name, count in limits.items()
    ]
    return {"spec": {"drivers": [*drivers, {"name": "boundless"}]}}


def claims(**volumes: dict[str, Any] | None) -> Known:
    return {name: ({}, volume) for name, volume in volumes.items()}


@pytest.mark.parametrize(
    ("attached", "refused"),
    [
        ({}, False),
        ({"disks/x": "disks"}, True),
        ({"disks/a": "disks"}, False),  # the pod's own volume is there already
        ({"disks/a": "disks", "disks/b": "disks"}, False),
        ({"others/x": "others"}, False),
    ],
)
def test_new_volumes_and_attached_ones_together_must_not_pass_the_limit(
    attached: dict[str, str], refused: bool
) -> None:
    known = claims(a=csi("a"), b=csi("b"))
    found = too_many_volumes(pod("a", "b"), known, csi_node(disks=2), attached)
    assert (found is not None) is refused
    if found is not None:
        assert found.reason == "node(s) exceed max volume count"
        assert found.detail == "volumes of disks: 2 more, 1 attached, 2 allowed"
        assert found.resolvable


def test_two_claims_of_one_volume_count_once() -> None:
    known = claims(a=csi("same"), b=csi("same"))
    assert too_many_volumes(pod("a", "b"), known, csi_node(disks=1), {}) is None


def test_a_node_or_a_driver_without_a_limit_takes_any_number() -> None:
    known = claims(a=csi("a", "boundless"))
    assert too_many_volumes(pod("a"), known, csi_node(disks=0), {}) is None
    assert too_many_volumes(pod("a"), known, None, {}) is None
    assert attach_limits(csi_node(disks=3)) == {"disks": 3}


def test_a_claim_without_a_volume_counts_nothing() -> None:
    known: Known = {"a": ({}, None), "b": None}
    assert attachable(pod("a", "b", "unknown"), known) == {}


def test_volumes_of_migrated_kinds_are_those_of_their_driver() -> None:
    disk = {"awsElasticBlockStore": {"volumeID": "aws://eu-1a/vol-7"}}
    assert attachable_volume({"spec": disk}) == {"ebs.csi.aws.com/vol-7": "ebs.csi.aws.com"}
    assert attachable(pod(**disk), {}) == {"ebs.csi.aws.com/vol-7": "ebs.csi.aws.com"}
    assert attachable(pod(**disk), {}, has_csi_node=False) == {}
    assert attachable_volume({"spec": {"nfs": {"server": "x"}}}) == {}
