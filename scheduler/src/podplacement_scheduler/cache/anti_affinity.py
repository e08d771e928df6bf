# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods that keep others away are few: they are kept apart, so nobody has to look for them."""

from __future__ import annotations

from collections.abc import Collection

from .objects import Pod


class AntiAffinity:
    """The pods on nodes that have required anti-affinity.

    `version` grows with each change of them and, while there are any, of the nodes.
    """

    def __init__(self) -> None:
        self.version = 0
        self._pods: dict[str, Pod] = {}

    @property
    def pods(self) -> Collection[Pod]:
        """All of them, assumed ones too."""
        return self._pods.values()

    def add(self, pod: Pod) -> None:
        """The pod has a node now, or is known better."""
        self._pods[pod.uid] = pod
        self.version += 1

    def remove(self, uid: str) -> None:
        """The pod has no node any more."""
        if self._pods.pop(uid, None) is not None:
            self.version += 1

    def nodes_changed(self) -> None:
        """The labels of some node may be other ones."""
        if self._pods:
            self.version += 1
