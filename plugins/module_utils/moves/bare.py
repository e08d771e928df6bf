# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bare pods that cannot be made again from their own manifest without a loss (pod_fields)."""

from __future__ import annotations

from typing import List

from ..api import Api, Object
from .journal import Entry
from .order import Order, Settings
from .refusals import refuse

_GROUPS = ("schedulingGroup", "workloadRef")
_HINT = "Set force: true to move it all the same."


def prepare_bare(
    _api: Api, _order: Order, settings: Settings, entry: Entry, pod: Object, _owner: Object
) -> Entry:
    """``SchedulingGroup``, ``DebugSession``: refused unless the user forces it."""
    if settings.force:
        return entry
    if any(pod["spec"].get(field) for field in _GROUPS):
        text = "the pod is scheduled together with the others of its group"
        raise refuse("SchedulingGroup", pod, text, _HINT)
    sessions = _debug_sessions(pod)
    if sessions:
        text = "somebody debugs the pod in container %s" % ", ".join(sessions)
        raise refuse("DebugSession", pod, text, _HINT)
    return entry


def _debug_sessions(pod: Object) -> List[str]:
    statuses = (pod.get("status") or {}).get("ephemeralContainerStatuses") or []
    return [str(s["name"]) for s in statuses if "running" in (s.get("state") or {})]
