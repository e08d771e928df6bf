# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests speak to the API server in plain JSON: what is read is what the server sent."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3

from tests.cluster.kinds import KINDS, path_of
from tests.cluster.kubeconfig import connection

Object = dict[str, Any]
Objects = list[Object]  # the class has a method named list
USER_AGENT = "podplacement-tests"

PATCHES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


class ApiError(Exception):
    """An answer other than 2xx: the status that the API server sent."""

    def __init__(self, code: int, status: Object) -> None:
        self.code, self.status = code, status
        self.reason = str(status.get("reason", ""))
        super().__init__(f"{code} {self.reason}: {status.get('message', status)}")


class WaitTimeout(AssertionError):
    """What a test waited for did not come; the message has the last state."""


class Kube:
    """A client over one kubeconfig."""

    def __init__(self, kubeconfig: Path | str, *, user_agent: str = USER_AGENT) -> None:
        self.kubeconfig = Path(kubeconfig)
        self.user_agent = user_agent
        self.server, context, headers = connection(self.kubeconfig)
        headers["User-Agent"] = user_agent
        self._http = urllib3.PoolManager(
            ssl_context=context,
            maxsize=8,
            retries=False,
            headers=headers,
            timeout=urllib3.Timeout(connect=5, read=60),
        )

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        """One request; the decoded answer, or ApiError."""
        answer = self._http.request(
            method,
            self._url(path, query),
            body=None if body is None else json.dumps(body),
            headers={**self._http.headers, "Content-Type": content_type},
        )
        return _decode(answer.status, answer.data)

    def _url(self, path: str, query: Mapping[str, str] | None) -> str:
        wanted = {k: v for k, v in (query or {}).items() if v}
        return f"{self.server}/{path.lstrip('/')}" + (f"?{urlencode(wanted)}" if wanted else "")

    def get(
        self, kind: str, name: str, namespace: str | None = None, *, subresource: str = ""
    ) -> Object:
        """The object; ApiError 404 when there is none."""
        return self.request("GET", path_of(kind, name, namespace, subresource=subresource))

    def find(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """The object, or None."""
        try:
            return self.get(kind, name, namespace)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def list(
        self, kind: str, namespace: str | None = None, *, selector: str = "", fields: str = ""
    ) -> Objects:
        """The objects of a kind, in one namespace or in all."""
        items: Objects = self._list(kind, namespace, selector, fields)["items"]
        return items

    def _list(self, kind: str, namespace: str | None, selector: str, fields: str) -> Object:
        query = {"labelSelector": selector, "fieldSelector": fields}
        found = self.request("GET", path_of(kind, None, namespace), query=query)
        api = KINDS[kind][0]
        for item in found["items"]:  # the items of a list do not say what they are
            item["kind"], item["apiVersion"] = kind, api.split("/", 1)[1]
        return found

    def create(
        self, body: Object, namespace: str | None = None, *, dry_run: bool = False
    ) -> Object:
        """Create an object in its own namespace or the given one."""
        namespace = body.get("metadata", {}).get("namespace") or namespace
        path = path_of(body["kind"], None, namespace)
        return self.request("POST", path, body, query={"dryRun": "All" if dry_run else ""})

    def replace(self, body: Object) -> Object:
        """PUT the object as it is: a conflict when it was changed since it was read."""
        metadata = body["metadata"]
        return self.request(
            "PUT", path_of(body["kind"], metadata["name"], metadata.get("namespace")), body
        )

    def patch(
        self,
        kind: str,
        name: str,
        body: Any,
        namespace: str | None = None,
        *,
        patch_type: str = "merge",
        subresource: str = "",
    ) -> Object:
        """Patch an object or its subresource."""
        path = path_of(kind, name, namespace, subresource=subresource)
        query = {"fieldManager": "tests", "force": "true"} if patch_type == "apply" else None
        return self.request("PATCH", path, body, query=query, content_type=PATCHES[patch_type])

    def annotate(
        self, kind: str, name: str, namespace: str | None = None, **annotations: str | None
    ) -> Object:
        """Set annotations of test.podplacement.io, like hold_unready="true"; None removes one."""
        named = {
            f"test.podplacement.io/{key.replace('_', '-')}": value
            for key, value in annotations.items()
        }
        return self.patch(kind, name, {"metadata": {"annotations": named}}, namespace)

    def delete(
        self,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        grace: int | None = None,
        uid: str | None = None,
        propagation: str = "Background",
        dry_run: bool = False,
    ) -> Object:
        """Delete an object."""
        options: Object = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": propagation,
        }
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        if uid:
            options["preconditions"] = {"uid": uid}
        if dry_run:  # with a body, the API server does not look at the query
            options["dryRun"] = ["All"]
        return self.request("DELETE", path_of(kind, name, namespace), options)

    def delete_all(
        self,
        kind: str,
        namespace: str | None = None,
        *,
        selector: str = "",
        grace: int | None = None,
    ) -> Object:
        """Delete a collection."""
        options = {} if grace is None else {"gracePeriodSeconds": grace}
        return self.request(
            "DELETE", path_of(kind, None, namespace), options, query={"labelSelector": selector}
        )

    def watch(
        self,
        kind: str,
        namespace: str | None = None,
        *,
        selector: str = "",
        fields: str = "",
        version: str = "",
        timeout: float = 60.0,
    ) -> Iterator[tuple[str, Object]]:
        """The changes since a resourceVersion: (ADDED | MODIFIED | DELETED | BOOKMARK, object)."""
        query = {
            "watch": "true",
            "resourceVersion": version,
            "labelSelector": selector,
            "fieldSelector": fields,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(max(1, int(timeout + 1))),
        }
        answer = self._http.request(
            "GET",
            self._url(path_of(kind, None, namespace), query),
            preload_content=False,
            timeout=urllib3.Timeout(connect=5, read=timeout + 1),
        )
        try:
            if answer.status != 200:
                _decode(answer.status, answer.read())
            rest = b""
            while chunk := answer.read1(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise ApiError(int(event["object"].get("code", 0)), event["object"])
                    yield event["type"], event["object"]
        finally:
            answer.close()

    def follow(
        self,
        kind: str,
        namespace: str | None = None,
        *,
        selector: str = "",
        fields: str = "",
        timeout: float,
    ) -> Iterator[Objects]:
        """The objects now and after each change, until the time is over."""
        deadline = time.monotonic() + timeout
        while True:
            found = self._list(kind, namespace, selector, fields)
            objects = {_key(item): item for item in found["items"]}
            version = found["metadata"]["resourceVersion"]
            yield list(objects.values())
            try:
                while (left := deadline - time.monotonic()) > 0:
                    for event, item in self.watch(
                        kind,
                        namespace,
                        selector=selector,
                        fields=fields,
                        version=version,
                        timeout=left,
                    ):
                        version = item["metadata"]["resourceVersion"]
                        if event != "BOOKMARK":
                            objects.pop(_key(item), None)
                            objects |= {} if event == "DELETED" else {_key(item): item}
                            yield list(objects.values())
                return
            except (urllib3.exceptions.HTTPError, ApiError):
                continue  # the watch is lost: list again, as every client must

    def wait_list(
        self,
        kind: str,
        predicate: Callable[[Objects], Any],
        namespace: str | None = None,
        *,
        selector: str = "",
        fields: str = "",
        timeout: float = 30.0,
        what: str = "",
    ) -> Objects:
        """Wait by a watch until predicate(all objects) is true; the objects then."""
        objects: Objects = []
        for objects in self.follow(
            kind, namespace, selector=selector, fields=fields, timeout=timeout
        ):
            if predicate(objects):
                return objects
        raise WaitTimeout(
            f"after {timeout:g} s {kind} in {namespace}: no {what or 'match'}: "
            f"{[_brief(item) for item in objects]}"
        )

    def wait(
        self,
        kind: str,
        name: str,
        predicate: Callable[[Object], Any],
        namespace: str | None = None,
        *,
        timeout: float = 30.0,
        what: str = "",
    ) -> Object:
        """Wait by a watch until predicate(object) is true; the object then."""
        return self.wait_list(
            kind,
            lambda items: bool(items) and predicate(items[0]),
            namespace,
            fields=f"metadata.name={name}",
            timeout=timeout,
            what=what,
        )[0]

    def wait_gone(
        self, kind: str, name: str, namespace: str | None = None, *, timeout: float = 30.0
    ) -> None:
        """Wait by a watch until there is no object of that name."""
        self.wait_list(
            kind,
            lambda items: not items,
            namespace,
            fields=f"metadata.name={name}",
            timeout=timeout,
            what=f"end of {name}",
        )

    def wait_ready(
        self, namespace: str, selector: str = "", *, count: int | None = None, timeout: float = 30.0
    ) -> Objects:
        """Wait until `count` pods (default: at least one) are all, Ready and not terminating."""

        def settled(pods: Objects) -> bool:
            good = [
                pod for pod in pods if is_ready(pod) and "deletionTimestamp" not in pod["metadata"]
            ]
            return len(good) == len(pods) == (len(pods) or 1 if count is None else count)

        return self.wait_list(
            "Pod", settled, namespace, selector=selector, timeout=timeout, what="Ready pods"
        )


def is_ready(pod: Object) -> bool:
    """The pod's Ready condition."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _key(item: Object) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def _brief(item: Object) -> Object:
    status = item.get("status", {})
    return {
        "name": item["metadata"]["name"],
        "node": item.get("spec", {}).get("nodeName"),
        "status": status,
    }


def _decode(code: int, data: bytes) -> Object:
    try:
        body = json.loads(data) if data else {}
    except ValueError:
        body = {"message": data.decode(errors="replace")}
    if code >= 300:
        raise ApiError(code, body)
    return body if isinstance(body, dict) else {"items": body}
