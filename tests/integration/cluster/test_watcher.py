# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watcher misses no loss of availability, and comes back when its own connection is cut."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube, is_ready
from tests.cluster.watcher import watching

from .workloads import deployment, pod, simulated

pytestmark = [pytest.mark.cluster, simulated]


def test_what_stays_up_has_no_loss(cluster: Cluster, kube: Kube, namespace: str) -> None:
    kube.create(deployment(cluster, "web", 2), namespace)
    kube.wait_ready(namespace, "app=web", count=2)
    with watching(cluster, namespace, "app=web", 2) as watch:
        kube.patch("Deployment", "web", {"spec": {"replicas": 3}}, namespace)
        kube.wait_ready(namespace, "app=web", count=3)
    summary = watch.summary
    assert (summary.min_ready, summary.min_serving, summary.ready) == (2, 2, 3)
    assert summary.unavailable_seconds == summary.unserved_seconds == 0
    assert len(summary.pods_seen) == 3


def test_a_terminating_pod_serves_but_is_not_ready(
    cluster: Cluster, kube: Kube, namespace: str, tmp_path: Path
) -> None:
    kube.create(pod(cluster, "web", stop_after="500ms"), namespace)
    kube.wait_ready(namespace)
    out = tmp_path / "changes.jsonl"
    with watching(cluster, namespace, "app=web", 1, out=out) as watch:
        kube.delete("Pod", "web", namespace)
        kube.wait_gone("Pod", "web", namespace)
    changes = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [(c["ready"], c["serving"]) for c in changes] == [(1, 1), (0, 1), (0, 0)]
    assert changes[1]["pods"] == {"web": "Ready, terminating"}
    assert (watch.summary.min_ready, watch.summary.min_serving) == (0, 0)
    assert watch.summary.unavailable_seconds > watch.summary.unserved_seconds


def test_the_shortest_loss_is_seen(cluster: Cluster, kube: Kube, namespace: str) -> None:
    kube.create(pod(cluster, "web"), namespace)
    kube.wait_ready(namespace)
    with watching(cluster, namespace, "app=web", 1) as watch:
        kube.annotate("Pod", "web", namespace, hold_unready="true")
        kube.wait("Pod", "web", lambda p: not is_ready(p), namespace)
        kube.annotate("Pod", "web", namespace, hold_unready=None)
        kube.wait("Pod", "web", is_ready, namespace)
    assert (watch.summary.min_ready, watch.summary.ready) == (0, 1)
    assert watch.summary.unavailable_seconds > 0


def test_the_plenty_of_one_workload_hides_no_want_of_another(
    cluster: Cluster, kube: Kube, namespace: str
) -> None:
    for name in ("one", "two"):
        kube.create(pod(cluster, name), namespace)
    kube.wait_ready(namespace, count=2)
    with watching(cluster, namespace, "app", 1, by="app") as watch:
        more = pod(cluster, "more")
        more["metadata"]["labels"]["app"] = "one"
        kube.create(more, namespace)
        kube.wait_ready(namespace, count=3)
        kube.delete("Pod", "two", namespace)
        kube.wait_gone("Pod", "two", namespace)
    parts = watch.summary.parts
    assert {name: (part.min_ready, part.ready) for name, part in parts.items()} == {
        "one": (1, 2),
        "two": (0, 0),
    }
    assert parts["one"].unavailable_seconds == 0
    assert watch.summary.unavailable_seconds == parts["two"].unavailable_seconds > 0
    assert (watch.summary.min_ready, watch.summary.ready) == (0, 2)


class Wire:
    """A forwarder to the API server that can be cut and joined again."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._open: list[socket.socket] = []
        self._whole = True
        self._lock = threading.Lock()
        self.refused = threading.Event()  # a connection was tried since the last cut
        self.joined = threading.Event()  # and one was made
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _dummy = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, socket.create_connection(self._target) as far:
            with self._lock:
                if not self._whole:
                    self.refused.set()
                    return
                self._open += [near, far]
                self.joined.set()
            back = threading.Thread(target=self._pump, args=(far, near), daemon=True)
            back.start()
            self._pump(near, far)
            back.join()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """End all connections, and let none through until `join`."""
        with self._lock:
            self._whole = False
            for end in self._open:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            self._open.clear()
            self.refused.clear()
            self.joined.clear()

    def join(self) -> None:
        """Let connections through again, once one was refused, and wait for the first.

        Who was between two requests at the cut would not notice it without the refusal.
        """
        assert self.refused.wait(20)
        self._whole = True
        assert self.joined.wait(20)

    def close(self) -> None:
        """For good."""
        self.cut()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@pytest.fixture
def wire(cluster: Cluster, tmp_path: Path) -> Iterator[tuple[Wire, Path]]:
    """The wire, and a kubeconfig that goes through it."""
    config = yaml.safe_load(cluster.kubeconfig.read_text(encoding="utf-8"))
    target = urlsplit(config["clusters"][0]["cluster"]["server"])
    wire = Wire((str(target.hostname), int(target.port or 443)))
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{wire.port}"
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    yield wire, path
    wire.close()


def test_a_loss_while_the_watch_was_cut_is_seen(
    cluster: Cluster, kube: Kube, namespace: str, wire: tuple[Wire, Path]
) -> None:
    connection, kubeconfig = wire
    kube.create(pod(cluster, "web"), namespace)
    kube.wait_ready(namespace)
    with watching(kubeconfig, namespace, "app=web", 1) as watch:
        connection.cut()
        kube.annotate("Pod", "web", namespace, hold_unready="true")
        kube.wait("Pod", "web", lambda p: not is_ready(p), namespace)
        kube.annotate("Pod", "web", namespace, hold_unready=None)
        kube.wait("Pod", "web", is_ready, namespace)
        connection.join()
    # the loss was over before the watcher came back, and it knows of it all the same
    assert (watch.summary.min_ready, watch.summary.ready) == (0, 1)
    assert watch.summary.interruptions >= 1
    assert watch.summary.gaps == 0
