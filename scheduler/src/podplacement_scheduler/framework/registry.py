# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built-in plugins: their names, and the order in which a profile has them by default."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..plugins import ALL
from .interface import Plugin

# Upstream's order (pkg/scheduler/apis/config/v1/default_plugins.go), with our own where the
# plugins would stand that they take the place of.
DEFAULT_PLUGINS = (
    "SchedulingGates",
    "PrioritySort",
    "UnsupportedFeatures",
    "NodeUnschedulable",
    "NodeName",
    "TaintToleration",
    "NodeAffinity",
    "NodePorts",
    "NodeResourcesFit",
    "VolumeRestrictions",
    "NodeVolumeLimits",
    "VolumeBinding",
    "VolumeZone",
    "ExistingAntiAffinity",
    "NodeResourcesBalancedAllocation",
    "ImageLocality",
)

# Plugins of kube-scheduler that are not here: they may be switched off, never on.
ABSENT = frozenset(
    {
        "DefaultPreemption",
        "DynamicResources",
        "GangScheduling",
        "InterPodAffinity",
        "NodeDeclaredFeatures",
        "PodGroupPodsCount",
        "PodTopologySpread",
        "TopologyPlacementGenerator",
    }
)

# The engine binds by itself what no plugin has bound; upstream's name for that may be written.
DEFAULT_BINDER = "DefaultBinder"


BUILT_IN: Mapping[str, type[Plugin]] = MappingProxyType({plugin.name: plugin for plugin in ALL})
_TYPES = frozenset(ALL)


def is_built_in(plugin: Plugin) -> bool:
    """Whether the plugin is one of ours: what a user derives from one is not."""
    return type(plugin) in _TYPES
