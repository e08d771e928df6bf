# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a module's parameters to orders and settings; one clear error for what cannot be meant."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..api import Api
from ..clock import Clock, Deadline
from ..errors import PlacementError
from ..progress import sink
from ..stopping import STOP
from .batch import carry_out_all, recover_all
from .controllers import Controller, orders_for, settle_controller
from .holder import Holder
from .order import Order, Settings

_NAMESPACE_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"


def pod_move(params: Mapping[str, Any], api: Api, clock: Clock, check: bool) -> Dict[str, Any]:
    """The logic of ``k8s_pod_move``."""
    settings = settings_from(params, clock, check=check)
    if params["state"] == "recovered":
        if any(params.get(option) for option in ("name", "moves", "controller")):
            raise bad(
                "state: recovered takes no pod names",
                "Give a namespace, or nothing for the whole cluster.",
            )
        return recover_all(api, settings, params.get("namespace"))
    forks = 1 if params.get("forks") is None else int(params["forks"])
    if params.get("controller") is None:
        return carry_out_all(api, orders_from(params), settings, forks)
    controller, node, count = _wish(params)
    recovered = settle_controller(api, settings, controller)
    like = order_like(params)
    orders = orders_for(api, controller, node, count, like)
    result = carry_out_all(api, orders, settings, forks)
    result["recovered"] = recovered + [r for r in result["recovered"] if r not in recovered]
    result["changed"] = bool(result["changed"] or recovered)
    return result


def _wish(params: Mapping[str, Any]) -> Tuple[Controller, str, int]:
    """``controller`` has ``count`` pods on ``node``; PlacementError ``BadRequest``."""
    wanted, node, count = params["controller"], params.get("node"), params.get("count")
    if not params.get("namespace") or not node or count is None:
        raise bad(
            "a controller needs namespace, node and count",
            "Say how many of its pods are to be on which node.",
        )
    if count < 0:
        raise bad("count must not be negative", "Give how many pods are to be there.")
    return Controller(params["namespace"], wanted["kind"], wanted["name"]), node, count


def orders_from(params: Mapping[str, Any]) -> List[Order]:
    """One order from name and node, or one for each of ``moves``; PlacementError ``BadRequest``."""
    moves = params.get("moves")
    if moves is None:
        moves = [{"name": params.get("name"), "node": params.get("node")}]
    orders: List[Order] = []
    for move in moves:
        namespace = move.get("namespace") or params.get("namespace")
        if not namespace or not move.get("name") or not move.get("node"):
            raise bad(
                "a move needs namespace, name and node",
                "Give name and node, or moves, with a namespace.",
            )
        order = replace(
            order_like(params), namespace=namespace, name=move["name"], node=move["node"]
        )
        if any((o.namespace, o.name) == (order.namespace, order.name) for o in orders):
            raise bad(
                "pod %s/%s is named twice in moves" % (namespace, order.name), "Name each pod once."
            )
        orders.append(order)
    return orders


def order_like(params: Mapping[str, Any]) -> Order:
    """An order of nothing yet, with the options of the task."""
    return Order(
        "",
        "",
        strategy=params["strategy"],
        placement=params["placement"],
        fallback=params.get("fallback") or "refuse",
    )


def settings_from(params: Mapping[str, Any], clock: Clock, *, check: bool) -> Settings:
    """Settings from those parameters that the module has; the rest keep their defaults."""
    for option in ("soak", "max_downtime", "wait_timeout", "terminate_grace_period", "forks"):
        if (params.get(option) or 0) < 0:
            raise bad("%s must not be negative" % option, "Give 0 or more.")
    if params.get("lock_duration") is not None and params["lock_duration"] < 1:
        raise bad("lock_duration must be at least 1 second", "The default of 30 suits most.")
    chosen = {
        option: params[option]
        for option in (
            "wait",
            "validate",
            "soak",
            "max_downtime",
            "lock_duration",
            "delete_emptydir_data",
            "force",
            "accept_differences",
            "system_pods",
            "terminate_grace_period",
            "steer",
        )
        if params.get(option) is not None
    }
    deadline = Deadline(clock, float(params.get("wait_timeout") or 0))
    return Settings(
        clock, deadline, Holder(), check=check, own_pod=own_pod(), stop=STOP, say=sink(), **chosen
    )


def own_pod() -> Optional[Tuple[str, str]]:
    """Namespace and name of the pod that this process runs in, or None outside of a cluster."""
    if not os.environ.get("KUBERNETES_SERVICE_HOST"):
        return None
    try:
        namespace = Path(_NAMESPACE_FILE).read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return namespace, os.environ.get("HOSTNAME") or socket.gethostname()


def bad(message: str, hint: str) -> PlacementError:
    """An option that cannot be meant."""
    return PlacementError("BadRequest", message, step="options", hint=hint)
