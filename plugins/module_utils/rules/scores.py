# Copyright (c) 2026 podplacement contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Among the nodes that a pod fits, scores say which is liked best: 0 to 100, as kube-scheduler's.

The formulas of the first half take integers or arrays of them (numpy's, in the scheduler): a
comparison counts as 0 or 1 in them, so that one formula serves both. Whole division is Go's,
since nothing here is negative.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Callable, NamedTuple

from .model import Object, labels_of, name_of, node_field, pod_field
from .selectors import matches_node_selector_term
from .taints import taints_of, tolerates

MAX_SCORE = 100
_MAX_CURVE_SCORE = 10  # what people write in a shape
_MEBIBYTE = 1024 * 1024
_FEWEST_IMAGE_BYTES = 23 * _MEBIBYTE
_MOST_IMAGE_BYTES = 1000 * _MEBIBYTE  # for each container

Amount = Any  # an int, or an array of ints


class Demand(NamedTuple):
    """One resource of a node: what is requested with and without the pod, what there is to give."""

    requested: Amount
    before: Amount
    capacity: Amount
    weight: int = 1


def least_allocated(demands: Iterable[Demand]) -> Amount:
    """leastResourceScorer in pkg/scheduler/framework/plugins/noderesources/least_allocated.go."""
    return _weighted_mean(demands, _least_requested)


def most_allocated(demands: Iterable[Demand]) -> Amount:
    """mostResourceScorer in pkg/scheduler/framework/plugins/noderesources/most_allocated.go."""
    return _weighted_mean(demands, _most_requested)


def requested_to_capacity_ratio(
    demands: Iterable[Demand], shape: Sequence[tuple[int, int]]
) -> Amount:
    """By a curve of one's own: `shape` has points of utilisation (0 to 100, rising) and score (0 to
    10), and between two of them the score is on the line. What comes to 0 is left out of the mean.

    buildRequestedToCapacityRatioScorerFunction in
    pkg/scheduler/framework/plugins/noderesources/requested_to_capacity_ratio.go.
    """
    points = [(used, score * (MAX_SCORE // _MAX_CURVE_SCORE)) for used, score in shape]
    total: Amount = 0
    weights: Amount = 0
    for demand in demands:
        score = _on_curve(_most_requested(demand.requested, demand.capacity), points)
        weight = demand.weight * (demand.capacity != 0) * (score > 0)
        total = total + score * weight
        weights = weights + weight
    return (2 * total + weights) // (2 * weights + (weights == 0))  # rounded, a half upwards


def _on_curve(used: Amount, points: Sequence[tuple[int, int]]) -> Amount:
    """The sum of what each piece adds or takes; a piece that is not reached adds nothing.

    A part of a piece is cut towards zero, as Go divides, also where the curve falls.
    """
    score: Amount = points[0][1] + used * 0
    for (begin, low), (end, high) in zip(points, points[1:]):
        width = end - begin
        part = (used - begin) * (used > begin) * (used <= end) + width * (used > end)
        piece = abs(high - low) * part // width
        score = score + (piece if high >= low else -piece)
    return score


def _weighted_mean(demands: Iterable[Demand], score: Callable[[Amount, Amount], Amount]) -> Amount:
    """Over the resources that the node has; 0 where it has none of them."""
    total: Amount = 0
    weights: Amount = 0
    for demand in demands:
        weight = demand.weight * (demand.capacity != 0)
        total = total + score(demand.requested, demand.capacity) * weight
        weights = weights + weight
    return total // (weights + (weights == 0))


def _least_requested(requested: Amount, capacity: Amount) -> Amount:
    left = (capacity - requested) * (requested <= capacity)
    return left * MAX_SCORE // (capacity + (capacity == 0))


def _most_requested(requested: Amount, capacity: Amount) -> Amount:
    taken = requested * (requested <= capacity) + capacity * (requested > capacity)
    return taken * MAX_SCORE // (capacity + (capacity == 0))


def balanced_allocation(demands: Sequence[Demand]) -> Amount:
    """How much more even the pod makes the use of the node: 50 (less), 75 (no change), 100 (more).

    balancedResourceScorer in pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go
    of 1.36. The result is whole, and a float.
    """
    after = _evenness([(demand.requested, demand.capacity) for demand in demands])
    before = _evenness([(demand.before, demand.capacity) for demand in demands])
    half = MAX_SCORE // 2
    return half + (half + after - before) // 2


def _evenness(uses: Sequence[tuple[Amount, Amount]]) -> Amount:
    """100 less the standard deviation of the shares in use, over what the node has."""
    present = [capacity != 0 for dummy, capacity in uses]
    shares = [_share(requested, capacity) for requested, capacity in uses]
    pairs: Amount = 0  # of a node with two resources, this is the one distance between them
    for index, share in enumerate(shares):
        for other in range(index + 1, len(shares)):
            pairs = pairs + abs(share - shares[other]) * (present[index] * present[other])
    count: Amount = 0
    total: Amount = 0
    for here, share in zip(present, shares):
        count = count + here * 1
        total = total + share
    mean = total / (count + (count == 0))
    squares: Amount = 0
    for here, share in zip(present, shares):
        squares = squares + (share - mean) * (share - mean) * here
    many = (squares / (count + (count == 0))) ** 0.5
    deviation = (count == 2) * (pairs / 2) + (count > 2) * many
    return (1 - deviation) * MAX_SCORE // 1


def _share(requested: Amount, capacity: Amount) -> Amount:
    """Requested of capacity, 1 at most, 0 of nothing."""
    share = requested / (capacity + (capacity == 0))
    return ((share <= 1) * share + (share > 1)) * (capacity != 0)


def normalized(score: Amount, highest: int, *, reverse: bool = False) -> Amount:
    """A score scaled so that the highest becomes 100 (reverse: 0).

    DefaultNormalizeScore in pkg/scheduler/framework/plugins/helper/normalize_score.go.
    """
    scaled = score * MAX_SCORE // (highest or 1)
    return MAX_SCORE - scaled if reverse else scaled


def intolerable_preferences(pod: Object, node: Object) -> int:
    """How many PreferNoSchedule taints the pod does not tolerate.

    countIntolerableTaintsPreferNoSchedule in plugins/tainttoleration/taint_toleration.go.
    """
    return sum(
        taint.effect == "PreferNoSchedule" and not tolerates(pod, taint)
        for taint in taints_of(node)
    )


def preferred_affinity(pod: Object, node: Object) -> int:
    """The sum of the weights of the preferred node affinity terms that match the node.

    PreferredSchedulingTerms.Score in k8s.io/component-helpers/scheduling/corev1/nodeaffinity.
    """
    terms = pod_field(pod)["spec"]["affinity"]["nodeAffinity"]
    field = node_field(node)
    labels, name = labels_of(field), name_of(field)
    return sum(
        term["weight"].number()
        for term in terms["preferredDuringSchedulingIgnoredDuringExecution"].elements()
        if matches_node_selector_term(term["preference"], labels, name=name)
    )


def pod_images(pod: Object) -> tuple[list[str], int]:
    """The images a pod needs, image volumes among them, and its number of containers."""
    spec = pod_field(pod)["spec"]
    containers = [*spec["initContainers"].elements(), *spec["containers"].elements()]
    images = [container["image"].text() for container in containers]
    references = [volume["image"]["reference"].text() for volume in spec["volumes"].elements()]
    names = [*images, *(reference for reference in references if reference)]
    return [_image_name(name) for name in names], len(containers)


def node_images(node: Object) -> dict[str, int]:
    """What the node says it has: every name of every image -> bytes."""
    return {
        name: image["sizeBytes"].number()
        for image in node_field(node)["status"]["images"].elements()
        for name in image["names"].texts()
    }


def image_locality(
    needed: tuple[Sequence[str], int], present: dict[str, int], spread: Callable[[str], float]
) -> int:
    """How much of what the pod needs is on the node already; an image that few nodes have counts
    for less (`spread`: the share of nodes that have it), so that pods do not heap up on them.

    plugins/imagelocality/image_locality.go; `needed` as `pod_images`, `present` as `node_images`.
    """
    names, containers = needed
    most = _MOST_IMAGE_BYTES * containers
    if not containers:
        return 0
    found = sum(int(present[name] * spread(name)) for name in names if name in present)
    counted = min(max(found, _FEWEST_IMAGE_BYTES), most)
    return MAX_SCORE * (counted - _FEWEST_IMAGE_BYTES) // (most - _FEWEST_IMAGE_BYTES)


def _image_name(name: str) -> str:
    """With the tag that a container runtime adds where there is none."""
    return name if name.rfind(":") > name.rfind("/") else f"{name}:latest"
