# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small cluster in which everything changes all the time: pods, nodes, kubelets and their owners.

`Churn` does what users and controllers do; `Kubelets` what happens to pods that are bound. Both
write to the store as the API server's own administrator, without a network in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from ..api.kinds import CLAIMS, NODES, PODS, VOLUMES
from .fake import FakeServer
from .store import Change, Object

NAMESPACE = "sim"
FOREIGN = "foreign"  # a node that is not for pods of ours; another scheduler uses it
_CLAIMS = 4
_SIZES = (("4", "8Gi"), ("8", "16Gi"), ("2", "4Gi"))


class Kubelets:
    """Bound pods start, end when they are deleted, and are removed with their node."""

    def __init__(self, server: FakeServer, rng: Random) -> None:
        self._server = server
        self._rng = rng
        self._tasks: set[asyncio.Task[None]] = set()
        server.store.listeners.append(self._hear)

    def stop(self) -> None:
        """For good."""
        self._server.store.listeners.remove(self._hear)
        for task in self._tasks:
            task.cancel()

    def _hear(self, change: Change) -> None:
        if change.resource == "nodes" and change.type == "DELETED":
            self._soon(5.0, self._collect, change.object["metadata"]["name"])
        if change.resource != "pods" or change.type == "DELETED" or change.before is None:
            return
        found, before = change.object, change.before
        uid = found["metadata"]["uid"]
        if found["spec"].get("nodeName") and not before["spec"].get("nodeName"):
            self._soon(self._rng.uniform(0.1, 2.0), self._start, uid)
        if (
            "deletionTimestamp" in found["metadata"]
            and "deletionTimestamp" not in before["metadata"]
        ):
            self._soon(self._rng.uniform(0.1, 5.0), self._remove, uid)

    def _soon(self, seconds: float, function: Callable[[str], None], about: str) -> None:
        async def later() -> None:
            await asyncio.sleep(seconds)
            function(about)

        task = asyncio.get_running_loop().create_task(later())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _pod(self, uid: str) -> Object | None:
        pods = self._server.store.all("pods")
        return next((pod for pod in pods if pod["metadata"]["uid"] == uid), None)

    def _start(self, uid: str) -> None:
        pod = self._pod(uid)
        if pod is not None and pod["status"]["phase"] == "Pending":
            set_phase(self._server, pod, "Running")

    def _remove(self, uid: str) -> None:
        pod = self._pod(uid)
        if pod is not None:
            body = {"gracePeriodSeconds": 0}
            self._server.do("DELETE", path_of(pod), body)

    def _collect(self, node: str) -> None:
        """As the pod garbage collector: a node that is gone has no pods."""
        if self._server.store.get("nodes", ("", node)) is None:
            for pod in list(self._server.store.all("pods")):
                if pod["spec"].get("nodeName") == node:
                    self._server.do("DELETE", path_of(pod), {"gracePeriodSeconds": 0})


class Churn:
    """Users: `begin` makes a cluster, `run` changes it until it is cancelled."""

    def __init__(self, server: FakeServer, rng: Random, *, scheduler: str, busy: float) -> None:
        self._server = server
        self._rng = rng
        self._scheduler = scheduler
        self._busy = busy  # seconds between two changes
        self._serial = 0
        self._sizes: dict[str, tuple[str, str]] = {}

    def begin(self) -> None:
        """Nodes, and some pods."""
        for number in range(self._rng.randint(2, 8)):
            self._add_node(f"node-{number}")
        taint = {"key": "foreign", "value": "", "effect": "NoSchedule"}
        self._make_node(FOREIGN, ("64", "64Gi"), taints=(taint,))
        for _pod in range(self._rng.randint(0, 20)):
            self.add_pod()

    async def run(self) -> None:
        """One change after the other, some in bursts."""
        actions: dict[Callable[[], None], int] = {
            self.add_pod: 40,
            self._delete_pod: 12,
            self._replace_pod: 6,
            self._complete_pod: 8,
            self._open_gate: 6,
            self._edit_pod: 4,
            self._bind_elsewhere: 3,
            self._remove_node: 2,
            self._return_node: 4,
            self._cordon: 4,
            self._taint: 3,
            self._grow: 2,
            self._provision: 3,
        }
        while True:
            await asyncio.sleep(self._rng.expovariate(1 / self._busy))
            action = self._rng.choices(list(actions), list(actions.values()))[0]
            for _repeat in range(self._rng.choice((1, 1, 1, 1, 5))):
                action()

    # Pods

    def add_pod(self, name: str = "") -> None:
        """One of ours, with whatever a pod may want."""
        rng = self._rng
        self._serial += 1
        shapes = (("100m", "64Mi"), ("500m", "2Gi"), ("1", "512Mi"), ("2", "2Gi"))
        cpu, memory = rng.choice(shapes)
        wants = {"cpu": cpu if rng.random() < 0.95 else "100", "memory": memory}  # 100: nowhere
        container: Object = {"name": "c", "image": "i", "resources": {"requests": wants}}
        spec: Object = {"schedulerName": self._scheduler, "containers": [container]}
        spec["priority"] = rng.choice((0, 0, 0, 10, 1000))
        if rng.random() < 0.15:
            container["ports"] = [{"containerPort": 80, "hostPort": rng.choice((8080, 8081))}]
        if rng.random() < 0.15:
            spec["nodeSelector"] = {"disk": rng.choice(("ssd", "hdd"))}
        if rng.random() < 0.1:
            claim = {"claimName": f"claim-{rng.randrange(_CLAIMS)}"}
            spec["volumes"] = [{"name": "data", "persistentVolumeClaim": claim}]
        if rng.random() < 0.2:
            spec["tolerations"] = [{"key": "spot", "operator": "Exists"}]
        if rng.random() < 0.1:
            spec["schedulingGates"] = [{"name": "example.com/gate"}]
        if rng.random() < 0.05:
            spec["schedulerName"] = "default-scheduler"
        meta = {"name": name or f"pod-{self._serial}"}
        self._server.do("POST", PODS.path(NAMESPACE), {"metadata": meta, "spec": spec})

    def _some_pod(self, fits: Callable[[Object], bool]) -> Object | None:
        found = [pod for pod in self._server.store.all("pods") if fits(pod)]
        return self._rng.choice(found) if found else None

    def _delete_pod(self) -> None:
        pod = self._some_pod(lambda pod: "deletionTimestamp" not in pod["metadata"])
        if pod is not None:
            grace = self._rng.choice((0, 5, 30))
            self._server.do("DELETE", path_of(pod), {"gracePeriodSeconds": grace})

    def _replace_pod(self) -> None:
        """Another one with the same name, as a StatefulSet's."""
        pod = self._some_pod(lambda pod: True)
        if pod is not None:
            self._server.do("DELETE", path_of(pod), {"gracePeriodSeconds": 0})
            self.add_pod(pod["metadata"]["name"])

    def _complete_pod(self) -> None:
        pod = self._some_pod(lambda pod: pod["status"]["phase"] == "Running")
        if pod is not None:
            set_phase(self._server, pod, self._rng.choice(("Succeeded", "Failed")))

    def _open_gate(self) -> None:
        pod = self._some_pod(lambda pod: bool(pod["spec"].get("schedulingGates")))
        if pod is not None:
            self._server.do("PATCH", path_of(pod), {"spec": {"schedulingGates": None}})

    def _edit_pod(self) -> None:
        pod = self._some_pod(lambda pod: not pod["spec"].get("nodeName"))
        if pod is not None:
            spec = {"tolerations": [{"operator": "Exists", "key": "spot"}]}
            labels = {"n": str(self._rng.randint(0, 2))}
            body = {"spec": spec, "metadata": {"labels": labels}}
            self._server.do("PATCH", path_of(pod), body)

    def _bind_elsewhere(self) -> None:
        """Somebody else is faster."""
        pod = self._some_pod(
            lambda pod: not pod["spec"].get("nodeName") and not pod["spec"].get("schedulingGates")
        )
        if pod is not None:
            body = {"metadata": {"name": pod["metadata"]["name"]}, "target": {"name": FOREIGN}}
            self._server.do("POST", path_of(pod) + "/binding", body)

    # Volumes

    def _provision(self) -> None:
        """A volume that some nodes can reach, and then the claim that is bound to it; pods may have
        waited for it."""
        for number in range(_CLAIMS):
            name = f"claim-{number}"
            if self._server.store.get("persistentvolumeclaims", (NAMESPACE, name)) is not None:
                continue
            disk = {"key": "disk", "operator": "In", "values": [self._rng.choice(("ssd", "hdd"))]}
            terms = [{"matchExpressions": [disk]}]
            body: Object = {
                "metadata": {"name": f"volume-{number}"},
                "spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": terms}}},
            }
            self._server.do("POST", VOLUMES.path(), body)
            bound = {"pv.kubernetes.io/bind-completed": "yes"}
            body = {
                "metadata": {"name": name, "annotations": bound},
                "spec": {"volumeName": f"volume-{number}"},
                "status": {"phase": "Bound"},
            }
            self._server.do("POST", CLAIMS.path(NAMESPACE), body)
            return

    # Nodes

    def _add_node(self, name: str) -> None:
        self._sizes.setdefault(name, self._rng.choice(_SIZES))
        self._make_node(name, self._sizes[name], disk=self._rng.choice(("ssd", "hdd")))

    def _make_node(
        self,
        name: str,
        size: tuple[str, str],
        *,
        disk: str = "",
        taints: tuple[Object, ...] = (),
    ) -> None:
        labels = {"kubernetes.io/hostname": name, "disk": disk}
        room = {"cpu": size[0], "memory": size[1], "pods": "110"}
        body = {
            "metadata": {"name": name, "labels": labels},
            "spec": {"taints": taints} if taints else {},
            "status": {"allocatable": room, "capacity": room},
        }
        self._server.do("POST", NODES.path(), body)

    def _some_node(self) -> Object | None:
        nodes = [
            node for node in self._server.store.all("nodes") if node["metadata"]["name"] != FOREIGN
        ]
        return self._rng.choice(nodes) if nodes else None

    def _remove_node(self) -> None:
        node = self._some_node()
        if node is not None:
            self._server.do("DELETE", NODES.path(name=node["metadata"]["name"]))

    def _return_node(self) -> None:
        names = [f"node-{number}" for number in range(8)]
        gone = [name for name in names if self._server.store.get("nodes", ("", name)) is None]
        if gone:
            self._add_node(self._rng.choice(gone))

    def _cordon(self) -> None:
        self._change_node({"unschedulable": self._rng.choice((True, None, None))})

    def _taint(self) -> None:
        spot = [{"key": "spot", "value": "", "effect": "NoSchedule"}]
        self._change_node({"taints": self._rng.choice((spot, None, None))})

    def _change_node(self, spec: Object) -> None:
        node = self._some_node()
        if node is not None:
            path = NODES.path(name=node["metadata"]["name"])
            self._server.do("PATCH", path, {"spec": spec})

    def _grow(self) -> None:
        """A node never shrinks here: then no placement can be judged wrong by what came later."""
        node = self._some_node()
        if node is not None:
            name = node["metadata"]["name"]
            self._sizes[name] = ("16", "32Gi")
            room = {"allocatable": {"cpu": "16", "memory": "32Gi", "pods": "110"}}
            self._server.do("PATCH", NODES.path(name=name) + "/status", {"status": room})


def path_of(found: Object) -> str:
    """Where a pod is."""
    return PODS.path(found["metadata"]["namespace"], found["metadata"]["name"])


def set_phase(server: FakeServer, pod: Object, phase: str) -> None:
    """As the kubelet does."""
    server.do("PATCH", path_of(pod) + "/status", {"status": {"phase": phase}})
