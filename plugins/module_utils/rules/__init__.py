# Copyright (c) 2026 podplacement contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Pure functions that say whether a pod fits a node, and why not.

Standard library only, relative imports only, no I/O and no clock: the same files serve the
modules of this collection and a scheduler that carries them under another package name.
"""

from __future__ import annotations

from .fit import RULES, View, check_fit, least_allocated_score, node_free
from .model import MalformedObject, QuantityError
from .node_state import node_not_ready
from .rejection import CODES, Rejection
from .usage import NodeUsage
from .volumes import claim_names

__all__ = [
    "CODES",
    "RULES",
    "MalformedObject",
    "NodeUsage",
    "QuantityError",
    "Rejection",
    "View",
    "check_fit",
    "claim_names",
    "least_allocated_score",
    "node_free",
    "node_not_ready",
]
