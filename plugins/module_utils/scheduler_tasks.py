# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two modules' options in the terms of their logic.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, Mapping

from .api import Api
from .clock import Clock, Deadline
from .moves.holder import Holder
from .moves.order import Settings
from .pod_scheduler import set_pod_scheduler
from .scheduler_name import KINDS, Request, set_scheduler


def controller_scheduler(
    params: Mapping[str, Any], api: Api, clock: Clock, check: bool
) -> Dict[str, Any]:
    """The logic of k8s_controller_scheduler."""
    request = Request(
        kind=KINDS[params["kind"]],
        namespace=params["namespace"],
        name=params["name"],
        label_selectors=tuple(params["label_selectors"] or ()),
        scheduler_name=params["scheduler_name"],
        restore=params["state"] == "restored",
        roll=params["roll"],
        verify=params["verify_scheduler"],
        force=params["force"],
    )
    # A roll is a rollout: it brings pods to the template as it is, whatever else changed in it.
    settings = replace(_settings(params, clock, check), accept_differences=True)
    return set_scheduler(api, request, settings).result()


def pod_scheduler(params: Mapping[str, Any], api: Api, clock: Clock, check: bool) -> Dict[str, Any]:
    """The logic of k8s_pod_scheduler."""
    outcome = set_pod_scheduler(
        api,
        params["namespace"],
        params["name"],
        params["scheduler_name"],
        _settings(params, clock, check),
    )
    return outcome.result()


def _settings(params: Mapping[str, Any], clock: Clock, check: bool) -> Settings:
    return Settings(
        clock=clock,
        deadline=Deadline(clock, params["wait_timeout"]),
        holder=Holder(),
        check=check,
        wait=params["wait"],
        lock_duration=params.get("lock_duration", 30.0),
        delete_emptydir_data=params["delete_emptydir_data"],
        force=params["force"],
        system_pods=params["force"],
        accept_differences=params.get("accept_differences", False),
    )
