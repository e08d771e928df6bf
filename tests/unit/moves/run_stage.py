# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs of one move in a small cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    PlacementError,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.order import Order, Report
from ansible_collections.podplacement.core.plugins.module_utils.moves.run import (
    carry_out,
)
from tests.unit.moves.objects import (
    NS,
    Object,
    controller,
    deployment,
    holder,
    node,
    pod,
    settings,
)
from tests.unit.moves.world import World

ABOVE = deployment()
OWNER = controller(above=ABOVE)
ORDER = Order(NS, "old", "b")
STRATEGIES = ["adopt", "recreate", "surge"]


def world(strategy: str = "adopt", *more: Object) -> World:
    nodes = [node("a"), node("b")]
    if strategy != "adopt":
        return World(*nodes, pod("old"), *more)
    mine = [pod(name, owner=OWNER) for name in ("old", "other")]
    return World(*nodes, ABOVE, OWNER, *mine, *more)


def run(api: World, folder: Path, order: Order = ORDER, **how: Any) -> Report:
    return carry_out(api, order, settings(api.clock, holder(folder, started=9), **how))


def problem(api: World, folder: Path, order: Order) -> PlacementError | None:
    """The error of a run that may also end well."""
    try:
        assert run(api, folder, order).changed
    except PlacementError as err:
        return err
    return None


def failure(api: World, folder: Path, order: Order = ORDER, **how: Any) -> PlacementError:
    with pytest.raises(PlacementError) as caught:
        run(api, folder, order, **how)
    return caught.value


def order_for(strategy: str) -> Order:
    return Order(NS, "old", "b", strategy)
