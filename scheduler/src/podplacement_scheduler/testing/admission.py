# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fake API server makes of an object that is sent to it, or why it takes it not."""

from __future__ import annotations

from typing import Any

import msgspec

from ..api.transport import Response
from .store import Object, with_meta

_NOTE_LENGTH = 1024


class Refused(Exception):
    """An answer that is not a success."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason

    def response(self) -> Response:
        """As the API server says it."""
        return Response(self.code, msgspec.json.encode(self.status()))

    def status(self) -> Object:
        """The Status object."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": str(self),
            "reason": self.reason,
            "code": self.code,
        }


def new_pod(pod: Object) -> Object:
    """A pod with the defaults that matter to a scheduler."""
    spec = {
        "schedulerName": "default-scheduler",
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "priority": 0,
        **pod["spec"],
    }
    status: Object = {"phase": "Pending"}
    if spec.get("schedulingGates"):
        gated = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
        message = "Scheduling is blocked due to non-empty scheduling gates"
        status["conditions"] = [{**gated, "message": message}]
    return {**with_meta(pod, generation=1), "spec": spec, "status": status}


def counted(before: Object, after: Object) -> Object:
    """A pod's generation counts the changes of its spec, as updatePodGeneration does."""
    if before["kind"] != "Pod":
        return after
    generation = before["metadata"]["generation"] + (before["spec"] != after["spec"])
    return with_meta(after, generation=generation)


def check_event(event: Object) -> None:
    """Raise Refused for one that lacks something."""
    for key in ("eventTime", "reportingController", "reportingInstance", "action", "reason"):
        if not event.get(key):
            raise Refused(422, "Invalid", f"{key}: Required value")
    if len(event.get("note", "").encode()) > _NOTE_LENGTH:
        raise Refused(422, "Invalid", "note: Invalid value: can have at most 1024 bytes")


def merged(before: Any, patch: Any, *, by_key: bool = False) -> Any:
    """A JSON merge patch; with `by_key` lists of conditions are merged by their type."""
    if not isinstance(before, dict) or not isinstance(patch, dict):
        return patch
    result = dict(before)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif by_key and key == "conditions" and isinstance(value, list):
            found = {each["type"]: each for each in before.get(key, ())}
            for each in value:
                found[each["type"]] = {**found.get(each["type"], {}), **each}
            result[key] = list(found.values())
        else:
            result[key] = merged(result.get(key), value, by_key=by_key)
    return result
