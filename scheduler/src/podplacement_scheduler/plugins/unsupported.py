# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod that asks for what is not judged yet is refused in words, never placed as if it had not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from .._rules.unsupported import unsupported_features
from ..framework.interface import (
    SUCCESS,
    CycleState,
    Event,
    Handle,
    Object,
    Plugin,
    PodView,
    Status,
    unresolvable,
)
from .base import Args, PerClass, parse


class UnsupportedArgs(Args, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """`ignorePreferred`: place pods whose mere wishes (preferred pod affinity, ScheduleAnyway)
    are not judged, without them."""

    ignore_preferred: bool = False


class UnsupportedFeatures(Plugin):
    """Stands where the plugins will stand that are still to come."""

    name = "UnsupportedFeatures"
    events: ClassVar[frozenset[Event]] = frozenset({Event.POD_CHANGED, Event.VOLUME_CHANGED})

    def __init__(self, args: Mapping[str, Any], handle: Handle) -> None:
        super().__init__(args, handle)
        ignored = parse(self.name, args, UnsupportedArgs).ignore_preferred
        self._features = PerClass[list[str]](
            lambda pod: unsupported_features(pod, ignore_preferred=ignored)
        )

    def pre_filter(self, state: CycleState, pod: PodView) -> Status:
        """One text for the whole pod."""
        found = self._features.of(pod)
        if pod.pod_class.claims:
            found = [*found, *self._waiting_claims(pod)]
        if not found:
            return SUCCESS
        return unresolvable(f"not supported by this scheduler yet: {', '.join(found)}")

    def _waiting_claims(self, pod: PodView) -> list[str]:
        """Claims for which a scheduler would have to choose or provision a volume."""
        return [
            f"unbound claim {name} (WaitForFirstConsumer)"
            for name, known in self.handle.storage.of(pod).items()
            if known is not None and self._waits(known[0])
        ]

    def _waits(self, claim: Object) -> bool:
        spec = claim.get("spec") or {}
        storage_class = self.handle.storage.classes.get(spec.get("storageClassName") or "")
        if spec.get("volumeName") or storage_class is None:
            return False
        return bool(storage_class.get("volumeBindingMode") == "WaitForFirstConsumer")
