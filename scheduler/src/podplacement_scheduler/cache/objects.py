# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod as the cache keeps it: slim, of a class that it shares, its JSON only while it is needed.

A pod that waits for its place keeps its JSON, without `managedFields`. One that has a place keeps
none: its `object` then holds what matters for scheduling, from its class, and its identity.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from .podclass import Interner, PodClass, Share
from .wire import CHANGED_POD, POD, Metadata, loosely, trimmed

Object = Mapping[str, Any]
TERMINAL = ("Succeeded", "Failed")
# Of servers before 1.33, and of pods that they made.
_NO_GENERATION = (b"", b"0", b"null")
# Says that what is decoded shall be kept.
_HELD: Object = {}


class Pod(msgspec.Struct, gc=False, eq=False):
    """A pod; never changed once it is in the cache, but for what it keeps of its JSON.

    `created` is in seconds since 1970, `generation` as it was written. Pods are equal where their
    uids are.
    """

    uid: str
    namespace: str
    name: str
    resource_version: str
    scheduler_name: str
    node_name: str
    phase: str
    created: float
    terminating: bool
    gates: tuple[str, ...]
    pod_class: PodClass
    share: Share
    raw: bytes | None = None
    generation: bytes = b""
    decoded: Object | None = None

    @property
    def priority(self) -> int:
        """`spec.priority`, 0 where it is absent."""
        return self.pod_class.priority

    @property
    def labels(self) -> Mapping[str, str]:
        """`metadata.labels`."""
        return self.pod_class.labels

    @property
    def requests(self) -> Mapping[str, int]:
        """Millicores of cpu, whole units of all else."""
        return self.share.requests

    @property
    def terminal(self) -> bool:
        """It will never run again and holds nothing of its node."""
        return self.phase in TERMINAL

    @property
    def object(self) -> Object:
        """The whole Pod while it waits for its place; what matters of it afterwards."""
        if self.raw is None:
            return self._sketch()
        if self.decoded:
            return self.decoded
        found = {"apiVersion": "v1", "kind": "Pod", **msgspec.json.decode(self.raw)}
        if self.decoded is not None:
            self.decoded = found
        return found

    def hold(self) -> None:
        """From now on `object` is decoded once only: the pod is about to be looked at often."""
        self.decoded = self.decoded or _HELD

    def release(self) -> None:
        """Drop what `object` has decoded; the JSON stays."""
        self.decoded = None

    def _sketch(self) -> Object:
        example = self.pod_class.example
        metadata = {**example["metadata"], "name": self.name, "uid": self.uid}
        metadata["resourceVersion"] = self.resource_version
        spec = {**example["spec"], "schedulerName": self.scheduler_name}
        if self.node_name:
            spec["nodeName"] = self.node_name
        if self.terminating:
            # When is not kept, only that it is.
            metadata["deletionTimestamp"] = "1970-01-01T00:00:00Z"
        found = {"metadata": metadata, "spec": spec, "status": {"phase": self.phase}}
        return {"apiVersion": "v1", "kind": "Pod", **found}

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Pod) and bool(self.uid == other.uid)

    def __hash__(self) -> int:
        return hash(self.uid)


def decode_pod(raw: bytes, interner: Interner) -> Pod:
    """Read a Pod; raises msgspec.DecodeError on what is not even an object with a uid.

    A pod whose fields are not of their types is read all the same: it has a class with an `error`.
    """
    try:
        wire = POD.decode(raw)
    except msgspec.ValidationError as err:
        return _unreadable(raw, str(err), interner)
    meta, spec, status = wire.metadata, wire.spec, wire.status
    pod_class = interner.pod_class(wire, raw)
    return Pod(
        meta.uid,
        pod_class.namespace,
        meta.name,
        meta.resource_version,
        spec.scheduler_name,
        spec.node_name or "",
        "Pending" if status is None else status.phase or "Pending",
        _seconds(meta),
        meta.deletion_timestamp is not None,
        tuple([gate.name for gate in spec.scheduling_gates]) if spec.scheduling_gates else (),
        pod_class,
        interner.share(status, pod_class),
        None if spec.node_name else trimmed(raw, meta.managed_fields),
        bytes(meta.generation),
    )


def decode_change(raw: bytes, interner: Interner, pods: Mapping[str, Pod]) -> Pod:
    """Read a Pod of which an earlier state may be among `pods`, by uid; raises as `decode_pod`.

    The API server counts `metadata.generation` up with every change of the spec (KEP-5067), but not
    for a binding, which may also give the pod labels of its node (KEP-4742). So where it is as it
    was, nothing of the class can be another but the labels.
    """
    try:
        wire = CHANGED_POD.decode(raw)
    except msgspec.ValidationError:
        return decode_pod(raw, interner)
    meta, status = wire.metadata, wire.status
    known, generation = pods.get(meta.uid), bytes(meta.generation)
    if known is None or known.generation != generation or generation in _NO_GENERATION:
        return decode_pod(raw, interner)
    pod_class = interner.labelled(known.pod_class, bytes(meta.labels))
    if pod_class is None:
        return decode_pod(raw, interner)
    node_name = wire.spec.node_name or ""
    return Pod(
        known.uid,
        known.namespace,
        known.name,
        meta.resource_version,
        known.scheduler_name,
        node_name,
        "Pending" if status is None else status.phase or "Pending",
        known.created,
        meta.deletion_timestamp is not None,
        known.gates,
        pod_class,
        interner.share(status, pod_class),
        None if node_name else trimmed(raw, meta.managed_fields),
        generation,
    )


def _seconds(meta: Metadata) -> float:
    return 0.0 if meta.creation_timestamp is None else meta.creation_timestamp.timestamp()


def _unreadable(raw: bytes, error: str, interner: Interner) -> Pod:
    """A pod that no API server would store: who it is and where it runs must still be known."""
    found = loosely(raw) or {}
    meta, spec, status = (_mapping(found.get(key)) for key in ("metadata", "spec", "status"))
    uid = _text(meta, "uid")
    if not uid:
        raise msgspec.DecodeError(f"a pod without a uid that can be read: {error}")
    namespace = _text(meta, "namespace")
    pod_class = interner.broken_class(namespace, f"the pod cannot be read: {error}")
    return Pod(
        uid,
        namespace,
        _text(meta, "name"),
        _text(meta, "resourceVersion"),
        _text(spec, "schedulerName"),
        _text(spec, "nodeName"),
        _text(status, "phase") or "Pending",
        0.0,
        meta.get("deletionTimestamp") is not None,
        (),
        pod_class,
        pod_class.share,
    )


def _mapping(value: object) -> Object:
    return value if isinstance(value, dict) else {}


def _text(mapping: Object, key: str) -> str:
    value = mapping.get(key)
    return value if isinstance(value, str) else ""
