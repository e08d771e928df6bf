# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several classes of pods ask for, put into columns once for all nodes that they look at."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Amounts = NDArray[np.int64]


class Wants(NamedTuple):
    """What the pods of one class ask for; `nonzero` as scores count it."""

    requests: Mapping[str, int]
    nonzero: tuple[int, int]

    @property
    def plain(self) -> tuple[int, int]:
        """Of cpu and memory."""
        return self.requests.get("cpu", 0), self.requests.get("memory", 0)


class Classes:
    """A number of classes in a fixed order.

    `requests` and `nonzero` are cpu and memory as `beside_nothing` puts them. `kept` is for what a
    plugin makes of `wants` and needs again.
    """

    def __init__(self, wants: Sequence[Wants]) -> None:
        self.wants = wants
        self.requests = beside_nothing([each.plain for each in wants])
        self.nonzero = beside_nothing([each.nonzero for each in wants])
        self.kept: dict[Hashable, list[tuple[int, Amounts]]] = {}


def beside_nothing(asked: Sequence[tuple[int, int]]) -> Amounts:
    """Cpu and memory x (nothing, then each that is asked) x 1: to be added to columns of nodes."""
    return np.array([(0, 0), *asked], np.int64).T[:, :, np.newaxis].copy()
