# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Empty a node: cordon it, write down what was there, move it away, and say what is left and why.

Everything that a later run needs is in the cluster: the cordon's annotation, the record, the
journals of moves in progress. So a run that was killed is resumed by running it again, from
anywhere.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from contextlib import closing, suppress
from typing import Any, Dict, List, Mapping

from ..client import KubeApi
from ..clock import Clock
from ..errors import ApiError, PlacementError
from ..live import LiveApi
from ..moves.order import Settings
from ..moves.request import settings_from
from ..preflight import find_node
from ..resources import meta
from . import record as records
from .back import bring_back
from .calls import check_rights
from .cordon import cordon, is_cordoned, is_ours, uncordon
from .interrupted import settle_interrupted
from .plans import Item, plan_all
from .report import Report, broken_off, failure_of, result_of
from .request import Request, request_from
from .snapshot import Snapshot
from .waves import Waves


def node_evacuate(
    params: Mapping[str, Any], api: KubeApi, clock: Clock, check: bool
) -> Dict[str, Any]:
    """The logic of ``k8s_node_evacuate``."""
    request = request_from(params)
    settings = settings_from(params, clock, check=check or request.state == "planned")
    check_rights(api, request)
    rate = float(params.get("requests_per_second") or 400)
    with closing(LiveApi(api, clock, requests_per_second=rate)) as live:
        if request.state == "returned":
            return bring_back(api, live, request, settings)
        result = evacuate(api, live, request, settings)
    if request.state == "planned":
        result["changed"] = False
    return result


class Eyes:
    """The look of an evacuation: the pods of the node as they are now."""

    def __init__(self, api: KubeApi, request: Request, settings: Settings) -> None:
        self.api = api
        self.request = request
        self.settings = settings
        self.snapshot = self._open()

    def _open(self) -> Snapshot:
        request = self.request
        return Snapshot(self.api, request.node, request.targets, selector=request.selector)

    def __call__(self) -> List[Item]:
        if self.snapshot.version:  # that look is over
            self.snapshot = self._open()
        wanted = [
            (pod, self.request.order(str(meta(pod)["namespace"]), str(meta(pod)["name"])))
            for pod in self.snapshot.pods()
        ]
        return plan_all(self.snapshot, wanted, self.settings)


def evacuate(api: KubeApi, live: LiveApi, request: Request, settings: Settings) -> Dict[str, Any]:
    """The result of ``state: evacuated`` and, with settings that check, of ``state: planned``."""
    report = Report()
    eyes = Eyes(api, request, settings)
    for target in request.targets or ():
        find_node(eyes.snapshot, target)
    waves = Waves(api, request, settings, eyes)
    try:
        report.recovered = settle_interrupted(api, live, settings, request.node)
        began_unschedulable = _cordon(api, request, settings, report)
        waves.take_look()
        _write_down(eyes, settings, report, waves, was_unschedulable=began_unschedulable)
        if settings.check:
            waves.foretell()
        else:
            waves.run(live)
    except (ApiError, PlacementError) as err:
        with suppress(ApiError, PlacementError):  # the first error is the one to be told
            _take_back_cordon(api, request, settings, report)
        raise broken_off(err, request, report, waves) from err
    report.changed = report.changed or bool(report.recovered)
    result = result_of(request, report, waves)
    problem = None if request.state == "planned" else failure_of(request, result, waves.stopped)
    if problem is not None:
        _take_back_cordon(api, request, settings, report)
        problem.result["cordoned"] = report.cordoned
        raise problem
    return result


def _cordon(api: KubeApi, request: Request, settings: Settings, report: Report) -> bool:
    """Before the look, so that nothing new comes between it and the moves; whether the node was
    unschedulable before any evacuation.
    """
    node = find_node(api, request.node)
    report.was_unschedulable = report.unschedulable = is_cordoned(node)
    report.cordoned = is_cordoned(node) and is_ours(node)
    if request.cordon and not is_cordoned(node):
        report.changed = report.cordoned = report.unschedulable = True
        if not settings.check:
            cordon(api, request.node, settings.clock)
    return is_cordoned(node) and not is_ours(node)


def _write_down(
    eyes: Eyes, settings: Settings, report: Report, waves: Waves, *, was_unschedulable: bool
) -> None:
    """The record, before anything that it tells of is moved. What an earlier run wrote down stays:
    its pods are gone by now.
    """
    request = eyes.request
    found = records.find(eyes.api, request.record_namespace, request.node)
    known = records.read(found) if found is not None else None
    if known is None and not (report.cordoned or waves.plans):
        return
    stock = records.take_stock(
        eyes.snapshot,
        request.node,
        eyes.snapshot.pods(),
        began=settings.clock.wall(),
        was_unschedulable=was_unschedulable,
    )
    wanted = stock if known is None else known.merged(stock)
    report.recorded = True
    if wanted == known:
        return
    report.changed = True
    if not settings.check:
        records.save(eyes.api, request.record_namespace, wanted)


def _take_back_cordon(api: KubeApi, request: Request, settings: Settings, report: Report) -> None:
    """Where the user would rather have the node back than have it stay half empty."""
    if request.on_stop == "uncordon" and report.cordoned and not settings.check:
        uncordon(api, request.node)
        report.cordoned = report.unschedulable = False
