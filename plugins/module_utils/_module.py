# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all modules share: the argument spec, the cluster guard, and the shape of results and
failures.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

import copy
import gc
from typing import Any, Callable, Dict, List, Mapping

from ansible.module_utils.basic import AnsibleModule

from ._kube import AUTH_ARG_SPEC, AnsibleK8SModule, KubeApi, connect
from .clock import Clock
from .errors import ApiError, NotFound, PlacementError, api_to_placement
from .resources import NAMESPACE, uid
from .rules.model import MalformedObject
from .stopping import STOP

Result = Dict[str, Any]
Logic = Callable[[Mapping[str, Any], KubeApi, Clock, bool], Result]


def argument_spec(**own: Mapping[str, Any]) -> Dict[str, Any]:
    """kubernetes.core's authentication options, ``expected_cluster``, and the module's own."""
    spec: Dict[str, Any] = copy.deepcopy(AUTH_ARG_SPEC)
    spec["expected_cluster"] = {"type": "str"}
    spec.update(copy.deepcopy(own))
    return spec


def wait_spec() -> Dict[str, Any]:
    """``wait`` and ``wait_timeout`` (seconds), with this collection's defaults."""
    return {
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 300},
    }


def validate_spec() -> Dict[str, Any]:
    """``validate``: what a node that does not fit means."""
    return {"validate": {"type": "str", "choices": ["strict", "warn", "none"], "default": "strict"}}


def moving_spec() -> Dict[str, Any]:
    """How pods are moved, and which of them may be."""
    return {
        "placement": {
            "type": "str",
            "choices": ["schedule", "prefer", "bind"],
            "default": "schedule",
        },
        "steer": {
            "type": "str",
            "choices": ["auto", "static", "block", "policy", "hold"],
            "default": "auto",
        },
        "fallback": {"type": "str", "choices": ["refuse", "evict"], "default": "refuse"},
        "soak": {"type": "float", "default": 0},
        "terminate_grace_period": {"type": "int"},
        "delete_emptydir_data": {"type": "bool", "default": False},
        "accept_differences": {"type": "bool", "default": False},
        "force": {"type": "bool", "default": False},
        "system_pods": {"type": "bool", "default": False},
        "lock_duration": {"type": "float", "default": 30},
    }


def run(spec: Mapping[str, Any], logic: Logic, **rules: Any) -> None:
    """Make the module, guard the cluster, call ``logic(params, api, clock, check_mode)`` and exit
    with its result.

    ``logic`` returns the result with ``changed``, optionally ``warnings`` (a list) and ``diff``; it
    raises PlacementError or ApiError. ``rules`` are AnsibleModule's own (mutually_exclusive,
    required_if and so on).
    """
    module = AnsibleK8SModule(
        module_class=AnsibleModule, argument_spec=spec, supports_check_mode=True, **rules
    )
    STOP.install()
    clock = Clock()
    cluster: Dict[str, str] = {}
    try:
        api, cluster = connect(module, clock)
        _guard_cluster(api, module.params.get("expected_cluster"))
        result = logic(module.params, api, clock, bool(module.check_mode))
    except PlacementError as err:
        _fail(module, err, cluster)
    except ApiError as err:
        _fail(module, api_to_placement(err, step=err.request or "request"), cluster)
    except MalformedObject as err:
        problem = PlacementError(
            "MalformedObject", str(err), step="read", hint="Correct this value."
        )
        _fail(module, problem, cluster)
    else:
        _exit(module, result, cluster)


def _guard_cluster(api: KubeApi, expected: Any) -> None:
    if not expected or str(expected).rstrip("/") == api.host:
        return
    try:
        found = uid(api.get(NAMESPACE, "kube-system"))
    except NotFound:
        found = "unknown"
    if found != expected:
        raise PlacementError(
            "WrongCluster",
            "expected cluster %s, but these credentials lead to %s (kube-system uid %s)"
            % (expected, api.host, found),
            step="connect",
            hint="Point the task at the right cluster, or correct expected_cluster.",
        )


def _tell_warnings(module: AnsibleK8SModule, warnings: List[str]) -> None:
    for text in warnings:
        module.warn(text)


def _exit(module: AnsibleK8SModule, result: Result, cluster: Mapping[str, str]) -> None:
    _tell_warnings(module, result.pop("warnings", []))
    if not module._diff:
        result.pop("diff", None)
    _leave_quickly()
    module.exit_json(cluster=dict(cluster), **result)


def _fail(module: AnsibleK8SModule, err: PlacementError, cluster: Mapping[str, str]) -> None:
    result = dict(err.result)
    _tell_warnings(module, result.pop("warnings", []))
    if not module._diff:
        result.pop("diff", None)
    result.update(
        msg="%s: %s" % (err.code, err.message),
        error=err.as_dict(),
        changed=err.changed,
        cluster=dict(cluster),
    )
    _leave_quickly()
    module.fail_json(**result)


def _leave_quickly() -> None:
    """An interpreter that ends looks through all its objects for garbage: of a large evacuation a
    fifth of a second, for nothing.
    """
    gc.freeze()
