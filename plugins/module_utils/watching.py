# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting is watching: list, look, and block until something changes or the time is up.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from typing import Callable, List, Optional, TypeVar

from .api import Api, Object
from .clock import Deadline
from .resources import Kind

Seen = TypeVar("Seen")
WATCH_SECONDS = 30.0


def watch_for(
    api: Api,
    kind: Kind,
    look: Callable[[List[Object]], Optional[Seen]],
    *,
    namespace: str,
    deadline: Deadline,
    label_selector: str = "",
    field_selector: str = "",
) -> Optional[Seen]:
    """What ``look`` sees in the matching objects once it is not None; None when time is up."""
    while True:
        found, version = api.list(
            kind, namespace, label_selector=label_selector, field_selector=field_selector
        )
        seen = look(found)
        if seen is not None:
            return seen
        if deadline.passed():
            return None
        api.wait_change(
            kind,
            namespace,
            resource_version=version,
            timeout=min(WATCH_SECONDS, deadline.left()),
            label_selector=label_selector,
            field_selector=field_selector,
        )


def named(name: str) -> str:
    """The field selector of one object."""
    return "metadata.name=%s" % name
