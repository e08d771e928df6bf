# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the moves need of an API server, and nothing more.

``_kube.KubeApi`` is the real thing. Objects are plain dictionaries in the server's own shape. Each
method raises
``errors.ApiError`` or one of its children; a write that may or may not have happened raises
``OutcomeUnknown``.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from typing import Any, Callable, ContextManager, Dict, List, Mapping, Optional, Protocol, Tuple

from .resources import Kind

Object = Dict[str, Any]


class Api(Protocol):
    """Guarded reads, writes and waits. ``dry_run`` always goes as a query parameter (moves.md,
    correction 9).
    """

    def get(self, kind: Kind, name: str, namespace: Optional[str] = None) -> Object:
        """One object; NotFound if it is not there."""

    def list(
        self,
        kind: Kind,
        namespace: Optional[str] = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Tuple[List[Object], str]:
        """All matching objects and the resourceVersion to watch from; paged underneath."""

    def scan(self, kind: Kind, look: Callable[[Object], None], *, field_selector: str = "") -> None:
        """Show ``look`` every matching object of the cluster, with one page in memory at a time;
        when a page has expired, all of them once more.
        """

    def create(
        self,
        kind: Kind,
        body: Mapping[str, Any],
        namespace: Optional[str] = None,
        *,
        dry_run: bool = False,
    ) -> Object:
        """POST; AlreadyExists if the name is taken."""

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
        """Merge patch (RFC 7386), or JSON patch (RFC 6902) of a list; Conflict when a guard in it
        does not hold.
        """

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
        """DELETE with preconditions; Conflict when uid or resourceVersion differ, NotFound when it
        is gone. A dry run is one by its body alone: the API server takes the options of a deletion
        from its body where it has one, else from its query (apiserver,
        pkg/endpoints/handlers/delete.go, ``DeleteResource``).
        """

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
        """POST pods/eviction with preconditions; TooManyRequests when a budget forbids it."""

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
        """POST pods/binding; Conflict when the pod is bound, gated or changed."""

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
        """Block until an event newer than ``resource_version`` arrives (True) or ``timeout``
        seconds pass (False).
        """

    def may(
        self, verb: str, kind: Kind, namespace: Optional[str] = None, subresource: str = ""
    ) -> bool:
        """SelfSubjectAccessReview: may the user of this task do that?"""


class Cached(Protocol):
    """What an ``Api`` that answers from watches has besides."""

    def fresh(self, *kinds: Kind) -> ContextManager[None]:
        """Within it, this thread reads these kinds from the server itself."""

    def has_seen(self, kind: Kind, namespace: str, version: str) -> bool:
        """The watch has told of that version, or of a later one."""
