# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spread and affinity by our rules and by a real kube-scheduler: pods and nodes thrown by dice."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.rules import (
    CODES,
    View,
    check_fit,
)
from ansible_collections.podplacement.core.plugins.module_utils.rules.cluster import Cluster
from ansible_collections.podplacement.core.plugins.module_utils.rules.pod_affinity import (
    PodAffinity,
)
from ansible_collections.podplacement.core.plugins.module_utils.rules.spread import Spread
from tests.cluster.cluster import Cluster as Ours
from tests.cluster.kube import Kube, Object
from tests.cluster.nodes import create_nodes, node

pytestmark = pytest.mark.cluster

OWN = "test.podplacement.io/others"
HOST = "kubernetes.io/hostname"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PODS = 15
SEEDS = (3, 18)  # between them, all five codes


@dataclass
class Dice:
    """A small world, the same for the same seed."""

    namespaces: tuple[str, str]
    dice: random.Random
    names: list[str] = field(default_factory=list)

    def nodes(self) -> list[Object]:
        """Six in three racks; some have a taint, some no rack."""
        found = []
        for number in range(6):
            name = f"{self.namespaces[0]}-{number}"
            labels = {OWN: self.namespaces[0], "rack": f"r{number // 2}", HOST: name}
            if self.dice.random() < 0.15:
                del labels["rack"]
            taints = [{"key": OWN, "value": self.namespaces[0], "effect": "NoSchedule"}]
            if self.dice.random() < 0.3:
                taints.append({"key": "extra", "value": "1", "effect": "NoSchedule"})
            found.append(node(name, labels=labels, taints=taints))
            self.names.append(name)
        return found

    def pod(self, name: str, *, on: str = "") -> Object:
        """One that asks for much; or for little, and is on a node already."""
        tolerations = [{"key": OWN, "operator": "Exists"}]
        spec: Object = {
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": "app:1"}],
            "nodeSelector": {OWN: self.namespaces[0]},
            "tolerations": tolerations,
        }
        if on:
            spec["nodeName"] = on
            affinity = {"podAntiAffinity": self.terms(0.2)}
        else:
            tolerations += [{"key": "extra", "operator": "Exists"}] if self.maybe(0.3) else []
            spec["topologySpreadConstraints"] = self.constraints() if self.maybe(0.6) else []
            affinity = {"podAffinity": self.terms(0.35), "podAntiAffinity": self.terms(0.45)}
        spec["affinity"] = {kind: {REQUIRED: terms} for kind, terms in affinity.items() if terms}
        labels = {"app": self.dice.choice("pq"), "rev": self.dice.choice("12")}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": _named(name, labels), "spec": spec}

    def maybe(self, odds: float) -> bool:
        return self.dice.random() < odds

    def key(self) -> str:
        return self.dice.choice(["rack", HOST])

    def selector(self) -> Object:
        either = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["p", "q"]}]}
        one = {"matchLabels": {"app": self.dice.choice("pq")}}
        return self.dice.choices([{}, either, one], [1, 1, 8])[0]

    def terms(self, odds: float) -> list[Object]:
        found = []
        for _dummy in range(self.dice.choice([1, 1, 2]) if self.maybe(odds) else 0):
            term: Object = {"labelSelector": self.selector(), "topologyKey": self.key()}
            if self.maybe(0.2):
                term["namespaces"] = [self.dice.choice(self.namespaces)]
            elif self.maybe(0.2):
                where = {"kubernetes.io/metadata.name": self.namespaces[1]}
                term["namespaceSelector"] = self.dice.choice([{}, {"matchLabels": where}])
            found.append(term)
        return found

    def constraints(self) -> list[Object]:
        found = []
        for key in self.dice.sample(["rack", HOST], self.dice.choice([1, 1, 2])):
            one: Object = {
                "maxSkew": self.dice.choice([1, 1, 2]),
                "topologyKey": key,
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": self.selector(),
            }
            for policy in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
                if self.maybe(0.3):
                    one[policy] = self.dice.choice(["Honor", "Ignore"])
            one |= {"minDomains": self.dice.choice([1, 2, 3, 4])} if self.maybe(0.3) else {}
            one |= {"matchLabelKeys": ["rev"]} if self.maybe(0.2) else {}
            found.append(one)
        return found


def _named(name: str, labels: dict[str, str]) -> Object:
    return {"name": name, "labels": labels}


@pytest.fixture
def second(kube: Kube, namespace: str) -> Iterator[str]:
    """Another namespace."""
    name = f"{namespace}-b"
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    kube.wait("ServiceAccount", "default", lambda _: True, name)
    yield name
    kube.delete_all("Pod", name, grace=0)
    kube.delete("Namespace", name)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_rules_agree_with_kube_scheduler(
    cluster: Ours, kube: Kube, namespace: str, second: str, seed: int
) -> None:
    if cluster.provider != "kwok":
        pytest.skip("needs simulated nodes")
    dice = Dice((namespace, second), random.Random(seed))
    create_nodes(kube, dice.nodes())
    try:
        for number in range(6):
            pod = dice.pod(f"there-{number}", on=dice.dice.choice(dice.names))
            kube.create(pod, dice.dice.choice(dice.namespaces))
        asked = [ask(kube, dice, f"asks-{number}") for number in range(PODS)]
    finally:
        for name in dice.namespaces:
            kube.delete_all("Pod", name, grace=0)
        for name in dice.names:
            kube.delete("Node", name)
    assert [(ours, theirs) for ours, theirs in asked if ours != theirs] == []
    assert any(isinstance(theirs, Counter) for _ours, theirs in asked), "nothing was refused"


def ask(kube: Kube, dice: Dice, name: str) -> tuple[Any, Any]:
    """What we say and what is done: the node where it fits, or how many nodes have each reason."""
    place = dice.dice.choice(dice.namespaces)
    there = [p for ns in dice.namespaces for p in kube.list("Pod", ns) if _node_of(p)]
    pod = kube.create(dice.pod(name), place)
    judged = kube.wait("Pod", name, lambda p: _node_of(p) or _refusal(p), place)
    nodes = {str(n["metadata"]["name"]): n for n in kube.list("Node")}
    labels = {n["metadata"]["name"]: n["metadata"]["labels"] for n in kube.list("Namespace")}
    others = Cluster(nodes, there, labels)
    spread, affinity = Spread(pod, others), PodAffinity(pod, others)
    verdicts = {
        n: check_fit(pod, View(node=nodes[n], spread=spread, affinity=affinity), stop_at_first=True)
        for n in dice.names
    }
    chosen = _node_of(judged)
    if chosen:
        return (chosen if not verdicts[chosen] else verdicts[chosen]), chosen
    kube.delete("Pod", name, place, grace=0)
    told = re.sub(r"\. .*", "", _refusal(judged).split(" are available: ", 1)[1])
    theirs = Counter({t.partition(" ")[2]: int(t.partition(" ")[0]) for t in told.split(", ")})
    ours = Counter(r.reason for found in verdicts.values() for r in found)
    # The nodes of other tests come and go; they have none of our labels, and taints of theirs.
    for code in ("NodeSelectorMismatch", "UntoleratedTaint"):
        del theirs[CODES[code].text], ours[CODES[code].text]
    return ours, theirs


def _node_of(pod: Object) -> str:
    return str(pod["spec"].get("nodeName", ""))


def _refusal(pod: Object) -> str:
    conditions = pod["status"].get("conditions", [])
    unscheduled = [c for c in conditions if c["type"] == "PodScheduled" and c["status"] == "False"]
    return str(unscheduled[0]["message"]) if unscheduled else ""
