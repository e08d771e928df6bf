# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The selectors of a list request, as the API server reads them, for objects that are at hand.

Grammar: ``labels.Parse`` (k8s.io/apimachinery/pkg/labels/selector.go); a label that is absent
satisfies ``!=`` and ``notin``.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, FrozenSet, Iterator, Mapping, Tuple

from .api import Object
from .resources import meta

Term = Tuple[str, str]
NODE_NAME = "spec.nodeName"
NAME = "metadata.name"
_REQUIREMENTS = re.compile(r",(?![^(]*\))")
_IN = re.compile(r"(\S+)\s+(in|notin)\s+\((.*)\)")
_EQUALS = re.compile(r"([^=!]+)(!=|==|=)(.*)")


@dataclass(frozen=True)
class Requirement:
    """One label or field: its value must (not) be one of ``values``; without values, it must (not)
    be there.
    """

    key: str
    wanted: bool
    values: FrozenSet[str] = frozenset()

    def holds(self, value: Any) -> bool:
        """Whether this value, None where there is none, satisfies it."""
        return ((value in self.values) if self.values else value is not None) == self.wanted


@dataclass(frozen=True)
class Query:
    """A label selector and a field selector. ``terms`` are its equalities, which an index serves;
    ``name`` is the one object that it can select.
    """

    labels: Tuple[Requirement, ...]
    fields: Tuple[Requirement, ...]
    terms: Tuple[Term, ...]
    name: str

    def matches(self, obj: Mapping[str, Any]) -> bool:
        """Whether the server would list this object."""
        labels = meta(obj).get("labels") or {}
        return all(r.holds(labels.get(r.key)) for r in self.labels) and all(
            r.holds(field_value(obj, r.key)) for r in self.fields
        )


@lru_cache(maxsize=8192)
def query(label_selector: str = "", field_selector: str = "") -> Query:
    """The selectors of a request, read once."""
    labels = tuple(_requirements(label_selector))
    fields = tuple(_requirements(field_selector))
    equal = [r for r in labels + fields if r.wanted and len(r.values) == 1]
    named = [next(iter(r.values)) for r in equal if r in fields and r.key == NAME]
    indexed = [r for r in equal if r in labels or r.key == NODE_NAME]
    terms = tuple((r.key, next(iter(r.values))) for r in indexed)
    return Query(labels, fields, terms, named[0] if named else "")


def terms_of(obj: Object) -> FrozenSet[Term]:
    """What an index files an object under: its labels, and its node."""
    labels = meta(obj).get("labels") or {}
    node = (obj.get("spec") or {}).get("nodeName")
    return frozenset([*labels.items(), (NODE_NAME, node)] if node else labels.items())


def field_value(obj: Mapping[str, Any], path: str) -> str:
    """The value of a field selector's path; empty where the server has nothing there."""
    found: Any = obj
    for part in path.split("."):
        found = (found or {}).get(part)
    return str(found) if found else ""


def _requirements(selector: str) -> Iterator[Requirement]:
    for text in filter(None, (part.strip() for part in _REQUIREMENTS.split(selector))):
        among, equals = _IN.fullmatch(text), _EQUALS.fullmatch(text)
        if among:
            values = frozenset(value.strip() for value in among[3].split(","))
            yield Requirement(among[1], among[2] == "in", values)
        elif equals:
            yield Requirement(equals[1].strip(), equals[2] != "!=", frozenset([equals[3].strip()]))
        else:
            yield Requirement(text.lstrip("!"), not text.startswith("!"))
