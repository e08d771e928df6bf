# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One evacuation is a trial: the same node, the same pods, whoever empties it.

What is measured is seen from outside: availability by the tests' watcher, a process with a watch of
its own that counts each Deployment for itself; writes in the audit log, by the client's user agent.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.audit import Audit, Entry
from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube, Object, Objects, is_ready
from tests.cluster.nodes import create_nodes, node
from tests.cluster.watcher import watching
from tests.integration.surroundings import ROOT, environment

REPLICAS = 5
CUT_OFF = 120.0
SETTLE = 120.0  # until what a client left is Ready again
OWN = "bench.podplacement.io/trial"
BUDGETS = {"none": 0, "replicas - 1": REPLICAS - 1, "replicas": REPLICAS}


@dataclass(frozen=True)
class Client:
    """Somebody who empties a node."""

    agent: str  # how its user agent begins
    command: Callable[[Cluster, str], list[str]]


def _own(entries: list[Entry], namespace: str, source: str) -> list[Entry]:
    """Those of this trial: a test of it has others beside it, with the same agent. What is written
    about a node has the node's name or its digest in its own.
    """
    marks = source, hashlib.sha256(source.encode()).hexdigest()[:10]
    return [e for e in entries if e.namespace == namespace or any(m in e.name for m in marks)]


def _ansible(module: str, args: Object) -> list[str]:
    program = str(Path(sys.executable).with_name("ansible"))
    here = ["-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}"]
    return [program, *here, "localhost", "-m", module, "-a", json.dumps(args)]


def _ours(_cluster: Cluster, name: str) -> list[str]:
    return _ansible("podplacement.core.k8s_node_evacuate", {"node": name})


def _kubectl(cluster: Cluster, name: str) -> list[str]:
    kubectl = "kubectl" if cluster.bin_dir is None else str(cluster.bin_dir / "kubectl")
    return [kubectl, "drain", name, "--ignore-daemonsets"]


def _k8s_drain(_cluster: Cluster, name: str) -> list[str]:
    # without wait_timeout it does not wait at all, and is faster; what it left is waited for here
    options = {"ignore_daemonsets": True}
    args = {"name": name, "state": "drain", "delete_options": options}
    return _ansible("kubernetes.core.k8s_drain", args)


CLIENTS = {
    "kubectl": Client("kubectl/", _kubectl),
    "k8s_drain": Client("OpenAPI-Generator/", _k8s_drain),
    "ours": Client("podplacement/", _ours),
}


@dataclass(frozen=True)
class Outcome:
    """What one trial showed."""

    client: str
    budgets: str
    pods: int
    seconds: float  # from the start of the command until it ended and all pods were Ready
    cpu_seconds: float  # of the client's processes
    ended: str  # done, failed, cut off
    lowest_ready: float  # of any Deployment, as a fraction of its replicas
    unavailable_pod_seconds: float
    writes_per_pod: float
    left: int  # pods still on the node
    last_words: str = ""


def trial(
    cluster: Cluster, client: str, budgets: str, pods: int, *, ready: tuple[float, float] = (2, 5)
) -> Outcome:
    """Let a client evacuate a node on which so many pods of Deployments with REPLICAS each are."""
    assert cluster.audit_log is not None
    kube = Kube(cluster.kubeconfig)
    with _stage(kube, pods, BUDGETS[budgets], ready) as name:
        source = _source(name)
        audit = Audit(cluster.audit_log, kube)
        with watching(cluster, name, OWN, REPLICAS, by="app") as watch:
            began, worked = time.monotonic(), _worked()
            ended, words = _run(cluster, CLIENTS[client].command(cluster, source))
            worked = _worked() - worked
            _wait_ready(kube, name, pods, SETTLE)
            seconds = time.monotonic() - began
        left = kube.list("Pod", name, fields=f"spec.nodeName={source}")
        writes = _own(audit.entries(agent=CLIENTS[client].agent, writes=True), name, source)
    return Outcome(
        client,
        budgets,
        pods,
        round(seconds, 2),
        round(worked, 2),
        ended,
        min(part.min_ready for part in watch.summary.parts.values()) / REPLICAS,
        round(watch.summary.unavailable_seconds, 2),
        round(len(writes) / pods, 2),
        len(left),
        "" if ended == "done" else words,
    )


def _worked() -> float:
    """CPU seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(cluster: Cluster, command: list[str]) -> tuple[str, str]:
    """Run a client, at most until it is cut off; how it ended, and what it said last."""
    with tempfile.TemporaryDirectory() as folder:
        own = {
            **cluster.environment(),
            "ANSIBLE_HOME": str(ROOT / ".ansible/home"),
            "KUBECACHEDIR": folder,
        }
        log = Path(folder) / "output"
        with log.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(
                command,
                env=environment(own),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                ended = "failed" if process.wait(CUT_OFF) else "done"
            except subprocess.TimeoutExpired:
                ended = "cut off"
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        return ended, log.read_text(encoding="utf-8").strip()[-400:]


# ---- what is evacuated


def _source(name: str) -> str:
    return f"{name}-source"


@contextmanager
def _stage(kube: Kube, pods: int, budget: int, ready: tuple[float, float]) -> Iterator[str]:
    """A namespace whose pods are all on one node, with room on two others that came later."""
    name = f"bench-{uuid.uuid4().hex[:6]}"
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    kube.wait("ServiceAccount", "default", lambda _: True, name)
    nodes = [_source(name), f"{name}-a", f"{name}-b"]
    try:
        create_nodes(kube, [_node(nodes[0], name)])
        count = pods // REPLICAS
        for number in range(count):
            app = f"app-{number}"
            delay = ready[0] + (ready[1] - ready[0]) * number / max(1, count - 1)
            kube.create(_deployment(app, name, delay), name)
            if budget:
                kube.create(_budget(app, budget), name)
        _wait_ready(kube, name, pods, SETTLE)
        kube.wait_list("PodDisruptionBudget", _counted, name, timeout=SETTLE, what="counted pods")
        create_nodes(kube, [_node(other, name) for other in nodes[1:]])
        yield name
    finally:
        kube.delete_all("Deployment", name)
        kube.delete_all("Pod", name, grace=0)
        kube.wait_list("Pod", lambda found: not found, name, timeout=SETTLE)
        kube.delete("Namespace", name)
        for one in nodes:
            if kube.find("Node", one):
                kube.delete("Node", one)


def _counted(budgets: Objects) -> bool:
    return all(one.get("status", {}).get("currentHealthy") == REPLICAS for one in budgets)


def _wait_ready(kube: Kube, name: str, count: int, timeout: float) -> None:
    """Until exactly so many pods are there, and all are Ready; looked at as they change."""

    def settled(found: Objects) -> bool:
        return len(found) == count and all(
            is_ready(pod) and "deletionTimestamp" not in pod["metadata"] for pod in found
        )

    kube.wait_list("Pod", settled, name, timeout=timeout, what=f"{count} Ready pods")


def _node(name: str, trial_name: str) -> Object:
    """Big enough for all, and for nobody else."""
    taint = {"key": OWN, "value": trial_name, "effect": "NoSchedule"}
    labels = {OWN: trial_name}
    return node(name, cpu="1000", memory="4000Gi", pods="2500", labels=labels, taints=[taint])


def _deployment(app: str, trial_name: str, delay: float) -> Object:
    labels = {"app": app, OWN: trial_name}
    resources = {"requests": {"cpu": "10m", "memory": "16Mi"}}
    ready_after = {"test.podplacement.io/ready-after": f"{int(delay * 1000)}ms"}
    spec = {
        "nodeSelector": {OWN: trial_name},
        "tolerations": [{"key": OWN, "operator": "Exists"}],
        "terminationGracePeriodSeconds": 5,
        "containers": [
            {"name": "main", "image": "registry.k8s.io/pause:3.10", "resources": resources}
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": app},
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": {"app": app}},
            "template": {"metadata": {"labels": labels, "annotations": ready_after}, "spec": spec},
        },
    }


def _budget(app: str, least: int) -> Object:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": app},
        "spec": {"minAvailable": least, "selector": {"matchLabels": {"app": app}}},
    }
