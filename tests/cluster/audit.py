# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server's audit log says what was really asked of it: every request, dry runs marked."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.cluster.kube import USER_AGENT, Kube

LONGEST_LINE = 1 << 16
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
# reviews only ask whether something would be allowed
REVIEWS = frozenset(
    {
        "selfsubjectaccessreviews",
        "selfsubjectrulesreviews",
        "subjectaccessreviews",
        "localsubjectaccessreviews",
        "selfsubjectreviews",
        "tokenreviews",
    }
)


@dataclass(frozen=True)
class Entry:
    """One finished request."""

    verb: str
    uri: str  # requestURI
    code: int
    user: str
    agent: str
    resource: str
    subresource: str
    namespace: str
    name: str
    dry_run: bool
    time: str  # when the request came in, RFC 3339 with microseconds

    @property
    def writes(self) -> bool:
        """Does it change the cluster (if it is accepted)?"""
        return self.verb in WRITES and not self.dry_run and self.resource not in REVIEWS

    def __str__(self) -> str:
        return f"{self.code} {self.verb} {self.uri} [{self.agent}]"


def _whole_lines(log: Path) -> int:
    """The size of the log up to its last whole line: the server may be about to write the rest."""
    size = log.stat().st_size
    begin = max(0, size - LONGEST_LINE)
    with log.open("rb") as file:
        file.seek(begin)
        return begin + file.read(size - begin).rfind(b"\n") + 1


def written(log: Path, offset: int) -> Iterator[Entry]:
    """The entries from an offset on; one that is being written is left for the next time."""
    with log.open("rb") as file:
        file.seek(offset)
        # Read once: line by line, the rest of an unfinished line would be taken for the next one.
        whole, _newline, _rest = file.read().rpartition(b"\n")
    return (_entry(json.loads(line)) for line in whole.split(b"\n") if line)


class Audit:
    """The entries of one cluster's audit log since a mark."""

    def __init__(self, log: Path, kube: Kube) -> None:
        self._log, self._kube, self._marks = log, kube, 0
        self._offset = _whole_lines(log)

    def mark(self) -> None:
        """Forget what happened so far."""
        self._flush()
        self._offset = _whole_lines(self._log)

    def entries(
        self,
        *,
        namespace: str | None = None,
        agent: str | None = None,
        user: str | None = None,
        writes: bool | None = None,
    ) -> list[Entry]:
        """The requests since the mark, filtered; agent and user match by their beginning.

        The control plane and this client's own requests are left out unless an agent is given.
        """
        self._flush()
        return [
            entry
            for entry in written(self._log, self._offset)
            if (namespace is None or entry.namespace == namespace)
            and (entry.agent.startswith(agent) if agent else not _ours(entry.agent))
            and (user is None or entry.user.startswith(user))
            and (writes is None or entry.writes == writes)
        ]

    def wait(
        self, done: Callable[[list[Entry]], bool], *, timeout: float = 60.0, **wanted: Any
    ) -> list[Entry]:
        """The requests since the mark, as `entries` filters them, once they are as `done` wants.

        A watch has its entry when it has ended, which is a moment after its client has left.
        """
        deadline = time.monotonic() + timeout
        while not done(found := self.entries(**wanted)):
            if time.monotonic() > deadline:
                told = "\n".join(map(str, found))
                raise AssertionError(f"the audit log does not come to show what it must:\n{told}")
            time.sleep(0.2)  # a file can only be read again
        return found

    def _flush(self) -> None:
        """Entries are written when requests end; wait until one of our own, made last, is there."""
        self._marks += 1
        token = f"audit-mark-{id(self)}-{self._marks}"
        begin = self._log.stat().st_size
        self._kube.find("ConfigMap", token, "default")
        deadline = time.monotonic() + 10
        with self._log.open(encoding="utf-8") as file:
            file.seek(begin)
            while token not in file.read():
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{self._log} does not show a request that was just made")
                file.seek(begin)
                time.sleep(0.01)


def _ours(agent: str) -> bool:
    control_plane = (
        "kube-apiserver/",
        "kube-controller-manager/",
        "kube-scheduler/",
        "kwok-controller/",
        "kubelet/",
    )
    return agent.startswith((USER_AGENT, *control_plane))


def _entry(event: dict[str, Any]) -> Entry:
    target = event.get("objectRef") or {}
    return Entry(
        verb=event["verb"],
        uri=event["requestURI"],
        code=int((event.get("responseStatus") or {}).get("code", 0)),
        user=event["user"].get("username", ""),
        agent=event.get("userAgent", ""),
        resource=target.get("resource", ""),
        subresource=target.get("subresource", ""),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        dry_run="All" in _dry_run(event),
        time=event["requestReceivedTimestamp"],
    )


def _dry_run(event: dict[str, Any]) -> list[str]:
    """What was asked for. The options of a deletion are its body; where that is there, its query
    is not looked at (apiserver, pkg/endpoints/handlers/delete.go, DeleteResource).
    """
    if options := event.get("requestObject"):  # of deletions alone, see audit-policy.yml
        asked: list[str] = options.get("dryRun") or []
        return asked
    return parse_qs(urlsplit(event["requestURI"]).query).get("dryRun", [])
