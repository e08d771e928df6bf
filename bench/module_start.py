# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long does a task with nothing to do take, beside kubernetes.core.k8s_info of the same pod?

Both run in turn, 20 times each, against the same API server: once as a module process, as a target
host runs it, and once through the `ansible` command, as a user waits for it. The bar is the ratio
of the medians of one run: at most 1.05.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube
from tests.cluster.providers import provider

ROUNDS = 20
BAR = 1.05
ROOT = Path(__file__).resolve().parents[1]
NAMESPACE = "default"
POD = "bench-module-start"

Run = Callable[[str, Mapping[str, object]], None]


def measure() -> dict[str, object]:
    """Medians in seconds, their ratio, and whether the bar is met, for both ways of running."""
    manager = provider("bench")
    cluster = manager.start()
    try:
        node = _pod(Kube(cluster.kubeconfig), cluster)
        ways = {"module process": _as_process(cluster), "ansible command": _as_command(cluster)}
        results = {way: _compare(way, run, node) for way, run in ways.items()}
    finally:
        manager.stop()
    met = all(float(r["ratio"]) <= BAR for r in results.values())
    return {"bar": BAR, "rounds": ROUNDS, "met": met, "results": results}


def _pod(kube: Kube, cluster: Cluster) -> str:
    """A running pod; the node it is on is where the task wants it."""
    container = {"name": "c", "image": cluster.image}
    metadata = {"name": POD, "namespace": NAMESPACE}
    kube.wait("ServiceAccount", "default", lambda _: True, NAMESPACE)
    spec = {"containers": [container]}
    kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}, NAMESPACE)
    ready = kube.wait("Pod", POD, lambda p: p["status"].get("phase") == "Running", NAMESPACE)
    return str(ready["spec"]["nodeName"])


def _compare(way: str, run: Run, node: str) -> dict[str, float]:
    ours = ("podplacement.core.k8s_pod_move", {"namespace": NAMESPACE, "name": POD, "node": node})
    peer = (
        "kubernetes.core.k8s_info",
        {"kind": "Pod", "api_version": "v1", "namespace": NAMESPACE, "name": POD},
    )
    seconds: dict[str, list[float]] = {ours[0]: [], peer[0]: []}
    run(*ours)  # byte code and the peer's discovery cache are warm for both
    run(*peer)
    for _turn in range(ROUNDS):
        for module, args in (ours, peer):
            began = time.perf_counter()
            run(module, args)
            seconds[module].append(time.perf_counter() - began)
    medians = {module: statistics.median(times) for module, times in seconds.items()}
    ratio = medians[ours[0]] / medians[peer[0]]
    print(
        f"{way}: {ours[0]} {medians[ours[0]]:.3f} s, {peer[0]} {medians[peer[0]]:.3f} s, "
        f"ratio {ratio:.3f} (bar {BAR})"
    )
    return {**{m: round(s, 4) for m, s in medians.items()}, "ratio": round(ratio, 4)}


def _environment(cluster: Cluster) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("K8S_AUTH_")}
    return {
        **kept,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible/collections"),
        "ANSIBLE_HOME": str(ROOT / ".ansible/home"),
        "PYTHONPATH": str(ROOT / ".ansible/collections"),
        "K8S_AUTH_KUBECONFIG": str(cluster.kubeconfig),
    }


def _as_process(cluster: Cluster) -> Run:
    environment = _environment(cluster)

    def run(module: str, args: Mapping[str, object]) -> None:
        namespace, collection, name = module.split(".")
        path = f"ansible_collections.{namespace}.{collection}.plugins.modules.{name}"
        given = {"ANSIBLE_MODULE_ARGS": {**args, "kubeconfig": str(cluster.kubeconfig)}}
        _checked([sys.executable, "-m", path], environment, json.dumps(given))

    return run


def _as_command(cluster: Cluster) -> Run:
    environment = _environment(cluster)
    ansible = str(Path(sys.executable).with_name("ansible"))

    def run(module: str, args: Mapping[str, object]) -> None:
        command = [ansible, "localhost", "-m", module, "-a", json.dumps(args)]
        interpreter = ["-e", f"ansible_python_interpreter={sys.executable}"]
        _checked([*command, *interpreter], environment, "")

    return run


def _checked(command: list[str], environment: dict[str, str], given: str) -> None:
    """Run it; a failed or changing run would measure something else."""
    done = subprocess.run(
        command, input=given, env=environment, capture_output=True, text=True, check=False
    )
    changed = '"changed": true' in done.stdout
    if done.returncode != 0 or changed:
        raise SystemExit(f"{command[:6]} did not do nothing:\n{done.stdout}\n{done.stderr}")
