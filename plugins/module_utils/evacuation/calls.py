# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API calls of k8s_node_evacuate beside those of the moves it makes, as data: its documentation
grants these and no more. A test compares them with the audit log.
"""

from __future__ import annotations

from typing import Dict, List, Set, Tuple

from ..api import Api
from ..live import WATCHED
from ..moves import calls as moves
from ..preflight import Right, require_rights
from ..resources import CONFIG_MAP, LEASE, NODE, POD, Kind
from .request import Request
from .snapshot import LISTED

Call = Tuple[str, str, str]  # verb, API group, resource or resource/subresource

_READS: Tuple[Tuple[str, Kind], ...] = (
    ("get", NODE),
    ("list", NODE),
    ("watch", NODE),
    ("list", POD),
    ("watch", POD),
    ("list", LEASE),
)
_WRITES: Tuple[Tuple[str, Kind], ...] = (
    ("patch", NODE),
    ("get", CONFIG_MAP),
    ("create", CONFIG_MAP),
    ("patch", CONFIG_MAP),
    ("delete", CONFIG_MAP),
)


def _call(verb: str, kind: Kind) -> Call:
    return verb, kind.group, kind.plural


OWN_CALLS: Tuple[Call, ...] = tuple(_call(verb, kind) for verb, kind in (*_READS, *_WRITES))


def _at_once(needed: Tuple[Call, ...]) -> Set[Call]:
    """What a single move reads one by one, many at a time list and watch."""
    found: Set[Call] = set()
    for verbs, kinds in ((("list",), LISTED), (("list", "watch"), WATCHED)):
        for kind in kinds:
            if any(call[1:] == (kind.group, kind.plural) for call in needed):
                found.update(_call(verb, kind) for verb in verbs)
    return found


API_CALLS: Dict[str, Tuple[Call, ...]] = {
    strategy: tuple(sorted({*OWN_CALLS, *needed, *_at_once(needed)}))
    for strategy, needed in moves.API_CALLS.items()
}


def check_rights(api: Api, request: Request) -> None:
    """Before the first write: what every evacuation needs; each strategy asks for its own."""
    rights: List[Right] = [
        ("list", NODE, "", None),
        ("list", POD, "", None),
        ("list", LEASE, "", None),
    ]
    verbs = ("get", "delete") if request.state == "returned" else ("get", "create", "patch")
    rights += [(verb, CONFIG_MAP, "", request.record_namespace) for verb in verbs]
    if request.cordon or request.state == "returned":
        rights.append(("patch", NODE, "", None))
    require_rights(api, rights)
