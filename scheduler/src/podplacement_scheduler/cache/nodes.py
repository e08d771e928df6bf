# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node as the cache keeps it: what nodes are grouped by, what it offers, and its JSON."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import msgspec

from .._rules import MalformedObject
from .._rules.resources import allocatable
from .._rules.scores import node_images
from ..framework.interface import IMAGES, LABEL, NAME, TAINTS, TOPOLOGY, UNSCHEDULABLE
from .wire import NODE, NodeSpec, NodeStatus, loosely, trimmed

Object = Mapping[str, Any]

# Both generations of names: a volume may be labelled with either.
_TOPOLOGY = (
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
)
_NOTHING: Mapping[str, str] = {}
# Those that a node has as attributes, under these very names.
_FACETS = frozenset({NAME, TAINTS, UNSCHEDULABLE, IMAGES})


def is_facet(name: object) -> bool:
    """Whether nodes can be grouped by it."""
    return isinstance(name, str) and (name in _FACETS or name == TOPOLOGY or name.startswith(LABEL))


class Node(msgspec.Struct, gc=False, eq=False):
    """A node. `taints`, `images` and `offer` are its JSON: told apart by their text."""

    name: str
    uid: str
    resource_version: str
    labels: Mapping[str, str]
    taints: bytes
    unschedulable: bool
    images: bytes
    offer: bytes
    raw: bytes
    # "" for a node that can be read; else it is never a candidate.
    error: str = ""

    def facet(self, name: str) -> object:
        """What the node is like in one respect (see `Plugin.facets`)."""
        if name in _FACETS:
            return getattr(self, name)
        if name.startswith(LABEL):
            return self.labels.get(name[len(LABEL) :])
        if name == TOPOLOGY:
            return tuple([self.labels.get(key) for key in _TOPOLOGY])
        raise ValueError(f"there is no facet {name!r} of a node")

    def image_names(self) -> list[str]:
        """All names of all images that the node says it has."""
        if not self.images:
            return []
        return list(node_images({"status": {"images": msgspec.json.decode(self.images)}}))

    def as_before(self, other: Node) -> bool:
        """Whether all that can make a pod fit is as it is on `other`: not a mere heartbeat."""
        return (
            self.uid == other.uid
            and self.taints == other.taints
            and self.unschedulable == other.unschedulable
            and self.offer == other.offer
            and self.labels == other.labels
            and self.error == other.error
        )


class NodeReader:
    """Reads nodes; equal parts of theirs are kept once."""

    def __init__(self) -> None:
        self._texts: dict[bytes, bytes] = {}
        self._amounts: dict[bytes, dict[str, int]] = {}

    def read(self, raw: bytes) -> Node:
        """Decode a Node; raises msgspec.DecodeError on what has no name."""
        try:
            wire = NODE.decode(raw)
        except msgspec.ValidationError as err:
            return _unreadable(raw, str(err))
        spec, status, meta = wire.spec or NodeSpec(), wire.status or NodeStatus(), wire.metadata
        labels = {sys.intern(key): sys.intern(text) for key, text in (meta.labels or {}).items()}
        node = Node(
            name=sys.intern(meta.name),
            uid=meta.uid,
            resource_version=meta.resource_version,
            labels=labels,
            taints=self._once(bytes(spec.taints)),
            unschedulable=bool(spec.unschedulable),
            images=self._once(bytes(status.images)),
            offer=self._once(bytes(status.allocatable)),
            raw=trimmed(raw, meta.managed_fields),
        )
        try:
            self.allocatable(node)
            node.image_names()
        except MalformedObject as err:
            node.error = str(err)
        return node

    def allocatable(self, node: Node) -> dict[str, int]:
        """As the rules' `allocatable`; nothing where the node cannot be read."""
        if node.error:
            return {}
        found = self._amounts.get(node.offer)
        if found is None:
            offered = msgspec.json.decode(node.offer) if node.offer else None
            found = allocatable(
                {"metadata": {"name": node.name}, "status": {"allocatable": offered}}
            )
            _bound(self._amounts)
            self._amounts[node.offer] = found
        return found

    def _once(self, text: bytes) -> bytes:
        _bound(self._texts)
        return self._texts.setdefault(text, text)


def _bound(kept: dict[bytes, Any]) -> None:
    """Forget all before it grows without end: what is forgotten is only made again."""
    if len(kept) > 10000:
        kept.clear()


class Decoded:
    """The objects of the nodes, decoded from their JSON when asked for; the last few are kept."""

    _KEPT = 128

    def __init__(self, nodes: list[Node | None]) -> None:
        self._nodes = nodes
        self._kept: OrderedDict[int, tuple[Node, Object]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._nodes)

    def __getitem__(self, row: int) -> Object | None:
        node = self._nodes[row]
        if node is None:
            return None
        known = self._kept.get(row)
        if known is not None and known[0] is node:
            return known[1]
        found: Object = {"apiVersion": "v1", "kind": "Node", **msgspec.json.decode(node.raw)}
        self._kept[row] = (node, found)
        if len(self._kept) > self._KEPT:
            self._kept.popitem(last=False)
        return found


def _unreadable(raw: bytes, error: str) -> Node:
    """A node that no API server would store: known by its name, never used."""
    found = loosely(raw) or {}
    meta = found.get("metadata")
    name = meta.get("name") if isinstance(meta, dict) else None
    if not isinstance(meta, dict) or not isinstance(name, str) or not name:
        raise msgspec.DecodeError(f"a node without a name that can be read: {error}")
    uid, version = (str(meta.get(key) or "") for key in ("uid", "resourceVersion"))
    return Node(name, uid, version, _NOTHING, b"", False, b"", b"", bytes(raw), error)
