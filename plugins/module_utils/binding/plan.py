# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node for each pending pod: a pure function of what was read, so check mode and run agree.

Decisions are made one after the other on a board that counts every pod already decided, as a
scheduler's cache does. ``random`` is drawn from the pod's uid: every fitting node is equally
likely, and the same pod over the same nodes always gets the same one.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Callable, Dict, Iterable, List, Mapping, Tuple

from ..api import Object
from ..preflight import (
    claims_in_use,
    explain,
    judge,
    not_judged,
    refuse_or_warn,
    unbindable,
)
from ..resources import meta, uid
from ..rules.fit import View, least_allocated_score
from ..rules.rejection import Rejection
from ..rules.usage import NodeUsage
from ..rules.volumes import Volumes
from ..workloads import controller_ref

POLICIES = ("spread", "random", "least_allocated")


@dataclass(frozen=True)
class Decision:
    """One pod's fate: a node, or a code and a reason why there is none."""

    pod: Object
    volumes: Volumes
    node: str = ""
    code: str = ""
    reason: str = ""
    warnings: List[str] = field(default_factory=list)


class Board:
    """The candidate nodes, and what will run on them once every decision so far is carried out."""

    def __init__(self, nodes: Iterable[Object], pods: Iterable[Object]) -> None:
        self.nodes: Dict[str, Object] = {meta(n)["name"]: n for n in nodes}
        self.usage = {name: NodeUsage() for name in self.nodes}
        self.placed = list(pods)
        self._peers: Counter[Tuple[str, str]] = Counter()
        for pod in self.placed:
            self._count(pod, pod["spec"]["nodeName"], running=True)

    def place(self, pod: Object, node: str) -> None:
        """From now on the pod takes its share of the node."""
        assigned = dict(pod, spec=dict(pod["spec"], nodeName=node))
        self.placed.append(assigned)
        self._count(assigned, node, running=False)

    def peers(self, pod: Object, node: str) -> int:
        """Pods on the node that the pod should be kept apart from."""
        return self._peers[node, _peer_group(pod)]

    def view(self, node: str, volumes: Volumes) -> View:
        """What ``rules`` need to know of the node."""
        return View(node=self.nodes[node], usage=self.usage[node], volumes=volumes)

    def _count(self, pod: Object, node: str, *, running: bool) -> None:
        if node not in self.usage:
            return
        self.usage[node].add(pod)
        # A pod without a controller has no peers among strangers that run already.
        if not running or controller_ref(pod) is not None:
            self._peers[node, _peer_group(pod)] += 1


def _peer_group(pod: Object) -> str:
    """The replicas of one controller belong together, and so do the bare pods of one run."""
    owner = controller_ref(pod)
    return str(owner["uid"]) if owner is not None else ""


def in_order(pods: Iterable[Object]) -> List[Object]:
    """Higher priority first, then older first, as a scheduler's queue; names make it total."""

    def key(pod: Object) -> Tuple[int, str, str, str]:
        found = meta(pod)
        priority = int((pod.get("spec") or {}).get("priority") or 0)
        return -priority, found.get("creationTimestamp", ""), found["namespace"], found["name"]

    return sorted(pods, key=key)


def decide(board: Board, pod: Object, volumes: Volumes, *, policy: str, validate: str) -> Decision:
    """Choose a node for one pod and reserve its share there, or say why there is none.

    ``strict`` chooses among the nodes that fit; ``warn`` too, and takes one that does not when
    none does; ``none`` does not look.
    """
    never = unbindable(pod, volumes) + claims_in_use(pod, volumes, board.placed)
    if never:
        return Decision(pod, volumes, code=never[0].code, reason=explain(never))
    verdicts: Dict[str, List[Rejection]] = {}
    if validate != "none":
        for name in board.nodes:
            verdicts[name] = judge(pod, board.view(name, volumes), stop_at_first=True)
    fitting = [name for name in sorted(board.nodes) if not verdicts.get(name)]
    if not fitting and validate == "strict":
        return Decision(pod, volumes, code="Unschedulable", reason=unavailable(verdicts))
    node = CHOICES[policy](board, pod, fitting or sorted(board.nodes), volumes)
    warnings = [] if validate == "none" else not_judged(pod)
    if verdicts.get(node):
        every = judge(pod, board.view(node, volumes))
        warnings += refuse_or_warn(validate, pod, node, every, step="preflight")
    board.place(pod, node)
    return Decision(pod, volumes, node=node, warnings=warnings)


def unavailable(verdicts: Mapping[str, List[Rejection]]) -> str:
    """kube-scheduler's sentence: how many nodes were turned down for what (FitError.Error)."""
    counts = Counter(rejection.reason for found in verdicts.values() for rejection in found)
    reasons = ", ".join(sorted("%d %s" % (n, reason) for reason, n in counts.items()))
    return "0/%d nodes are available: %s." % (len(verdicts), reasons)


# ---- policies: one of the names, which are sorted and never empty


def spread(board: Board, pod: Object, names: List[str], volumes: Volumes) -> str:
    """The node with the fewest of the pod's peers, then with the fewest pods at all."""
    return min(names, key=lambda name: (board.peers(pod, name), board.usage[name].pod_count, name))


def random(board: Board, pod: Object, names: List[str], volumes: Volumes) -> str:
    """Any, each with the same chance, but drawn from the uid instead of from a generator."""
    digest = hashlib.sha256(uid(pod).encode()).hexdigest()
    return names[int(digest, 16) % len(names)]


def least_allocated(board: Board, pod: Object, names: List[str], volumes: Volumes) -> str:
    """The node that is emptiest with the pod on it, cpu and memory alike."""

    def key(name: str) -> Tuple[float, int, str]:
        score = least_allocated_score(pod, board.view(name, volumes))
        return -score, board.usage[name].pod_count, name

    return min(names, key=key)


Choice = Callable[[Board, Object, List[str], Volumes], str]
CHOICES: Dict[str, Choice] = {
    "spread": spread,
    "random": random,
    "least_allocated": least_allocated,
}
