# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The referee sees every change of a namespace, in the order in which the server made them.

A process of its own watches and writes one line an event; it knows neither the module nor the test.
All objects are in one store, so resourceVersions put the events of all its watches into one order,
and the state of the namespace can be looked at after each single write.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from tests.cluster.kinds import path_of
from tests.cluster.kube import Kube, is_ready

Object = dict[str, Any]
State = dict[tuple[str, str], Object]
KINDS = (
    "Pod",
    "Secret",
    "Lease",
    "ReplicaSet",
    "Deployment",
    "ReplicationController",
)
CATCH_UP_SECONDS = 20.0


def version(item: Object) -> int:
    """The resourceVersion, which this server hands out in the order of its writes."""
    return int(item["metadata"]["resourceVersion"])


@dataclass
class History:
    """What was in a namespace, and what happened: (type, object) in the order of the writes."""

    first: State
    events: list[tuple[str, Object]]

    def states(self) -> Iterator[State]:
        """The namespace at the start and after each event; one dictionary, changed in place."""
        state = dict(self.first)
        yield state
        for event, item in self.events:
            key = (item["kind"], item["metadata"]["name"])
            if event == "DELETED":
                state.pop(key, None)
            else:
                state[key] = item
            yield state

    def fewest_ready(self, app: str, *, owned: bool) -> int:
        """The lowest number of pods of `app` that were Ready and not terminating.

        `owned`: only those that a controller counts, and not a replacement that merely serves.
        """
        return min(
            sum(
                is_ready(pod) and alive(pod)
                for pod in of_kind(state, "Pod")
                if label(pod, "app") == app and (has_controller(pod) or not owned)
            )
            for state in self.states()
        )

    def generations(self, kind: str) -> set[tuple[str, int]]:
        """Name and generation of each object of a kind, all that there ever were."""
        return {
            (item["metadata"]["name"], item["metadata"].get("generation", 0))
            for state in self.states()
            for item in of_kind(state, kind)
        }

    def lost(self, app: str) -> bool:
        """True when at some moment no pod of `app` stayed and no Secret could make it again."""
        return any(
            not of_kind(state, "Secret")
            and not any(alive(pod) for pod in of_kind(state, "Pod") if label(pod, "app") == app)
            for state in self.states()
        )

    def deleted(self, kind: str) -> list[str]:
        """Names of the objects of a kind that went, in order."""
        gone = [item for event, item in self.events if event == "DELETED"]
        return [item["metadata"]["name"] for item in gone if item["kind"] == kind]

    def created(self, kind: str) -> list[str]:
        """Names of the objects of a kind that came, in order."""
        new = [item for event, item in self.events if event == "ADDED"]
        return [item["metadata"]["name"] for item in new if item["kind"] == kind]


def of_kind(state: State, kind: str) -> list[Object]:
    """The objects of a kind in a state."""
    return [item for (found, dummy), item in state.items() if found == kind]


def alive(pod: Object) -> bool:
    """Neither terminating nor at its end."""
    over = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
    return "deletionTimestamp" not in pod["metadata"] and not over


def has_controller(pod: Object) -> bool:
    """Some controller has the pod for its own."""
    return any(ref.get("controller") for ref in pod["metadata"].get("ownerReferences", []))


def label(item: Object, key: str) -> str | None:
    """A label's value."""
    found: str | None = item["metadata"].get("labels", {}).get(key)
    return found


# ---- the test's side


class Referee:
    """The watching process, from its first full view to the whistle."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process, self._log = process, log

    def history(self) -> History:
        """Stop watching, once nothing is missing, and tell."""
        if self._process.poll() is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.stdin = None
        _dummy, errors = self._process.communicate(timeout=3 * CATCH_UP_SECONDS)
        assert self._process.returncode == 0, f"the referee failed: {errors}"
        first, *events = [json.loads(line) for line in self._log.read_text().splitlines()]
        start = {(item["kind"], item["metadata"]["name"]): item for item in first}
        return History(start, sorted(events, key=lambda event: version(event[1])))


@contextmanager
def watching(kubeconfig: Path | str, namespace: str, folder: Path) -> Iterator[Referee]:
    """A referee that has seen all that is there now."""
    log = folder / f"{namespace}.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.referee", str(kubeconfig), namespace, str(log)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "watching\n", process.communicate()[1]
        yield Referee(process, log)
    finally:
        process.kill()
        process.communicate()


# ---- the process


class _Watcher:
    """All watches of one namespace, and one file."""

    def __init__(self, kube: Kube, namespace: str, log: TextIO) -> None:
        self.kube, self.namespace, self.log = kube, namespace, log
        self.seen: State = {}
        self.changed = threading.Condition()

    def start(self) -> None:
        """List each kind, then watch it from there."""
        lists = {kind: self._list(kind) for kind in KINDS}
        for kind, found in lists.items():
            self.seen |= {(kind, item["metadata"]["name"]): item for item in found["items"]}
        json.dump(list(self.seen.values()), self.log)
        self.log.write("\n")
        for kind, found in lists.items():
            since = found["metadata"]["resourceVersion"]
            threading.Thread(target=self._watch, args=(kind, since), daemon=True).start()

    def _list(self, kind: str) -> Object:
        found = self.kube.request("GET", path_of(kind, None, self.namespace))
        for item in found["items"]:
            item["kind"] = kind
        return found

    def _watch(self, kind: str, since: str) -> None:
        for event, item in self._events(kind, since):
            with self.changed:
                self.log.write(json.dumps([event, item]) + "\n")
                key = (kind, item["metadata"]["name"])
                self.seen.pop(key, None)
                if event != "DELETED":
                    self.seen[key] = item
                self.changed.notify_all()

    def _events(self, kind: str, since: str) -> Iterator[tuple[str, Object]]:
        while True:
            for event, item in self.kube.watch(kind, self.namespace, version=since, timeout=300):
                since = item["metadata"]["resourceVersion"]
                if event != "BOOKMARK":
                    yield event, item

    def catch_up(self) -> None:
        """Until what was watched is what a fresh list says."""
        with self.changed:
            done = self.changed.wait_for(self._is_current, CATCH_UP_SECONDS)
        if not done:
            raise SystemExit("the watches do not show what a list shows")

    def _is_current(self) -> bool:
        listed = {
            (kind, item["metadata"]["name"]): version(item)
            for kind in KINDS
            for item in self._list(kind)["items"]
        }
        return listed == {key: version(item) for key, item in self.seen.items()}


def main(kubeconfig: str, namespace: str, path: str) -> None:
    """Watch until standard input ends."""
    with Path(path).open("w", encoding="utf-8") as log:
        watcher = _Watcher(Kube(kubeconfig), namespace, log)
        watcher.start()
        print("watching", flush=True)
        sys.stdin.read()
        watcher.catch_up()
        log.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
