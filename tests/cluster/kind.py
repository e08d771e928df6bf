# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kind cluster has real kubelets: what simulated nodes cannot show is tested there.

The node image comes from PODPLACEMENT_KIND_NODE_IMAGE (default: versions.yml). Where nothing can be
pulled, PODPLACEMENT_KIND_FOLDER names a folder with scripts that make the image and bring the
cluster up: install-host-packages.sh, build-node-image.sh, up.sh CONFIG.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import urllib3
import yaml

from tests.cluster import binaries
from tests.cluster.cluster import Cluster, clusters_dir
from tests.cluster.kube import ApiError, Kube, Object
from tests.cluster.progress import say, step
from tests.cluster.versions import HERE, REPOSITORY, ClusterError, cache_dir, load

TEST_NAMESPACES = "test.podplacement.io/namespace=true"
FOLDER_IMAGE = "localhost/busybox:1"  # in every node of an image that the folder's scripts made
PULLED_IMAGE = "docker.io/library/busybox:1.37"
FOLDER_PYTHON = "localhost/python:3.11"
PULLED_PYTHON = "docker.io/library/python:3.13-slim"


class Kind:
    """One named kind cluster."""

    provider = "kind"

    def __init__(self, name: str) -> None:
        self.name = name
        self.kind_name = f"podplacement-{name}"
        self.home = clusters_dir() / f"kind-{name}"
        self.facts = self.home / "cluster.json"
        self.kubeconfig = self.home / "kubeconfig"

    def start(self, *, nodes: int | None = None) -> Cluster:
        """Bring it up, or find it up; the number of nodes is that of kind.yml."""
        with binaries.locked(
            clusters_dir() / f"kind-{self.name}.lock", f"kind cluster {self.name} is started"
        ):
            if running := self.find():
                return running
            with suppress(ClusterError):  # one that does not answer any more, if there is any
                self._delete()
            self.home.mkdir(parents=True, exist_ok=True)
            config = self.home / "kind.yml"
            content = yaml.safe_load((HERE / "kind.yml").read_text(encoding="utf-8"))
            config.write_text(yaml.safe_dump(content | {"name": self.kind_name}), encoding="utf-8")
            if folder := kind_folder():
                self._start_by_scripts(folder, config)
            else:
                self._start(config)
            return self._describe()

    def find(self) -> Cluster | None:
        """The cluster if its API server answers."""
        if not self.facts.is_file():
            return None
        cluster = Cluster.load(self.facts)
        return cluster if answers(cluster.kubeconfig) else None

    def stop(self) -> None:
        """Delete the kind cluster; the docker daemon is left as it is."""
        if self.home.exists():
            self._delete()
            shutil.rmtree(self.home)

    def reset(self) -> int:
        """Remove the namespaces of tests."""
        return remove_test_namespaces(Kube(self.kubeconfig))

    def processes(self) -> dict[str, int]:
        """None of ours: containers."""
        return {}

    def _delete(self) -> None:
        _run([kind_command(), "delete", "cluster", "--name", self.kind_name], self._environment())

    def _start_by_scripts(self, folder: Path, config: Path) -> None:
        environment = self._environment()
        for script in ("install-host-packages.sh", "build-node-image.sh"):
            with step(f"kind: {script}"):
                _run([str(folder / script)], environment)
        with step(f"kind: creating {self.kind_name}"):
            _run([str(folder / "up.sh"), str(config)], environment)

    def _start(self, config: Path) -> None:
        image = os.environ.get("PODPLACEMENT_KIND_NODE_IMAGE") or load()["kind_node_image"]
        command = [
            kind_command(),
            "create",
            "cluster",
            "--config",
            str(config),
            "--image",
            image,
            "--wait",
            "180s",
        ]
        with step(f"kind: creating {self.kind_name} from {image}"):
            _run(command, self._environment())

    def _environment(self) -> dict[str, str]:
        own = {"KUBECONFIG": str(self.kubeconfig), "KIND_CACHE": str(kind_cache())}
        return os.environ | own

    def _describe(self) -> Cluster:
        kube = Kube(self.kubeconfig)
        # kind waits for the control plane alone; a worker that comes later would be overlooked.
        kube.wait_list("Node", joined, timeout=120, what="Ready nodes")
        default = FOLDER_IMAGE if kind_folder() else PULLED_IMAGE
        image = os.environ.get("PODPLACEMENT_TEST_IMAGE") or default
        cluster = Cluster(
            self.name,
            self.provider,
            self.kubeconfig,
            workers(kube),
            image,
            bin_dir=Path(kind_command()).parent,
            kubernetes=server_version(kube),
        )
        cluster.save(self.facts)
        say(f"kind cluster {self.kind_name}: {cluster.kubernetes}, {len(cluster.nodes)} workers")
        return cluster


def kind_folder() -> Path | None:
    """The folder with the scripts that need no image to be pulled, where there is one."""
    if chosen := os.environ.get("PODPLACEMENT_KIND_FOLDER"):
        return Path(chosen).absolute()
    if os.environ.get("PODPLACEMENT_KIND_NODE_IMAGE"):
        return None
    beside = REPOSITORY.parent / "shared" / "kind"
    return beside if (beside / "up.sh").is_file() else None


def python_image() -> str:
    """An image with Python to build on, in the container engine where none can be pulled."""
    folder = kind_folder()
    if folder is None:
        return PULLED_PYTHON
    environment = os.environ | {"KIND_CACHE": str(kind_cache())}
    _run([str(folder / "build-python-image.sh")], environment)
    _run(["docker", "load", "--input", str(kind_cache() / "images" / "python.tar")], environment)
    return FOLDER_PYTHON


def kind_cache() -> Path:
    """Where the folder's scripts keep what they build."""
    chosen = os.environ.get("KIND_CACHE")
    return Path(chosen) if chosen else cache_dir() / "kind"


def kind_command() -> str:
    """The program: the folder's, or one that is installed."""
    built = kind_cache() / "bin" / "kind"
    found = str(built) if built.is_file() else shutil.which("kind")
    if not found:
        raise ClusterError(
            "there is no kind on PATH and no folder that builds it, PODPLACEMENT_KIND_FOLDER"
        )
    return found


def _run(command: list[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-15:])
        raise ClusterError(f"{' '.join(command[:3])} failed with {done.returncode}:\n{tail}")


def answers(kubeconfig: Path) -> bool:
    """Is there an API server behind a kubeconfig?"""
    try:
        Kube(kubeconfig).request("GET", "readyz")
    except (ApiError, urllib3.exceptions.HTTPError, OSError):
        return False
    return True


def joined(nodes: Sequence[Object]) -> bool:
    """None of them has the taint of a node that is not Ready yet."""
    taints = (taint for node in nodes for taint in node["spec"].get("taints", []))
    return all(taint["key"] != "node.kubernetes.io/not-ready" for taint in taints)


def workers(kube: Kube) -> tuple[str, ...]:
    """The nodes that take ordinary pods."""

    def takes_pods(node: Object) -> bool:
        taints = node["spec"].get("taints", [])
        return not any(taint["effect"] != "PreferNoSchedule" for taint in taints)

    return tuple(sorted(n["metadata"]["name"] for n in kube.list("Node") if takes_pods(n)))


def server_version(kube: Kube) -> str:
    """The release that the API server reports."""
    return str(kube.request("GET", "version")["gitVersion"])


def remove_test_namespaces(kube: Kube) -> int:
    """Delete the namespaces that tests made, and wait until they are gone."""
    names = [n["metadata"]["name"] for n in kube.list("Namespace", selector=TEST_NAMESPACES)]
    for name in names:
        kube.delete("Namespace", name)
    kube.wait_list(
        "Namespace",
        lambda left: not left,
        selector=TEST_NAMESPACES,
        timeout=120,
        what="end of the namespaces",
    )
    return len(names)
