# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a strategy sees in one look, and the one step that it decides on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Optional

from ..api import Object
from ..resources import POD, Kind

TICK_SECONDS = 2.0
WAIT = "wait"
DONE = "done"


@dataclass(frozen=True)
class Step:
    """What to do next. ``verb`` names a method of the strategy; ``why`` is for messages; ``code``
    for a way back.
    """

    verb: str
    why: str = ""
    code: str = ""
    kind: Kind = POD
    limit: float = TICK_SECONDS


@dataclass
class Scene:
    """What one look found: objects by role, and the versions to watch from."""

    old: Optional[Object] = None
    new: Optional[Object] = None
    heir: Optional[Object] = (
        None  # a replacement that has already lost its move-id: an ordinary pod now
    )
    leaving: Optional[Object] = None  # a replacement that is being deleted
    owner: Optional[Object] = None
    deployment: Optional[Object] = None
    node: Optional[Object] = None
    secret: Optional[Object] = None
    holder: Optional[Object] = None  # the temporary ReplicaSet of a shadow move
    foreign: Optional[Object] = None
    siblings: List[Object] = field(default_factory=list)
    ahead: int = 0  # other pods of the workload that go in the same turn, before the old one
    versions: Dict[str, str] = field(default_factory=dict)
