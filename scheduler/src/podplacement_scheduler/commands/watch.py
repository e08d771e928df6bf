# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`watch` prints each pod's name, phase and requested scheduler, and goes on as they change."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from random import Random
from typing import TextIO

import msgspec

from ..api.client import Client
from ..api.kinds import PODS
from ..cache.reflector import Reflector
from ..clock import LoopClock


async def watch(
    client: Client,
    *,
    namespace: str | None = None,
    output: str = "text",
    out: TextIO | None = None,
) -> None:
    """Print until cancelled, or until nobody reads any more; `output` is `text` or `json`.

    Without a namespace: the pods of all of them.
    """
    out = sys.stdout if out is None else out
    printer = Printer(out, output)
    reflector = Reflector(
        client, PODS, printer, clock=LoopClock(), rng=Random(), namespace=namespace
    )
    try:
        await reflector.run()
    except BrokenPipeError:
        # `watch | head`: what Python would flush at its end has no reader either.
        if out is sys.stdout:
            os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


class _Meta(msgspec.Struct):
    name: str
    uid: str = ""
    namespace: str = ""
    deletion_timestamp: str | None = msgspec.field(name="deletionTimestamp", default=None)


class _Spec(msgspec.Struct):
    scheduler_name: str = msgspec.field(name="schedulerName", default="")
    node_name: str = msgspec.field(name="nodeName", default="")


class _Status(msgspec.Struct):
    phase: str = ""


class _Pod(msgspec.Struct):
    metadata: _Meta
    spec: _Spec
    status: _Status = msgspec.field(default_factory=_Status)


_POD = msgspec.json.Decoder(_Pod)


class Line(msgspec.Struct, frozen=True, rename="camel"):
    """What is told of a pod; `phase` is `Terminating` and then `Deleted` at its end."""

    namespace: str
    name: str
    phase: str
    scheduler_name: str
    node_name: str

    def text(self) -> str:
        """As people read it."""
        node = f" on '{self.node_name}'" if self.node_name else ""
        return (
            f"pod: '{self.namespace}/{self.name}', phase: '{self.phase}'{node}, "
            f"scheduler: '{self.scheduler_name}'"
        )

    def json(self) -> str:
        """As programs read it."""
        return msgspec.json.encode(self).decode()


class Printer:
    """A sink that prints a line wherever what it would say of a pod is new."""

    def __init__(self, out: TextIO, output: str) -> None:
        self._out = out
        self._json = output == "json"
        self._known: dict[str, Line] = {}

    def read(self, raw: bytes) -> tuple[str, Line]:
        """What will be said of a pod, by its uid."""
        pod = _POD.decode(raw)
        meta = pod.metadata
        phase = "Terminating" if meta.deletion_timestamp else pod.status.phase
        spec = pod.spec
        return meta.uid, Line(meta.namespace, meta.name, phase, spec.scheduler_name, spec.node_name)

    def replace(self, items: Iterable[tuple[str, Line]]) -> None:
        """All pods: tells also of those that went while nobody watched."""
        gone = self._known.keys() - {self._tell(uid, line) for uid, line in items}
        for uid in gone:
            self._bury(uid)

    def apply(self, event: str, raw: bytes) -> None:
        """A change."""
        uid = self._tell(*self.read(raw))
        if event == "DELETED":
            self._bury(uid)

    def _tell(self, uid: str, line: Line) -> str:
        if self._known.get(uid) != line:
            self._known[uid] = line
            self._print(line)
        return uid

    def _bury(self, uid: str) -> None:
        self._print(msgspec.structs.replace(self._known.pop(uid), phase="Deleted"))

    def _print(self, line: Line) -> None:
        print(line.json() if self._json else line.text(), file=self._out, flush=True)
