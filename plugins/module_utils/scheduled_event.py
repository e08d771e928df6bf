# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who placed a pod: the reporter of its ``Scheduled`` event, written after the bind.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from typing import Any, List, Mapping, Optional

from .api import Api, Object
from .clock import Clock, Deadline
from .resources import EVENT, meta, uid
from .watching import watch_for

# Schedulers send events from a queue, after the bind; one that sends none must not cost long.
EVENT_SECONDS = 10.0


def scheduled_by(api: Api, clock: Clock, pod: Mapping[str, Any], seconds: float) -> Optional[str]:
    """The scheduler that placed this pod; None if no event says so in time (they live an hour)."""
    return watch_for(
        api,
        EVENT,
        _reporter,
        namespace=meta(pod)["namespace"],
        deadline=Deadline(clock, min(seconds, EVENT_SECONDS)),
        field_selector="involvedObject.uid=%s,reason=Scheduled" % uid(pod),
    )


def reporter(event: Mapping[str, Any]) -> str:
    """Events of the new API say it in ``reportingComponent``, old ones in ``source``."""
    found = event.get("reportingComponent") or (event.get("source") or {}).get("component")
    return str(found or "")


def _reporter(events: List[Object]) -> Optional[str]:
    return next(filter(None, map(reporter, events)), None)
