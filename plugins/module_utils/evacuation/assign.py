# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node for each pod, with the room on every target reserved as it is given away.

The largest pods choose first. They are spread over the targets; where that leaves one without room
all are packed as tightly as they go, and the better of the two counts. Where the scheduler will
choose, this tells only whether there is room anywhere. A pure function of a snapshot: check mode
and run agree.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Dict, FrozenSet, List, Optional, Sequence, Set, Tuple

from ..api import Object
from ..binding.plan import Board
from ..preflight import judge, volumes_of
from ..resources import meta
from ..rules.fit import RULES, View, least_allocated_score
from ..rules.requests import nonzero_requests
from .crowd import Crowd
from .seekers import Seeker
from .snapshot import Snapshot

# The rules whose verdict changes as nodes fill, and the others.
_CHANGING = frozenset({"NodePorts", "NodeResourcesFit", "PodTopologySpread", "InterPodAffinity"})
_LASTING = frozenset(name for name, *rest in RULES) - _CHANGING

Rank = Callable[[Board, Object, View, str], Tuple[Any, ...]]


def assign(
    snapshot: Snapshot,
    seekers: Sequence[Seeker],
    *,
    validate: str,
    unseen: Optional[Dict[str, List[str]]] = None,
) -> Dict[str, str]:
    """Pod uid -> node, for every pod that has room on one. ``unseen`` is filled as in a Crowd."""
    ordered = sorted(seekers, key=_largest_first)
    if snapshot.targets is None:
        return _anywhere(snapshot, ordered)
    best: Dict[str, str] = {}
    fitting = Fitting()
    for rank in (_spread, _tight):
        crowd = Crowd(snapshot)
        found = _place_all(snapshot, ordered, rank, validate, fitting, crowd)
        if unseen is not None and validate != "none":
            unseen.update(crowd.unseen)
        best = found if len(found) > len(best) else best
        if len(best) == len(ordered):
            break
    return best


def _largest_first(one: Seeker) -> Tuple[int, int, str, str]:
    cpu, memory = nonzero_requests(one.body)
    return -cpu, -memory, str(meta(one.body)["namespace"]), str(meta(one.body)["name"])


def _board(snapshot: Snapshot) -> Board:
    wanted = snapshot.nodes() if snapshot.targets is None else snapshot.targets
    nodes = [n for name, n in snapshot.nodes().items() if name in wanted and name != snapshot.node]
    return Board(nodes, [p for pods in snapshot.others().values() for p in pods])


def _place_all(
    snapshot: Snapshot,
    seekers: Sequence[Seeker],
    rank: Rank,
    validate: str,
    fits: Fitting,
    crowd: Crowd,
) -> Dict[str, str]:
    board = _board(snapshot)
    places: Dict[str, str] = {}
    for one in seekers:
        volumes, judges = volumes_of(snapshot, one.body), crowd.judges(one)
        views = {n: replace(board.view(n, volumes), **judges) for n in sorted(board.nodes)}
        fitting = [n for n, view in views.items() if validate == "none" or fits(one, view, n)]
        if not fitting and validate == "warn":
            fitting = list(views)
        if not fitting:
            crowd.stays(one)
            continue
        ranks = {n: (*rank(board, one.body, views[n], n), n) for n in fitting}
        places[one.uid] = min(fitting, key=ranks.__getitem__)
        board.place(one.body, places[one.uid])
        crowd.goes(one, places[one.uid])
    return places


class Fitting:
    """Whether a pod fits a node. What does not change as the board fills is judged once a workload:
    there may be hundreds of pods and hundreds of nodes.
    """

    def __init__(self) -> None:
        self._lasting: Dict[Tuple[str, str], bool] = {}

    def __call__(self, one: Seeker, view: View, name: str) -> bool:
        key = (one.workload, name)
        if key not in self._lasting:
            self._lasting[key] = _passes(one, view, skip=_CHANGING)
        return self._lasting[key] and _passes(one, view, skip=_LASTING)


def _passes(one: Seeker, view: View, *, skip: FrozenSet[str]) -> bool:
    return not judge(one.body, view, skip=skip, already_there={one.uid}, stop_at_first=True)


def _spread(board: Board, body: Object, view: View, name: str) -> Tuple[Any, ...]:
    """Away from its replicas, then where most is left."""
    return board.peers(body, name), -least_allocated_score(body, view)


def _tight(_board: Board, body: Object, view: View, _name: str) -> Tuple[Any, ...]:
    """Where least is left."""
    return (least_allocated_score(body, view),)


def _anywhere(snapshot: Snapshot, seekers: Sequence[Seeker]) -> Dict[str, str]:
    """The first node that fits, from where the last one was found: a thousand nodes are not all
    judged for each pod.
    """
    board = _board(snapshot)
    names: List[str] = sorted(board.nodes)
    places: Dict[str, str] = {}
    hopeless: Set[str] = set()
    fits = Fitting()
    at = 0
    for one in seekers:
        if one.workload in hopeless:
            continue
        volumes = volumes_of(snapshot, one.body)
        for step in range(len(names)):
            name = names[(at + step) % len(names)]
            if fits(one, board.view(name, volumes), name):
                board.place(one.body, name)
                places[one.uid] = name
                at += step + 1
                break
        else:
            hopeless.add(one.workload)
    return places
