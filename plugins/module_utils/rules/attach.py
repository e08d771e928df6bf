# Copyright (c) 2026 podplacement contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A node attaches only so many volumes of a driver: what its CSINode says, every volume once.

NodeVolumeLimits: pkg/scheduler/framework/plugins/nodevolumelimits/csi.go, as of 1.36. A claim that
is not bound counts nothing here: VolumeBinding refuses it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from .model import Field, Object, pod_field
from .rejection import Rejection, reject
from .volumes import Volumes, claim_names

# Volumes of the kinds that once were part of Kubernetes itself are attached by these drivers
# (k8s.io/csi-translation-lib; isCSIMigrationOn): kind of volume -> driver, field with its identity.
_MIGRATED = {
    "awsElasticBlockStore": ("ebs.csi.aws.com", "volumeID"),
    "azureDisk": ("disk.csi.azure.com", "diskURI"),
    "cinder": ("cinder.csi.openstack.org", "volumeID"),
    "gcePersistentDisk": ("pd.csi.storage.gke.io", "pdName"),
    "portworxVolume": ("pxd.portworx.com", "volumeID"),
}


def attachable(pod: Object, volumes: Volumes, *, has_csi_node: bool = True) -> dict[str, str]:
    """The volumes that a node attaches for the pod: `driver/handle` -> driver.

    A volume of a migrated kind counts only on a node that has a CSINode.
    """
    found: dict[str, str] = {}
    for name in claim_names(pod):
        known = volumes.get(name)
        if known is not None and known[1] is not None:
            found.update(attachable_volume(known[1], has_csi_node=has_csi_node))
    for inline in pod_field(pod)["spec"]["volumes"].elements():
        if has_csi_node:
            found.update(_migrated(inline))
    return found


def attachable_volume(volume: Object, *, has_csi_node: bool = True) -> dict[str, str]:
    """The same for one PersistentVolume: one entry, or none."""
    spec = Field(volume, "PersistentVolume")["spec"]
    driver, handle = spec["csi"]["driver"].text(), spec["csi"]["volumeHandle"].text()
    if driver and handle:
        return {f"{driver}/{handle}": driver}
    return _migrated(spec) if has_csi_node else {}


def _migrated(source: Field) -> dict[str, str]:
    for kind, (driver, identity) in _MIGRATED.items():
        if source[kind].exists:
            # Some wrote aws://zone/volume for what others wrote volume.
            handle = source[kind][identity].text()
            short = handle.rsplit("/", 1)[-1] if kind == "awsElasticBlockStore" else handle
            return {f"{driver}/{short}": driver}
    return {}


def attach_limits(csi_node: Object | None) -> dict[str, int]:
    """How many volumes of each driver the node can attach; one without a limit is left out."""
    return {
        driver["name"].text(): driver["allocatable"]["count"].number()
        for driver in Field(csi_node, "CSINode")["spec"]["drivers"].elements()
        if driver["allocatable"]["count"].exists
    }


def too_many_volumes(
    pod: Object, volumes: Volumes, csi_node: Object | None, attached: Mapping[str, str]
) -> Rejection | None:
    """`attached` is what the node's pods mount and what is attached to it already."""
    limits = attach_limits(csi_node)
    if not limits:
        return None
    wanted = attachable(pod, volumes, has_csi_node=csi_node is not None)
    new = Counter(driver for volume, driver in wanted.items() if volume not in attached)
    present = Counter(attached.values())
    for driver, count in sorted(new.items()):
        if driver in limits and present[driver] + count > limits[driver]:
            facts = f"{count} more, {present[driver]} attached, {limits[driver]} allowed"
            return reject("TooManyVolumes", f"volumes of {driver}: {facts}")
    return None
