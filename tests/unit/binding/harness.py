# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the tests of binding run the logic over an API server in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.binding.run import bind_pods
from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    Forbidden,
    OutcomeUnknown,
    PlacementError,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import POD
from tests.unit.binding.objects import SCHEDULER, node, pod
from tests.unit.fake_api import FakeApi

Options = dict[str, Any]
COMMON: Options = {"validate": "strict", "wait": False, "wait_timeout": 60, "policy": "spread"}
ONE: Options = {**COMMON, "namespace": "shop", "name": "p", "node": "a"}
ALL: Options = {**COMMON, "namespace": "shop", "scheduler_name": SCHEDULER}
FORBIDDEN = Forbidden(403, "Forbidden", "not for you", request="pods/binding create")
NO_ANSWER = OutcomeUnknown(0, "OutcomeUnknown", "the connection broke")


def run(api: FakeApi, options: Options, *, check: bool = False, **more: Any) -> Options:
    return bind_pods({**options, **more}, api, api.clock, check)


def refusal(api: FakeApi, options: Options, **more: Any) -> PlacementError:
    with pytest.raises(PlacementError) as caught:
        run(api, options, **more)
    return caught.value


def bind_from_outside(api: FakeApi, target: str, **annotations: str) -> Callable[[], None]:
    patch = {"metadata": {"annotations": annotations}, "spec": {"nodeName": target}}
    return lambda: api.change(POD, "p", "shop", patch)


def set_phase(api: FakeApi, name: str, **status: Any) -> Callable[[], None]:
    return lambda: api.change(POD, name, "shop", {"status": status})


def node_of(api: FakeApi, name: str = "p") -> str:
    return str(api.get(POD, name, "shop")["spec"].get("nodeName", ""))


def batch(api_objects: int = 4) -> FakeApi:
    pods = [pod(f"p{i}", created=f"2026-01-0{i + 1}T00:00:00Z") for i in range(api_objects)]
    stranger = pod("stranger")
    stranger["spec"]["schedulerName"] = "default-scheduler"
    elsewhere = pod("elsewhere", namespace="other")
    return FakeApi(node("a", cpu="2"), node("b", cpu="1"), *pods, stranger, elsewhere)


def placed(result: Options) -> dict[str, str]:
    return {b["name"]: b["node"] for b in result["bound"]}
