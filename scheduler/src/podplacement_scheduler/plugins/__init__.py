# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built-in plugins: shells over `_rules`, which hold the meaning of every rule."""

from __future__ import annotations

from ..framework.interface import Plugin
from .anti_affinity import ExistingAntiAffinity
from .images import ImageLocality
from .node import NodeAffinity, NodeName, NodeUnschedulable, TaintToleration
from .ports import NodePorts
from .queue import PrioritySort, SchedulingGates
from .random import RandomScore
from .resources import NodeResourcesBalancedAllocation, NodeResourcesFit
from .unsupported import UnsupportedFeatures
from .volumes import NodeVolumeLimits, VolumeBinding, VolumeRestrictions, VolumeZone

ALL: tuple[type[Plugin], ...] = (
    SchedulingGates,
    PrioritySort,
    UnsupportedFeatures,
    NodeUnschedulable,
    NodeName,
    TaintToleration,
    NodeAffinity,
    NodePorts,
    NodeResourcesFit,
    VolumeRestrictions,
    NodeVolumeLimits,
    VolumeBinding,
    VolumeZone,
    ExistingAntiAffinity,
    NodeResourcesBalancedAllocation,
    ImageLocality,
    RandomScore,
)
