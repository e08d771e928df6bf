# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PODPLACEMENT_TEST_CLUSTER chooses where tests run; they only see the cluster's facts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tests.cluster.cluster import Cluster, provider_name
from tests.cluster.existing import Existing
from tests.cluster.kind import Kind
from tests.cluster.kwok import Kwok


class Provider(Protocol):
    """What can be done with a cluster, wherever it comes from."""

    name: str

    def start(self, *, nodes: int | None = None) -> Cluster:
        """Bring it up, or find it up."""

    def find(self) -> Cluster | None:
        """The running cluster."""

    def stop(self) -> None:
        """End it."""

    def reset(self) -> int:
        """Remove what tests left; the number of objects."""

    def processes(self) -> dict[str, int]:
        """The processes that belong to it."""


def provider(name: str) -> Provider:
    """The cluster of that name at the provider that was asked for."""
    makers: dict[str, Callable[[str], Provider]] = {
        "kwok": Kwok,
        "kind": Kind,
        "existing": Existing,
    }
    return makers[provider_name()](name)
