# Copyright (c) 2026 podplacement contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Every look into an API object goes through `Field`, so a malformed one ends in one error type.

API objects are plain dictionaries, as the API server sends them. A `Field` is a value and the
place where it stands; asking it for the wrong type raises `MalformedObject` with that place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Object = Mapping[str, Any]

_INT64 = re.compile(r"[+-]?0*[0-9]{1,19}")


class MalformedObject(ValueError):
    """Raised when an API object holds something its schema does not allow."""

    def __init__(self, path: str, value: object, expected: str = "another value") -> None:
        shown = repr(value)
        if len(shown) > 80:
            shown = shown[:77] + "..."
        super().__init__(f"{path}: expected {expected}, got {shown}")
        self.path = path
        self.value = value


class QuantityError(MalformedObject):
    """Raised when a resource quantity is not one that Kubernetes would read."""


class Field:
    """A value inside an API object, and the path that leads to it.

    Absent and null are the same, as they are in Kubernetes' own JSON.
    """

    __slots__ = ("_key", "_parent", "value")

    def __init__(self, value: Any, key: str, parent: Field | None = None) -> None:
        self.value = value
        self._key = key
        self._parent = parent

    @property
    def path(self) -> str:
        """Where the value stands, e.g. `Pod shop/web-1: spec.containers[0].ports`.

        Built only when an error needs it: rules read thousands of fields that are all well.
        """
        keys = []
        field = self
        while field._parent is not None:
            keys.append(field._key)
            field = field._parent
        inside = "".join(reversed(keys)).lstrip(".")
        return f"{field._label()}: {inside}" if inside else field._label()

    def _label(self) -> str:
        metadata = self.value.get("metadata") if isinstance(self.value, Mapping) else None
        if not isinstance(metadata, Mapping):
            return self._key
        names = [metadata.get("namespace"), metadata.get("name")]
        named = "/".join(name for name in names if isinstance(name, str) and name)
        return f"{self._key} {named}" if named else self._key

    @property
    def exists(self) -> bool:
        return self.value is not None

    def __getitem__(self, key: str) -> Field:
        return Field(self._mapping().get(key), f".{key}", self)

    def malformed(self, expected: str) -> MalformedObject:
        return MalformedObject(self.path, self.value, expected)

    def _mapping(self) -> Mapping[Any, Any]:
        if self.value is None:
            return {}
        if not isinstance(self.value, Mapping):
            raise self.malformed("a mapping")
        return self.value

    def members(self) -> Iterator[tuple[str, Field]]:
        """The entries of a mapping whose keys the user chose: labels, requests."""
        for key, value in self._mapping().items():
            if not isinstance(key, str):
                raise self.malformed("a mapping with text keys")
            yield key, Field(value, f".{key}", self)

    def elements(self) -> Iterator[Field]:
        if self.value is None:
            return
        if isinstance(self.value, (str, bytes)) or not isinstance(self.value, Sequence):
            raise self.malformed("a list")
        for index, value in enumerate(self.value):
            yield Field(value, f"[{index}]", self)

    def text(self, default: str = "") -> str:
        if self.value is None:
            return default
        if not isinstance(self.value, str):
            raise self.malformed("text")
        return self.value

    def flag(self) -> bool:
        if self.value is None:
            return False
        if not isinstance(self.value, bool):
            raise self.malformed("true or false")
        return self.value

    def number(self, default: int = 0) -> int:
        if self.value is None:
            return default
        # A bool is an int to Python, but not to Kubernetes.
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise self.malformed("an integer")
        return self.value

    def texts(self) -> list[str]:
        return [element.text() for element in self.elements()]

    def text_map(self) -> dict[str, str]:
        return {key: value.text() for key, value in self.members()}


def pod_field(pod: Object) -> Field:
    return Field(pod, "Pod")


def node_field(node: Object) -> Field:
    return Field(node, "Node")


def labels_of(field: Field) -> dict[str, str]:
    return field["metadata"]["labels"].text_map()


def name_of(field: Field) -> str:
    return field["metadata"]["name"].text()


def identity_of(field: Field) -> str:
    """What tells this object from others: its uid, or its name where no server gave it one."""
    metadata = field["metadata"]
    return metadata["uid"].text() or f"{metadata['namespace'].text()}/{metadata['name'].text()}"


def parse_int64(text: str) -> int | None:
    """The integer a label or taint value stands for; None where Go's ParseInt would refuse."""
    if not _INT64.fullmatch(text):
        return None
    value = int(text)
    return value if -(2**63) <= value < 2**63 else None
