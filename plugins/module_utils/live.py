# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An ``api.Api`` for hundreds of moves at a time: looking costs nothing, because watches have told
already.

What is read again and again while moves go on comes from watch caches, one for each kind and
namespace: pods, their controllers, budgets, endpoints. What hardly changes within a run is
remembered for seconds (nodes, claims, what else selects pods), rights for the whole of it. Our own
writes are seen at once: their answers go into the cache, and after a refusal the object is read
anew. Within ``fresh`` a thread reads from the server itself: the last look before a swap.

Objects are shared, not copied: nobody may change them.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import (
    Any,
    Callable,
    Dict,
    Generator,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Protocol,
    Tuple,
)

from .api import Api, Object
from .cache import Store
from .clock import Clock
from .errors import ApiError, NotFound
from .pacing import TokenBucket
from .reflector import Reflector
from .resources import (
    DAEMON_SET,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    JOB,
    NETWORK_POLICY,
    NODE,
    PDB,
    POD,
    PV,
    PVC,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    SERVICE,
    STATEFUL_SET,
    Kind,
    uid,
)
from .selecting import query

WATCHED = (
    POD,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    DEPLOYMENT,
    STATEFUL_SET,
    PDB,
    ENDPOINT_SLICE,
)
# Only a plan and the start of a replacement ask for these; a change within seconds is as likely
# just after any look.
REMEMBERED = (NODE, PVC, PV, SERVICE, NETWORK_POLICY, DAEMON_SET, JOB)
MEMORY_SECONDS = 2.0
Subscriber = Callable[[Kind, str, Object], None]
Scope = Tuple[Kind, Optional[str]]


class Watchable(Api, Protocol):
    """What a ``client.KubeApi`` has beside the verbs."""

    bucket: Optional[TokenBucket]

    def events(
        self, kind: Kind, namespace: Optional[str], *, resource_version: str, seconds: int
    ) -> Generator[Mapping[str, Any], None, None]:
        """See ``client.KubeApi.events``."""


class LiveApi:
    """``api.Api`` over a KubeApi, for threads. Kinds in ``wide`` are watched over the whole
    cluster, all others in each namespace that is asked for.
    """

    def __init__(
        self,
        api: Watchable,
        clock: Clock,
        *,
        wide: Iterable[Kind] = (),
        requests_per_second: float = 400.0,
    ) -> None:
        self._api = api
        self._clock = clock
        self._wide = frozenset(wide)
        self._lock = threading.Lock()
        self._reflectors: Dict[Scope, Reflector] = {}
        self._starting: Dict[Scope, threading.Lock] = {}
        self._memory: Dict[Any, Tuple[float, Any]] = {}
        self._subscribers: List[Subscriber] = []
        self._mode = threading.local()
        api.bucket = TokenBucket(clock, requests_per_second)

    # ---- more than an Api

    @contextmanager
    def subscribed(self, subscriber: Subscriber) -> Iterator[None]:
        """Within it, call this with kind, namespace and object after each change in a cache."""
        self._subscribers = [*self._subscribers, subscriber]
        try:
            yield
        finally:
            self._subscribers = [s for s in self._subscribers if s != subscriber]

    @contextmanager
    def fresh(self, *kinds: Kind) -> Iterator[None]:
        """Within it, this thread reads objects of these kinds from the server, each once."""
        self._mode.fresh, self._mode.read = kinds, {}
        try:
            yield
        finally:
            self._mode.fresh, self._mode.read = (), None

    def has_seen(self, kind: Kind, namespace: str, version: str) -> bool:
        """The watch has told of this version, and so of all that was written before it."""
        store = self._known(kind, namespace)
        return store is None or int(store.version) >= int(version)

    def watch(self, kinds: Iterable[Kind], namespaces: Iterable[str]) -> None:
        """Begin to watch now what will be asked for later, all at a time."""
        scopes = {(k, None if k in self._wide else n) for k in kinds for n in namespaces}
        starters = [threading.Thread(target=self._warm, args=scope) for scope in scopes]
        for starter in starters:
            starter.start()
        for starter in starters:
            starter.join()

    def close(self) -> None:
        """End all watches."""
        with self._lock:
            for reflector in self._reflectors.values():
                reflector.close()

    # ---- reading

    def get(self, kind: Kind, name: str, namespace: Optional[str] = None) -> Object:
        """See ``api.Api.get``. What the cache lacks may just have come: the server knows."""
        store = self._cache(kind, namespace)
        found = None if store is None else store.get(namespace, name)
        if found is not None:
            return found
        obj: Object
        key = (kind, name, namespace)
        if kind in REMEMBERED:
            obj = self._remembered(key, lambda: self._api.get(kind, name, namespace))
        else:
            obj = self._once(key, lambda: self._read(kind, name, namespace))
        return obj

    def list(
        self,
        kind: Kind,
        namespace: Optional[str] = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Tuple[List[Object], str]:
        """See ``api.Api.list``."""
        how = {"label_selector": label_selector, "field_selector": field_selector}
        store = self._cache(kind, namespace)
        if store is not None:
            return store.find(query(label_selector, field_selector), namespace)
        listed: Tuple[List[Object], str]
        key = (kind, namespace, label_selector, field_selector)
        if kind in REMEMBERED:
            listed = self._remembered(key, lambda: self._api.list(kind, namespace, **how))
        else:
            listed = self._once(key, lambda: self._list(kind, namespace, how))
        return listed

    def _once(self, key: Any, read: Callable[[], Any]) -> Any:
        """Within ``fresh`` what this thread has read already."""
        kept: Optional[Dict[Any, Any]] = getattr(self._mode, "read", None)
        if kept is None:
            return read()
        return kept[key] if key in kept else kept.setdefault(key, read())

    def _list(
        self, kind: Kind, namespace: Optional[str], how: Dict[str, str]
    ) -> Tuple[List[Object], str]:
        """From the server, past the cache, which learns from it."""
        store = self._known(kind, namespace)
        sequence = 0 if store is None else store.sequence
        items, version = self._api.list(kind, namespace, **how)
        if store is None:
            return items, version
        for item in items:
            store.fold(item)
        return items, "%s@%d" % (version, sequence)

    def _read(self, kind: Kind, name: str, namespace: Optional[str]) -> Object:
        """One object from the server, past the cache, which learns from it."""
        store = self._known(kind, namespace)
        known = None if store is None else store.get(namespace, name)
        try:
            found = self._api.get(kind, name, namespace)
        except NotFound:
            if store is not None and known is not None:
                store.forget(namespace, name, uid(known))
            raise
        if store is not None:
            store.fold(found)
        return found

    def scan(self, kind: Kind, look: Callable[[Object], None], *, field_selector: str = "") -> None:
        """See ``api.Api.scan``."""
        self._api.scan(kind, look, field_selector=field_selector)

    def wait_change(
        self,
        kind: Kind,
        namespace: Optional[str] = None,
        *,
        resource_version: str,
        timeout: float,
        label_selector: str = "",
        field_selector: str = "",
    ) -> bool:
        """See ``api.Api.wait_change``."""
        store = self._known(kind, namespace)
        if store is not None:
            wanted = query(label_selector, field_selector)
            return store.wait(resource_version, wanted, namespace, timeout)
        return self._api.wait_change(
            kind,
            namespace,
            resource_version=resource_version.partition("@")[0],
            timeout=timeout,
            label_selector=label_selector,
            field_selector=field_selector,
        )

    def may(
        self, verb: str, kind: Kind, namespace: Optional[str] = None, subresource: str = ""
    ) -> bool:
        """See ``api.Api.may``. Asked once a run."""
        key = ("may", verb, kind, namespace, subresource)
        allowed: bool = self._remembered(
            key, lambda: self._api.may(verb, kind, namespace, subresource), float("inf")
        )
        return allowed

    # ---- writing

    def create(
        self,
        kind: Kind,
        body: Mapping[str, Any],
        namespace: Optional[str] = None,
        *,
        dry_run: bool = False,
    ) -> Object:
        """See ``api.Api.create``."""
        name = str((body.get("metadata") or {}).get("name") or "")
        with self._true_after(kind, name, namespace, dry_run=dry_run):
            made = self._api.create(kind, body, namespace, dry_run=dry_run)
        return made if dry_run else self._folded(kind, namespace, made)

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
        """See ``api.Api.patch``."""
        with self._true_after(kind, name, namespace, dry_run=dry_run):
            made = self._api.patch(
                kind, name, body, namespace, dry_run=dry_run, json_patch=json_patch
            )
        return made if dry_run else self._folded(kind, namespace, made)

    def delete(
        self, kind: Kind, name: str, namespace: Optional[str] = None, *, uid: str, **how: Any
    ) -> None:
        """See ``api.Api.delete``."""
        with self._true_after(kind, name, namespace, always=not how.get("dry_run")):
            self._api.delete(kind, name, namespace, uid=uid, **how)

    def evict(self, name: str, namespace: str, *, uid: str, **how: Any) -> None:
        """See ``api.Api.evict``."""
        with self._true_after(POD, name, namespace, always=not how.get("dry_run")):
            self._api.evict(name, namespace, uid=uid, **how)

    def bind(self, name: str, namespace: str, node: str, *, uid: str, **how: Any) -> None:
        """See ``api.Api.bind``."""
        with self._true_after(POD, name, namespace, always=not how.get("dry_run")):
            self._api.bind(name, namespace, node, uid=uid, **how)

    @contextmanager
    def _true_after(
        self,
        kind: Kind,
        name: str,
        namespace: Optional[str],
        *,
        always: bool = False,
        dry_run: bool = False,
    ) -> Iterator[None]:
        """After a write that failed, or whose answer is no object, the cache has what is true: or
        the next look would decide the same again.
        """
        try:
            yield
        except ApiError:
            if not dry_run:
                self._reread(kind, name, namespace)
            raise
        if always:
            self._reread(kind, name, namespace)

    def _reread(self, kind: Kind, name: str, namespace: Optional[str]) -> None:
        if name and self._known(kind, namespace) is not None:
            with suppress(ApiError):
                self._read(kind, name, namespace)

    def _folded(self, kind: Kind, namespace: Optional[str], made: Object) -> Object:
        store = self._known(kind, namespace)
        if store is not None:
            store.fold(made)
        return made

    # ---- inside

    def _cache(self, kind: Kind, namespace: Optional[str]) -> Optional[Store]:
        """The store that answers for this read: made at the first; None when the server must be
        asked.
        """
        if kind in getattr(self._mode, "fresh", ()):
            return None
        if kind not in self._wide and (kind not in WATCHED or not namespace):
            return None
        scope: Scope = (kind, None if kind in self._wide else namespace)
        reflector = self._reflectors.get(scope) or self._begin(scope)
        return reflector.store if reflector.usable else None

    def _known(self, kind: Kind, namespace: Optional[str]) -> Optional[Store]:
        """The store that such an object belongs into, if there is one."""
        scope: Scope = (kind, None if kind in self._wide else namespace)
        reflector = self._reflectors.get(scope)
        return reflector.store if reflector is not None and reflector.usable else None

    def _begin(self, scope: Scope) -> Reflector:
        """Whoever comes first starts the watch; the others wait for its first list."""
        with self._lock:
            starting = self._starting.setdefault(scope, threading.Lock())
        with starting:
            found = self._reflectors.get(scope)
            if found is not None:
                return found
            kind, namespace = scope
            reflector = Reflector(self._api, kind, namespace, Store(self._teller(kind)))
            reflector.start()
            with self._lock:
                self._reflectors[scope] = reflector
            return reflector

    def _warm(self, kind: Kind, namespace: Optional[str]) -> None:
        with suppress(ApiError):  # who needs it gets the error
            self._cache(kind, namespace)

    def _teller(self, kind: Kind) -> Callable[[Object], None]:
        def tell(obj: Object) -> None:
            for subscriber in self._subscribers:
                subscriber(kind, str(obj["metadata"].get("namespace") or ""), obj)

        return tell

    def _remembered(
        self, key: Any, read: Callable[[], Any], seconds: float = MEMORY_SECONDS
    ) -> Any:
        now = self._clock.monotonic()
        since, value = self._memory.get(key, (0.0, None))
        if value is None or now - since > seconds:
            value = read()
            self._memory[key] = (now, value)
        return value
