# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that has the pod's images already starts it sooner."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from .._rules.scores import image_locality, node_images, pod_images
from ..framework.interface import (
    IMAGES,
    SUCCESS,
    Code,
    CycleState,
    Handle,
    NodeInfo,
    Plugin,
    PodView,
    Status,
)
from .base import Args, PerClass, parse


class ImageLocality(Plugin):
    """Scores by the bytes that need not be pulled."""

    name = "ImageLocality"

    def __init__(self, args: Mapping[str, Any], handle: Handle) -> None:
        parse(self.name, args, Args)
        super().__init__(args, handle)
        self._needed = PerClass(pod_images)

    def facets(self, pod: PodView) -> frozenset[str]:
        return frozenset({IMAGES})

    def sign(self, pod: PodView) -> Hashable:
        """The score of a node depends on how many nodes have the images; most have none of them."""
        counts = [self.handle.nodes_with_image(name) for name in self._needed.of(pod)[0]]
        return (self.handle.node_count, *counts) if any(counts) else ()

    def pre_score(self, state: CycleState, pod: PodView) -> Status:
        return SUCCESS if self.sign(pod) else Status(Code.SKIP)

    def score(self, state: CycleState, pod: PodView, node: NodeInfo) -> int:
        return image_locality(self._needed.of(pod), node_images(node.object), self._spread)

    def _spread(self, image: str) -> float:
        return self.handle.nodes_with_image(image) / max(self.handle.node_count, 1)
