# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Availability is measured by one who has no part in the change: a process with its own watch.

It counts pods as EndpointSlices do: `ready` are the Ready pods that are not terminating, `serving`
are all Ready pods. Every change of the two numbers is a line of the output file; the summary has
the lowest of each, and for how many pod-seconds there were fewer than desired. With `--by LABEL`
pods are counted for each value of that label, so that one workload's plenty hides no other's want.

    python -m tests.cluster.watcher --kubeconfig F --namespace N --selector app=web --desired 3

prints {"event": "watching", …} when it has seen the first list, and the summary when it is told to
stop by SIGTERM or by the end of its standard input.
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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import urllib3

from tests.cluster.cluster import Cluster
from tests.cluster.kube import ApiError, Kube, Object, is_ready
from tests.cluster.versions import REPOSITORY

USER_AGENT = "podplacement-tests-watcher"
WATCH_SECONDS = 60.0
RETRY_SECONDS = 0.02  # between attempts to reach a server that does not answer


class Stop(Exception):
    """The watcher is told to end."""


@dataclass
class Summary:
    """What was seen."""

    desired: int
    min_ready: int = 0
    min_serving: int = 0
    ready: int = 0  # at the end
    serving: int = 0
    unavailable_seconds: float = 0.0  # pod-seconds below desired, of `ready`
    unserved_seconds: float = 0.0  # the same, of `serving`
    seconds: float = 0.0
    changes: int = 0
    interruptions: int = 0  # how often the watch was lost
    gaps: int = (
        0  # how often it could not be resumed where it ended, so that a change may be missed
    )
    pods_seen: list[str] = field(default_factory=list)
    parts: dict[str, Summary] = field(default_factory=dict)  # by the label's value

    @classmethod
    def load(cls, found: dict[str, Any]) -> Summary:
        """What the watcher's process printed."""
        parts = {value: cls(**part) for value, part in found["parts"].items()}
        return cls(**{**found, "parts": parts})


class Tally:
    """The pods of one selector, counted after each event."""

    def __init__(self, desired: int, out: IO[str] | None) -> None:
        self.summary = Summary(desired)
        self.pods: dict[str, Object] = {}
        self._out = out
        self._begin = self._last = time.monotonic()
        self._counted = False

    def replace(self, pods: list[Object]) -> None:
        """Take a fresh list."""
        self.pods = {pod["metadata"]["name"]: pod for pod in pods}
        self.count()

    def apply(self, event: str, pod: Object) -> None:
        """Take one event of the watch."""
        self.pods.pop(pod["metadata"]["name"], None)
        if event != "DELETED":
            self.pods[pod["metadata"]["name"]] = pod
        self.count()

    def count(self) -> None:
        """Add the time since the last count, then note the numbers if they changed."""
        now, total = time.monotonic(), self.summary
        if self._counted:
            total.unavailable_seconds += max(0, total.desired - total.ready) * (now - self._last)
            total.unserved_seconds += max(0, total.desired - total.serving) * (now - self._last)
        self._last = now
        total.seconds = now - self._begin
        serving = [pod["metadata"] for pod in self.pods.values() if is_ready(pod)]
        numbers = sum("deletionTimestamp" not in metadata for metadata in serving), len(serving)
        total.pods_seen = sorted({*total.pods_seen, *self.pods})
        if self._counted and numbers == (total.ready, total.serving):
            return
        total.min_ready = min(total.min_ready, numbers[0]) if self._counted else numbers[0]
        total.min_serving = min(total.min_serving, numbers[1]) if self._counted else numbers[1]
        total.changes += self._counted
        total.ready, total.serving = numbers
        self._counted = True
        if self._out:
            pods = {name: _state(pod) for name, pod in sorted(self.pods.items())}
            line = {
                "seconds": round(total.seconds, 4),
                "time": time.time(),
                "ready": total.ready,
                "serving": total.serving,
                "pods": pods,
            }
            print(json.dumps(line), file=self._out, flush=True)


class Tallies:
    """One tally for each value of a label; all of them together are the sum, or the worst."""

    def __init__(self, by: str, desired: int) -> None:
        self.summary = Summary(desired)
        self._by, self._parts = by, dict[str, Tally]()

    @property
    def pods(self) -> dict[str, Object]:
        """All of them."""
        return {name: pod for part in self._parts.values() for name, pod in part.pods.items()}

    def replace(self, pods: list[Object]) -> None:
        """Take a fresh list."""
        for value in {*self._parts, *map(self._value, pods)}:
            self._part(value).replace([pod for pod in pods if self._value(pod) == value])
        self._sum_up()

    def apply(self, event: str, pod: Object) -> None:
        """Take one event of the watch."""
        self._part(self._value(pod)).apply(event, pod)

    def _value(self, pod: Object) -> str:
        return str(pod["metadata"].get("labels", {}).get(self._by, ""))

    def _part(self, value: str) -> Tally:
        return self._parts.setdefault(value, Tally(self.summary.desired, None))

    def _sum_up(self) -> None:
        total = self.summary
        total.parts = {value: part.summary for value, part in sorted(self._parts.items())}
        parts = list(total.parts.values())
        total.min_ready = min((part.min_ready for part in parts), default=0)
        total.min_serving = min((part.min_serving for part in parts), default=0)
        total.ready = sum(part.ready for part in parts)
        total.serving = sum(part.serving for part in parts)
        total.unavailable_seconds = sum(part.unavailable_seconds for part in parts)
        total.unserved_seconds = sum(part.unserved_seconds for part in parts)
        total.seconds = max((part.seconds for part in parts), default=0.0)
        total.changes = sum(part.changes for part in parts)
        total.pods_seen = sorted({name for part in parts for name in part.pods_seen})


def _state(pod: Object) -> str:
    state = "Ready" if is_ready(pod) else pod.get("status", {}).get("phase", "Unknown")
    return f"{state}, terminating" if "deletionTimestamp" in pod["metadata"] else str(state)


class Watcher:
    """Follows the pods of a selector until it is told to stop."""

    def __init__(self, kube: Kube, namespace: str, selector: str, tally: Tally | Tallies) -> None:
        self._kube, self._namespace, self._selector, self._tally = kube, namespace, selector, tally
        self._version = ""

    def list(self) -> tuple[list[Object], str]:
        """The pods now, and the version of that list."""
        path = f"api/v1/namespaces/{self._namespace}/pods"
        found = self._kube.request("GET", path, query={"labelSelector": self._selector})
        return found["items"], found["metadata"]["resourceVersion"]

    def start(self) -> None:
        """Take the first list."""
        pods, self._version = self.list()
        self._tally.replace(pods)

    def follow(self) -> None:
        """Watch until Stop is raised; a lost watch goes on where it ended: nothing is missed."""
        while True:
            began = time.monotonic()
            try:
                self._watch(WATCH_SECONDS)
                self._tally.summary.interruptions += time.monotonic() - began < WATCH_SECONDS - 1
            except ApiError as error:
                self._tally.summary.interruptions += 1
                if error.code == 410:  # the server has forgotten that version
                    self._tally.summary.gaps += 1
                    self.start()
            except (urllib3.exceptions.HTTPError, OSError):
                self._tally.summary.interruptions += 1
                time.sleep(RETRY_SECONDS)

    def catch_up(self, timeout: float = 5.0) -> None:
        """Read on until the events have led to what a list shows now."""
        pods, version = self.list()
        if {p["metadata"]["resourceVersion"] for p in pods} != self._versions():
            self._watch(timeout, until=int(version))
        self._tally.replace(pods)

    def _versions(self) -> set[str]:
        return {pod["metadata"]["resourceVersion"] for pod in self._tally.pods.values()}

    def _watch(self, timeout: float, until: int | None = None) -> None:
        events = self._kube.watch(
            "Pod", self._namespace, selector=self._selector, version=self._version, timeout=timeout
        )
        for event, pod in events:
            self._version = pod["metadata"]["resourceVersion"]
            if event != "BOOKMARK":
                self._tally.apply(event, pod)
            if until is not None and int(self._version) >= until:
                return


def main() -> int:
    """Watch until SIGTERM or the end of stdin; print the summary."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.watcher")
    for option in ("kubeconfig", "namespace", "selector"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("--desired", type=int, required=True, help="pods that should be Ready")
    parser.add_argument("--by", help="a label: so many for each of its values")
    parser.add_argument("--out", type=Path, help="a line of JSON for each change")
    options = parser.parse_args()
    kube = Kube(options.kubeconfig, user_agent=USER_AGENT)
    with (options.out or Path(os.devnull)).open("w", encoding="utf-8") as out:
        desired = options.desired
        tally = Tallies(options.by, desired) if options.by else Tally(desired, out)
        watcher = Watcher(kube, options.namespace, options.selector, tally)
        try:
            signal.signal(signal.SIGTERM, _stop)
            threading.Thread(target=_stop_with_stdin, daemon=True).start()
            watcher.start()
            print(json.dumps({"event": "watching", "ready": tally.summary.ready}), flush=True)
            watcher.follow()
        except (Stop, KeyboardInterrupt):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            watcher.catch_up()
    print(json.dumps(asdict(tally.summary)), flush=True)
    return 0


def _stop(*_: object) -> None:
    raise Stop


def _stop_with_stdin() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


class Watching:
    """A watcher at work; `summary` is there when it has ended."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.summary = Summary(0)

    def finish(self) -> Summary:
        """Tell it to stop and read its summary."""
        output, _dummy = self._process.communicate("", timeout=30)
        if self._process.returncode:
            raise RuntimeError(
                f"the availability watcher failed with {self._process.returncode}: {output}"
            )
        self.summary = Summary.load(json.loads(output.splitlines()[-1]))
        return self.summary


@contextmanager
def watching(
    cluster: Cluster | Path | str,
    namespace: str,
    selector: str,
    desired: int,
    *,
    out: Path | None = None,
    by: str = "",
) -> Iterator[Watching]:
    """Measure while the block runs; `summary` of what is yielded has the result afterwards."""
    kubeconfig = cluster.kubeconfig if isinstance(cluster, Cluster) else cluster
    command = [
        sys.executable,
        "-m",
        "tests.cluster.watcher",
        "--kubeconfig",
        str(kubeconfig),
        "--namespace",
        namespace,
        "--selector",
        selector,
        "--desired",
        str(desired),
    ]
    command += ["--out", str(out)] if out else []
    command += ["--by", by] if by else []
    process = subprocess.Popen(
        command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    first: dict[str, Any] = json.loads(process.stdout.readline() or "{}")
    if first.get("event") != "watching":
        process.kill()
        raise RuntimeError(f"the availability watcher did not begin: {first}")
    watch = Watching(process)
    try:
        yield watch
    finally:
        watch.finish()


if __name__ == "__main__":
    sys.exit(main())
