# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster as it was a moment ago: a plan of many pods reads each list once.

A ``Snapshot`` is an ``api.Api`` that only reads, so the checks of a single move run on it as they
are. Lists of a namespace, access reviews and dry runs are asked for once and remembered; of the
pods of other nodes only an outline is kept, because a large cluster has more of them than memory.
"""

from __future__ import annotations

import copy
import json
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from ..api import Api, Object
from ..errors import ApiError, NotFound
from ..moves.names import MOVE_ID, MOVED_FROM_NAME, MOVED_FROM_UID
from ..preflight import NOT_TERMINAL
from ..resources import (
    DAEMON_SET,
    DEPLOYMENT,
    JOB,
    NODE,
    PDB,
    POD,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    SERVICE,
    STATEFUL_SET,
    Kind,
    meta,
)
from .outline import outline

# The checks of a move list these in its namespace anyway: single ones are looked up in the list.
LISTED = (
    DEPLOYMENT,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    STATEFUL_SET,
    DAEMON_SET,
    JOB,
    PDB,
    SERVICE,
)
_FEW_NODES = 20  # so many lists of one node each are cheaper than one of the whole cluster
_ON_NODE = "spec.nodeName="
# What differs between the replacements of two pods of one workload.
_OF_ONE_POD = (("labels", MOVE_ID), ("labels", MOVED_FROM_UID), ("annotations", MOVED_FROM_NAME))
_PLACING = ("affinity", "nodeName")

Key = Tuple[Any, ...]


class Snapshot:
    """``api.Api`` without writes. ``node`` is the node whose pods are moved and ``selector`` says
    which of them; ``targets`` are those that they may go to, None for any.
    """

    def __init__(
        self,
        api: Api,
        node: str,
        targets: Optional[Sequence[str]] = None,
        *,
        selector: str = "",
    ) -> None:
        self.api = api
        self.node = node
        self.targets = targets
        self.selector = selector
        self._known: Dict[Key, Any] = {}
        self._pods: List[Object] = []
        self._seen: Dict[Tuple[Any, Any], Object] = {}
        self._nodes: Dict[str, Object] = {}
        self._outlines: Optional[Dict[str, List[Object]]] = None
        self.version = ""

    # ---- what an evacuation asks for

    def pods(self) -> List[Object]:
        """The pods to be moved, whole."""
        if not self.version:
            self._pods, self.version = self.api.list(
                POD, field_selector=_ON_NODE + self.node, label_selector=self.selector
            )
            self._note(self._pods)
        return self._pods

    def nodes(self) -> Dict[str, Object]:
        """All nodes by name."""
        if not self._nodes:
            self._nodes = {str(meta(n)["name"]): n for n in self.api.list(NODE)[0]}
        return self._nodes

    def others(self) -> Dict[str, List[Object]]:
        """Outlines of the pods that take room on the nodes that may be targets."""
        if self._outlines is None:
            found: Dict[str, Dict[str, Object]] = {}

            def keep(pod: Object) -> None:
                brief = outline(pod)
                name = str(brief["spec"].get("nodeName") or "")
                found.setdefault(name, {})[str(meta(brief)["uid"])] = brief

            if self.targets is not None and len(self.targets) <= _FEW_NODES:
                for target in self.targets:
                    selector = "%s%s,%s" % (_ON_NODE, target, NOT_TERMINAL)
                    for pod in self.api.list(POD, field_selector=selector)[0]:
                        keep(pod)
            else:
                selector = "spec.nodeName!=,spec.nodeName!=%s,%s" % (self.node, NOT_TERMINAL)
                self.api.scan(POD, keep, field_selector=selector)
            self._outlines = {name: list(pods.values()) for name, pods in found.items()}
        return self._outlines

    # ---- the reads of api.Api

    def get(self, kind: Kind, name: str, namespace: Optional[str] = None) -> Object:
        """See ``api.Api.get``."""
        found: Optional[Object]
        if kind is NODE:
            found = self.nodes().get(name)
        elif kind is POD:
            if self.node:
                self.pods()
            found = self._seen.get((namespace, name)) or self._read(kind, name, namespace)
        elif kind in LISTED or ("list", kind.plural, namespace, "", "") in self._known:
            objects = self.list(kind, namespace)[0]
            found = next((o for o in objects if _is(o, name, namespace)), None)
        else:
            found = self._read(kind, name, namespace)
        if found is None:
            raise NotFound(404, "NotFound", '%s "%s" not found' % (kind.plural, name))
        return found

    def list(
        self,
        kind: Kind,
        namespace: Optional[str] = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Tuple[List[Object], str]:
        """See ``api.Api.list``."""
        if kind is POD and field_selector.startswith(_ON_NODE):
            name = field_selector[len(_ON_NODE) :].partition(",")[0]
            if name != self.node and (self.targets is None or name in self.targets):
                return self.others().get(name, []), self.version
        if kind is NODE and not (label_selector or field_selector):
            return list(self.nodes().values()), ""
        key = ("list", kind.plural, namespace, label_selector, field_selector)

        def ask() -> Any:
            return self.api.list(
                kind, namespace, label_selector=label_selector, field_selector=field_selector
            )

        found: Tuple[List[Object], str] = self._remember(key, ask)
        if kind is POD:
            self._note(found[0])
        return found

    def scan(self, kind: Kind, look: Callable[[Object], None], *, field_selector: str = "") -> None:
        """See ``api.Api.scan``."""
        self.api.scan(kind, look, field_selector=field_selector)

    def may(
        self, verb: str, kind: Kind, namespace: Optional[str] = None, subresource: str = ""
    ) -> bool:
        """See ``api.Api.may``. Who may do it everywhere is not asked for each namespace."""
        everywhere = self._may(verb, kind, None, subresource)
        return everywhere or (bool(namespace) and self._may(verb, kind, namespace, subresource))

    # ---- the writes of api.Api, for show

    def create(
        self,
        kind: Kind,
        body: Mapping[str, Any],
        namespace: Optional[str] = None,
        *,
        dry_run: bool = False,
    ) -> Object:
        """A dry run, once a workload: its pods differ in what the server does not judge."""
        if not dry_run:
            raise _read_only()
        key = ("create", kind.plural, namespace, _likeness(body))
        made = self._remember(key, lambda: self.api.create(kind, body, namespace, dry_run=True))
        return _in_the_name_of(body, made)

    def patch(
        self,
        kind: Kind,
        name: str,
        body: Any,
        namespace: Optional[str] = None,
        *,
        dry_run: bool = False,
        json_patch: bool = False,
    ) -> Object:
        """A dry run."""
        if not dry_run:
            raise _read_only()
        return self.api.patch(kind, name, body, namespace, dry_run=True, json_patch=json_patch)

    def delete(self, kind: Kind, name: str, namespace: Optional[str] = None, **how: Any) -> None:
        """A dry run."""
        if not how.get("dry_run"):
            raise _read_only()
        self.api.delete(kind, name, namespace, **how)

    def evict(self, name: str, namespace: str, **how: Any) -> None:
        """A dry run."""
        if not how.get("dry_run"):
            raise _read_only()
        self.api.evict(name, namespace, **how)

    def bind(self, name: str, namespace: str, node: str, **how: Any) -> None:
        """A dry run."""
        if not how.get("dry_run"):
            raise _read_only()
        self.api.bind(name, namespace, node, **how)

    def wait_change(self, kind: Kind, namespace: Optional[str] = None, **how: Any) -> bool:
        """Nothing changes in a snapshot: who waits for it waits in vain, and must not."""
        raise AssertionError("a snapshot is not waited on")

    # ---- inside

    def _may(self, verb: str, kind: Kind, namespace: Optional[str], subresource: str) -> bool:
        key = ("may", verb, kind.plural, namespace, subresource)
        return bool(self._remember(key, lambda: self.api.may(verb, kind, namespace, subresource)))

    def _note(self, pods: List[Object]) -> None:
        self._seen.update({(meta(p)["namespace"], meta(p)["name"]): p for p in pods})

    def _read(self, kind: Kind, name: str, namespace: Optional[str]) -> Object:
        key = ("get", kind.plural, namespace, name)
        found: Object = self._remember(key, lambda: self.api.get(kind, name, namespace))
        return found

    def _remember(self, key: Key, ask: Callable[[], Any]) -> Any:
        """The answer, or the error, of the first time."""
        if key not in self._known:
            try:
                self._known[key] = ask()
            except ApiError as err:
                self._known[key] = err
        found = self._known[key]
        if isinstance(found, ApiError):
            raise found
        return found


def _read_only() -> AssertionError:
    return AssertionError("a snapshot is not written to")


def _is(obj: Mapping[str, Any], name: str, namespace: Optional[str]) -> bool:
    found = meta(obj)
    return found.get("name") == name and found.get("namespace") == namespace


def _likeness(body: Mapping[str, Any]) -> str:
    """The same text for all pods that the server cannot tell apart but by name and target."""
    found = copy.deepcopy(dict(meta(body)))
    found["name"] = ""
    for group, key in _OF_ONE_POD:
        (found.get(group) or {}).pop(key, None)
    rest = {k: v for k, v in body.items() if k not in ("metadata", "spec")}
    spec = {k: v for k, v in (body.get("spec") or {}).items() if k not in _PLACING}
    return json.dumps([found, spec, rest], sort_keys=True)


def _in_the_name_of(body: Mapping[str, Any], made: Object) -> Object:
    """What the server made of one pod, as it would have made it of another."""
    answer = copy.deepcopy(made)
    answer["metadata"]["name"] = meta(body)["name"]
    for group, key in _OF_ONE_POD:
        value = (meta(body).get(group) or {}).get(key)
        if value is not None:
            answer["metadata"].setdefault(group, {})[key] = value
    for field in _PLACING:
        answer.get("spec", {}).pop(field, None)
        if field in (body.get("spec") or {}):
            answer["spec"][field] = copy.deepcopy(body["spec"][field])
    return answer
