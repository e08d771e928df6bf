# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plugin is: a class with a name and some of upstream's extension points as methods.

The names are those of k8s.io/kube-scheduler/framework (interface.go). A plugin implements the
methods it needs and nothing else; the profile finds out which are there.

Two things make a plugin cheap, and both are optional. `facets` says what of a node a verdict
depends on: the framework then asks once for each group of nodes that agree in it. `*_rows`
answers for many nodes at once with numpy. A plugin that has neither is asked for each pod and
each node that is still in question.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from .._rules import NodeUsage
from .._rules.ports import HostPort

Object = Mapping[str, Any]
MAX_SCORE = 100

# Facets of a node: see `Plugin.facets`. A label is named by LABEL + its key.
NAME = "name"
TAINTS = "taints"
UNSCHEDULABLE = "unschedulable"
IMAGES = "images"
TOPOLOGY = "topology"
LABEL = "label:"


class Code(enum.Enum):
    """As `Code` of the framework: what a plugin says."""

    SUCCESS = "Success"
    ERROR = "Error"
    UNSCHEDULABLE = "Unschedulable"  # removing pods may help
    UNRESOLVABLE = "UnschedulableAndUnresolvable"
    WAIT = "Wait"  # Permit only
    SKIP = "Skip"
    PENDING = "Pending"  # an outside condition is awaited; no back-off


@dataclass(frozen=True, slots=True)
class Status:
    """A verdict; `reasons` are short texts that are counted over nodes in a FailedScheduling."""

    code: Code = Code.SUCCESS
    reasons: tuple[str, ...] = ()
    plugin: str = ""

    @property
    def ok(self) -> bool:
        return self.code in (Code.SUCCESS, Code.SKIP)


SUCCESS = Status()


def unschedulable(*reasons: str) -> Status:
    """The node does not fit now."""
    return Status(Code.UNSCHEDULABLE, reasons)


def unresolvable(*reasons: str) -> Status:
    """The node does not fit, and no eviction changes that."""
    return Status(Code.UNRESOLVABLE, reasons)


class CycleState(dict[Hashable, Any]):
    """What plugins tell each other while one pod is placed; keys begin with the plugin's name."""


class PodClass(Protocol):
    """What pods with equal scheduling needs share."""

    @property
    def id(self) -> int: ...

    @property
    def example(self) -> Object:
        """A Pod with all that a rule reads."""

    @property
    def needs(self) -> Hashable:
        """What classes share that differ in labels alone."""

    @property
    def claims(self) -> Sequence[str]: ...

    @property
    def nonzero(self) -> tuple[int, int]:
        """Millicores and bytes, as scores count them."""

    @property
    def ports(self) -> Sequence[HostPort]: ...


class PodView(Protocol):
    """A pod as plugins see it: never changed, compared by uid."""

    uid: str
    namespace: str
    name: str
    scheduler_name: str
    node_name: str  # "" while unbound
    gates: tuple[str, ...]

    @property
    def priority(self) -> int: ...

    @property
    def pod_class(self) -> PodClass: ...

    @property
    def object(self) -> Object:
        """The whole Pod as the API server sent it; decoded when first asked for."""

    @property
    def labels(self) -> Mapping[str, str]: ...

    @property
    def requests(self) -> Mapping[str, int]:
        """Millicores of cpu, whole units of all else."""


class NodeInfo(Protocol):
    """A node and what is on it, assumed pods included."""

    name: str

    @property
    def object(self) -> Object:
        """The whole Node as the API server sent it."""

    @property
    def labels(self) -> Mapping[str, str]: ...

    @property
    def allocatable(self) -> Mapping[str, int]:
        """Millicores of cpu, whole units of all else, and `pods`."""

    @property
    def requested(self) -> Mapping[str, int]:
        """In the same units; `pods` is the number of pods."""

    @property
    def usage(self) -> NodeUsage:
        """The same as the rules want it, host ports included."""

    @property
    def pods(self) -> Sequence[PodView]:
        """The pods on the node that are not terminal."""


class Objects(Protocol):
    """All objects of one kind."""

    version: int  # grows with each change

    def get(self, name: str, namespace: str = "") -> Object | None: ...

    def values(self) -> Iterator[Object]: ...


class Storage(Protocol):
    """What is known of claims and volumes."""

    @property
    def volumes(self) -> Objects: ...

    @property
    def csi_nodes(self) -> Objects: ...

    @property
    def attachments(self) -> Objects: ...

    @property
    def classes(self) -> Objects: ...

    @property
    def version(self) -> int:
        """Grows with each change of any of them, and of who uses which claim."""

    def of(self, pod: Any) -> Mapping[str, tuple[Object, Object | None] | None]:
        """Each claim that the pod mounts -> the claim and its volume; None: no such claim."""

    def stamp(self, pod: Any) -> Hashable:
        """Is another one whenever `of(pod)` is."""

    def users(self, name: str, namespace: str) -> Sequence[PodView]:
        """The pods on nodes, assumed ones included, that mount the claim."""


class AntiAffinity(Protocol):
    """The pods on nodes that keep others away: required pod anti-affinity.

    `version` grows with each change of them, and of the labels of a node that has one.
    """

    version: int

    @property
    def pods(self) -> Collection[PodView]: ...


class Handle(Protocol):
    """What a plugin may ask the scheduler for."""

    @property
    def nodes(self) -> Sequence[NodeInfo]:
        """All nodes that this scheduler may use, now."""

    def node(self, name: str) -> NodeInfo | None: ...

    def node_labels(self, name: str) -> Mapping[str, str]:
        """Those of any node, also of one that this scheduler may not use."""

    @property
    def node_count(self) -> int: ...

    def nodes_with_image(self, image: str) -> int:
        """How many nodes say in their status that they have the image, under this very name."""

    @property
    def storage(self) -> Storage: ...

    @property
    def anti_affinity(self) -> AntiAffinity: ...

    def allow(self, uid: str) -> None:
        """Let a pod go on that waits in Permit."""

    def reject(self, uid: str, reason: str) -> None:
        """Refuse a pod that waits in Permit."""

    def activate(self, uid: str) -> None:
        """Try an unschedulable pod again now."""


class Event(enum.Enum):
    """What can make an unschedulable pod schedulable (ClusterEvent of the framework)."""

    NODE_ADDED = "NodeAdd"
    NODE_CHANGED = "NodeUpdate"  # labels, taints, allocatable or unschedulable
    POD_REMOVED = "AssignedPodDelete"  # deleted, ended, or given less
    POD_CHANGED = "UnscheduledPodUpdate"  # the pod itself: labels, tolerations, gates, requests
    VOLUME_CHANGED = "PersistentVolumeChange"  # claims, volumes, CSI nodes, classes
    OTHER = "Other"  # a plugin called activate, or the periodic flush


ALL_EVENTS = frozenset(Event)


class QueuedPod(Protocol):
    """What QueueSort compares."""

    pod: PodView
    timestamp: float  # monotonic seconds when it last became active
    attempts: int


class Plugin:
    """The base of all plugins. Subclasses define only the extension points that they need.

    ```
    def pre_enqueue(self, pod) -> Status
    def less(self, a, b) -> bool                              # QueueSort; one per profile
    def pre_filter(self, state, pod) -> Status                # once a pod; refuses it on all nodes
    def pre_filter_nodes(self, state, pod) -> set[str] | None # only these nodes; None: all
    def filter(self, state, pod, node) -> Status
    def filter_rows(self, state, pod, table, rows) -> NDArray[bool]
    def reasons_rows(self, state, pod, table, rows) -> Counter[str]
    def post_filter(self, state, pod, statuses) -> Status     # no node fits: make room, or not
    def pre_score(self, state, pod) -> Status                 # SKIP: this pod needs no score of it
    def score(self, state, pod, node) -> int                  # 0 to 100, before normalize_score
    def score_rows(self, state, pod, table, rows) -> NDArray[int64]
    def normalize_score(self, state, pod, scores) -> dict[str, int]
    def reserve(self, state, pod, node_name) -> Status
    def unreserve(self, state, pod, node_name) -> None
    def permit(self, state, pod, node_name) -> tuple[Status, float]   # WAIT: at most so many s
    async def pre_bind(self, state, pod, node_name) -> Status
    async def bind(self, state, pod, node_name) -> Status     # SKIP: the next one binds
    async def post_bind(self, state, pod, node_name) -> None
    ```
    `rows` are indexes into the arrays of `table`; results are in their order.
    """

    name: ClassVar[str]
    weight: ClassVar[int] = 1
    # Which events may turn its refusal; a pod it refused is not tried again for others.
    events: ClassVar[frozenset[Event]] = ALL_EVENTS

    def __init__(self, args: Mapping[str, Any], handle: Handle) -> None:
        """`args` are those of the profile; raises ConfigError on what it does not know."""
        self.args = args
        self.handle = handle

    def facets(self, pod: PodView) -> frozenset[str] | None:
        """What of a node `filter` and `score` depend on for this pod, besides the pod.

        NAME, TAINTS, UNSCHEDULABLE, IMAGES, TOPOLOGY (zone and region labels) or LABEL + key. The
        empty set: nothing, one answer for all nodes. None: anything, ask for each node. A plugin
        with facets and a signature gets one node of each group in `normalize_score`.
        """
        return None

    def sign(self, pod: PodView) -> Hashable | None:
        """What of the pod the verdicts depend on, beyond what makes its class (see PodClass).

        Pods of one class with one signature get the same verdicts from the same nodes. None: each
        pod may get another one, and nothing is remembered.
        """
        return None


@dataclass
class FitError:
    """No node fits: how often each reason was given, over how many nodes."""

    nodes: int
    reasons: Counter[str] = field(default_factory=Counter)
    plugins: set[str] = field(default_factory=set)  # who refused: decides what may help
    whole_pod: str = ""  # PreFilter refused the pod as such
    resolvable: bool = False
    # For PostFilter: what was said of each node, found out when it is asked for.
    statuses: Mapping[str, Status] = field(default_factory=dict)
    state: CycleState = field(default_factory=CycleState)

    def message(self) -> str:
        """Upstream's sentence (FitError.Error in pkg/scheduler/framework/types.go)."""
        texts = sorted(f"{count} {reason}" for reason, count in self.reasons.items())
        if self.whole_pod:
            texts = [self.whole_pod]
        told = f": {', '.join(texts)}." if texts else "."
        return f"0/{self.nodes} nodes are available{told}"
