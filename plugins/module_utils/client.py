# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of ``api.Api`` as requests, and which of them may be sent again.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

import json
from typing import (
    Any,
    Callable,
    Dict,
    Generator,
    Iterator,
    List,
    Mapping,
    Optional,
    Protocol,
    Tuple,
)
from urllib.parse import urlencode

from .api import Object
from .clock import Clock
from .errors import ApiError, Gone, OutcomeUnknown, TooManyRequests, Unreachable
from .pacing import TokenBucket
from .resources import ACCESS_REVIEW, POD, Kind

READ_SECONDS = 60.0
RETRY_SECONDS = 30.0
PAGE = 500
SILENCE = 5.0  # after a watch should have been ended by the server
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class Transport(Protocol):
    """A way to the API server; ``answered`` is True once it has ever replied."""

    host: str
    answered: bool

    def send(
        self, method: str, url: str, payload: Optional[bytes], content_type: str, what: str
    ) -> bytes:
        """One request and its whole answer; ApiError for anything but success."""

    def events(self, url: str, seconds: float) -> Generator[Mapping[str, Any], None, None]:
        """The events of a watch until it ends, breaks or is silent for ``seconds``."""


class KubeApi:
    """``api.Api`` over a transport. One object a run, for any number of threads.

    ``bucket`` limits the rate of requests, if there is one; a watch is not counted.
    """

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self.transport = transport
        self.host = transport.host
        self.clock = clock
        self.bucket: Optional[TokenBucket] = None

    # ---- the verbs of api.Api

    def get(self, kind: Kind, name: str, namespace: Optional[str] = None) -> Object:
        """See ``api.Api.get``."""
        return self._call("GET", kind, namespace, name)

    def list(
        self,
        kind: Kind,
        namespace: Optional[str] = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Tuple[List[Object], str]:
        """See ``api.Api.list``. A page that has expired (410) starts the list again."""
        query = {
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "limit": str(PAGE),
        }
        while True:
            items: List[Object] = []
            version = ""
            try:
                for page in self._pages(kind, namespace, query):
                    items += page.get("items") or []
                    version = page["metadata"]["resourceVersion"]
                return items, version
            except Gone:
                query["limit"] = ""  # the whole list at once cannot expire

    def scan(self, kind: Kind, look: Callable[[Object], None], *, field_selector: str = "") -> None:
        """See ``api.Api.scan``."""
        query = {"fieldSelector": field_selector, "limit": str(PAGE)}
        while True:
            try:
                for page in self._pages(kind, None, query):
                    for obj in page.get("items") or []:
                        look(obj)
                return
            except Gone:
                query["limit"] = ""

    def _pages(
        self, kind: Kind, namespace: Optional[str], query: Mapping[str, str]
    ) -> Iterator[Object]:
        token = ""
        while True:
            page = self._call("GET", kind, namespace, query=dict(query, **{"continue": token}))
            yield page
            token = page["metadata"].get("continue", "")
            if not token:
                return

    def create(
        self,
        kind: Kind,
        body: Mapping[str, Any],
        namespace: Optional[str] = None,
        *,
        dry_run: bool = False,
    ) -> Object:
        """See ``api.Api.create``."""
        return self._call("POST", kind, namespace, body=body, dry_run=dry_run)

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
        content_type = JSON_PATCH if json_patch else MERGE_PATCH
        return self._call(
            "PATCH", kind, namespace, name, body=body, dry_run=dry_run, content_type=content_type
        )

    def delete(
        self,
        kind: Kind,
        name: str,
        namespace: Optional[str] = None,
        *,
        uid: str,
        resource_version: Optional[str] = None,
        propagation: Optional[str] = None,
        grace_period: Optional[int] = None,
        dry_run: bool = False,
    ) -> None:
        """See ``api.Api.delete``."""
        options = _delete_options(uid, resource_version, grace_period)
        if propagation:
            options["propagationPolicy"] = propagation
        if dry_run:  # where there is a body, the query is not looked at (see ``api.Api.delete``)
            options["dryRun"] = ["All"]
        self._call("DELETE", kind, namespace, name, body=options, dry_run=dry_run)

    def evict(
        self,
        name: str,
        namespace: str,
        *,
        uid: str,
        resource_version: Optional[str] = None,
        grace_period: Optional[int] = None,
        dry_run: bool = False,
    ) -> None:
        """See ``api.Api.evict``."""
        options = _delete_options(uid, resource_version, grace_period)
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": options,
        }
        self._call("POST", POD, namespace, name, "eviction", body=body, dry_run=dry_run)

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
        """See ``api.Api.bind``. Labels are never sent: they would overwrite the pod's (moves.md,
        correction 11).
        """
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": uid,
                "resourceVersion": resource_version,
                "annotations": dict(annotations),
            },
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        self._call("POST", POD, namespace, name, "binding", body=body, dry_run=dry_run)

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
        """See ``api.Api.wait_change``. A broken or expired watch counts as a change: the caller
        lists again.
        """
        query = {
            "watch": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(int(timeout) + 1),
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
        }
        url = self._url(kind.path(namespace), query)
        end = self.clock.monotonic() + timeout
        events = self.transport.events(url, timeout)
        try:
            return next(events, None) is not None
        except Gone:
            return True
        except (Unreachable, OutcomeUnknown, TooManyRequests) as err:
            left = end - self.clock.monotonic()
            if left <= 0.05:
                return False
            # The server is away or busy, so there is nothing to watch.
            self.clock.sleep(min(left, err.retry_after or 0.5))
            return True
        finally:
            events.close()

    def events(
        self, kind: Kind, namespace: Optional[str], *, resource_version: str, seconds: int
    ) -> Generator[Mapping[str, Any], None, None]:
        """The events after ``resource_version``, with bookmarks, until the server ends the watch
        after so many ``seconds``; Gone when it has forgotten that version.
        """
        query = {
            "watch": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(seconds),
            "allowWatchBookmarks": "true",
        }
        return self.transport.events(self._url(kind.path(namespace), query), seconds + SILENCE)

    def may(
        self, verb: str, kind: Kind, namespace: Optional[str] = None, subresource: str = ""
    ) -> bool:
        """See ``api.Api.may``."""
        attributes = {
            "verb": verb,
            "group": kind.group,
            "resource": kind.plural,
            "subresource": subresource,
        }
        if namespace:
            attributes["namespace"] = namespace
        body = {
            "apiVersion": ACCESS_REVIEW.api_version,
            "kind": ACCESS_REVIEW.kind,
            "spec": {"resourceAttributes": attributes},
        }
        return bool(self._call("POST", ACCESS_REVIEW, body=body)["status"].get("allowed"))

    # ---- requests

    def _url(self, path: str, query: Mapping[str, str]) -> str:
        encoded = urlencode({k: v for k, v in query.items() if v})
        return self.host + path + ("?" + encoded if encoded else "")

    def _call(
        self,
        method: str,
        kind: Kind,
        namespace: Optional[str] = None,
        name: Optional[str] = None,
        subresource: Optional[str] = None,
        *,
        query: Optional[Mapping[str, str]] = None,
        body: Any = None,
        dry_run: bool = False,
        content_type: str = "application/json",
    ) -> Object:
        """Send one request until it has a definite outcome, or raise what is known of it."""
        path = kind.path(namespace, name, subresource)
        url = self._url(path, dict(query or {}, **({"dryRun": "All"} if dry_run else {})))
        what = "%s%s %s" % (
            kind.plural,
            "/" + subresource if subresource else "",
            _verb(method, name),
        )
        payload = None if body is None else json.dumps(body).encode()
        harmless = method == "GET" or dry_run or kind is ACCESS_REVIEW
        end = self.clock.monotonic() + RETRY_SECONDS
        pause = 0.1
        while True:
            if self.bucket is not None:
                self.bucket.take()
            try:
                data = self.transport.send(method, url, payload, content_type, what)
                answer: Object = json.loads(data) if data else {}
                return answer
            except ApiError as err:
                pause = min(2.0, pause * 2)
                wait = err.retry_after if err.retry_after is not None else pause
                again = self._retry(err, harmless=harmless, eviction=subresource == "eviction")
                if again and self.clock.monotonic() + wait <= end:
                    self.clock.sleep(wait)
                elif harmless and isinstance(err, OutcomeUnknown):
                    raise Unreachable(err.status, "ApiUnreachable", err.message) from err
                else:
                    raise

    def _retry(self, err: ApiError, *, harmless: bool, eviction: bool) -> bool:
        """Only what surely did nothing is sent again; before the first answer a dead server is an
        error at once.
        """
        if isinstance(err, TooManyRequests):
            return not eviction
        if isinstance(err, Unreachable):
            return self.transport.answered and err.reason == "ApiUnreachable"
        return harmless and isinstance(err, OutcomeUnknown) and self.transport.answered


def _delete_options(
    uid: str, resource_version: Optional[str], grace_period: Optional[int]
) -> Dict[str, Any]:
    preconditions = {"uid": uid}
    if resource_version:
        preconditions["resourceVersion"] = resource_version
    options: Dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": preconditions,
    }
    if grace_period is not None:
        options["gracePeriodSeconds"] = grace_period
    return options


def _verb(method: str, name: Optional[str]) -> str:
    verbs = {"POST": "create", "PATCH": "patch", "DELETE": "delete", "PUT": "update"}
    return verbs.get(method, "get" if name else "list")
