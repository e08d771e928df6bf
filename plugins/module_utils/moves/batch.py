# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several moves in one task: all are checked before the first is begun, then done one after the
other, or with ``forks`` some or all at a time.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any, Dict, List, Sequence, Tuple, cast

from ..api import Api
from ..errors import PlacementError
from ..live import LiveApi, Watchable
from .fleet import Fleet, Limits
from .order import Order, Report, Settings
from .plan import Plan
from .recovery import IN_PROGRESS, recover
from .run import carry_out, note_moved, prepare

# Refusals that time may cure: the real run waits for them, so they do not stop a batch beforehand.
_MOMENTARY = ("RolloutInProgress", "LockedBy")


def carry_out_all(
    api: Api, orders: Sequence[Order], settings: Settings, forks: int = 1
) -> Dict[str, Any]:
    """The result of ``k8s_pod_move`` with ``state: present``; ``forks`` 0 is no limit.

    Raises PlacementError of the first refusal, with all of them in ``leftovers`` and nothing begun;
    or of the first failure, with what was done before it, or beside it, in ``moved``.
    """
    if forks != 1 and len(orders) > 1 and not settings.check:
        with closing(LiveApi(cast(Watchable, api), settings.clock)) as live:
            _check_all(live, orders, settings)
            return _at_a_time(live, orders, settings, forks)
    if len(orders) > 1 and not settings.check:
        _check_all(api, orders, settings)
    reports: List[Report] = []
    for order in orders:
        try:
            reports.append(carry_out(api, order, settings))
        except PlacementError as err:
            if settings.check and len(orders) > 1:
                _check_all(api, orders, settings)
            done = _result(reports)
            err.changed = err.changed or done["changed"]
            err.result = _together(done, err.result)
            raise
    return _result(reports)


def _at_a_time(
    live: LiveApi, orders: Sequence[Order], settings: Settings, forks: int
) -> Dict[str, Any]:
    reports = [Report() for _order in orders]
    plans: List[Tuple[Report, Plan]] = []
    for order, report in zip(orders, reports):
        plan = prepare(live, order, settings, report)
        if plan is not None:
            plans.append((report, plan))
    fleet = Fleet(live, settings, Limits(forks=forks, max_failures=1))
    failures: List[PlacementError] = []
    for (report, plan), outcome in zip(plans, fleet.run([plan for _report, plan in plans])):
        try:
            if outcome.error is not None:
                raise outcome.error
            note_moved(report, plan, outcome.moved or {}, settings)
        except PlacementError as err:
            failures.append(err)
    done = _result(reports)
    done["recovered"] += fleet.recovered
    done["warnings"] += [w for w in fleet.warnings if w not in done["warnings"]]
    done["changed"] = done["changed"] or bool(fleet.recovered)
    if failures:
        first = next((f for f in failures if f.code != "MaxFailures"), failures[0])
        first.changed = first.changed or done["changed"]
        first.result = _together(done, {k: v for k, v in first.result.items() if k != "moved"})
        raise first
    return done


def _together(done: Dict[str, Any], failed: Dict[str, Any]) -> Dict[str, Any]:
    """What was done before, and what the failed move itself reports."""
    result = dict(done, **{k: v for k, v in failed.items() if not isinstance(v, list)})
    for key, items in failed.items():
        if isinstance(items, list):
            result[key] = list(result.get(key) or []) + items
    result.pop("changed", None)
    return result


def _check_all(api: Api, orders: Sequence[Order], settings: Settings) -> None:
    refusals: List[PlacementError] = []
    leftovers: List[Dict[str, str]] = []
    for order in orders:
        try:
            carry_out(api, order, replace(settings, check=True))
        except PlacementError as err:
            if settings.check or err.code not in _MOMENTARY:
                refusals.append(err)
                leftovers.append(
                    {
                        "namespace": order.namespace,
                        "name": order.name,
                        "code": err.code,
                        "reason": err.message,
                    }
                )
    if refusals:
        first = refusals[0]
        first.result = {"leftovers": leftovers}
        if len(refusals) > 1:
            first.message = "%s (and %d more, see leftovers)" % (first.message, len(refusals) - 1)
        raise first


def _result(reports: Sequence[Report]) -> Dict[str, Any]:
    warnings: List[str] = []
    for report in reports:
        warnings += [w for w in report.warnings if w not in warnings]
    return {
        "changed": any(r.changed for r in reports),
        "moved": [r.moved for r in reports if r.moved is not None],
        "plan": [r.plan for r in reports if r.plan is not None],
        "recovered": [item for r in reports for item in r.recovered],
        "leftovers": [],
        "warnings": warnings,
        "diff": {
            "before": {"pods": [r.before for r in reports]},
            "after": {"pods": [r.after for r in reports]},
        },
    }


def recover_all(api: Api, settings: Settings, namespace: str | None) -> Dict[str, Any]:
    """The result of ``k8s_pod_move`` with ``state: recovered``."""
    recovered = recover(api, settings, namespace)
    busy = [r for r in recovered if r["outcome"] == IN_PROGRESS]
    return {
        "changed": len(recovered) > len(busy),
        "moved": [],
        "plan": [],
        "leftovers": [
            {
                "namespace": r["namespace"],
                "name": r["pod"],
                "code": r["code"],
                "reason": "in progress",
            }
            for r in busy
        ],
        "recovered": [r for r in recovered if r not in busy],
        "diff": {
            "before": {"interrupted_moves": [r["move_id"] for r in recovered]},
            "after": {"interrupted_moves": [r["move_id"] for r in busy]},
        },
    }
