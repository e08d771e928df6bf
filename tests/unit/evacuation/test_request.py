# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be asked of an evacuation."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import PlacementError
from ansible_collections.podplacement.core.plugins.module_utils.evacuation.request import (
    Request,
    request_from,
)

DEFAULTS: dict[str, Any] = {
    "node": "a",
    "state": "evacuated",
    "cordon": True,
    "on_stop": "stay",
    "on_leftovers": "fail",
    "fallback": "refuse",
    "jobs": "leave",
    "placement": "schedule",
    "record_namespace": "default",
}


def test_the_defaults_are_those_of_the_request() -> None:
    assert request_from(DEFAULTS) == Request("a")


def test_what_is_given_is_taken() -> None:
    more = {"target_nodes": ["b", "c"], "surge": 2, "deadline": 60, "label_selectors": ["a=b", "c"]}
    found = request_from({**DEFAULTS, **more})
    assert (found.targets, found.surge, found.window, found.selector) == (
        ("b", "c"),
        2,
        60.0,
        "a=b,c",
    )


def test_an_order_goes_to_a_node_or_away() -> None:
    request = Request("a", fallback="evict", jobs="evict", placement="bind")
    away, there = request.order("ns", "p"), request.order("ns", "p", "b")
    assert (away.node, away.away) == (None, True)
    assert (there.node, there.away) == ("b", False)
    assert (there.fallback, there.jobs, there.placement) == ("evict", "evict", "bind")


@pytest.mark.parametrize(
    "more",
    [
        {"target_nodes": []},
        {"target_nodes": ["a"]},
        {"target_nodes": ["b", "b"]},
        {"target_nodes": ["b"], "target": "any"},
        {"surge": -1},
        {"forks": -1},
        {"max_failures": -1},
        {"deadline": 0},
        {"requests_per_second": -1},
    ],
)
def test_what_cannot_be_meant_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(PlacementError) as caught:
        request_from({**DEFAULTS, **more})
    assert (caught.value.code, bool(caught.value.hint)) == ("BadRequest", True)
