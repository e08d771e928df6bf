# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server in memory, as far as the logic above `api.Api` can tell the difference.

It keeps the promises that correctness rests on: uid and resourceVersion guards, 409 on a pod that
is bound or gated, 404, dry runs that change nothing. It runs no controllers: a test says with
`later` what the world does while the code under test waits, and with `before` what happens just
before a request (a race, or an exception in its place). Time is virtual.
"""

from __future__ import annotations

import copy
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.podplacement.core.plugins.module_utils.api import Object
from ansible_collections.podplacement.core.plugins.module_utils.clock import Clock
from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    AlreadyExists,
    Conflict,
    NotFound,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import POD, Kind

Key = tuple[str, str, str]
Action = Callable[[], Any]


class VirtualClock(Clock):
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(0.0, seconds)

    def wall(self) -> str:
        return f"2026-01-01T00:00:{self.now % 60:09.6f}Z"


@dataclass(frozen=True)
class Call:
    """One request, as RBAC and the audit log name it."""

    verb: str
    resource: str
    namespace: str
    name: str
    dry_run: bool = False


class FakeApi:
    """`api.Api` over a dictionary."""

    def __init__(self, *objects: Object, clock: VirtualClock | None = None) -> None:
        self.clock = clock or VirtualClock()
        self.calls: list[Call] = []
        self.denied: set[tuple[str, str]] = set()  # (verb, resource or resource/subresource)
        self._objects: dict[Key, Object] = {}
        self._changes: dict[Key, int] = {}  # the version of the last change, deletions included
        self._version = 100
        self._names = 0
        self._before: dict[tuple[str, str], deque[Action]] = {}
        self._later: deque[tuple[float, Action]] = deque()
        for obj in objects:
            self.put(obj)

    # ---- what a test arranges

    def put(self, obj: Object) -> Object:
        """Store an object as it is; missing uid and resourceVersion are made up."""
        stored = copy.deepcopy(obj)
        stored.setdefault("metadata", {})
        self._version += 1
        stored["metadata"].setdefault("uid", f"uid-{self._version}")
        stored["metadata"]["resourceVersion"] = str(self._version)
        self._objects[_key_of(stored)] = stored
        self._changes[_key_of(stored)] = self._version
        return copy.deepcopy(stored)

    def change(self, kind: Kind, name: str, namespace: str | None, patch: Object) -> None:
        """Merge-patch an object from outside."""
        self.put(_merged(self._find(kind, name, namespace), patch))

    def remove(self, kind: Kind, name: str, namespace: str | None = None) -> None:
        """Take an object away from outside."""
        key = (kind.kind, namespace or "", name)
        del self._objects[key]
        self._version += 1
        self._changes[key] = self._version

    def before(self, verb: str, resource: str, action: Action | Exception) -> None:
        """Do this once, before the next such request that is still free; an exception is raised."""

        def fail() -> None:
            assert isinstance(action, Exception)
            raise action

        step = fail if isinstance(action, Exception) else action
        self._before.setdefault((verb, resource), deque()).append(step)

    def later(self, seconds: float, action: Action) -> None:
        """Let this happen after so many seconds of waiting since the previous one."""
        self._later.append((seconds, action))

    def writes(self) -> list[Call]:
        """The requests that changed something, or tried to."""
        reads = {"get", "list", "watch", "review"}
        return [call for call in self.calls if call.verb not in reads and not call.dry_run]

    # ---- api.Api

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object:
        self._called("get", kind.plural, namespace, name)
        return copy.deepcopy(self._find(kind, name, namespace))

    def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> tuple[list[Object], str]:
        self._called("list", kind.plural, namespace, "")
        found = [
            copy.deepcopy(obj)
            for key, obj in sorted(self._objects.items())
            if key[0] == kind.kind
            and (not namespace or key[1] == namespace)
            and _labels_match(obj, label_selector)
            and _fields_match(obj, field_selector)
        ]
        return found, str(self._version)

    def scan(self, kind: Kind, look: Callable[[Object], None], *, field_selector: str = "") -> None:
        for obj in self.list(kind, field_selector=field_selector)[0]:
            look(obj)

    def create(
        self,
        kind: Kind,
        body: Mapping[str, Any],
        namespace: str | None = None,
        *,
        dry_run: bool = False,
    ) -> Object:
        obj = copy.deepcopy(dict(body))
        found = obj.setdefault("metadata", {})
        obj.setdefault("kind", kind.kind)
        if namespace:
            found["namespace"] = namespace
        if "name" not in found:
            self._names += 1
            found["name"] = f"{found['generateName']}{self._names:05d}"
        self._called("create", kind.plural, namespace, found["name"], dry_run=dry_run)
        if _key_of(obj) in self._objects:
            raise AlreadyExists(409, "AlreadyExists", f"{kind.plural} {found['name']} exists")
        return obj if dry_run else self.put(obj)

    def patch(
        self,
        kind: Kind,
        name: str,
        body: Any,
        namespace: str | None = None,
        *,
        dry_run: bool = False,
        json_patch: bool = False,
    ) -> Object:
        self._called("patch", kind.plural, namespace, name, dry_run=dry_run)
        stored = self._find(kind, name, namespace)
        if json_patch:
            patched = _json_patched(stored, body)
        else:
            wanted = body.get("metadata") or {}
            _guard(stored, wanted.get("uid"), wanted.get("resourceVersion"))
            patched = _merged(stored, body)
        return patched if dry_run else self.put(patched)

    def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        *,
        uid: str,
        resource_version: str | None = None,
        propagation: str | None = None,
        grace_period: int | None = None,
        dry_run: bool = False,
    ) -> None:
        self._called("delete", kind.plural, namespace, name, dry_run=dry_run)
        _guard(self._find(kind, name, namespace), uid, resource_version)
        if not dry_run:
            self.remove(kind, name, namespace)

    def evict(
        self,
        name: str,
        namespace: str,
        *,
        uid: str,
        resource_version: str | None = None,
        grace_period: int | None = None,
        dry_run: bool = False,
    ) -> None:
        self._called("create", "pods/eviction", namespace, name, dry_run=dry_run)
        _guard(self._find(POD, name, namespace), uid, resource_version)
        if not dry_run:
            self.remove(POD, name, namespace)

    def bind(
        self,
        name: str,
        namespace: str,
        node: str,
        *,
        uid: str,
        resource_version: str,
        annotations: Mapping[str, str],
        dry_run: bool = False,
    ) -> None:
        self._called("create", "pods/binding", namespace, name, dry_run=dry_run)
        stored = self._find(POD, name, namespace)
        _guard(stored, uid, resource_version)
        spec = stored["spec"]
        if spec.get("nodeName") or spec.get("schedulingGates"):
            raise Conflict(409, "Conflict", f"pod {name} is already assigned or is gated")
        bound = {"metadata": {"annotations": dict(annotations)}, "spec": {"nodeName": node}}
        if not dry_run:
            self.put(_merged(stored, bound))

    def wait_change(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        resource_version: str,
        timeout: float,
        label_selector: str = "",
        field_selector: str = "",
    ) -> bool:
        self._called("watch", kind.plural, namespace, "")
        if self._news(kind, namespace, resource_version, field_selector):
            return True
        if not self._later or self._later[0][0] > timeout:
            if self._later:
                seconds, action = self._later.popleft()
                self._later.appendleft((seconds - timeout, action))
            self.clock.sleep(timeout)
            return False
        seconds, action = self._later.popleft()
        self.clock.sleep(seconds)
        action()
        return True

    def may(
        self, verb: str, kind: Kind, namespace: str | None = None, subresource: str = ""
    ) -> bool:
        resource = f"{kind.plural}/{subresource}" if subresource else kind.plural
        self._called("review", resource, namespace, verb)
        return (verb, resource) not in self.denied

    # ---- inside

    def _news(
        self, kind: Kind, namespace: str | None, resource_version: str, field_selector: str
    ) -> bool:
        name = field_selector.rpartition("metadata.name=")[2]
        return any(
            version > int(resource_version)
            for key, version in self._changes.items()
            if key[0] == kind.kind and namespace in (None, key[1]) and name in ("", key[2])
        )

    def _called(
        self, verb: str, resource: str, namespace: str | None, name: str, *, dry_run: bool = False
    ) -> None:
        self.calls.append(Call(verb, resource, namespace or "", name, dry_run))
        waiting = self._before.get((verb, resource))
        if waiting:
            waiting.popleft()()

    def _find(self, kind: Kind, name: str, namespace: str | None) -> Object:
        try:
            return self._objects[(kind.kind, namespace or "", name)]
        except KeyError:
            raise NotFound(404, "NotFound", f'{kind.plural} "{name}" not found') from None


def _key_of(obj: Object) -> Key:
    found = obj["metadata"]
    return obj["kind"], found.get("namespace") or "", found["name"]


def _guard(stored: Object, uid: str | None, version: str | None) -> None:
    found = stored["metadata"]
    if uid is not None and found["uid"] != uid:
        raise Conflict(409, "Conflict", f"uid is {found['uid']}, not {uid}")
    if version is not None and found["resourceVersion"] != version:
        raise Conflict(409, "Conflict", "the object has been modified")


def _merged(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result


def _json_patched(target: Object, operations: Any) -> Object:
    """RFC 6902, without move and copy."""
    result = copy.deepcopy(target)
    for operation in operations:
        *path, last = [
            part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]
        ]
        parent: Any = result
        for part in path:
            parent = parent[int(part)] if isinstance(parent, list) else parent[part]
        where: Any = int(last) if isinstance(parent, list) and last != "-" else last
        if operation["op"] == "test":
            actual = parent[where] if isinstance(parent, list) else parent.get(where)
            if actual != operation.get("value"):
                raise Conflict(409, "Conflict", f"test failed: {operation['path']}")
        elif operation["op"] == "remove":
            del parent[where]
        elif operation["op"] == "add" and isinstance(parent, list):
            parent.insert(len(parent) if where == "-" else where, operation["value"])
        else:
            parent[where] = operation["value"]
    return result


def _fields_match(obj: Object, selector: str) -> bool:
    for term in filter(None, selector.split(",")):
        path, operator, wanted = re.fullmatch(r"([^=!]+)(!=|==|=)(.*)", term).groups()  # type: ignore[union-attr]
        actual: Any = obj
        for part in path.split("."):
            actual = (actual or {}).get(part)
        default = "Pending" if path == "status.phase" else ""
        if ((actual or default) == wanted) == (operator == "!="):
            return False
    return True


def _labels_match(obj: Object, selector: str) -> bool:
    labels = obj["metadata"].get("labels") or {}
    return all(_term_matches(term.strip(), labels) for term in _terms(selector))


def _terms(selector: str) -> list[str]:
    return [term for term in re.split(r",(?![^(]*\))", selector) if term.strip()]


def _term_matches(term: str, labels: Mapping[str, str]) -> bool:
    if found := re.fullmatch(r"(\S+)\s+(in|notin)\s+\((.*)\)", term):
        key, operator, values = found.groups()
        inside = labels.get(key) in {value.strip() for value in values.split(",")}
        return inside == (operator == "in")
    if found := re.fullmatch(r"([^=!]+)(!=|==|=)(.*)", term):
        key, operator, value = found.groups()
        return (labels.get(key.strip()) == value.strip()) == (operator != "!=")
    return (term[1:] not in labels) if term.startswith("!") else (term in labels)
