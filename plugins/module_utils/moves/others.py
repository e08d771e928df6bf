# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A move is judged by the world as it will be: the old pod is gone, and the pin is not there.

A pinned pod has one node to go to, and a scheduler finds no skew in that, so that spread is lost
without a word (moves.md, trap 5). Affinity is judged while both pods exist, where the new one is
scheduled beside the old one.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import List, Tuple

from ..api import Api, Object
from ..neighbours import neighbours
from ..preflight import not_judged
from ..resources import meta
from ..rules.fit import View
from ..rules.pod_affinity import PodAffinity
from ..rules.spread import Spread
from .journal import Entry
from .manifest import drop_pin

# The old pod is gone before the new one is scheduled.
_AFTER = ("recreate", "steer")


def among_others(api: Api, entry: Entry, body: Object, view: View) -> Tuple[View, List[str]]:
    """The view with judges of spread and affinity; or warnings of what this user may not see."""
    nodes = {str(meta(view.node)["name"]): view.node}
    cluster = neighbours(api, body, view.pods_on_node, nodes)
    if cluster is None:
        return view, not_judged(body)
    final, gone = as_it_will_be(entry, body), frozenset({entry.pod_uid})
    spread = Spread(final, cluster, without=gone)
    affinity = PodAffinity(final, cluster, without=frozenset() if beside(entry) else gone)
    return replace(view, spread=spread, affinity=affinity), []


def beside(entry: Entry) -> bool:
    """The new pod is scheduled while the old one is there."""
    return entry.strategy not in _AFTER


def as_it_will_be(entry: Entry, body: Object) -> Object:
    """The new pod with all of its labels and without its pin."""
    found = copy.deepcopy(dict(body))
    if entry.detach_key:
        labels = dict(meta(found).get("labels") or {}, **{entry.detach_key: entry.detach_value})
        found["metadata"]["labels"] = labels
    if entry.node:
        drop_pin(found["spec"], entry.node)
    return found
