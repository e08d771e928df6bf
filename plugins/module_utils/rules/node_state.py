# Copyright (c) 2026 podplacement contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Whether a node is fit to run anything, apart from any pod."""

from __future__ import annotations

from .model import Object, node_field
from .rejection import Rejection, reject


def node_not_ready(node: Object) -> Rejection | None:
    """A rejection unless the kubelet reports the node Ready.

    kube-scheduler has no filter for this: it goes by the taint that the node lifecycle controller
    sets. A preflight asks, because the taint comes late and a Binding looks at neither.
    """
    for condition in node_field(node)["status"]["conditions"].elements():
        if condition["type"].text() == "Ready":
            status, reason = condition["status"].text(), condition["reason"].text()
            if status == "True":
                return None
            because = f" ({reason})" if reason else ""
            return reject("NodeNotReady", f"condition Ready is {status or 'empty'}{because}")
    return reject("NodeNotReady", "the node reports no condition Ready")
