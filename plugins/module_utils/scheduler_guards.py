# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose is a controller's ``schedulerName``? Refuse a change that somebody else would undo.

All of them are pure: they look at the controller as it was read. ``force`` overrides what only
another party's wish forbids; it never overrides what cannot work (a ReplicaSet under a Deployment,
an impossible name).

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

import re
from typing import Any, Mapping, Optional

from .errors import PlacementError
from .moves.names import DO_NOT_MOVE
from .resources import DEPLOYMENT, REPLICA_SET, Kind, annotation, describe, meta
from .workloads import controller_ref, known_kind, template_path

NAME_LIMIT = 253
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def check_name(scheduler_name: Optional[str], *, object: str = "") -> str:
    """The name, if it is a DNS subdomain. The API server itself would take anything."""
    if (
        scheduler_name
        and len(scheduler_name) <= NAME_LIMIT
        and _SUBDOMAIN.fullmatch(scheduler_name)
    ):
        return scheduler_name
    raise PlacementError(
        "InvalidSchedulerName",
        "%r cannot be the name of a scheduler" % scheduler_name,
        object=object,
        step="check arguments",
        hint="Use lower case letters, digits, - and . only; the usual one is default-scheduler.",
    )


def check_controller(kind: Kind, obj: Mapping[str, Any], *, force: bool) -> None:
    """Raise PlacementError unless this controller's scheduler name is ours to change."""
    _check_owner(kind, obj, force=force)
    if force:
        return
    if annotation(obj, DO_NOT_MOVE) == "true":
        raise _refusal(
            "OptedOut",
            kind,
            obj,
            "is annotated %s" % DO_NOT_MOVE,
            "Remove the annotation, or set force.",
        )
    manager = applied_by(kind, obj)
    if manager:
        text = (
            "has its schedulerName applied by the field manager %s, which would put it back"
            % manager
        )
        raise _refusal(
            "FieldManagedBy",
            kind,
            obj,
            text,
            "Change it where %s takes it from, or set force." % manager,
        )


def _check_owner(kind: Kind, obj: Mapping[str, Any], *, force: bool) -> None:
    ref = controller_ref(obj)
    if ref is None:
        return
    owner = known_kind(ref["kind"], ref.get("apiVersion", ""))
    if kind is REPLICA_SET and owner is DEPLOYMENT:
        text = "belongs to Deployment %s, which would replace it" % ref["name"]
        hint = "Change Deployment %s/%s instead." % (meta(obj)["namespace"], ref["name"])
        raise _refusal("OwnedByDeployment", kind, obj, text, hint)
    if not force:
        text = "is controlled by %s %s, which may put its own template back" % (
            ref["kind"],
            ref["name"],
        )
        hint = "Change it there, or set force if that controller leaves schedulerName alone."
        raise _refusal("OwnedBy: %s" % ref["kind"], kind, obj, text, hint)


def applied_by(kind: Kind, obj: Mapping[str, Any]) -> str:
    """Who set the template's ``schedulerName`` by server-side apply (Argo CD, Flux, helm ...).

    Empty if nobody did. Other entries do not count: the server counts defaulted fields, as this
    one mostly is, as written by whoever created the object.
    """
    for entry in meta(obj).get("managedFields") or []:
        if entry.get("operation") != "Apply" or entry.get("subresource"):
            continue
        fields: Any = entry.get("fieldsV1") or {}
        for step in (*template_path(kind.kind), "spec", "schedulerName"):
            fields = fields.get("f:" + step) if isinstance(fields, Mapping) else None
        if fields is not None:
            return str(entry.get("manager", "unknown"))
    return ""


def _refusal(code: str, kind: Kind, obj: Mapping[str, Any], text: str, hint: str) -> PlacementError:
    named = describe(kind.kind, obj)
    return PlacementError(code, "%s %s" % (named, text), object=named, step="preflight", hint=hint)
