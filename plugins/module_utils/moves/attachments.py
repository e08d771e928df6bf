# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The volumes that one node, or one pod, has to itself: who uses them, and when a node has let go
of them.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..api import Api, Object
from ..errors import Forbidden, NotFound
from ..resources import POD, PV, PVC, VOLUME_ATTACHMENT, meta, uid
from ..rules.pod_state import is_terminal, is_terminating
from ..rules.volumes import claim_names
from .refusals import ONE_POD, SHARED, attachment

# Sources of a PersistentVolume for which the attach-detach controller makes VolumeAttachments: CSI,
# and the types of old that CSI drivers serve today.
_ATTACHED = (
    "csi",
    "awsElasticBlockStore",
    "azureDisk",
    "cinder",
    "gcePersistentDisk",
    "portworxVolume",
    "vsphereVolume",
)


def exclusive_claims(api: Api, pod: Object) -> Dict[str, str]:
    """The pod's claims that only one node or one pod can use, and which of the two."""
    namespace = str(meta(pod)["namespace"])
    volumes = pod["spec"].get("volumes") or []
    named = [
        v["persistentVolumeClaim"]["claimName"] for v in volumes if "persistentVolumeClaim" in v
    ]
    found = {name: attachment(api, pod, namespace, name) for name in named}
    return {name: how for name, how in found.items() if how != SHARED}


def of_one_pod(claims: Mapping[str, str]) -> bool:
    """A scheduler lets no second pod with these claims onto any node."""
    return ONE_POD in claims.values()


def user_elsewhere(
    api: Api, pod: Object, claims: Mapping[str, str], node: str
) -> Optional[Tuple[Object, str]]:
    """Another pod that keeps one of the claims on a node other than ``node``, and that claim."""
    for other in api.list(POD, str(meta(pod)["namespace"]))[0]:
        on = (other.get("spec") or {}).get("nodeName")
        if uid(other) == uid(pod) or not on or on == node:
            continue
        if is_terminal(other) or is_terminating(other):
            continue
        for name in claim_names(other):
            if name in claims:
                return other, name
    return None


class Attachments:
    """What a node still has attached of a pod's volumes; ``blind`` if this user may not see it."""

    def __init__(self, api: Api, node: str) -> None:
        self.api = api
        self.node = node
        self.blind = False
        self.version = ""
        self._volumes: Optional[List[str]] = None

    def held(self, pod: Object) -> List[str]:
        """The names of those volumes; one list of VolumeAttachments where there can be any."""
        try:
            if self._volumes is None:
                self._volumes = self._attached_volumes(pod)
            if not self._volumes:
                return []
            found, self.version = self.api.list(VOLUME_ATTACHMENT)
        except Forbidden:
            self.blind, self._volumes = True, []
            return []
        names = {_volume(one) for one in found if one["spec"].get("nodeName") == self.node}
        return [name for name in self._volumes if name in names]

    def _attached_volumes(self, pod: Object) -> List[str]:
        found = []
        for claim in claim_names(pod):
            volume = self._volume_of(claim, str(meta(pod)["namespace"]))
            if any(source in volume.get("spec", {}) for source in _ATTACHED):
                found.append(str(meta(volume)["name"]))
        return found

    def _volume_of(self, claim: str, namespace: str) -> Object:
        try:
            bound = self.api.get(PVC, claim, namespace)["spec"].get("volumeName")
            return self.api.get(PV, bound) if bound else {}
        except NotFound:
            return {}


def _volume(one: Mapping[str, Any]) -> str:
    return str((one["spec"].get("source") or {}).get("persistentVolumeName") or "")
