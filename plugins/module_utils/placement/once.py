# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many pods, few questions: what they have in common is listed once, and looked up from then on.

``ReadOnce`` is an ``api.Api`` without writes, so the checks of a move run on it unchanged. Nobody's
rights are asked for: what is reported is what a move of the pod takes, whoever asks.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from ..api import Api, Object
from ..errors import NotFound
from ..resources import Kind, meta

Named = Dict[str, Object]


class ReadOnce:
    """``wide`` lists a kind over the whole cluster, else in each namespace that is asked for."""

    def __init__(self, api: Api, *, wide: bool) -> None:
        self.api = api
        self.wide = wide
        self._known: Dict[Tuple[Kind, str], Named] = {}
        self._listed: Set[Kind] = set()

    def get(self, kind: Kind, name: str, namespace: Optional[str] = None) -> Object:
        """See ``api.Api.get``."""
        try:
            return self._all(kind, namespace)[name]
        except KeyError:
            text = '%s "%s" not found' % (kind.plural, name)
            raise NotFound(404, "NotFound", text) from None

    def list(
        self,
        kind: Kind,
        namespace: Optional[str] = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Tuple[List[Object], str]:
        """See ``api.Api.list``; only lists without selectors are remembered."""
        if label_selector or field_selector or (kind.namespaced and not namespace):
            return self.api.list(
                kind, namespace, label_selector=label_selector, field_selector=field_selector
            )
        return list(self._all(kind, namespace).values()), ""

    def scan(self, kind: Kind, look: Callable[[Object], None], *, field_selector: str = "") -> None:
        """See ``api.Api.scan``."""
        self.api.scan(kind, look, field_selector=field_selector)

    def may(
        self, verb: str, kind: Kind, namespace: Optional[str] = None, subresource: str = ""
    ) -> bool:
        """Yes: see above."""
        return True

    def _refuse(self, *_args: Any, **_options: Any) -> Any:
        raise AssertionError("nothing is written here, and nothing awaited")

    create = patch = delete = evict = bind = wait_change = _refuse

    def _all(self, kind: Kind, namespace: Optional[str]) -> Named:
        place = (kind, (namespace or "") if kind.namespaced else "")
        if place not in self._known and kind not in self._listed:
            if self.wide or not kind.namespaced:
                self._listed.add(kind)
                self.api.scan(kind, lambda obj: self._keep(kind, obj))
            else:
                self._known[place] = {}
                for obj in self.api.list(kind, namespace)[0]:
                    self._keep(kind, obj)
        return self._known.get(place, {})

    def _keep(self, kind: Kind, obj: Object) -> None:
        place = (kind, str(meta(obj).get("namespace") or ""))
        self._known.setdefault(place, {})[str(meta(obj)["name"])] = slim(obj)


def slim(obj: Object) -> Object:
    """Without what no rule reads, which is up to half of an object."""
    obj["metadata"].pop("managedFields", None)
    return obj
