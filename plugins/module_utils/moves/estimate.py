# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a move may take, judged by how long the pod itself once took to become Ready."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Mapping, Optional

from ..resources import meta

LOSSLESS = ("adopt", "shadow", "surge")
UNKNOWN_SECONDS = 10.0
UNLIKELY_SECONDS = 300.0  # no start: a failure in between, after which it became Ready again
GRACE_SECONDS = 30


def startup_seconds(pod: Mapping[str, Any]) -> float:
    """Seconds that a new pod like this one will need until it is Ready; a guess where the pod's
    own start is not known.
    """
    measured = measured_startup(pod)
    return UNKNOWN_SECONDS if measured is None else measured


def measured_startup(pod: Mapping[str, Any]) -> Optional[float]:
    """Seconds from the pod's creation to its being Ready, as its conditions tell. None where they
    do not, and where it was unready in between, so that they would tell too much.
    """
    created, ready = _time(meta(pod).get("creationTimestamp")), _condition(pod, "Ready")
    if created is None or ready is None:
        return None
    started = [_time(r.get("startedAt")) for r in _running(pod)]
    begun = max((t for t in started if t is not None), default=None)
    if begun is not None and (ready - begun).total_seconds() > UNLIKELY_SECONDS:
        return None
    return max(0.0, (ready - created).total_seconds())


def expected_downtime(strategy: str, pod: Mapping[str, Any]) -> float:
    """Seconds without the pod: 0 where the new one is Ready first; else the old one's grace at most
    and the new one's start.
    """
    if strategy in LOSSLESS:
        return 0.0
    grace = (pod.get("spec") or {}).get("terminationGracePeriodSeconds")
    return round((GRACE_SECONDS if grace is None else float(grace)) + startup_seconds(pod), 1)


def _running(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return [(s.get("state") or {}).get("running") or {} for s in statuses]


def _condition(pod: Mapping[str, Any], kind: str) -> Optional[datetime]:
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition.get("type") == kind and condition.get("status") == "True":
            return _time(condition.get("lastTransitionTime"))
    return None


def _time(text: Any) -> Optional[datetime]:
    try:
        return datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
