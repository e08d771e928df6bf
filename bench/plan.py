# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What does it cost to plan the evacuation of 250 pods in a cluster of 1,000 nodes and 20,000 pods?

The node has five pods of each of 50 Deployments in ten namespaces; the others are spread over the
other nodes and are as large as pods usually are. The plan is made twice: where the scheduler will
choose, so that every node counts, and for ten named targets. Reported are the API requests by verb,
seconds, and the peak memory of the module's process. There is no bar.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.cluster.audit import Audit
from tests.cluster.cluster import DEFAULT_IMAGE, Cluster
from tests.cluster.kube import Kube, Object
from tests.cluster.nodes import create_nodes, node
from tests.cluster.providers import provider
from tests.integration.manifests import controller, template_of
from tests.integration.runner import start_module

NODES, PODS = 1000, 20_000
NAMESPACES, DEPLOYMENTS, REPLICAS = 10, 50, 5
SOURCE = "plan-source"
AGENT = "podplacement/"
THREADS = 8
READY_SECONDS = 600.0
# The kubelet of these is in no hurry: they take room, and no more is asked of them.
WAITING = {"test.podplacement.io/ready-after": "24h"}
ENVIRONMENT = [{"name": f"SETTING_{n}", "value": "x" * 60} for n in range(20)]


def measure() -> dict[str, object]:
    """Make the cluster, plan twice, and tell what it took."""
    manager = provider("bench-plan")
    cluster = manager.start()
    try:
        kube = Kube(cluster.kubeconfig)
        for name in cluster.nodes:  # not for the Deployments' pods
            kube.patch("Node", name, {"spec": {"unschedulable": True}})
        names = populate(kube)
        ways: dict[str, dict[str, Any]] = {
            "any node": {},
            "ten targets": {"target_nodes": names[:10]},
        }
        results = {way: plan(cluster, kube, way, args) for way, args in ways.items()}
    finally:
        manager.stop()
    sizes = {"nodes": NODES, "pods": PODS, "on the node": DEPLOYMENTS * REPLICAS}
    return {"met": True, **sizes, "results": results}


def populate(kube: Kube) -> list[str]:
    """Nodes and pods; the names of the nodes beside the source."""
    began = time.monotonic()
    names = [f"plan-{n:04d}" for n in range(NODES - 1)]
    create_nodes(kube, [node(SOURCE, cpu="64", memory="256Gi", pods="300")])
    _create(
        kube,
        ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n}} for n in _spaces()),
    )
    for space in _spaces():
        kube.wait("ServiceAccount", "default", lambda _: True, space)
    _create(kube, (_deployment(n) for n in range(DEPLOYMENTS)))
    for space in _spaces():
        count = DEPLOYMENTS * REPLICAS // NAMESPACES
        kube.wait_ready(space, "all=yes", count=count, timeout=READY_SECONDS)
    create_nodes(
        kube, [node(name, cpu="16", memory="64Gi") for name in names], timeout=READY_SECONDS
    )
    others = PODS - DEPLOYMENTS * REPLICAS
    _create(kube, (_pod(n, names[n % len(names)]) for n in range(others)))
    print(f"{NODES} nodes and {PODS} pods made in {time.monotonic() - began:.0f} s", flush=True)
    return names


def plan(cluster: Cluster, kube: Kube, way: str, more: Mapping[str, Any]) -> dict[str, object]:
    """One plan, as a module process."""
    assert cluster.audit_log is not None
    audit = Audit(cluster.audit_log, kube)
    args = {"node": SOURCE, "state": "planned", **more}
    began = time.monotonic()
    process = start_module(cluster, "k8s_node_evacuate", args)
    assert process.stdout is not None
    result = json.loads(process.stdout.read())
    seconds = time.monotonic() - began
    status, usage = os.wait4(process.pid, 0)[1:]
    process.returncode = os.waitstatus_to_exitcode(status)
    planned, left = len(result.get("plan", ())), len(result.get("leftovers", ()))
    if (planned, left) != (DEPLOYMENTS * REPLICAS, 0):
        raise SystemExit(f"{planned} pods planned, {left} left over: {result.get('msg', result)}")
    entries = audit.entries(agent=AGENT)
    kinds = Counter(f"{e.verb} {e.resource}{' (dry run)' if e.dry_run else ''}" for e in entries)
    found = {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_memory_mib": round(usage.ru_maxrss / 1024),
        "requests": len(entries),
        "requests_by_kind": dict(kinds.most_common()),
    }
    print(f"{way}: {found}", flush=True)
    return found


def _spaces() -> list[str]:
    return [f"plan-{n}" for n in range(NAMESPACES)]


def _deployment(n: int) -> Object:
    found = controller("Deployment", f"web-{n}", replicas=REPLICAS)
    found["metadata"]["namespace"] = f"plan-{n % NAMESPACES}"
    template = template_of(found)
    template["metadata"]["labels"]["all"] = "yes"
    template["spec"]["containers"][0] |= {
        "env": ENVIRONMENT,
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
    }
    return found


def _pod(n: int, name: str) -> Object:
    requests = {"requests": {"cpu": "100m", "memory": "128Mi"}}
    container = {"name": "main", "image": DEFAULT_IMAGE, "env": ENVIRONMENT, "resources": requests}
    metadata = {"name": f"other-{n}", "namespace": f"plan-{n % NAMESPACES}", "annotations": WAITING}
    spec = {"nodeName": name, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _create(kube: Kube, manifests: Iterable[Object]) -> None:
    def create(manifest: Object) -> None:
        kube.create(manifest, manifest["metadata"].get("namespace"))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(create, manifests))
