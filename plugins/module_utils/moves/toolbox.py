# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a way of steering puts in place, proves, and takes away again: its tools (see steering).

The tools of a move have one name. They tell whose they are, so that a recovery finds those that are
the cluster's own; a namespace's own belong to the move's Lease as well.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Dict, List, Optional, Tuple

from ..api import Api, Object
from ..errors import Conflict, Forbidden, NotFound
from ..resources import (
    CONFIG_MAP,
    LEASE,
    MUTATING_POLICY,
    MUTATING_POLICY_BINDING,
    POD,
    VALIDATING_POLICY,
    VALIDATING_POLICY_BINDING,
    Kind,
    annotation,
    meta,
    uid,
)
from .journal import Entry, encode
from .lock import Lock
from .manifest import sanitized
from .names import DOMAIN, JOURNAL, MOVE, MOVE_ID, replacement_name
from .order import Settings
from .steering import BLOCK, HOSTNAME, POLICY, STATIC, STEER

LOCKED_BY = DOMAIN + "/lease"
NAMESPACE_NAME = "kubernetes.io/metadata.name"
# How long a block outlives the old pod's grace period when nobody renews it.
LAPSE_SECONDS = 60.0
DEFAULT_GRACE = 30
_TIME = "%Y-%m-%dT%H:%M:%SZ"

Tool = Tuple[Kind, Object]


class Toolbox:
    """The tools of one move, as they are in the cluster."""

    def __init__(self, api: Api, lock: Lock, entry: Entry, settings: Settings) -> None:
        self.api = api
        self.lock = lock
        self.entry = entry
        self.settings = settings
        self.kinds = tool_kinds(entry.way)
        self.found: Dict[str, Optional[Object]] = {}  # by kind, as last seen
        self.effective = False
        self._made: List[Tuple[Kind, str]] = []  # kind and uid of what this run put in place
        self.lapses = 0.0  # when the block does, by our clock
        self._lease_uid = uid(lock.held())

    def look(self) -> None:
        """Read them."""
        for kind in self.kinds:
            self.found[kind.kind] = self._read(kind)

    def _read(self, kind: Kind) -> Optional[Object]:
        try:
            return self.api.get(kind, tool_name(self.entry), self._scope(kind))
        except (NotFound, Forbidden):
            return None  # no right to see it: nobody with such rights put it there

    def _scope(self, kind: Kind) -> Optional[str]:
        return self.lock.namespace if kind.namespaced else None

    def complete(self) -> bool:
        """All are in place."""
        return all(self.found.values())

    def empty(self) -> bool:
        """None is in place."""
        return not any(self.found.values())

    def install(self, old: Optional[Object], host: str) -> None:
        """Put the first in place that is not there yet."""
        begun = self.kinds and self.found[self.kinds[0].kind] is not None
        until = "" if begun or self.entry.way != BLOCK else self._lapse_after(old)
        for kind, body in tools(self.entry, self.lock, host, until):
            if self.found[kind.kind] is None:
                made = self.api.create(kind, body, self._scope(kind))
                self._made.append((kind, uid(made)))
                return

    def remove(self) -> None:
        """Take one away, the last one first."""
        for kind in reversed(self.kinds):
            tool = self.found[kind.kind]
            if tool is not None:
                self.api.delete(kind, tool_name(self.entry), self._scope(kind), uid=uid(tool))
                return

    def renewal_due(self) -> bool:
        """The block lapses by itself; as long as this run lives and needs it, it must not."""
        now = self.settings.clock.monotonic()
        in_place = self.entry.way == BLOCK and self.complete()
        return in_place and now > self.lapses - LAPSE_SECONDS / 2

    def renew(self, old: Optional[Object]) -> None:
        """The old pod takes its time, or a budget does."""
        kind = self.kinds[0]
        until = self._lapse_after(old)
        guard = {"uid": uid(self.found[kind.kind] or {})}
        body = {"metadata": guard, "spec": block_spec(self.entry, self.lock.namespace, until)}
        self.api.patch(kind, tool_name(self.entry), body)

    def _lapse_after(self, old: Optional[Object]) -> str:
        grace = self.settings.terminate_grace_period
        if grace is None:
            grace = ((old or {}).get("spec") or {}).get("terminationGracePeriodSeconds")
        seconds = LAPSE_SECONDS + (DEFAULT_GRACE if grace is None else grace)
        self.lapses = self.settings.clock.monotonic() + seconds
        return _server_time(self.api, self.lock, seconds)

    def without_effect(self, old: Object, owner: Object, host: str) -> Optional[str]:
        """Ask the server for show, until it once answers as it shall: then None."""
        if self.effective or not self.kinds:
            return None
        why = probe(self.api, self.entry, old, owner, host)
        self.effective = why is None
        return why

    def abandon(self) -> None:
        """Take back what this run put in place after another one had finished the move.

        As long as the Lease is there its holder does that; what comes later still lapses, or goes
        with the Lease.
        """
        if self.lock.still_there(self._lease_uid):
            return
        for kind, made in reversed(self._made):
            with suppress(Conflict, NotFound):
                self.api.delete(kind, tool_name(self.entry), self._scope(kind), uid=made)


# ---- what they are


def tools(entry: Entry, lock: Lock, host: str, until: str) -> List[Tool]:
    """What the way puts in place, in this order; ``host`` is the target's host name label."""
    if entry.way == STATIC:
        return [(CONFIG_MAP, _parameters(entry, lock, host))]
    if entry.way == BLOCK:
        policy = {"spec": block_spec(entry, lock.namespace, until)}
        return _bound(VALIDATING_POLICY, VALIDATING_POLICY_BINDING, entry, lock, policy)
    if entry.way == POLICY:
        policy = {"spec": _steering_spec(entry, lock.namespace, host)}
        return _bound(MUTATING_POLICY, MUTATING_POLICY_BINDING, entry, lock, policy)
    return []


def tool_kinds(way: str) -> List[Kind]:
    """The kinds of the objects that a way puts in place, in this order."""
    return {
        STATIC: [CONFIG_MAP],
        BLOCK: [VALIDATING_POLICY, VALIDATING_POLICY_BINDING],
        POLICY: [MUTATING_POLICY, MUTATING_POLICY_BINDING],
    }.get(way, [])


def tool_name(entry: Entry) -> str:
    """All that a move puts in place has one name."""
    return "podmove-%s" % entry.id


def probe_name(entry: Entry) -> str:
    """A pod that is created for show, to see whether what was put in place has an effect."""
    return replacement_name(entry.pod, "probe", 0)


def _metadata(entry: Entry, lock: Lock) -> Dict[str, Any]:
    return {
        "name": tool_name(entry),
        "labels": {MOVE: "true"},
        "annotations": {
            JOURNAL: encode([entry]),
            LOCKED_BY: "%s/%s" % (lock.namespace, lock.name),
        },
    }


def _parameters(entry: Entry, lock: Lock, host: str) -> Object:
    """The Lease owns it: who deletes that by hand deletes this too."""
    found = dict(_metadata(entry, lock), namespace=lock.namespace)
    found["labels"] = {MOVE: "true", STEER: "true"}
    found["ownerReferences"] = [lock.owner_reference()]
    return {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.kind,
        "metadata": found,
        "data": {entry.pod: host, probe_name(entry): host},
    }


def _bound(kind: Kind, binding: Kind, entry: Entry, lock: Lock, body: Object) -> List[Tool]:
    """A policy and its binding, both for this one namespace."""
    bound: Object = {"policyName": tool_name(entry), "matchResources": _only(lock.namespace)}
    if binding is VALIDATING_POLICY_BINDING:
        bound["validationActions"] = ["Deny"]
    return [
        (k, {"apiVersion": k.api_version, "kind": k.kind, "metadata": _metadata(entry, lock), **b})
        for k, b in ((kind, body), (binding, {"spec": bound}))
    ]


def _only(namespace: str) -> Object:
    return {"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: namespace}}}


def _constraints(entry: Entry, namespace: str) -> Object:
    """Creates of this pod and of its probe; an error in an expression lets everything pass."""
    creates = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["pods"],
    }
    named = "object.metadata.?name.orValue('') in ['%s', '%s']" % (entry.pod, probe_name(entry))
    return {
        "failurePolicy": "Ignore",
        "matchConstraints": dict(_only(namespace), resourceRules=[creates]),
        "matchConditions": [{"name": "this-pod", "expression": named}],
    }


def block_spec(entry: Entry, namespace: str, until: str) -> Object:
    """Nobody but this move creates the pod, until then.

    The time of the request is the object's creationTimestamp, which the server has filled in when
    it validates. CEL sees it as text, so that it must be converted.
    """
    ours = "object.metadata.?labels[?'%s'].orValue('') == '%s'" % (MOVE_ID, entry.id)
    lapsed = "timestamp(object.metadata.creationTimestamp) >= timestamp('%s')" % until
    return dict(
        _constraints(entry, namespace),
        validations=[
            {
                "expression": "%s || %s" % (ours, lapsed),
                "message": "pod %s is being moved to node %s until %s"
                % (entry.pod, entry.node, until),
                "reason": "Forbidden",
            }
        ],
    )


def _steering_spec(entry: Entry, namespace: str, host: str) -> Object:
    """JSONPatch: a node selector is an atomic map, which ApplyConfiguration may not touch."""
    key = "jsonpatch.escapeKey('%s')" % HOSTNAME
    change = (
        "has(object.spec.nodeSelector)"
        " ? [JSONPatch{op: 'add', path: '/spec/nodeSelector/' + %s, value: '%s'}]"
        " : [JSONPatch{op: 'add', path: '/spec/nodeSelector', value: {'%s': '%s'}}]"
    ) % (key, host, HOSTNAME, host)
    return dict(
        _constraints(entry, namespace),
        reinvocationPolicy="Never",
        mutations=[{"patchType": "JSONPatch", "jsonPatch": {"expression": change}}],
    )


# ---- what the server says


def probe(api: Api, entry: Entry, old: Object, owner: Object, host: str) -> Optional[str]:
    """None when the next pod would be steered, or blocked; else what the server did instead.

    Creates a pod like the old one for show, under another name and as a child of its owner.
    """
    body = sanitized(old)
    body["metadata"]["name"] = probe_name(entry)
    body["metadata"]["ownerReferences"] = [
        {
            "apiVersion": entry.owner_api or "apps/v1",
            "kind": entry.owner_kind,
            "name": entry.owner_name,
            "uid": uid(owner),
            "controller": True,
            "blockOwnerDeletion": False,
        }
    ]
    (body["spec"].get("nodeSelector") or {}).pop(HOSTNAME, None)
    try:
        made = api.create(POD, body, str(meta(old)["namespace"]), dry_run=True)
    except Forbidden as err:
        return None if entry.way == BLOCK and tool_name(entry) in err.message else err.message
    if entry.way == BLOCK:
        return "the policy does not block the pod yet"
    chosen = (made["spec"].get("nodeSelector") or {}).get(HOSTNAME)
    return None if chosen == host else "the next pod would not be pinned to node %s" % entry.node


def _server_time(api: Api, lock: Lock, seconds: float) -> str:
    """The time so many seconds from now, by the server's clock, which a create for show tells."""
    name = lock.name + "-clock"
    body = {
        "apiVersion": LEASE.api_version,
        "kind": LEASE.kind,
        "metadata": {"name": name, "namespace": lock.namespace},
    }
    made = api.create(LEASE, body, lock.namespace, dry_run=True)
    now = datetime.strptime(str(meta(made)["creationTimestamp"]), _TIME)
    return (now + timedelta(seconds=seconds)).strftime(_TIME)


# ---- what a killed run left


def left_policies(api: Api, namespace: Optional[str]) -> List[Tuple[Tuple[str, str], Object]]:
    """What moves have put in place, and the locks of these: what a run left whose Lease was deleted
    by hand. The garbage collector takes ConfigMaps along, unless it was told to orphan them.
    """
    found: Dict[Tuple[str, str], Object] = {}
    for way in (STATIC, BLOCK, POLICY):
        for kind in tool_kinds(way):
            for policy in _listed(api, kind, namespace if kind.namespaced else None):
                where, _slash, lease = (annotation(policy, LOCKED_BY) or "").partition("/")
                if lease and namespace in (None, "", where):
                    found.setdefault((where, lease), policy)
    return list(found.items())


def _listed(api: Api, kind: Kind, namespace: Optional[str]) -> List[Object]:
    try:
        return api.list(kind, namespace, label_selector=MOVE + "=true")[0]
    except (Forbidden, NotFound):
        return []  # whoever may not see them has not made any
