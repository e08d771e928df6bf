# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of cases is the meaning of the rules: one file a family, one sentence a case.

A case says only what matters to it; this file makes whole API objects of that. Three readers share
the table: the rule tests, the comparison with a real kube-scheduler, and the scheduler daemon.

Keys of a case:

- `name`: what the case shows, as a sentence;
- `pod`, `neighbours`: fields of a pod's spec, with `metadata` and `status` beside them. Shorthands:
  `requests` in a container, `affinity` = the terms of the required node affinity,
  `preferredAffinity` = preferred terms, `near` and `apart` = required terms of pod affinity and
  anti-affinity, `spread` = hard spread constraints (by rack, maxSkew 1, where not said otherwise),
  `claims` = names of claims to mount;
- `elsewhere`: other nodes, each with its `pods`; `namespaces`: their labels by name;
- `node`: `labels`, `taints`, `unschedulable`, `allocatable` (beside ample defaults), `conditions`;
- `claims`: name -> null, or `volumeName`, `annotations`, `status`, `deletionTimestamp` of the claim
  and its `volume` (`labels`, `nodeAffinity` = terms);
- `rejected`: the codes expected, in order; empty when the pod fits;
- `details`, `reasons`: texts expected; `unresolvable`: codes that evictions cannot help, where the
  code's own entry says otherwise;
- `scheduler`: why a real kube-scheduler is not asked; `since`: the first version that can be.

THE-NODE stands for the name of the node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

CASES = Path(__file__).parent / "cases"
NODE_NAME = "THE-NODE"
AMPLE = {"cpu": "8", "memory": "16Gi", "ephemeral-storage": "100Gi", "pods": "110"}
READY = [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]
BOUND = {"pv.kubernetes.io/bind-completed": "yes"}
KEYS = {"name", "pod", "neighbours", "node", "claims", "rejected"}
KEYS |= {"details", "reasons", "unresolvable", "scheduler", "since", "elsewhere", "namespaces"}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
HARD = {"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}

Object = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One row of the table, as API objects."""

    id: str
    name: str
    pod: Object
    node: Object
    neighbours: tuple[Object, ...]
    claims: Mapping[str, tuple[Object, Object | None] | None]
    rejected: tuple[str, ...]
    elsewhere: tuple[tuple[Object, tuple[Object, ...]], ...] = ()
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    details: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    unresolvable: frozenset[str] = field(default_factory=frozenset)
    not_asked: str = ""
    since: str = "1.0"


def load(*, node_name: str = NODE_NAME) -> Iterator[Case]:
    """All cases; `node_name` may hold `{id}`, so that each case gets a node of its own."""
    for path in sorted(CASES.glob("*.yml")):
        text = path.read_text(encoding="utf-8")
        for number, row in enumerate(yaml.safe_load(text), start=1):
            case_id = f"{path.stem}-{number:02}"
            name = node_name.format(id=case_id)
            yield _case(case_id, _named(row, name), name)


def _named(row: Any, node_name: str) -> Any:
    if isinstance(row, dict):
        return {key: _named(value, node_name) for key, value in row.items()}
    if isinstance(row, list):
        return [_named(value, node_name) for value in row]
    if row == NODE_NAME:
        return node_name
    return row


def _case(case_id: str, row: Object, node_name: str) -> Case:
    unknown = set(row) - KEYS
    if unknown:
        raise ValueError(f"{row['name']}: unknown keys {sorted(unknown)}")
    node = make_node(row.get("node", {}), node_name)
    return Case(
        id=case_id,
        name=row["name"],
        pod=make_pod(row["pod"], "pod"),
        node=node,
        neighbours=tuple(
            make_pod(pod, f"neighbour-{number}", node=node)
            for number, pod in enumerate(row.get("neighbours", []))
        ),
        claims={name: make_claim(name, claim) for name, claim in row.get("claims", {}).items()},
        rejected=tuple(row["rejected"]),
        elsewhere=tuple(
            _elsewhere(other, f"other-{number}")
            for number, other in enumerate(row.get("elsewhere", []))
        ),
        namespaces=row.get("namespaces", {}),
        details=tuple(row.get("details", [])),
        reasons=tuple(row.get("reasons", [])),
        unresolvable=frozenset(row.get("unresolvable", [])),
        not_asked=row.get("scheduler", ""),
        since=row.get("since", "1.0"),
    )


def _elsewhere(row: Object, name: str) -> tuple[Object, tuple[Object, ...]]:
    node = make_node(row, name)
    pods = [make_pod(p, f"{name}-{n}", node=node) for n, p in enumerate(row.get("pods", []))]
    return node, tuple(pods)


def make_node(row: Object, name: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": dict(row.get("labels", {}))},
        "spec": {key: row[key] for key in ("taints", "unschedulable") if key in row},
        "status": {
            "allocatable": {**AMPLE, **row.get("allocatable", {})},
            "conditions": row.get("conditions", READY),
        },
    }


def make_pod(row: Object, name: str, *, node: Object | None = None) -> Object:
    spec = dict(row)
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    metadata.update(spec.pop("metadata", {}))
    status = spec.pop("status", {})
    if node is not None:
        spec["nodeName"] = node["metadata"]["name"]
    _expand_affinity(spec)
    spec["volumes"] = spec.get("volumes", []) + [
        {"name": claim, "persistentVolumeClaim": {"claimName": claim}}
        for claim in spec.pop("claims", [])
    ]
    for key, prefix in (("containers", "app"), ("initContainers", "init")):
        rows = spec.get(key, [{}] if key == "containers" else [])
        spec[key] = [_container(row, f"{prefix}-{n}") for n, row in enumerate(rows)]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": spec,
        "status": status,
    }


def _expand_affinity(spec: Object) -> None:
    node_affinity: Object = {}
    pods: Object = {}
    for key, kind in (("near", "podAffinity"), ("apart", "podAntiAffinity")):
        if key in spec:
            pods[kind] = {REQUIRED: [{"topologyKey": "rack", **t} for t in spec.pop(key)]}
    if "spread" in spec:
        spec["topologySpreadConstraints"] = [{**HARD, **c} for c in spec.pop("spread")]
    if "affinity" in spec:
        node_affinity[REQUIRED] = {"nodeSelectorTerms": spec.pop("affinity")}
    if "preferredAffinity" in spec:
        key = "preferredDuringSchedulingIgnoredDuringExecution"
        node_affinity[key] = spec.pop("preferredAffinity")
    if node_affinity:
        pods["nodeAffinity"] = node_affinity
    if pods:
        spec["affinity"] = pods


def _container(row: Object, name: str) -> Object:
    container = {"name": name, "image": "app:1", **row}
    requests = container.pop("requests", {})
    # The API server wants equal limits for what cannot be overcommitted.
    limits = {key: value for key, value in requests.items() if "/" in key or "hugepages" in key}
    container["resources"] = {"requests": requests, "limits": limits}
    return container


def make_claim(name: str, row: Object | None) -> tuple[Object, Object | None] | None:
    if row is None:
        return None
    volume = make_volume(f"volume-of-{name}", row["volume"]) if "volume" in row else None
    volume_name = row.get("volumeName", f"volume-of-{name}")
    metadata = {"name": name, "annotations": row.get("annotations", BOUND if volume_name else {})}
    if "deletionTimestamp" in row:
        metadata["deletionTimestamp"] = row["deletionTimestamp"]
    phase = {"phase": "Bound" if volume_name else "Pending"}
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": {"volumeName": volume_name},
        "status": row.get("status", phase),
    }
    return claim, volume


def make_volume(name: str, row: Object) -> Object:
    spec: Object = {}
    if "nodeAffinity" in row:
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": row["nodeAffinity"]}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "labels": row.get("labels", {})},
        "spec": spec,
    }
