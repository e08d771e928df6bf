# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three runs of every scenario of a module: in check mode, for real, and again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.cluster.audit import Audit, Entry
from tests.cluster.cluster import Cluster
from tests.integration.runner import Result, run_module

# What only the moment decides, so that check mode cannot know it: a scheduler that does not
# answer, a rollout that does not end. Everything else must be predicted.
OF_THE_MOMENT = ("SchedulerNotAlive", "NotScheduled", "RolloutFailed", "RolloutTimeout")


def predict(cluster: Cluster, audit: Audit, module: str, args: Mapping[str, Any]) -> Result:
    """Run in check mode; it must write nothing but dry runs and access reviews."""
    audit.mark()
    result = run_module(cluster, module, args, check=True)
    written = audit.entries(namespace=args["namespace"], agent="podplacement/", writes=True)
    assert not written, [str(entry) for entry in written]
    return result


def code_of(result: Result) -> str:
    """The reason code of a failure, which is told in full; empty for a success."""
    if not result.get("failed"):
        return ""
    error: dict[str, str] = result["error"]
    assert error["hint"]
    assert error["step"]
    assert result["msg"].startswith(error["code"])
    return error["code"]


def refused(cluster: Cluster, audit: Audit, module: str, args: Mapping[str, Any]) -> Result:
    """Run in check mode and for real: the same refusal, and nothing written."""
    check = predict(cluster, audit, module, args)
    audit.mark()
    result = run_module(cluster, module, args)
    assert code_of(result) == code_of(check) != ""
    assert result["changed"] is check["changed"] is False
    assert not audit.entries(namespace=args["namespace"], agent="podplacement/", writes=True)
    return result


def surprised(cluster: Cluster, audit: Audit, module: str, args: Mapping[str, Any]) -> Result:
    """Predicted as a success, but the moment is against it: the failure, one of OF_THE_MOMENT."""
    check = predict(cluster, audit, module, args)
    assert (code_of(check), check["changed"]) == ("", True)
    audit.mark()
    result = run_module(cluster, module, args)
    assert code_of(result) in OF_THE_MOMENT, result
    return result


def performed(cluster: Cluster, audit: Audit, module: str, args: Mapping[str, Any]) -> Result:
    """Run in check mode, for real, and again: predicted, done, and nothing left to do."""
    check = predict(cluster, audit, module, args)
    result = run_module(cluster, module, args)
    assert not result.get("failed"), result
    assert (check["changed"], check["diff"]) == (result["changed"], result["diff"])
    audit.mark()
    again = run_module(cluster, module, args)
    assert again["changed"] is False, again
    assert again["diff"]["before"] == again["diff"]["after"]
    assert not audit.entries(namespace=args["namespace"], agent="podplacement/", writes=True)
    return result


def warnings_of(result: Result) -> list[str]:
    """The texts of the warnings, however this ansible-core wraps them."""
    found = result.get("warnings", [])
    return [w["event"]["msg"] if isinstance(w, dict) else str(w) for w in found]


def called(entry: Entry) -> tuple[str, str, str]:
    """An audited request as RBAC names it: verb, API group, resource."""
    parts = entry.uri.split("?")[0].split("/")
    group = parts[2] if parts[1] == "apis" else ""
    return entry.verb, group, "/".join(filter(None, (entry.resource, entry.subresource)))
