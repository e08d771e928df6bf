# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring back what was on a node, from the record: of each controller as many pods as were there,
and the bare pods by their names.

It is a wish that may be fulfilled already, in part or as a whole: so it can be interrupted and run
again. The record goes when everything is back.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from ..api import Api, Object
from ..client import KubeApi
from ..errors import ApiError, PlacementError
from ..live import LiveApi
from ..moves.controllers import Controller, find_controller, orders_for
from ..moves.order import Order, Settings
from ..moves.run import already_there, find
from ..preflight import find_node
from ..resources import POD
from ..workloads import desired
from . import record as records
from .cordon import await_ready, is_cordoned, is_ours, uncordon, uncordoned
from .interrupted import settle_interrupted
from .plans import Item, plan_all
from .record import Record
from .report import Report, broken_off, failure_of, result_of
from .request import Request
from .snapshot import Snapshot
from .waves import Waves


class Wanted:
    """The look of a return: what is missing on the node now."""

    def __init__(
        self, api: Api, request: Request, settings: Settings, record: Optional[Record]
    ) -> None:
        self.api = api
        self.request = request
        self.settings = settings
        self.record = record
        self.refused: List[Item] = []

    def __call__(self) -> List[Item]:
        self.refused = []
        if self.record is None:
            return []
        node = self.request.node
        snapshot = Snapshot(self.api, "", [node])
        if self.settings.check:
            snapshot.nodes()[node] = uncordoned(snapshot.nodes()[node])
        wanted: List[Tuple[Object, Order]] = []
        for key, count in sorted(self.record.controllers.items()):
            wanted += self._of_controller(snapshot, Controller(*key), count)
        for namespace, name in self.record.pods:
            wanted += self._bare(snapshot, namespace, name)
        return [*plan_all(snapshot, wanted, self.settings), *self.refused]

    def _of_controller(
        self, snapshot: Snapshot, controller: Controller, count: int
    ) -> List[Tuple[Object, Order]]:
        like = self.request.order(controller.namespace, "")
        try:
            replicas = desired(find_controller(snapshot, controller))
            if replicas < count:
                text = "it had %d pods there, and has %d replicas now" % (count, replicas)
                self._refuse(controller, PlacementError("TooFewReplicas", text))
            orders = orders_for(snapshot, controller, self.request.node, min(count, replicas), like)
        except PlacementError as err:
            self._refuse(controller, err)
            return []
        return [(snapshot.get(POD, o.name, o.namespace), o) for o in orders]

    def _bare(self, snapshot: Snapshot, namespace: str, name: str) -> List[Tuple[Object, Order]]:
        order = self.request.order(namespace, name, self.request.node)
        pod = find(snapshot, order)
        if pod is None:
            error = PlacementError("PodNotFound", "it was deleted in the meantime")
            self._refuse(Controller(namespace, "Pod", name), error)
            return []
        return [] if already_there(pod, order) else [(pod, order)]

    def _refuse(self, what: Controller, error: PlacementError) -> None:
        metadata = {"namespace": what.namespace, "name": what.name}
        self.refused.append(Item({"kind": what.kind, "metadata": metadata}, error=error))


def bring_back(api: KubeApi, live: LiveApi, request: Request, settings: Settings) -> Dict[str, Any]:
    """The result of ``state: returned``."""
    node = find_node(api, request.node)
    found = records.find(api, request.record_namespace, request.node)
    record = records.read(found) if found is not None else None
    report = Report(was_unschedulable=is_cordoned(node), recorded=found is not None)
    report.recovered = settle_interrupted(api, live, settings, request.node)
    report.changed = bool(report.recovered) or is_ours(node) or found is not None
    report.unschedulable = is_cordoned(node) and not is_ours(node)
    waves = Waves(api, request, settings, Wanted(api, request, settings, record))
    try:
        if settings.check:
            waves.take_look()
            waves.foretell()
        else:
            uncordon(api, request.node)
            if record is not None and not record.is_empty():
                await_ready(api, request.node, settings.deadline)
            waves.take_look()
            waves.run(live)
    except (ApiError, PlacementError) as err:
        raise broken_off(err, request, report, waves) from err
    result = result_of(request, report, waves)
    problem = failure_of(request, result, waves.stopped)
    if problem is None and found is not None:
        report.recorded = False
        result["record"] = {}
        if not settings.check:
            records.remove(api, found)
    if problem is not None:
        raise problem
    return result
