# Copyright (c) 2026 podplacement contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Some volumes serve one pod at a time: ReadWriteOncePod claims, and disks named in the pod itself.

VolumeRestrictions: plugins/volumerestrictions/volume_restrictions.go.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Callable

from .model import Field, Object, identity_of, pod_field
from .rejection import Rejection, reject
from .volumes import Volumes


def exclusive_claims(pod: Object, volumes: Volumes) -> list[str]:
    """The pod's claims with the access mode ReadWriteOncePod; ephemeral ones are its own anyway."""
    names = [
        volume["persistentVolumeClaim"]["claimName"].text()
        for volume in pod_field(pod)["spec"]["volumes"].elements()
        if volume["persistentVolumeClaim"].exists
    ]
    return [name for name in names if _is_exclusive(volumes, name)]


def _is_exclusive(volumes: Volumes, name: str) -> bool:
    known = volumes.get(name)
    if known is None:
        return False
    modes = Field(known[0], "PersistentVolumeClaim")["spec"]["accessModes"]
    return "ReadWriteOncePod" in modes.texts()


def claim_in_use(
    pod: Object, volumes: Volumes, users: Callable[[str], Collection[str]]
) -> Rejection | None:
    """`users` names the pods on nodes (by uid) that mount a claim of the pod's namespace."""
    myself = identity_of(pod_field(pod))
    for name in exclusive_claims(pod, volumes):
        if any(user != myself for user in users(name)):
            return reject("ClaimInUse", f"claim {name} is for one pod, and another pod uses it")
    return None


def has_exclusive_disks(pod: Object) -> bool:
    """The pod names disks in its own spec that may conflict with those of its neighbours."""
    return any(
        volume[kind].exists
        for volume in pod_field(pod)["spec"]["volumes"].elements()
        for kind in _CONFLICTS
    )


def disk_conflict(pod: Object, pods_on_node: Iterable[Object]) -> Rejection | None:
    """A disk that both pods name, unless both only read it (of an EBS volume: in any case)."""
    mine = list(pod_field(pod)["spec"]["volumes"].elements())
    myself = identity_of(pod_field(pod))
    for other in pods_on_node:
        field = pod_field(other)
        if identity_of(field) == myself:
            continue
        for volume in field["spec"]["volumes"].elements():
            if any(_conflict(volume, wanted) for wanted in mine):
                return reject("DiskConflict", f"volume {volume['name'].text()} of a pod there")
    return None


def _conflict(one: Field, two: Field) -> bool:
    return any(
        one[kind].exists and two[kind].exists and collide(one[kind], two[kind])
        for kind, collide in _CONFLICTS.items()
    )


def _both_read(one: Field, two: Field) -> bool:
    return one["readOnly"].flag() and two["readOnly"].flag()


def _same(one: Field, two: Field, *keys: str) -> bool:
    return all(one[key].text() == two[key].text() for key in keys)


def _rbd_conflict(one: Field, two: Field) -> bool:
    # The API server fills the pool in: "rbd".
    shared = set(one["monitors"].texts()) & set(two["monitors"].texts())
    return bool(shared) and _same(one, two, "pool", "image") and not _both_read(one, two)


_CONFLICTS: dict[str, Callable[[Field, Field], bool]] = {
    "awsElasticBlockStore": lambda one, two: _same(one, two, "volumeID"),
    "gcePersistentDisk": lambda one, two: _same(one, two, "pdName") and not _both_read(one, two),
    "iscsi": lambda one, two: _same(one, two, "iqn") and not _both_read(one, two),
    "rbd": _rbd_conflict,
}
