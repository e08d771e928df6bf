# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One namespace, the workload in it, and module runs that each go through a proxy of their own."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube, Object, is_ready
from tests.faults.processes import kill_tree, signal_tree
from tests.faults.proxy import NO_ANSWER, Action, Proxy, Reply, Write
from tests.faults.referee import alive
from tests.faults.verdicts import leftovers
from tests.integration.nursery import Child, start
from tests.integration.runner import Result

APP = "app=web"
SECONDS = 120
Process = Child | subprocess.Popen[str]
Starter = Callable[[Any, str, Mapping[str, Any]], Process]


class Run:
    """One run of a module behind its proxy: set up faults, start it, and wait for its end."""

    def __init__(
        self, proxy: Proxy, module: str, args: Mapping[str, Any], starter: Starter | None = None
    ) -> None:
        self.proxy = proxy
        self.module, self.args = module, args
        self._starter = starter or start
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        """The module's process, once started."""
        assert self._process is not None, "the run was not started"
        return self._process

    def start(self) -> Run:
        """Start the module."""
        self._process = self._starter(self.proxy, self.module, self.args)
        return self

    def finish(self) -> Result:
        """The module's result."""
        return result_of(self.process)

    def waits(self) -> None:
        """Until the module has opened a watch: it has looked, and waits for something to change."""
        assert self.proxy.waiting.wait(60), f"the module did not wait for anything\n{self}"

    def died(self) -> None:
        """Wait for the end of a run that was killed; any other end fails the test."""
        out, err = self.process.communicate(timeout=60)
        killed = self.process.returncode == -signal.SIGKILL
        assert killed, f"not killed, ended with {self.process.returncode}: {out}{err}\n{self}"

    def __str__(self) -> str:
        """What it wrote, for messages."""
        seen = [
            f"{write.n} {write} {write.name}: {self.proxy.outcomes.get(write.n, 'no answer')}"
            for write in self.proxy.writes
        ]
        return "\n".join(["writes of this run:", *seen])

    # ---- actions of the proxy

    def kill(self, _write: Write) -> Reply:
        """Kill the whole process tree; nobody is left to answer."""
        kill_tree(self.process.pid)
        return NO_ANSWER

    def freeze(self) -> Frozen:
        """An action that stops the process tree at a write, and the request with it."""
        return Frozen(self)

    def end(self) -> None:
        """Leave no process behind."""
        if self._process is not None and self._process.poll() is None:
            kill_tree(self._process.pid)
            self._process.communicate()
        self.proxy.close()


def result_of(process: Process) -> Result:
    """Wait for a module's end; what it printed."""
    out, err = process.communicate(timeout=SECONDS)
    try:
        found: Result = json.loads(out)
    except ValueError:
        raise AssertionError(f"no result, status {process.returncode}: {out}\n{err}") from None
    return found


class Frozen:
    """A process tree that stands still, as a virtual machine does that is suspended or migrated."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._hold = run.proxy.new_hold()

    def __call__(self, write: Write) -> None:
        signal_tree(self._run.process.pid, signal.SIGSTOP)
        self._hold(write)

    def wait(self) -> None:
        """Until it stands still."""
        self._hold.wait()

    def wake(self) -> None:
        """Let it go on as if nothing had happened, and its request with it."""
        self._hold.release()
        signal_tree(self._run.process.pid, signal.SIGCONT)


class World:
    """What a test has: a namespace, its pods, and runs of modules."""

    def __init__(self, cluster: Cluster, kube: Kube, namespace: str, folder: Path) -> None:
        self.cluster, self.kube, self.namespace, self.folder = cluster, kube, namespace, folder
        self.runs: list[Run] = []
        self._stack = ExitStack()

    # ---- the workload

    def create(self, *manifests: Object) -> None:
        """Create objects in the namespace."""
        for manifest in manifests:
            self.kube.create(manifest, self.namespace)

    def pods(self) -> list[Object]:
        """All pods of the namespace, also terminating ones."""
        return self.kube.list("Pod", self.namespace)

    def pod(self, name: str) -> Object:
        """One pod."""
        return self.kube.get("Pod", name, self.namespace)

    def ready(self, count: int) -> list[Object]:
        """Wait until there are exactly so many pods, all Ready; sorted by name."""
        pods = self.kube.wait_ready(self.namespace, APP, count=count)
        return sorted(pods, key=lambda pod: str(pod["metadata"]["name"]))

    def elsewhere(self, *pods: Object) -> str:
        """A node on which none of these pods is, or at least not the first."""
        used = [str(pod["spec"]["nodeName"]) for pod in pods]
        free = [node for node in self.cluster.nodes if node not in used]
        return (free or [node for node in self.cluster.nodes if node != used[0]])[0]

    def wait_pods(self, what: str, predicate: Callable[[list[Object]], Any]) -> list[Object]:
        """Wait by a watch until the pods of the namespace are as said."""
        return self.kube.wait_list("Pod", predicate, self.namespace, what=what)

    def wait_idle(self, count: int) -> list[Object]:
        """Wait until exactly so many pods are left and all are Ready."""
        return self.wait_pods(
            f"{count} Ready pods and no other",
            lambda pods: len(pods) == count and all(is_ready(p) and alive(p) for p in pods),
        )

    # ---- runs

    def run(self, module: str, args: Mapping[str, Any], starter: Starter = start) -> Run:
        """A run of a module that is not started yet."""
        run = Run(Proxy(self.cluster.kubeconfig, self.folder), module, args, starter)
        self.runs.append(run)
        return run

    def task(self, module: str, args: Mapping[str, Any]) -> Result:
        """A run of a module to its end, straight to the API server."""
        return result_of(start(self.cluster, module, args))

    def move(self, name: str, node: str, **options: Any) -> Run:
        """A run of k8s_pod_move for one pod of the namespace, not started yet."""
        given = {"namespace": self.namespace, "name": name, "node": node, "wait_timeout": 60}
        return self.run("k8s_pod_move", given | options)

    def wrote(self, run: Run, resource: str) -> bool:
        """True when the run has sent a write of that resource."""
        return any(write.resource == resource for write in run.proxy.writes)

    def assert_as_before(self, before: list[Object]) -> None:
        """The same pods are there, Ready, and no trace of a move."""
        after = self.wait_idle(len(before))
        assert uids(after) == uids(before)
        assert leftovers(self.kube, self.namespace) == []

    def end(self) -> None:
        """End all runs, and what was arranged for them."""
        for run in self.runs:
            run.end()
        self._stack.close()

    def until_end(self, arranged: AbstractContextManager[object]) -> None:
        """Arrange something that lasts as long as this world."""
        self._stack.enter_context(arranged)


def uids(pods: list[Object]) -> set[str]:
    """The pods' identities."""
    return {str(pod["metadata"]["uid"]) for pod in pods}


def drop(_write: Write) -> Reply:
    """The connection breaks."""
    return NO_ANSWER


def answer(status: int, reason: str) -> Action:
    """The server, or something before it, answers with an error."""
    return lambda _write: Reply(status, reason)


def creates(resource: str) -> Callable[[Write], bool]:
    """Matches the creation of an object."""
    return lambda write: write.method == "POST" and write.resource == resource


def hands_over(write: Write) -> bool:
    """Matches the write that makes a replacement the controller's: it puts a label on a pod."""
    return write.method == "PATCH" and write.resource == "pods" and _adds_label(write.body)


def _adds_label(body: Any) -> bool:
    if isinstance(body, list):
        return any(op["op"] == "add" and op["path"].startswith("/metadata/labels") for op in body)
    labels = (body or {}).get("metadata", {}).get("labels") or {}
    return any(value is not None for value in labels.values())
