# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be said of an evacuation: one clear error for what cannot be meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..moves.order import Order
from ..moves.request import bad


@dataclass(frozen=True)
class Request:
    """``targets`` is None where the scheduler chooses; 0 means no limit."""

    node: str
    state: str = "evacuated"
    targets: Optional[Tuple[str, ...]] = None
    cordon: bool = True
    on_stop: str = "stay"
    on_leftovers: str = "fail"
    surge: int = 0
    forks: int = 0
    max_failures: int = 0
    window: Optional[float] = None
    fallback: str = "refuse"
    jobs: str = "leave"
    placement: str = "schedule"
    record_namespace: str = "default"
    selector: str = ""  # of labels

    def order(self, namespace: str, name: str, node: Optional[str] = None) -> Order:
        """The move of one pod: to that node, or away from where it is."""
        return Order(
            namespace,
            name,
            node,
            placement=self.placement,
            away=node is None,
            fallback=self.fallback,
            jobs=self.jobs,
        )


def request_from(params: Mapping[str, Any]) -> Request:
    """The request of a task; PlacementError ``BadRequest``."""
    targets = params.get("target_nodes")
    if targets is not None:
        _check_targets(params["node"], targets, params.get("target"))
    limits: Dict[str, int] = {}
    for option in ("surge", "forks", "max_failures"):
        limits[option] = int(params.get(option) or 0)
        if limits[option] < 0:
            raise bad("%s must not be negative" % option, "0 means no limit.")
    if (params.get("requests_per_second") or 1) < 1:
        raise bad("requests_per_second must be at least 1", "The default of 400 suits most.")
    window = params.get("deadline")
    if window is not None and window <= 0:
        raise bad("deadline must be positive", "Give the seconds of the maintenance window.")
    return Request(
        node=params["node"],
        state=params["state"],
        targets=tuple(targets) if targets is not None else None,
        cordon=params["cordon"],
        on_stop=params["on_stop"],
        on_leftovers=params["on_leftovers"],
        window=None if window is None else float(window),
        fallback=params["fallback"],
        jobs=params["jobs"],
        placement=params["placement"],
        record_namespace=params["record_namespace"],
        selector=",".join(params.get("label_selectors") or []),
        **limits,
    )


def _check_targets(node: str, targets: List[str], target: Optional[str]) -> None:
    if target is not None:
        raise bad("target and target_nodes exclude each other", "Give one of them.")
    if not targets:
        raise bad("target_nodes is empty", "Name nodes, or leave it out for any.")
    if node in targets:
        raise bad("node %s cannot be its own target" % node, "Take it out of target_nodes.")
    if len(set(targets)) < len(targets):
        raise bad("a node is named twice in target_nodes", "Name each node once.")
