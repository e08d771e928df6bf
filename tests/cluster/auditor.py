# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The auditor sees every binding and judges it against what the cluster was at that moment.

A process with watches of its own; it shares no code with what it audits, not even the arithmetic
of requests. All objects are in one store, so resourceVersions put pods and nodes into one order:
a binding is judged against the state at its own resourceVersion. It asserts

- one node for each pod uid, for ever;
- no node over its allocatable by a placement of the schedulers audited;
- host ports unique on a node;
- one `Scheduled` event for each pod that they bound (the caller subtracts counted drops);
- the annotation that says when the pod was scheduled.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import urllib3

from tests.cluster.books import Auditor, Object, Report
from tests.cluster.cluster import Cluster
from tests.cluster.kinds import path_of
from tests.cluster.kube import ApiError, Kube

REPOSITORY = Path(__file__).resolve().parents[2]
KINDS = ("Pod", "Node")
SCHEDULED = "reason=Scheduled"
LISTED = "LISTED"  # not of a watch: everything that there is
WATCH_SECONDS = 30.0
RETRY_SECONDS = 0.1
SHOWN = 20  # findings of one kind that are told in full


class Follower:
    """Feeds the books from watches; one thread a kind, and one reader that puts them in order."""

    def __init__(self, kube: Kube, auditor: Auditor) -> None:
        self._kube, self._auditor = kube, auditor
        self._versions: dict[str, int] = {}
        self._log: list[tuple[int, str, str, Object]] = []
        self._lock = threading.Lock()

    def start(self) -> None:
        """Take the first lists, nodes before pods; then follow."""
        for kind in reversed(KINDS):
            for item in self._list(kind):
                self._apply("ADDED", kind, item, first=True)
        self._list("Event")
        for kind in (*KINDS, "Event"):
            threading.Thread(target=self._follow, args=(kind,), daemon=True).start()

    def _apply(self, event: str, kind: str, item: Object, *, first: bool = False) -> None:
        if event == LISTED:
            self._auditor.listed(kind, item["items"])
        elif kind == "Node":
            self._auditor.node(event, item)
        else:
            self._auditor.pod(event, item, first=first)

    def _list(self, kind: str) -> list[Object]:
        query = {"fieldSelector": _fields(kind)}
        found = self._kube.request("GET", path_of(kind, None, None), query=query)
        self._versions[kind] = int(found["metadata"]["resourceVersion"])
        items: list[Object] = found["items"]
        return items

    def _follow(self, kind: str) -> None:
        forgotten = False
        while True:
            try:
                if forgotten:
                    self._again(kind)
                    forgotten = False
                changes = self._kube.watch(
                    kind,
                    fields=_fields(kind),
                    version=str(self._versions[kind]),
                    timeout=WATCH_SECONDS,
                )
                for event, item in changes:
                    self._take(event, kind, item)
            except ApiError as error:
                forgotten = forgotten or error.code == 410
                time.sleep(RETRY_SECONDS)
            except (urllib3.exceptions.HTTPError, OSError):
                time.sleep(RETRY_SECONDS)

    def _take(self, event: str, kind: str, item: Object) -> None:
        version = int(item["metadata"]["resourceVersion"])
        with self._lock:
            if kind == "Event" and event in ("ADDED", "MODIFIED"):
                self._auditor.event(item)
            elif kind in KINDS and event != "BOOKMARK":
                self._log.append((version, event, kind, item))
            self._versions[kind] = version

    def _again(self, kind: str) -> None:
        """What happened in between is lost; what there is now is judged as it is found."""
        with self._lock:  # nobody may judge what came later, before these are in the log
            before = self._versions[kind]
            items = self._list(kind)
            self._auditor.report.gaps += 1
            if kind == "Event":
                for item in items:
                    self._auditor.event(item)
                return
            self._log.append((before, LISTED, kind, {"items": items}))
            self._log.extend(
                (int(item["metadata"]["resourceVersion"]), "MODIFIED", kind, item) for item in items
            )

    def settle(self, *, everything: bool = False) -> None:
        """Judge, in the order of the writes, what all watches have passed by now."""
        with self._lock:
            passed = min(self._versions[kind] for kind in KINDS)
            ready = [entry for entry in self._log if everything or entry[0] <= passed]
            self._log = [] if everything else [e for e in self._log if e[0] > passed]
        for _version, event, kind, item in sorted(ready, key=lambda entry: entry[0]):
            self._apply(event, kind, item)

    def review(self, schedulers: set[str]) -> None:
        """Judge what there is now as if it had been placed this moment, theirs before ours."""
        for node in self._list("Node"):
            self._auditor.node("ADDED", node)
        pods = self._list("Pod")
        for pod in sorted(pods, key=lambda one: one["spec"].get("schedulerName") in schedulers):
            self._auditor.pod("MODIFIED", pod)
        for event in self._list("Event"):
            self._auditor.event(event)

    def catch_up(self, timeout: float = 90.0) -> None:
        """Read on until the watches are where a list is now."""
        wanted = {}
        for kind in (*KINDS, "Event"):
            query = {"fieldSelector": _fields(kind)}
            items = self._kube.request("GET", path_of(kind, None, None), query=query)["items"]
            versions = (int(item["metadata"]["resourceVersion"]) for item in items)
            wanted[kind] = max(versions, default=0)
        deadline = time.monotonic() + timeout
        while any(self._versions[kind] < version for kind, version in wanted.items()):
            if time.monotonic() > deadline:
                raise TimeoutError("the auditor's watches do not come to an end")
            time.sleep(0.05)
        self.settle(everything=True)


def _fields(kind: str) -> str:
    return SCHEDULED if kind == "Event" else ""


def main() -> int:
    """Audit until stdin ends, or with --once what there is now; print the report."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.auditor")
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--scheduler", action="append", required=True, help="a name to audit")
    parser.add_argument("--race-versions", type=int, default=0)
    parser.add_argument("--once", action="store_true", help="judge what there is; 1 if it is wrong")
    options = parser.parse_args()
    auditor = Auditor(set(options.scheduler), race_versions=options.race_versions)
    follower = Follower(Kube(options.kubeconfig), auditor)
    if options.once:
        follower.review(set(options.scheduler))
    else:
        _follow_until_stdin_ends(follower)
    report = auditor.close()
    print(json.dumps(asdict(report)), flush=True)
    return 1 if options.once and (report.faults() or report.without_event) else 0


def _follow_until_stdin_ends(follower: Follower) -> None:
    follower.start()
    print(json.dumps({"event": "auditing"}), flush=True)
    ended = threading.Event()

    def read() -> None:
        sys.stdin.buffer.read()
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    while not ended.wait(0.2):
        follower.settle()
    follower.catch_up()


class Audited:
    """An audit under way; `report` is there when it has ended."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.report = Report()

    def finish(self) -> Report:
        """Tell it to stop and read its report."""
        output, _dummy = self._process.communicate("", timeout=120)
        if self._process.returncode:
            raise RuntimeError(f"the auditor failed with {self._process.returncode}: {output}")
        self.report = Report(**json.loads(output.splitlines()[-1]))
        return self.report

    def check(self, *, drops: int = 0) -> Report:
        """Fail unless nothing is wrong and each binding has its event or is among the drops."""
        report = self.report
        faults: Mapping[str, list[str]] = report.faults()
        told = {name: found[:SHOWN] for name, found in faults.items()}
        assert not faults, f"the auditor found: {json.dumps(told, indent=2)}"
        missing = report.without_event
        assert len(missing) <= drops, (
            f"{len(missing)} pods without a Scheduled event: {missing[:9]}"
        )
        return report


@contextmanager
def auditing(
    cluster: Cluster | Path, *schedulers: str, race_versions: int = 0
) -> Iterator[Audited]:
    """Audit these scheduler names while the block runs; `report` has the findings afterwards."""
    kubeconfig = cluster.kubeconfig if isinstance(cluster, Cluster) else cluster
    command = [sys.executable, "-m", "tests.cluster.auditor", "--kubeconfig", str(kubeconfig)]
    command += [word for name in schedulers for word in ("--scheduler", name)]
    command += ["--race-versions", str(race_versions)]
    process = subprocess.Popen(
        command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    first: dict[str, Any] = json.loads(process.stdout.readline() or "{}")
    if first.get("event") != "auditing":
        process.kill()
        raise RuntimeError(f"the auditor did not begin: {first}")
    audited = Audited(process)
    try:
        yield audited
    finally:
        try:
            audited.finish()
        finally:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
