# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores come out as kube-scheduler's: its own numbers, worked out by hand from its formulas."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.rules.scores import (
    Demand,
    balanced_allocation,
    image_locality,
    intolerable_preferences,
    least_allocated,
    most_allocated,
    node_images,
    normalized,
    pod_images,
    preferred_affinity,
    requested_to_capacity_ratio,
)

MIB = 1024 * 1024


def demand(requested: int, capacity: int, weight: int = 1, before: int = 0) -> Demand:
    return Demand(requested, before, capacity, weight)


@pytest.mark.parametrize(
    ("demands", "least", "most"),
    [
        ([demand(0, 4000), demand(0, 10)], 100, 0),
        ([demand(4000, 4000), demand(10, 10)], 0, 100),
        # 3000/4000 and 5000/10000: (25 + 50) / 2, and (75 + 50) / 2.
        ([demand(3000, 4000), demand(5000, 10000)], 37, 62),
        # Each resource is rounded down before they are added: 66 and 33.
        ([demand(1, 3), demand(2, 3)], 49, 49),
        # More than there is counts as all of it.
        ([demand(5000, 4000), demand(0, 10)], 50, 50),
        # A resource that the node has not is left out of the mean.
        ([demand(1000, 4000), demand(7, 0)], 75, 25),
        ([demand(7, 0)], 0, 0),
        ([], 0, 0),
        # Weights: (75 * 3 + 0 * 1) / 4.
        ([demand(1000, 4000, 3), demand(10, 10, 1)], 56, 43),
    ],
)
def test_least_and_most_allocated(demands: list[Demand], least: int, most: int) -> None:
    assert (least_allocated(demands), most_allocated(demands)) == (least, most)


FALLING = ((0, 10), (100, 0))
HILL = ((10, 2), (40, 10), (70, 3))


@pytest.mark.parametrize(
    ("shape", "demands", "score"),
    [
        # As most and as least allocated.
        (((0, 0), (100, 10)), [demand(1, 4)], 25),
        (FALLING, [demand(1, 4)], 75),
        # Before the first point and after the last the curve is flat, and one point is a line.
        (HILL, [demand(5, 100)], 20),
        (HILL, [demand(71, 100)], 30),
        (((50, 7),), [demand(0, 100)], 70),
        # On a point, and between two: 20 + 80 * 15 / 30, 100 - 70 * 10 / 30 cut to 100 - 23.
        (HILL, [demand(40, 100)], 100),
        (HILL, [demand(25, 100)], 60),
        (HILL, [demand(50, 100)], 77),
        # The utilisation is cut first: 66 of 100, and 2/3 is on neither side of it.
        (((0, 0), (100, 10)), [demand(2, 3)], 66),
        # More than there is counts as all of it.
        (FALLING, [demand(5, 4)], 0),
        (((0, 0), (100, 10)), [demand(5, 4)], 100),
        # The mean is rounded: (25 + 50 + 50) / 3 = 41.7, and a half goes up: (25 + 50) / 2.
        (((0, 0), (100, 10)), [demand(1, 4), demand(1, 2), demand(1, 2)], 42),
        (((0, 0), (100, 10)), [demand(1, 4), demand(1, 2)], 38),
        # What comes to 0 is no part of the mean, nor is what the node has not.
        (FALLING, [demand(1, 4), demand(4, 4)], 75),
        (FALLING, [demand(1, 4), demand(7, 0)], 75),
        (FALLING, [demand(4, 4)], 0),
        (FALLING, [], 0),
        # Weights: (75 * 3 + 50) / 4 = 68.75.
        (FALLING, [demand(1, 4, 3), demand(1, 2)], 69),
    ],
)
def test_requested_to_capacity_ratio(
    shape: tuple[tuple[int, int], ...], demands: list[Demand], score: int
) -> None:
    assert requested_to_capacity_ratio(demands, shape) == score


@pytest.mark.parametrize(
    ("demands", "score"),
    [
        # No change: 50 + (50 + 0) / 2.
        ([demand(0, 1000), demand(0, 1000)], 75),
        # From even (0, 0) to (0.5, 0): the deviation is 0.25; 50 + (50 + 75 - 100) / 2 = 62.
        ([demand(500, 1000), demand(0, 1000)], 62),
        # From (0.5, 0) to (0.5, 0.5): 50 + (50 + 100 - 75) / 2 = 87.
        ([demand(500, 1000, before=500), demand(500, 1000)], 87),
        # The share of what is overcommitted is 1, not more.
        ([demand(3000, 1000, before=2000), demand(0, 1000)], 75),
        # One resource is always even.
        ([demand(500, 1000), demand(1, 0)], 75),
        ([demand(500, 1000)], 75),
        # Three: shares 0.6, 0.3, 0: deviation 0.2449; 50 + (50 + 75 - 100) / 2 = 62.
        ([demand(600, 1000), demand(300, 1000), demand(0, 1000)], 62),
        # Shares 0.857, 0.125 and from 0.375 to 0.5, or from 0 to 0.125: 69 -> 70, 62 -> 65.
        ([demand(6, 7, before=6), demand(1, 8, before=1), demand(4, 8, before=3)], 75),
        ([demand(6, 7, before=6), demand(1, 8, before=1), demand(1, 8)], 76),
        # Of three, two that the node has are a pair: 0.5 and 0.
        ([demand(500, 1000), demand(9, 0), demand(0, 1000)], 62),
    ],
)
def test_balanced_allocation(demands: list[Demand], score: int) -> None:
    assert balanced_allocation(demands) == score


@pytest.mark.parametrize(
    ("score", "highest", "up", "down"),
    [(3, 3, 100, 0), (1, 3, 33, 67), (0, 3, 0, 100), (0, 0, 0, 100)],
)
def test_normalized(score: int, highest: int, up: int, down: int) -> None:
    assert normalized(score, highest) == up
    assert normalized(score, highest, reverse=True) == down


def test_only_preferences_that_are_not_tolerated_count() -> None:
    node = {
        "spec": {
            "taints": [
                {"key": "spot", "effect": "PreferNoSchedule"},
                {"key": "old", "value": "yes", "effect": "PreferNoSchedule"},
                {"key": "gpu", "effect": "NoSchedule"},
            ]
        }
    }
    tolerations = [{"key": "old", "operator": "Exists", "effect": "NoSchedule"}]
    assert intolerable_preferences({"spec": {"tolerations": tolerations}}, node) == 2
    tolerations = [{"key": "old", "operator": "Exists"}]
    assert intolerable_preferences({"spec": {"tolerations": tolerations}}, node) == 1


def test_preferred_affinity_adds_the_weights_of_the_terms_that_match() -> None:
    def term(weight: int, **labels: str) -> dict[str, Any]:
        expressions = [
            {"key": key, "operator": "In", "values": [value]} for key, value in labels.items()
        ]
        return {"weight": weight, "preference": {"matchExpressions": expressions}}

    terms = [term(10, zone="a"), term(5, disk="ssd"), term(70, zone="b"), term(3)]
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": terms}}
    node = {"metadata": {"name": "n", "labels": {"zone": "a", "disk": "ssd"}}}
    assert preferred_affinity({"spec": {"affinity": affinity}}, node) == 15
    assert preferred_affinity({"spec": {}}, node) == 0


def images(**sizes: int) -> dict[str, Any]:
    return {"status": {"images": [{"names": [f"{n}:1"], "sizeBytes": s} for n, s in sizes.items()]}}


@pytest.mark.parametrize(
    ("sizes", "spread", "score"),
    [
        ({}, 1.0, 0),
        ({"app": 10 * MIB}, 1.0, 0),  # too little to matter
        ({"app": 500 * MIB}, 1.0, 48),  # (500 - 23) / (1000 - 23)
        ({"app": 500 * MIB}, 0.5, 23),  # on half of the nodes only
        ({"app": 5000 * MIB}, 1.0, 100),
        ({"other": 500 * MIB}, 1.0, 0),
    ],
)
def test_image_locality(sizes: dict[str, int], spread: float, score: int) -> None:
    needed = pod_images({"spec": {"containers": [{"image": "app:1"}]}})
    assert image_locality(needed, node_images(images(**sizes)), lambda name: spread) == score


def test_a_pod_needs_the_images_of_all_its_containers_and_image_volumes() -> None:
    pod = {
        "spec": {
            "initContainers": [{"image": "host:5000/init"}],
            "containers": [{"image": "app"}, {"image": "side:2"}],
            "volumes": [{"image": {"reference": "models:7"}}, {"emptyDir": {}}],
        }
    }
    assert pod_images(pod) == (["host:5000/init:latest", "app:latest", "side:2", "models:7"], 3)
