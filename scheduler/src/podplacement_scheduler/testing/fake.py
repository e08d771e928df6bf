# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server in memory that answers as the real one does, as far as the daemon can tell.

Requests are carried out at once and in order; delays and faults are the transport's (`wire.py`).
That it is honest is held by a test that puts the same questions to it and to a real API server.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from ..api import kinds
from ..api.kinds import Kind
from ..api.transport import JSON, STRATEGIC_PATCH, Response
from ..clock import Clock, rfc3339
from .admission import Refused, check_event, counted, merged, new_pod
from .store import Key, Object, Store, key_of, with_meta

_KINDS = {
    (kind.group, kind.plural): kind for kind in vars(kinds).values() if isinstance(kind, Kind)
}
_CONDITIONAL = ("leases",)  # cannot be replaced without a resourceVersion


@dataclass(frozen=True)
class Target:
    """What a path names."""

    kind: Kind
    namespace: str | None
    name: str
    subresource: str
    query: dict[str, str]

    @property
    def key(self) -> Key:
        """Where the object is."""
        return self.namespace or "", self.name

    @property
    def resource(self) -> str:
        """As messages name it."""
        return f"{self.kind.plural}.{self.kind.group}" if self.kind.group else self.kind.plural


def target(path: str) -> Target:
    """Read a path with its query."""
    path, _mark, query = path.partition("?")
    parts = path.strip("/").split("/")
    group = "" if parts[0] == "api" else parts[1]
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    namespace = None
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    plural, name, subresource = (*rest, "", "")[:3]
    kind = _KINDS.get((group, plural))
    if kind is None:
        raise Refused(404, "NotFound", "the server could not find the requested resource")
    return Target(kind, namespace, name, subresource, dict(parse_qsl(query)))


class FakeServer:
    """`store` is what it keeps; `handle` carries one request out."""

    def __init__(self, clock: Clock, rng: Random, *, streams: bool = True) -> None:
        self.clock = clock
        self._rng = rng
        self.store = Store(clock.monotonic)
        # Whether it serves streaming lists, as all do since Kubernetes 1.34.
        self.streams = streams
        # How far behind the newest revision a list of "any" version may be.
        self.lag: Callable[[], int] = lambda: 0

    def handle(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        content_type: str = JSON,
        writer: str = "",
    ) -> Response:
        """The answer, whatever it is."""
        try:
            where = target(path)
            sent = msgspec.json.decode(body) if body else {}
            if method == "GET":
                return _answer(200, self._get(where) if where.name else self._list(where))
            if method == "POST" and where.subresource == "binding":
                return _answer(201, self._bind(where, sent, writer))
            if method == "POST":
                return _answer(201, self._create(where, sent, writer))
            if method == "PUT":
                return _answer(200, self._update(where, sent, writer))
            if method == "PATCH":
                return _answer(200, self._patch(where, sent, content_type, writer))
            if method == "DELETE":
                return _answer(200, self._delete(where, sent, writer))
        except Refused as refused:
            return refused.response()
        return Refused(405, "MethodNotAllowed", f"{method} is not allowed").response()

    # For tests and simulations, as an administrator

    def do(self, method: str, path: str, body: Object | None = None) -> Object:
        """Carry out a request that must succeed."""
        response = self.handle(method, path, msgspec.json.encode(body) if body else None)
        found: Object = msgspec.json.decode(response.body)
        if response.status >= 300:
            raise Refused(response.status, found["reason"], found["message"])
        return found

    # Verbs

    def _get(self, where: Target) -> Object:
        found = self.store.get(where.kind.plural, where.key)
        if found is None:
            raise Refused(404, "NotFound", f'{where.resource} "{where.name}" not found')
        return found

    def _create(self, where: Target, sent: Object, writer: str) -> Object:
        meta = dict(sent.get("metadata") or {})
        if where.kind.namespaced:
            if meta.get("namespace", where.namespace) != where.namespace:
                raise Refused(
                    400,
                    "BadRequest",
                    "the namespace of the provided object does not match the namespace sent on "
                    "the request",
                )
            meta["namespace"] = where.namespace
        if not meta.get("name"):
            raise Refused(422, "Invalid", "metadata.name: Required value: name is required")
        if self.store.get(where.kind.plural, (meta.get("namespace", ""), meta["name"])):
            message = f'{where.resource} "{meta["name"]}" already exists'
            raise Refused(409, "AlreadyExists", message)
        meta["uid"] = str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
        meta["creationTimestamp"] = rfc3339(self.clock.wall_ns())[:19] + "Z"
        created = {
            "apiVersion": where.kind.api_version,
            "kind": where.kind.kind,
            **sent,
            "metadata": meta,
        }
        if where.kind == kinds.PODS:
            created = new_pod(created)
        elif where.kind == kinds.EVENTS:
            check_event(created)
        return self.store.write(where.kind.plural, created, writer=writer)

    def _update(self, where: Target, sent: Object, writer: str) -> Object:
        before = self._get(where)
        meta = sent.get("metadata") or {}
        if not meta.get("resourceVersion") and where.kind.plural in _CONDITIONAL:
            message = "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
            raise Refused(422, "Invalid", message)
        _check_preconditions(where, before, meta)
        keep = {key: before["metadata"][key] for key in ("uid", "creationTimestamp")}
        head = {key: before[key] for key in ("apiVersion", "kind")}
        after = counted(before, with_meta({**head, **sent}, **keep))
        return self.store.write(where.kind.plural, after, writer=writer)

    def _patch(self, where: Target, sent: Object, content_type: str, writer: str) -> Object:
        before = self._get(where)
        meta = sent.get("metadata") or {}
        if meta.get("uid", before["metadata"]["uid"]) != before["metadata"]["uid"]:
            message = f"metadata.uid: Invalid value: {meta['uid']!r}: field is immutable"
            raise Refused(422, "Invalid", message)
        _check_preconditions(where, before, meta)
        if where.subresource == "status":
            sent = {"status": sent.get("status", {}), "metadata": meta}
        elif where.kind in (kinds.PODS, kinds.NODES):
            sent = {key: value for key, value in sent.items() if key != "status"}
        after = merged(before, sent, by_key=content_type == STRATEGIC_PATCH)
        after = with_meta(after, resourceVersion=before["metadata"]["resourceVersion"])
        after = counted(before, after)
        written = self.store.write(where.kind.plural, after, writer=writer)
        meta = written["metadata"]
        if meta.get("deletionTimestamp") and not meta.get("finalizers"):
            if not meta.get("deletionGracePeriodSeconds"):
                return self.store.remove(where.kind.plural, where.key, writer=writer)
        return written

    def _delete(self, where: Target, sent: Object, writer: str) -> Object:
        """At once, or marked: a bound pod has its grace period, and finalizers hold anything."""
        before = self._get(where)
        _check_preconditions(where, before, sent.get("preconditions") or {})
        meta = before["metadata"]
        grace = 0
        if where.kind == kinds.PODS and before["spec"].get("nodeName"):
            usual = before["spec"].get("terminationGracePeriodSeconds", 30)
            grace = usual if sent.get("gracePeriodSeconds") is None else sent["gracePeriodSeconds"]
        if where.kind == kinds.PODS or meta.get("finalizers"):
            before = self._mark(where, before, grace, writer)
        if grace > 0 or meta.get("finalizers"):
            return before
        return self.store.remove(where.kind.plural, where.key, writer=writer)

    def _mark(self, where: Target, found: Object, grace: int, writer: str) -> Object:
        """A pod is marked even if it goes in the same moment: two events."""
        before = found["metadata"].get("deletionGracePeriodSeconds")
        if before is not None and before <= grace:
            return found
        when = rfc3339(self.clock.wall_ns() + int(grace * 10**9))[:19] + "Z"
        fields = {"deletionTimestamp": when, "deletionGracePeriodSeconds": grace}
        if "generation" in found["metadata"]:
            fields["generation"] = found["metadata"]["generation"] + 1
        marked = with_meta(found, **fields)
        return self.store.write(where.kind.plural, marked, writer=writer)

    def _bind(self, where: Target, sent: Object, writer: str) -> Object:
        """As assignPod of pkg/registry/core/pod/storage: one write, or a conflict."""
        name = where.name
        if not (sent.get("target") or {}).get("name"):
            raise Refused(500, "InternalError", "target.name: Required value")
        pod = self._get(where)
        meta = sent.get("metadata") or {}
        found = pod["metadata"]
        if meta.get("uid", found["uid"]) != found["uid"]:
            why = (
                f"Precondition failed: UID in precondition: {meta['uid']}, "
                f"UID in object meta: {found['uid']}"
            )
        elif found.get("deletionTimestamp"):
            why = f"pod {name} is being deleted, cannot be assigned to a host"
        elif pod["spec"].get("nodeName"):
            why = f'pod {name} is already assigned to node "{pod["spec"]["nodeName"]}"'
        elif pod["spec"].get("schedulingGates"):
            why = f"pod {name} has non-empty .spec.schedulingGates"
        else:
            self.store.write("pods", self._bound(pod, sent), writer=writer)
            head = {"kind": "Status", "apiVersion": "v1", "metadata": {}}
            return {**head, "status": "Success", "code": 201}
        message = f'Operation cannot be fulfilled on pods/binding "{name}": {why}'
        raise Refused(409, "Conflict", message)

    def _bound(self, pod: Object, binding: Object) -> Object:
        now = rfc3339(self.clock.wall_ns())[:19] + "Z"
        condition = {"type": "PodScheduled", "status": "True", "lastTransitionTime": now}
        others = [
            each for each in pod["status"].get("conditions", ()) if each["type"] != "PodScheduled"
        ]
        meta = pod["metadata"]
        notes = {**meta.get("annotations", {}), **binding["metadata"].get("annotations", {})}
        return {
            **pod,
            "metadata": {**meta, "annotations": notes},
            "spec": {**pod["spec"], "nodeName": binding["target"]["name"]},
            "status": {**pod["status"], "conditions": [*others, condition]},
        }

    def _list(self, where: Target) -> Object:
        """In pages of one revision: a page that comes after a compaction is refused."""
        store, query = self.store, where.query
        revision, begin = store.revision, ("", "")
        limit = int(query.get("limit") or 0)
        if "continue" in query:
            at, namespace, name = query["continue"].split("|")
            revision, begin = int(at), (namespace, name)
            if revision < store.compacted:
                message = "The provided continue parameter is too old to display a consistent list"
                raise Refused(410, "Expired", message)
        elif query.get("resourceVersion") == "0":
            revision = max(store.compacted, revision - self.lag(), 1)
            limit = 0
        fits = selector(where)
        items = [
            each
            for each in store.at(where.kind.plural, revision)
            if fits(each) and key_of(each) > begin
        ]
        meta: Object = {"resourceVersion": str(revision)}
        if limit and len(items) > limit:
            items = items[:limit]
            meta["continue"] = "|".join((str(revision), *key_of(items[-1])))
        return {
            "kind": where.kind.kind + "List",
            "apiVersion": where.kind.api_version,
            "metadata": meta,
            "items": [
                {key: part for key, part in each.items() if key not in ("kind", "apiVersion")}
                for each in items
            ],
        }


def _answer(status: int, found: Object) -> Response:
    return Response(status, msgspec.json.encode(found))


def _check_preconditions(where: Target, before: Object, wanted: Object) -> None:
    found = before["metadata"]
    on = f'Operation cannot be fulfilled on {where.resource} "{where.name}": '
    if wanted.get("uid") and wanted["uid"] != found["uid"]:
        told = f"UID in precondition: {wanted['uid']}, UID in object meta: {found['uid']}"
        raise Refused(409, "Conflict", f"{on}Precondition failed: {told}")
    version = wanted.get("resourceVersion")
    if version and version != found["resourceVersion"]:
        message = "the object has been modified; please apply your changes to the latest version"
        raise Refused(409, "Conflict", f"{on}{message} and try again")


def selector(where: Target) -> Callable[[Object], bool]:
    """What of a resource a list or a watch is about."""
    terms = [term for term in where.query.get("fieldSelector", "").split(",") if term]

    def fits(found: Object) -> bool:
        if where.namespace is not None and found["metadata"].get("namespace") != where.namespace:
            return False
        return all(_holds(found, term) for term in terms)

    return fits


def _holds(found: Object, term: str) -> bool:
    path, _equals, wanted = term.partition("=")
    value: Any = found
    for part in path.rstrip("!").split("."):
        value = value.get(part, "") if isinstance(value, dict) else ""
    same = bool(value == wanted.lstrip("="))
    return not same if path.endswith("!") else same
