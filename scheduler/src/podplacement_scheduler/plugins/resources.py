# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Room on a node: whether a pod fits, and how well it fills what is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from .._rules import CODES
from .._rules.requests import is_scalar
from .._rules.resources import insufficient_resources, insufficient_text
from .._rules.scores import (
    Demand,
    balanced_allocation,
    least_allocated,
    most_allocated,
    requested_to_capacity_ratio,
)
from ..errors import ConfigError
from ..framework.interface import (
    SUCCESS,
    Code,
    CycleState,
    Event,
    Handle,
    NodeInfo,
    Plugin,
    PodView,
    Status,
)
from . import columns
from .base import Args, parse, verdict

if TYPE_CHECKING:
    from ..cache.classes import Classes
    from ..cache.table import NodeTable

Rows = NDArray[np.intp]
Scores = NDArray[np.int64]
# What is free of a resource is never less than the one, nor as much as the other.
_NO_MATTER, _NEVER = -(1 << 63), (1 << 63) - 1


class ResourceSpec(Args, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A resource that counts for the score, and how much."""

    name: str
    weight: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1


_CPU_AND_MEMORY = (ResourceSpec("cpu"), ResourceSpec("memory"))
_STRATEGIES = {"LeastAllocated": least_allocated, "MostAllocated": most_allocated}
_BY_CURVE = "RequestedToCapacityRatio"
_FAST = {"LeastAllocated": columns.least_allocated, "MostAllocated": columns.most_allocated}
_FAST_OF = {
    "LeastAllocated": columns.least_allocated_of,
    "MostAllocated": columns.most_allocated_of,
}


class UtilizationShapePoint(Args, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The score at a share in use, in percent."""

    utilization: Annotated[int, msgspec.Meta(ge=0, le=100)]
    score: Annotated[int, msgspec.Meta(ge=0, le=10)]


class RequestedToCapacityRatio(Args, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The curve of the strategy of this name."""

    shape: tuple[UtilizationShapePoint, ...] = ()


class ScoringStrategy(Args, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """As upstream's."""

    type: str = "LeastAllocated"
    resources: tuple[ResourceSpec, ...] = _CPU_AND_MEMORY
    requested_to_capacity_ratio: RequestedToCapacityRatio = RequestedToCapacityRatio()


class NodeResourcesFitArgs(Args, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """As upstream's."""

    ignored_resources: frozenset[str] = frozenset()
    ignored_resource_groups: frozenset[str] = frozenset()
    scoring_strategy: ScoringStrategy = ScoringStrategy()


class BalancedArgs(Args, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """As upstream's; every weight is 1."""

    resources: tuple[ResourceSpec, ...] = _CPU_AND_MEMORY


class NodeResourcesFit(Plugin):
    """Requests against what is allocatable; least or most allocated as a score."""

    name = "NodeResourcesFit"
    events: ClassVar[frozenset[Event]] = frozenset(
        {Event.NODE_ADDED, Event.NODE_CHANGED, Event.POD_REMOVED, Event.POD_CHANGED}
    )

    def __init__(self, args: Mapping[str, Any], handle: Handle) -> None:
        super().__init__(args, handle)
        parsed = parse(self.name, args, NodeResourcesFitArgs)
        strategy = parsed.scoring_strategy
        self._ignored = parsed.ignored_resources
        self._ignored_groups = parsed.ignored_resource_groups
        self._formula = _formula(self.name, strategy)
        self._resources = _checked(self.name, strategy.resources)
        plain = _is_plain(self._resources)
        self._fast = _FAST.get(strategy.type) if plain else None
        self._fast_of = _FAST_OF.get(strategy.type) if plain else None

    def sign(self, pod: PodView) -> Hashable:
        return ()

    def filter(self, state: CycleState, pod: PodView, node: NodeInfo) -> Status:
        """All that is too little, as upstream says it."""
        return verdict(
            insufficient_resources(pod.object, node.object, node.usage, ignores=self._ignores)
        )

    def filter_rows(
        self, state: CycleState, pod: PodView, table: NodeTable, rows: Rows
    ) -> NDArray[np.bool_]:
        fits: NDArray[np.bool_] = table.pod_count.take(rows) < table.allowed_pods.take(rows)
        free = columns.free(table, rows)
        for name, units in self._counted(pod.requests):
            column = table.columns.get(name)
            fits &= False if column is None else free[:, column] >= units
        return fits

    def filter_row(self, state: CycleState, pod: PodView, table: NodeTable, row: int) -> bool:
        numbers = table.numbers(row)
        if numbers.full:
            return False
        there, used = numbers.there, numbers.used
        for name, units in pod.requests.items():
            column = table.columns.get(name)
            if column is not None and there[column] - used[column] >= units:
                continue
            if self._counts(name, units):
                return False
        return True

    def filter_classes(self, classes: Classes, table: NodeTable, rows: Rows) -> NDArray[np.bool_]:
        """As `filter_rows`, a line for each class; one line where it is the same for all."""
        key = self.name, len(table.columns)
        limits = classes.kept.get(key)
        if limits is None:
            limits = classes.kept[key] = self._limits(classes, table)
        fits: NDArray[np.bool_] = table.pod_count.take(rows) < table.allowed_pods.take(rows)
        free = columns.free(table, rows)
        for column, units in limits:
            fits = fits & (free[:, column] >= units)
        return fits

    def reasons_rows(
        self, state: CycleState, pod: PodView, table: NodeTable, rows: Rows
    ) -> Counter[str]:
        full = table.pod_count[rows] >= table.allowed_pods[rows]
        counts = {CODES["TooManyPods"].text: int(full.sum())}
        free = columns.free(table, rows)
        for name, units in self._counted(pod.requests):
            column = table.columns.get(name)
            short = len(rows) if column is None else np.count_nonzero(free[:, column] < units)
            counts[insufficient_text(name)] = int(short)
        return Counter({text: count for text, count in counts.items() if count})

    def score(self, state: CycleState, pod: PodView, node: NodeInfo) -> int:
        before = {"cpu": node.usage.nonzero_cpu, "memory": node.usage.nonzero_memory}
        demands = _demands(
            self._resources,
            _wanted(pod),
            {**node.requested, **before},
            node.allocatable,
        )
        return int(self._formula(demands))

    def score_rows(
        self, state: CycleState, pod: PodView, table: NodeTable, rows: Rows
    ) -> NDArray[np.int64]:
        if self._fast is not None:
            asked = columns.asked_by_one(pod.pod_class.nonzero)
            lines = columns.allocated(self._fast, table, rows, asked)
            if lines is not None:
                return _only(lines)
        found = _columns(table, rows, self._resources)
        nonzero = {"cpu": table.nonzero[rows, 0], "memory": table.nonzero[rows, 1]}
        demands = _demands(
            self._resources,
            _wanted(pod),
            {**found.requested, **nonzero},
            found.allocatable,
        )
        return _as_scores(self._formula(demands), rows)

    def score_classes(self, classes: Classes, table: NodeTable, rows: Rows) -> Scores | None:
        """As `score_rows`, a line for each class; None where classes must be asked one by one."""
        if self._fast is None:
            return None
        return columns.allocated(self._fast, table, rows, classes.nonzero)

    def score_row(self, state: CycleState, pod: PodView, table: NodeTable, row: int) -> int:
        numbers = table.numbers(row)
        there, nonzero = numbers.there, numbers.nonzero
        if self._fast_of is not None and there[0] and there[1]:
            cpu, memory = pod.pod_class.nonzero
            return self._fast_of(nonzero[0] + cpu, nonzero[1] + memory, there)
        return self.score(state, pod, table.info(row))

    def _limits(self, classes: Classes, table: NodeTable) -> list[tuple[int, NDArray[np.int64]]]:
        """What must be free of a column for each class; a resource that no node has suits none."""
        found: dict[int, list[int]] = {}
        for line, wants in enumerate(classes.wants):
            for name, units in self._counted(wants.requests):
                column = table.columns.get(name)
                limits = found.get(column or 0)
                if limits is None:
                    limits = found[column or 0] = [_NO_MATTER] * len(classes.wants)
                limits[line] = _NEVER if column is None else max(limits[line], units)
        return [
            (column, np.array(limits, np.int64)[:, np.newaxis]) for column, limits in found.items()
        ]

    def _counted(self, requests: Mapping[str, int]) -> Iterator[tuple[str, int]]:
        return ((name, units) for name, units in requests.items() if self._counts(name, units))

    def _counts(self, name: str, units: int) -> bool:
        return units > 0 and name != "pods" and not self._ignores(name)

    def _ignores(self, name: str) -> bool:
        """Extended resources that the profile leaves to somebody else."""
        if not self._ignored and not self._ignored_groups:
            return False
        group = name.partition("/")[0]
        return is_scalar(name) and (name in self._ignored or group in self._ignored_groups)


class NodeResourcesBalancedAllocation(Plugin):
    """Likes nodes whose resources the pod leaves in more even use."""

    name = "NodeResourcesBalancedAllocation"

    def __init__(self, args: Mapping[str, Any], handle: Handle) -> None:
        super().__init__(args, handle)
        self._resources = _checked(self.name, parse(self.name, args, BalancedArgs).resources)
        self._plain = _is_plain(self._resources)
        if any(resource.weight != 1 for resource in self._resources):
            raise ConfigError(f"args of {self.name}: the weight of every resource must be 1")

    def sign(self, pod: PodView) -> Hashable:
        return ()

    def pre_score(self, state: CycleState, pod: PodView) -> Status:
        """A pod that asks for nothing changes no balance."""
        asks = any(pod.requests.get(resource.name) for resource in self._resources)
        return SUCCESS if asks else Status(Code.SKIP)

    def score(self, state: CycleState, pod: PodView, node: NodeInfo) -> int:
        demands = _demands(self._resources, pod.requests, node.requested, node.allocatable)
        return int(balanced_allocation(demands))

    def score_rows(
        self, state: CycleState, pod: PodView, table: NodeTable, rows: Rows
    ) -> NDArray[np.int64]:
        if self._plain:
            requests = pod.requests.get("cpu", 0), pod.requests.get("memory", 0)
            lines = columns.balanced_allocation(table, rows, columns.asked_by_one(requests))
            if lines is not None:
                return _only(lines)
        found = _columns(table, rows, self._resources)
        demands = _demands(self._resources, pod.requests, found.requested, found.allocatable)
        return _as_scores(balanced_allocation(demands), rows)

    def score_classes(self, classes: Classes, table: NodeTable, rows: Rows) -> Scores | None:
        """As `score_rows`, a line for each class; None where classes must be asked one by one."""
        if not self._plain:
            return None
        return columns.balanced_allocation(table, rows, classes.requests)

    def score_row(self, state: CycleState, pod: PodView, table: NodeTable, row: int) -> int:
        numbers = table.numbers(row)
        there = numbers.there
        if self._plain and there[0] and there[1]:
            requests = pod.requests.get("cpu", 0), pod.requests.get("memory", 0)
            return columns.balanced_allocation_of(numbers.used, there, requests)
        return self.score(state, pod, table.info(row))


class _Columns:
    """Columns of a table by the name of their resource; a resource that no node has is 0."""

    def __init__(self, requested: dict[str, Any], allocatable: dict[str, Any]) -> None:
        self.requested = requested
        self.allocatable = allocatable


def _columns(table: NodeTable, rows: Rows, resources: Sequence[ResourceSpec]) -> _Columns:
    known = {r.name: table.columns[r.name] for r in resources if r.name in table.columns}
    return _Columns(
        {name: table.requested[rows, column] for name, column in known.items()},
        {name: table.allocatable[rows, column] for name, column in known.items()},
    )


def _wanted(pod: PodView) -> Mapping[str, int]:
    """A container that asks for no cpu or memory counts a little of it when nodes are scored."""
    cpu, memory = pod.pod_class.nonzero
    return {**pod.requests, "cpu": cpu, "memory": memory}


def _demands(
    resources: Sequence[ResourceSpec],
    wanted: Mapping[str, int],
    before: Mapping[str, Any],
    capacity: Mapping[str, Any],
) -> list[Demand]:
    """Of ints or of columns. An extended resource that the pod does not ask for is no matter."""
    demands = []
    for resource in resources:
        name, more = resource.name, wanted.get(resource.name, 0)
        if more == 0 and is_scalar(name):
            continue
        held = before.get(name, 0)
        demands.append(Demand(held + more, held, capacity.get(name, 0), resource.weight))
    return demands


def _only(lines: Scores) -> Scores:
    """The scores of the one class that was asked about."""
    scores: Scores = lines[0]
    return scores


def _as_scores(scores: Any, rows: Rows) -> NDArray[np.int64]:
    """One score a row, also where no resource counts and the formula gave one number for all."""
    return np.broadcast_to(np.asarray(scores, np.int64), len(rows)).copy()


def _is_plain(resources: Sequence[ResourceSpec]) -> bool:
    """Cpu and memory, alike."""
    return tuple(r.name for r in resources) == columns.RESOURCES and all(
        r.weight == 1 for r in resources
    )


def _formula(plugin: str, strategy: ScoringStrategy) -> Callable[[Sequence[Demand]], Any]:
    """What the strategy makes of demands; its curve is one, where it needs one."""
    place = f"args of {plugin}: scoringStrategy"
    if strategy.type in _STRATEGIES:
        return _STRATEGIES[strategy.type]
    if strategy.type != _BY_CURVE:
        known = " or ".join((*_STRATEGIES, _BY_CURVE))
        raise ConfigError(f"{place}.type: there is no {strategy.type}; use {known}")
    shape = [(p.utilization, p.score) for p in strategy.requested_to_capacity_ratio.shape]
    if not shape:
        raise ConfigError(f"{place}.requestedToCapacityRatio.shape: at least one point is needed")
    if any(before[0] >= after[0] for before, after in pairwise(shape)):
        raise ConfigError(f"{place}.requestedToCapacityRatio.shape: utilization must rise")
    return partial(requested_to_capacity_ratio, shape=shape)


def _checked(plugin: str, resources: Sequence[ResourceSpec]) -> Sequence[ResourceSpec]:
    names = [resource.name for resource in resources]
    twice = sorted({name for name in names if names.count(name) > 1})
    if not names or twice:
        problem = f"{', '.join(twice)} is there twice" if twice else "there are none"
        raise ConfigError(f"args of {plugin}: resources: {problem}")
    return resources
