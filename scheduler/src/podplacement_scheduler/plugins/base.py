# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the built-in plugins have in common: their arguments, their verdicts, their memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from .._rules import Rejection
from ..errors import ConfigError
from ..framework.interface import SUCCESS, Code, Object, PodView, Status

T = TypeVar("T")
_REMEMBERED = 4096


class Args(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Arguments of a plugin; this class is for those that have none."""


def parse(plugin: str, args: Mapping[str, Any], shape: type[T]) -> T:
    """The arguments in their shape; raises ConfigError."""
    try:
        return msgspec.convert(dict(args), shape)
    except msgspec.ValidationError as err:
        raise ConfigError(f"args of {plugin}: {err}") from err


def verdict(rejections: Iterable[Rejection]) -> Status:
    """What the rules found, in the framework's terms: one that no eviction cures decides."""
    found = list(rejections)
    if not found:
        return SUCCESS
    resolvable = all(rejection.resolvable for rejection in found)
    code = Code.UNSCHEDULABLE if resolvable else Code.UNRESOLVABLE
    return Status(code, tuple(rejection.reason for rejection in found))


def judged(rejection: Rejection | None) -> Status:
    """The same for a rule that has one verdict."""
    return SUCCESS if rejection is None else verdict([rejection])


class PerClass(Generic[T]):
    """Answers that depend on nothing but the class of a pod are found once for each class."""

    def __init__(self, ask: Callable[[Object], T]) -> None:
        self._ask = ask
        self._known: dict[int, T] = {}

    def of(self, pod: PodView) -> T:
        """The answer for the pod."""
        pod_class = pod.pod_class
        try:
            return self._known[pod_class.id]
        except KeyError:
            pass
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        answer = self._known[pod_class.id] = self._ask(pod_class.example)
        return answer
