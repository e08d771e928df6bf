# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a killed run has left in mid-move is finished or undone before anything new is planned.

The runs of other hosts cannot be asked whether they live: their locks are waited for, all at a
time, until they have stood unrenewed for their duration.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Dict, List, Tuple

from ..api import Api, Object
from ..clock import Deadline
from ..moves.journal import Entry, decode
from ..moves.order import Settings
from ..moves.recovery import IN_PROGRESS, INTERRUPTED, describe_recovery, recover_one, unfinished
from ..resources import meta

AT_A_TIME = 32
SPARE_SECONDS = 5.0


def settle_interrupted(api: Api, live: Api, settings: Settings, node: str) -> List[Dict[str, Any]]:
    """The ``recovered`` items of moves from that node or to it. Those that a live run is busy with
    are left to it.
    """
    found: List[Tuple[Object, List[Entry]]] = []
    for lease in unfinished(api, None):
        entries = decode(lease)
        if any(node in (entry.from_node, entry.node) for entry in entries):
            found.append((lease, entries))
    if settings.check:
        return [
            describe_recovery(str(meta(lease)["namespace"]), entry, INTERRUPTED)
            for lease, entries in found
            for entry in entries
        ]
    if not found:
        return []

    def settle(one: Tuple[Object, List[Entry]]) -> List[Dict[str, Any]]:
        lease, entries = one
        # Long enough to see a dead one's lock run out, not as long as a live one may work.
        duration = float((lease.get("spec") or {}).get("leaseDurationSeconds") or 0)
        patience = min(settings.deadline.left(), duration + SPARE_SECONDS)
        patient = replace(settings, deadline=Deadline(settings.clock, patience))
        key = (str(meta(lease)["namespace"]), str(meta(lease)["name"]))
        return recover_one(live, patient, key, entries, left=False)

    with ThreadPoolExecutor(min(AT_A_TIME, len(found))) as pool:
        items = [item for done in pool.map(settle, found) for item in done]
    return [item for item in items if item["outcome"] != IN_PROGRESS]
