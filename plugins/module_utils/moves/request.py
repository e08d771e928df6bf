# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a module's parameters to orders and settings; one clear error for what cannot be meant."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..api import Api
from ..clock import Clock, Deadline
from ..errors import PlacementError
from .batch import carry_out_all, recover_all
from .holder import Holder
from .order import Order, Settings

_NAMESPACE_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"


def pod_move(params: Mapping[str, Any], api: Api, clock: Clock, check: bool) -> Dict[str, Any]:
    """The logic of ``k8s_pod_move``."""
    settings = settings_from(params, clock, check=check)
    if params["state"] == "recovered":
        if params.get("name") or params.get("moves"):
            raise _bad(
                "state: recovered takes no pod names",
                "Give a namespace, or nothing for the whole cluster.",
            )
        return recover_all(api, settings, params.get("namespace"))
    return carry_out_all(api, orders_from(params), settings)


def orders_from(params: Mapping[str, Any]) -> List[Order]:
    """One order from name and node, or one for each of ``moves``; PlacementError ``BadRequest``."""
    moves = params.get("moves")
    if moves is None:
        moves = [{"name": params.get("name"), "node": params.get("node")}]
    orders: List[Order] = []
    for move in moves:
        namespace = move.get("namespace") or params.get("namespace")
        if not namespace or not move.get("name") or not move.get("node"):
            raise _bad(
                "a move needs namespace, name and node",
                "Give name and node, or moves, with a namespace.",
            )
        order = Order(
            namespace, move["name"], move["node"], params["strategy"], params["placement"]
        )
        if any((o.namespace, o.name) == (order.namespace, order.name) for o in orders):
            raise _bad(
                "pod %s/%s is named twice in moves" % (namespace, order.name), "Name each pod once."
            )
        orders.append(order)
    return orders


def settings_from(params: Mapping[str, Any], clock: Clock, *, check: bool) -> Settings:
    """Settings from those parameters that the module has; the rest keep their defaults."""
    for option in ("soak", "max_downtime", "wait_timeout", "terminate_grace_period"):
        if (params.get(option) or 0) < 0:
            raise _bad("%s must not be negative" % option, "Give seconds, 0 or more.")
    if params.get("lock_duration") is not None and params["lock_duration"] < 1:
        raise _bad("lock_duration must be at least 1 second", "The default of 30 suits most.")
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
        )
        if params.get(option) is not None
    }
    deadline = Deadline(clock, float(params.get("wait_timeout") or 0))
    return Settings(clock, deadline, Holder(), check=check, own_pod=own_pod(), **chosen)


def own_pod() -> Optional[Tuple[str, str]]:
    """Namespace and name of the pod that this process runs in, or None outside of a cluster."""
    if not os.environ.get("KUBERNETES_SERVICE_HOST"):
        return None
    try:
        namespace = Path(_NAMESPACE_FILE).read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return namespace, os.environ.get("HOSTNAME") or socket.gethostname()


def _bad(message: str, hint: str) -> PlacementError:
    return PlacementError("BadRequest", message, step="options", hint=hint)
