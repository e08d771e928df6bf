# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal: which moves of a workload are in progress, as an annotation of its Lease.

It holds what cannot be read from live objects any more once they are gone. The phase of a move is
never written down: it follows from the objects (moves.md, f2, recovery).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, FrozenSet, List, Mapping, Optional

from ..errors import PlacementError
from ..resources import annotation, describe
from .names import COMPANY, JOURNAL

# 2: strategies shadow, replace, steer and evict, which version 1 would have taken for adopt.
SCHEMA = 3
# A server takes 256 KiB of annotations on one object; this leaves room for the pods' uids.
MOST_BYTES = 200_000
# Moves of one workload have most in common, and a thousand of them must fit: what they share is
# written once, the rest as rows.


@dataclass(frozen=True)
class Entry:
    """One move in progress. ``node`` is empty where the scheduler chooses; ``cost`` is the old
    pod's own deletion cost; ``way`` is the mechanism inside a strategy, and ``until`` the time
    (RFC 3339) at which something that it made lapses by itself.
    """

    id: str
    strategy: str
    pod: str
    pod_uid: str
    from_node: str
    node: str
    placement: str
    owner_kind: str = ""
    owner_name: str = ""
    owner_uid: str = ""
    deployment: str = ""
    revision: str = ""
    detach_key: str = ""
    detach_value: str = ""
    cost: Optional[str] = None
    scheduler: str = ""
    owner_api: str = ""
    away: bool = False
    way: str = ""
    until: str = ""
    restoring: str = ""  # why a bare pod goes back to where it was; empty while it goes forward

    def going_back(self, why: str) -> Entry:
        """The same move, on its way back, under another id: the pod that failed must not pass for
        the restored one.
        """
        return replace(self, id=self.id + "-back", restoring=why)


def encode(entries: List[Entry]) -> str:
    """The annotation's text; ``JournalTooLong`` where the server would not take it."""
    moves = [asdict(e) for e in entries]
    first = moves[0] if moves else {}
    common = {k: v for k, v in first.items() if all(m[k] == v for m in moves)}
    columns = sorted(first.keys() - common.keys())
    data = {
        "schema": SCHEMA,
        "common": common,
        "columns": columns,
        "moves": [[move[k] for k in columns] for move in moves],
    }
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    if len(text) > MOST_BYTES:
        raise PlacementError(
            "JournalTooLong",
            "%d moves of one workload need a journal of %d bytes, %d are allowed"
            % (len(moves), len(text), MOST_BYTES),
            object="%s %s" % (entries[0].owner_kind, entries[0].owner_name),
            step="lock",
            hint="Nothing was begun. Move this workload in parts: fewer moves in a list, or a "
            "smaller count.",
        )
    return text


def decode_company(lease: Mapping[str, Any]) -> Optional[FrozenSet[str]]:
    """The uids that were noted on a Lease before an eviction; None if there were none noted."""
    text = annotation(lease, COMPANY)
    return None if text is None else frozenset(text.split())


def decode(lease: Mapping[str, Any]) -> List[Entry]:
    """The moves in progress on a Lease."""
    return decode_text(annotation(lease, JOURNAL) or "", describe("Lease", lease))


def decode_text(text: str, where: str) -> List[Entry]:
    """The moves in a journal's text; a schema from the future is refused, not guessed at."""
    if not text:
        return []
    known = {f.name for f in fields(Entry)}
    try:
        data = json.loads(text)
        schema = int(data["schema"])
        if schema > SCHEMA:
            raise PlacementError(
                "JournalTooNew",
                "the journal of an unfinished move has schema %d, this version knows up to %d"
                % (schema, SCHEMA),
                object=where,
                step="recover",
                hint="Finish it with the newer version of this collection that began it.",
            )
        common, columns = data.get("common") or {}, data.get("columns") or []
        moves = [
            m if isinstance(m, dict) else dict(zip(columns, m), **common) for m in data["moves"]
        ]
        return [Entry(**{k: v for k, v in move.items() if k in known}) for move in moves]
    except (AttributeError, KeyError, TypeError, ValueError) as err:
        raise PlacementError(
            "JournalUnreadable",
            "the journal of an unfinished move cannot be read (%s)" % err,
            object=where,
            step="recover",
            hint="Look at its %s; delete the object when nothing is under way." % JOURNAL,
        ) from err
