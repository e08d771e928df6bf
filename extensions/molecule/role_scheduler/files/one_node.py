# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod runs on the node that the configuration names, and nowhere else."""

from __future__ import annotations

from podplacement_scheduler.framework.interface import SUCCESS, Plugin, unschedulable


class OneNode(Plugin):
    """`args: {node: NAME}`."""

    name = "OneNode"

    def filter(self, state, pod, node):
        if node.name == self.args["node"]:
            return SUCCESS
        return unschedulable("the node is not the one")
