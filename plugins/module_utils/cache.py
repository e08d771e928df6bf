# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of one kind as a watch and our own writes tell them: the newest version wins, and
what is deleted stays deleted.

Two streams feed it, and either may be late: the events of the watch, and the answers of our own
requests. ``resourceVersion`` says which is newer (an integer in every API server that keeps its
objects in etcd, and by contract since Kubernetes 1.35). A uid that is gone is remembered, because
an answer that was under way when its DELETED event came would bring the object back for good.

Objects are handed out as they are, not copied: nobody may change them.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Callable, Deque, Dict, FrozenSet, List, Mapping, Optional, Set, Tuple

from .api import Object
from .resources import meta, uid
from .selecting import Query, Term, terms_of

Key = Tuple[str, str]
Listener = Callable[[Object], None]
REMEMBERED_CHANGES = 4096
REMEMBERED_UIDS = 100_000


class Store:
    """Safe for threads. Listeners are called after each change, outside of the lock."""

    def __init__(self, listener: Optional[Listener] = None) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._objects: Dict[Key, Object] = {}
        self._index: Dict[Term, Set[Key]] = {}
        self._gone: Dict[str, None] = {}  # in order of their going
        self._changes: Deque[Tuple[int, Optional[Object], Optional[Object]]] = deque(
            maxlen=REMEMBERED_CHANGES
        )
        self._waiting: Dict[int, Tuple[Query, Optional[str], threading.Event]] = {}
        self._tickets = 0
        self._listener = listener
        self.sequence = 0
        self.version = "0"  # where the watch stands

    # ---- reading

    def get(self, namespace: Optional[str], name: str) -> Optional[Object]:
        """The object, or None."""
        with self._lock:
            return self._objects.get((namespace or "", name))

    def find(self, wanted: Query, namespace: Optional[str]) -> Tuple[List[Object], str]:
        """The objects that a list request would show, in the order of their names, and a version
        for ``wait``.
        """
        with self._lock:
            keys = self._candidates(wanted, namespace)
            found = [self._objects[key] for key in sorted(keys)]
            version = "%s@%d" % (self.version, self.sequence)
        return [obj for obj in found if _in(obj, namespace) and wanted.matches(obj)], version

    def _candidates(self, wanted: Query, namespace: Optional[str]) -> List[Key]:
        if wanted.name and namespace is not None:
            key = (namespace, wanted.name)
            return [key] if key in self._objects else []
        sets = [self._index.get(term, set()) for term in wanted.terms]
        return list(sorted(sets, key=len)[0]) if sets else list(self._objects)

    # ---- what a request of ours told

    def fold(self, obj: Object) -> None:
        """An answer of the server: taken if it is newer than what is known."""
        self._take(slim(obj))

    def forget(self, namespace: Optional[str], name: str, gone: str) -> None:
        """The server says that the object of that uid is not there any more."""
        key = (namespace or "", name)
        with self._lock:
            old = self._objects.get(key)
            if old is None or uid(old) != gone:
                return
            self._put(key, None)
        self._tell(old)

    # ---- what the watch told

    def apply(self, event: str, obj: Object) -> None:
        """One event of the watch, in its order."""
        self.version = str(meta(obj)["resourceVersion"])
        if event == "BOOKMARK":
            return
        if event != "DELETED":
            self._take(slim(obj))
            return
        key = _key(obj)
        with self._lock:
            self._bury(uid(obj))
            old = self._objects.get(key)
            if old is not None and uid(old) == uid(obj):
                self._put(key, None)
        self._tell(obj)

    def replace(self, items: List[Object], version: str) -> None:
        """A whole list: what it lacks is gone, unless we made it after the list was."""
        listed = {uid(item) for item in items}
        with self._lock:
            missing = [
                (key, old)
                for key, old in self._objects.items()
                if uid(old) not in listed and number(old) <= int(version)
            ]
            for key, _old in missing:
                self._put(key, None)
            self.version = version
        for gone in missing:
            self._tell(gone[1])
        for item in items:
            self._take(slim(item))

    # ---- waiting

    def wait(self, version: str, wanted: Query, namespace: Optional[str], timeout: float) -> bool:
        """Block until a matching object changes after ``version`` (True), or time is up (False).

        ``version`` is one of ``find``, or an object's own resourceVersion.
        """
        bell = threading.Event()
        with self._lock:
            if self._changed_since(version, wanted, namespace):
                return True
            self._tickets += 1
            ticket = self._tickets
            self._waiting[ticket] = (wanted, namespace, bell)
        try:
            return bell.wait(timeout)
        finally:
            with self._lock:
                del self._waiting[ticket]

    def wake(self) -> None:
        """End all waits: the watch is closed."""
        with self._lock:
            for _wanted, _namespace, bell in self._waiting.values():
                bell.set()

    def _changed_since(self, version: str, wanted: Query, namespace: Optional[str]) -> bool:
        _rv, marked, sequence = version.partition("@")
        if not marked:
            keys = self._candidates(wanted, namespace)
            found = [self._objects[key] for key in keys]
            fits = [o for o in found if _concerns(o, wanted, namespace)]
            return not fits or any(number(o) > int(version or 0) for o in fits)
        since = int(sequence)
        if self._changes and self._changes[0][0] > since + 1:
            return True  # too long ago to know
        return any(
            number_ > since
            and (_concerns(old, wanted, namespace) or _concerns(new, wanted, namespace))
            for number_, old, new in reversed(self._changes)
        )

    # ---- inside

    def _take(self, obj: Object) -> None:
        key = _key(obj)
        with self._lock:
            old = self._objects.get(key)
            if uid(obj) in self._gone or (old is not None and number(old) >= number(obj)):
                return
            self._put(key, obj)
        self._tell(obj)

    def _put(self, key: Key, new: Optional[Object]) -> None:
        """Change one object, its index and the log; the lock is held."""
        old = self._objects.pop(key, None)
        before: FrozenSet[Term] = terms_of(old) if old is not None else frozenset()
        after: FrozenSet[Term] = terms_of(new) if new is not None else frozenset()
        for term in before - after:
            self._index[term].discard(key)
            if not self._index[term]:
                del self._index[term]
        for term in after - before:
            self._index.setdefault(term, set()).add(key)
        if new is not None:
            self._objects[key] = new
        if old is not None and (new is None or uid(old) != uid(new)):
            self._bury(uid(old))
        self.sequence += 1
        self._changes.append((self.sequence, old, new))
        for wanted, namespace, bell in self._waiting.values():
            if _concerns(old, wanted, namespace) or _concerns(new, wanted, namespace):
                bell.set()

    def _bury(self, gone: str) -> None:
        self._gone[gone] = None
        if len(self._gone) > REMEMBERED_UIDS:
            del self._gone[next(iter(self._gone))]

    def _tell(self, obj: Object) -> None:
        if self._listener is not None:
            self._listener(obj)


def number(obj: Mapping[str, Any]) -> int:
    """The object's resourceVersion."""
    return int(meta(obj)["resourceVersion"])


def slim(obj: Object) -> Object:
    """Without ``managedFields``: a third of a pod, and nobody reads them here."""
    metadata = obj["metadata"]
    if "managedFields" not in metadata:
        return obj
    kept = {k: v for k, v in metadata.items() if k != "managedFields"}
    return dict(obj, metadata=kept)


def _key(obj: Mapping[str, Any]) -> Key:
    return str(meta(obj).get("namespace") or ""), str(meta(obj)["name"])


def _in(obj: Mapping[str, Any], namespace: Optional[str]) -> bool:
    return not namespace or meta(obj).get("namespace") == namespace


def _concerns(obj: Optional[Object], wanted: Query, namespace: Optional[str]) -> bool:
    return obj is not None and _in(obj, namespace) and wanted.matches(obj)
