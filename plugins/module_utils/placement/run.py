# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k8s_placement_info: pods, nodes, and whether the one would run on the other.

Everything is listed in pages and once, and of what a report does not name only sums are kept, so
that a cluster of 20,000 pods costs some hundred requests.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ..api import Api, Object
from ..binding.write import find_pod
from ..clock import Clock
from ..errors import PlacementError
from ..moves.order import Settings
from ..moves.request import settings_from
from ..preflight import find_node
from ..resources import (
    CRON_JOB,
    DAEMON_SET,
    DEPLOYMENT,
    EVENT,
    JOB,
    NAMESPACE,
    NETWORK_POLICY,
    NODE,
    PDB,
    POD,
    PV,
    PVC,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    SERVICE,
    STATEFUL_SET,
    meta,
    uid,
)
from .explain import explain
from .nodes import Usages, describe_node
from .once import ReadOnce, slim
from .placed import placements
from .pods import Item, describe_pod

# Every request this module makes: verb, API group, resource.
API_CALLS = (
    ("get", "", "namespaces"),  # expected_cluster
    ("get", NODE.group, NODE.plural),
    ("get", POD.group, POD.plural),
    *(
        ("list", kind.group, kind.plural)
        for kind in (
            *(POD, NODE, EVENT, SERVICE, PVC, PV, PDB, NETWORK_POLICY, NAMESPACE),
            *(REPLICA_SET, REPLICATION_CONTROLLER, DEPLOYMENT, STATEFUL_SET, DAEMON_SET),
            *(JOB, CRON_JOB),
        )
    ),
)
FEW_NAMESPACES = 10  # up to here, lists of one namespace each are cheaper than of the cluster


@dataclass(frozen=True)
class Wanted:
    """Which pods are asked for."""

    namespace: str
    name: str
    node: str
    labels: str

    @property
    def all(self) -> bool:
        """The whole cluster."""
        return not (self.namespace or self.name or self.node or self.labels)

    def read(self, api: Api) -> List[Object]:
        """The pods."""
        fields = {"metadata.name": self.name, "spec.nodeName": self.node}
        found, _version = api.list(
            POD,
            self.namespace or None,
            label_selector=self.labels,
            field_selector=",".join("%s=%s" % pair for pair in fields.items() if pair[1]),
        )
        return [slim(pod) for pod in found]


def placement_info(params: Mapping[str, Any], api: Api, clock: Clock, check: bool) -> Item:
    """The logic of ``k8s_placement_info``."""
    wanted = _wanted(params)
    survey = Survey(api, settings_from(params, clock, check=True), wide=wanted.all)
    result: Item = {"changed": False, "pods": [], "nodes": [], "explain": []}
    if "pods" in params["gather"]:
        result["pods"] = survey.pods(wanted)
    if "nodes" in params["gather"]:
        result["nodes"] = survey.nodes([wanted.node] if wanted.node else None)
    if params.get("explain"):
        question = params["explain"]
        pod = _pod_of(api, question["pod"], params.get("namespace") or "")
        result["explain"] = survey.explain(pod, question.get("nodes") or None)
    return dict(result, warnings=survey.warnings)


class Survey:
    """What one task asks; it shares what it has read."""

    def __init__(self, api: Api, settings: Settings, *, wide: bool) -> None:
        self.api = api
        self.settings = settings
        self.once = ReadOnce(api, wide=wide)
        self.usages = Usages()
        self.warnings: List[str] = []

    def pods(self, wanted: Wanted) -> List[Item]:
        """The pods by namespace and name."""
        items = self._all_pods() if wanted.all else self._some_pods(wanted)
        return sorted(items, key=lambda item: (item["namespace"], item["name"]))

    def _some_pods(self, wanted: Wanted) -> List[Item]:
        pods = wanted.read(self.api)
        namespaces = {str(meta(pod)["namespace"]) for pod in pods}
        self.once.wide = len(namespaces) > FEW_NAMESPACES
        events = placements(self.api, None if self.once.wide else namespaces, self.warnings)
        return [describe_pod(self.once, pod, events, self.settings) for pod in pods]

    def _all_pods(self) -> List[Item]:
        """They are counted too, and each page is forgotten when it is described."""
        items: Dict[str, Item] = {}
        events = placements(self.api, None, self.warnings)

        def look(pod: Object) -> None:
            items[uid(pod)] = describe_pod(self.once, pod, events, self.settings)
            self.usages.add(pod)

        self.api.scan(POD, look)
        self.usages.complete = True
        return list(items.values())

    def nodes(self, names: Optional[Sequence[str]]) -> List[Item]:
        """These nodes, or all."""
        found = self._counted(names)
        return [describe_node(node, self.usages.of(node)) for node in found]

    def explain(self, pod: Object, names: Optional[Sequence[str]]) -> List[Item]:
        """The verdicts about a pod on these nodes, or on all."""
        nodes = self._counted(names)
        found = explain(self.once, pod, nodes, self.usages, self.settings, self.warnings)
        return list(found)

    def _counted(self, names: Optional[Sequence[str]]) -> List[Object]:
        self.usages.read(self.api, names)
        if names is None:
            return self.once.list(NODE)[0]
        return [find_node(self.api, name) for name in names]


def _wanted(params: Mapping[str, Any]) -> Wanted:
    return Wanted(
        params.get("namespace") or "",
        params.get("name") or "",
        params.get("node") or "",
        ",".join(params.get("label_selectors") or []),
    )


def _pod_of(api: Api, text: str, namespace: str) -> Object:
    """The pod that ``explain`` names."""
    where, _slash, name = text.rpartition("/")
    if not name or not (where or namespace):
        raise PlacementError(
            "BadRequest",
            "explain needs a pod and its namespace",
            step="options",
            hint="Write namespace/name, or give the option namespace.",
        )
    return find_pod(api, name, where or namespace)
