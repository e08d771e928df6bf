# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What volumes bind a pod to: claims and volumes by name, and who uses which claim.

Objects are kept as JSON and decoded when a rule asks: few pods have claims, many claims have no
pod that waits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from .objects import Pod
from .wire import OBJECT, Raw, newer, trimmed

_LOG = logging.getLogger(__name__)

Object = Mapping[str, Any]
Key = tuple[str, str]  # namespace ("" for what has none) and name


class Kept(NamedTuple):
    """An object as it was last seen."""

    uid: str
    version: str
    raw: bytes

    @property
    def object(self) -> Object:
        found: Object = msgspec.json.decode(self.raw)
        return found


class Shelf:
    """All objects of one kind (a Sink); `changed` is told when one that matters has changed."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._objects: dict[Key, Kept] = {}
        self.version = 0

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._objects)

    def get(self, name: str, namespace: str = "") -> Object | None:
        """The object of that name, None where there is none."""
        kept = self._objects.get((namespace, name))
        return None if kept is None else kept.object

    def stamp(self, name: str, namespace: str = "") -> Hashable:
        """Is another one whenever the object is."""
        kept = self._objects.get((namespace, name))
        return None if kept is None else (kept.uid, kept.version)

    def values(self) -> Iterator[Object]:
        """All objects."""
        return (kept.object for kept in self._objects.values())

    def fingerprint(self) -> dict[str, str]:
        """uid -> resource version."""
        return {kept.uid: kept.version for kept in self._objects.values()}

    def replace(self, items: Iterable[tuple[Key, Kept | None]]) -> None:
        """What was read is the whole state now."""
        found = {key: kept for key, kept in items if kept is not None}
        if found != self._objects:
            self._objects = found
            self._tell()

    def apply(self, event: str, raw: bytes) -> None:
        """ADDED, MODIFIED or DELETED."""
        key, kept = self.read(raw)
        known = self._objects.get(key)
        if kept is None:
            return
        if event == "DELETED":
            if known is not None and known.uid == kept.uid:
                del self._objects[key]
                self._tell()
            return
        if known is not None and known.uid == kept.uid and not newer(kept.version, known.version):
            return
        self._objects[key] = kept
        self._tell()

    def _tell(self) -> None:
        self.version += 1
        self._changed()

    def read(self, raw: bytes) -> tuple[Key, Kept | None]:
        """What is kept of an object, and under which name; None where it cannot be read."""
        try:
            meta = OBJECT.decode(raw).metadata
        except msgspec.DecodeError as err:
            _LOG.error("left out, because it cannot be read: %s", err)
            return ("", ""), None
        managed: Raw = meta.managed_fields
        kept = Kept(meta.uid, meta.resource_version, trimmed(raw, managed))
        return (meta.namespace, meta.name), kept


class Volumes:
    """Claims, volumes and all else of storage, and the pods that use each claim."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self.claims = Shelf(self._tell)
        self.volumes = Shelf(self._tell)
        self.csi_nodes = Shelf(self._tell)
        self.attachments = Shelf(self._tell)
        self.classes = Shelf(self._tell)
        self._users: dict[Key, dict[str, Pod]] = {}
        self.version = 0  # grows whenever anything here changes, pods that use claims included

    def _tell(self) -> None:
        self.version += 1
        self._changed()

    def of(self, pod: Pod) -> dict[str, tuple[Object, Object | None] | None]:
        """As the rules' `Volumes`: each claim of the pod with its volume, None where there is none.

        A pod whose claims have its own name in theirs has a class of its own.
        """
        return {name: self._claim(name, pod.namespace) for name in pod.pod_class.claims}

    def stamp(self, pod: Pod) -> Hashable:
        """Is another one whenever `of(pod)` is: what a verdict about bound volumes depends on."""
        if not pod.pod_class.claims:
            return ()
        return tuple([self._claim_stamp(name, pod.namespace) for name in pod.pod_class.claims])

    def users(self, name: str, namespace: str) -> list[Pod]:
        """The pods with a node (assumed ones too) that use the claim."""
        return list(self._users.get((namespace, name), {}).values())

    def add_user(self, pod: Pod) -> None:
        """The pod has a node now, or is known better."""
        for name in pod.pod_class.claims:
            self._users.setdefault((pod.namespace, name), {})[pod.uid] = pod
            self.version += 1

    def remove_user(self, pod: Pod) -> None:
        """The pod has no node any more."""
        for name in pod.pod_class.claims:
            users = self._users.get((pod.namespace, name), {})
            if users.pop(pod.uid, None) is not None:
                self.version += 1
            if not users:
                self._users.pop((pod.namespace, name), None)

    def _claim(self, name: str, namespace: str) -> tuple[Object, Object | None] | None:
        claim = self.claims.get(name, namespace)
        if claim is None:
            return None
        return claim, self.volumes.get(_volume_name(claim))

    def _claim_stamp(self, name: str, namespace: str) -> Hashable:
        claim = self.claims.get(name, namespace)
        if claim is None:
            return None
        volume = self.volumes.stamp(_volume_name(claim))
        return self.claims.stamp(name, namespace), volume


def _volume_name(claim: Object) -> str:
    name = (claim.get("spec") or {}).get("volumeName")
    return name if isinstance(name, str) else ""
