# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of a pod or a node only what a decision needs is read; all else is skipped while parsing.

Parts that few pods have stay `Raw`: they are compared as they came, and decoded once a class.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

Raw = msgspec.Raw


class _Part(msgspec.Struct, gc=False, rename="camel"):
    """A part of an object of the API; unknown keys are skipped, null is absent."""


class Metadata(_Part):
    """`metadata` of any object."""

    name: str
    uid: str
    namespace: str = ""
    resource_version: str = ""
    # As text: it is only ever compared.
    generation: Raw = Raw()
    labels: Raw = Raw()
    creation_timestamp: datetime | None = None
    deletion_timestamp: str | None = None
    managed_fields: Raw = Raw()


class Gate(_Part):
    """An element of `spec.schedulingGates`."""

    name: str = ""


class Container(_Part):
    """What of a container matters for its place."""

    name: str = ""
    image: str = ""
    resources: Raw = Raw()
    ports: Raw = Raw()
    restart_policy: str | None = None
    restart_policy_rules: Raw = Raw()


class PodSpec(_Part):
    """`spec` of a pod."""

    node_name: str | None = None
    scheduler_name: str = ""
    priority: int | None = None
    scheduling_gates: list[Gate] | None = None
    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    volumes: list[dict[str, Raw]] | None = None
    node_selector: Raw = Raw()
    affinity: Raw = Raw()
    tolerations: Raw = Raw()
    topology_spread_constraints: Raw = Raw()
    overhead: Raw = Raw()
    resources: Raw = Raw()
    resource_claims: Raw = Raw()
    scheduling_group: Raw = Raw()
    workload_ref: Raw = Raw()
    priority_class_name: Raw = Raw()
    preemption_policy: Raw = Raw()
    runtime_class_name: Raw = Raw()
    os: Raw = Raw()
    host_network: Raw = Raw()
    host_users: Raw = Raw()


class ContainerStatus(_Part):
    """What the kubelet granted a container, and what is in force."""

    name: str = ""
    allocated_resources: Raw = Raw()
    resources: Raw = Raw()


class Condition(_Part):
    """A condition of a pod."""

    type: str = ""
    reason: str | None = None


class PodStatus(_Part):
    """`status` of a pod."""

    phase: str | None = None
    conditions: list[Condition] | None = None
    container_statuses: list[ContainerStatus] | None = None
    init_container_statuses: list[ContainerStatus] | None = None
    resources: Raw = Raw()
    allocated_resources: Raw = Raw()


class WirePod(_Part):
    """A Pod."""

    metadata: Metadata
    spec: PodSpec = msgspec.field(default_factory=PodSpec)
    status: PodStatus | None = None


class ChangedMetadata(_Part):
    """What of a known pod's `metadata` may change."""

    uid: str
    resource_version: str = ""
    generation: Raw = Raw()
    labels: Raw = Raw()
    deletion_timestamp: str | None = None
    managed_fields: Raw = Raw()


class ChangedSpec(_Part):
    """What of a pod's `spec` changes while its generation stays: a binding is none."""

    node_name: str | None = None


class ChangedPod(_Part):
    """A Pod of which all else is known."""

    metadata: ChangedMetadata
    spec: ChangedSpec = msgspec.field(default_factory=ChangedSpec)
    status: PodStatus | None = None


class NodeMetadata(_Part):
    """`metadata` of a node: its labels are used one by one."""

    name: str
    uid: str = ""
    resource_version: str = ""
    labels: dict[str, str] | None = None
    managed_fields: Raw = Raw()


class NodeSpec(_Part):
    """`spec` of a node."""

    taints: Raw = Raw()
    unschedulable: bool | None = None


class NodeStatus(_Part):
    """`status` of a node."""

    allocatable: Raw = Raw()
    images: Raw = Raw()


class WireNode(_Part):
    """A Node."""

    metadata: NodeMetadata
    spec: NodeSpec | None = None
    status: NodeStatus | None = None


class WireObject(_Part):
    """Any other object."""

    metadata: Metadata


POD: msgspec.json.Decoder[WirePod] = msgspec.json.Decoder(WirePod)
CHANGED_POD: msgspec.json.Decoder[ChangedPod] = msgspec.json.Decoder(ChangedPod)
NODE: msgspec.json.Decoder[WireNode] = msgspec.json.Decoder(WireNode)
OBJECT: msgspec.json.Decoder[WireObject] = msgspec.json.Decoder(WireObject)


def trimmed(raw: bytes, managed_fields: Raw) -> bytes:
    """The object without `metadata.managedFields`, which is often the greater half of it.

    Cut out of the text: what follows it is kept as it came. Where the text is not written the way
    the API server writes it, all of it is kept.
    """
    cut = bytes(managed_fields)
    if not cut:
        return bytes(raw)
    for text in (b'"managedFields":' + cut + b",", b',"managedFields":' + cut):
        head, found, tail = raw.partition(text)
        if found:
            return head + tail
    return bytes(raw)


def newer(version: str, known: str) -> bool:
    """Whether a resource version is later than a known one.

    The API server promises an order since 1.35 (KEP-5504): decimal numbers, without a sign. What
    is not a number counts as newer, so nothing is ignored by mistake.
    """
    if version.isdigit() and known.isdigit():
        return (len(version), version) > (len(known), known)
    return version != known


def loosely(raw: bytes) -> dict[str, Any] | None:
    """An object of which nothing is known to be as it should; None where it is no object."""
    try:
        found = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return None
    return found if isinstance(found, dict) else None
