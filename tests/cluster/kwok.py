# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded cluster: a real control plane run by kwokctl, without root or containers."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import urllib3
import yaml

from tests.cluster import binaries, etcd, kubelets
from tests.cluster.cluster import DEFAULT_IMAGE, Cluster, clusters_dir
from tests.cluster.kube import ApiError, Kube
from tests.cluster.nodes import ZONES, create_nodes, node
from tests.cluster.progress import say
from tests.cluster.versions import HERE, ClusterError, Versions

START_TIMEOUT = 120.0
PATIENCE = 30.0  # with a cluster that lives but is too busy to answer
NODES = 3
COMPONENTS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kwok-controller",
)
PORTS = (
    "etcdPort",
    "etcdPeerPort",
    "kubeApiserverPort",
    "kubeControllerManagerPort",
    "kubeSchedulerPort",
    "kwokControllerPort",
)


# Tests make and drop objects faster than any user: with Go's defaults the API server spends a good
# part of its CPU on collecting garbage. The limit is where it goes back to thrift. A benchmark
# wants the servers as they are run elsewhere, and says so in its environment.
COLLECTOR = {"GOGC": "400", "GOMEMLIMIT": "4GiB"}


class Kwok:
    """One named cluster in a folder of its own."""

    provider = "kwok"

    def __init__(self, name: str) -> None:
        if not name.replace("-", "").isalnum() or name != name.lower():
            raise ClusterError(
                f"{name!r} is no cluster name: lower case letters, digits and dashes"
            )
        self.name = name
        self.home = clusters_dir() / name
        self.facts = self.home / "cluster.json"
        self.baseline = self.home / "baseline.json"
        self.workdir = self.home / "clusters" / name  # as kwokctl lays it out
        self.kubelets = self.home / "kubelets.yaml"  # their kubeconfig

    def start(self, *, nodes: int | None = None) -> Cluster:
        """Bring the cluster up, or find it up; what is left of one that died is cleared away.

        One that runs another version or another number of nodes than asked for is replaced.
        """
        versions = Versions.select()
        with binaries.locked(
            clusters_dir() / f"{self.name}.lock", f"cluster {self.name} is being started"
        ):
            running = self.find()
            if running and running.kubernetes == versions.kubernetes:
                if nodes in (None, len(running.nodes)):
                    return running
            count = NODES if nodes is None else nodes
            paths = binaries.ensure(versions)
            begin = time.monotonic()
            cluster = self._create_anew(versions, paths, count)
            say(
                f"cluster {self.name}: Kubernetes {versions.kubernetes}, {count} nodes, "
                f"up in {time.monotonic() - begin:.1f} s"
            )
            return cluster

    def find(self) -> Cluster | None:
        """The cluster if all its processes live and its API server answers, be it slowly."""
        if not self.facts.is_file() or len(self.processes()) < len(COMPONENTS):
            return None
        cluster = Cluster.load(self.facts)
        try:
            self._wait_ready(Kube(cluster.kubeconfig), PATIENCE)
        except ClusterError:
            return None
        return cluster

    def stop(self) -> None:
        """End the processes and remove the folder."""
        with binaries.locked(clusters_dir() / f"{self.name}.lock", f"cluster {self.name} is busy"):
            self._remove()

    def reset(self) -> int:
        """Back to the state right after the start; the number of objects that it took."""
        if not self.find():
            raise ClusterError(f"cluster {self.name} does not run")
        return etcd.restore(self._etcd(), self.baseline)

    def compact(self) -> int:
        """Let etcd forget all that was, so that old resource versions are gone."""
        return self._etcd().compact()

    def processes(self) -> dict[str, int]:
        """The components that run: name and process id.

        A number in a pid file may belong to somebody else by now, so its command line must name
        this cluster's folder.
        """
        found = {}
        for path in sorted((self.workdir / "pids").glob("*.pid")):
            with suppress(ValueError, OSError):
                pid = int(path.read_text(encoding="utf-8"))
                if str(self.workdir) in _command_line(pid):
                    found[path.stem] = pid
        return found

    def _create_anew(
        self, versions: Versions, paths: dict[str, Path], count: int, *, again: bool = True
    ) -> Cluster:
        """A port that was free may be taken before it is used: then once more with others."""
        self._remove()
        try:
            return self._create(versions, paths, count)
        except BaseException as error:
            self._end_processes()  # the logs stay
            if not again or not isinstance(error, ClusterError):
                raise
            say(f"{error}\ntrying once more")
        return self._create_anew(versions, paths, count, again=False)

    def _create(self, versions: Versions, paths: dict[str, Path], count: int) -> Cluster:
        self.home.mkdir(parents=True)
        bin_dir = self.home / "bin"
        bin_dir.mkdir()
        for binary, path in paths.items():
            (bin_dir / binary).symlink_to(path)
        config = self.home / "kwokctl.yaml"
        ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
        config.write_text(self._configuration(bin_dir, versions, ports), encoding="utf-8")
        identity = kubelets.kubeconfig(self.workdir / "pki", ports["kubeApiserverPort"])
        self.kubelets.write_text(yaml.safe_dump(identity), encoding="utf-8")
        self._kwokctl(
            "create", "cluster", "--config", str(config), "--kubeconfig", "", "--timeout", "2m"
        )
        kubeconfig = self.home / "kubeconfig"
        _write_private(
            kubeconfig, _embedded(self.workdir / "kubeconfig.yaml", f"podplacement-{self.name}")
        )
        kube = Kube(kubeconfig)
        self._wait_ready(kube, START_TIMEOUT)
        kubelets.guard(kube)
        names = [f"node-{number}" for number in range(count)]
        create_nodes(kube, [node(name, zone=ZONES[i % len(ZONES)]) for i, name in enumerate(names)])
        kube.wait(
            "ServiceAccount", "default", lambda _: True, "default", what="default service account"
        )
        etcd.save(self._etcd(), self.baseline)
        cluster = Cluster(
            self.name,
            self.provider,
            kubeconfig,
            tuple(names),
            os.environ.get("PODPLACEMENT_TEST_IMAGE", DEFAULT_IMAGE),
            self.workdir / "logs" / "audit.log",
            bin_dir,
            versions.kubernetes,
        )
        cluster.save(self.facts)
        return cluster

    def _configuration(self, bin_dir: Path, versions: Versions, ports: dict[str, int]) -> str:
        options: dict[str, Any] = {
            "runtime": "binary",
            "bindAddress": "127.0.0.1",
            "kubeVersion": versions.kubernetes,
            "kubeAuditPolicy": str(HERE / "audit-policy.yml"),
            "kubeAuthorization": True,
            "kubeAdmission": True,
            # controllers react at once: a test waits for what it tests, not for a rate limit
            "disableQPSLimits": True,
            "etcdBinary": str(bin_dir / "etcd"),
            "kwokControllerBinary": str(bin_dir / "kwok"),
            # kwokctl looks for free ports in a fixed order, and two at once would find the same
            **ports,
        }
        for option, binary in (
            ("kubeApiserver", "kube-apiserver"),
            ("kubectl", "kubectl"),
            ("kubeControllerManager", "kube-controller-manager"),
            ("kubeScheduler", "kube-scheduler"),
        ):
            options[f"{option}Binary"] = str(bin_dir / binary)
        extra = {
            "etcd": {"unsafe-no-fsync": "true"},
            "kube-controller-manager": {
                "leader-elect": "false",
                "concurrent-namespace-syncs": "20",
            },
            "kube-scheduler": {"leader-elect": "false"},
        }
        patches = [
            {"name": name, "extraArgs": [{"key": k, "value": v} for k, v in arguments.items()]}
            for name, arguments in extra.items()
        ]
        identity = {"key": "kubeconfig", "value": str(self.kubelets), "override": True}
        patches.append({"name": "kwok-controller", "extraArgs": [identity]})
        api = "config.kwok.x-k8s.io/v1alpha1"
        documents = [
            {
                "kind": "KwokctlConfiguration",
                "apiVersion": api,
                "options": options,
                "componentsPatches": patches,
            },
            {
                "kind": "KwokConfiguration",
                "apiVersion": api,
                "options": {
                    "cidr": "10.128.0.0/16",
                    "podPlayStageParallelism": 16,
                    "nodePlayStageParallelism": 4,
                    "nodeLeaseParallelism": 4,
                    "podsOnNodeSyncParallelism": 4,
                },
            },
        ]
        stages = [path.read_text(encoding="utf-8") for path in sorted(HERE.glob("stages/*.yml"))]
        return "".join([yaml.safe_dump_all(documents), *stages])

    def _kwokctl(self, *arguments: str) -> None:
        """Run kwokctl, and the kubectl that it uses; nothing of the user's own is touched."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("KWOK_")}
        environment = COLLECTOR | environment  # the components inherit it
        environment |= {
            "KWOK_WORKDIR": str(self.home),
            "KUBECONFIG": str(self.home / "unused-kubeconfig"),
            "KUBECACHEDIR": str(self.home / "kubectl-cache"),
        }
        command = [str(self.home / "bin" / "kwokctl"), "--name", self.name, *arguments]
        log = self.home / "kwokctl.log"
        with log.open("w", encoding="utf-8") as output:
            # its output goes to a file: the components inherit it, and a pipe would keep us waiting
            done = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            tail = "\n".join(log.read_text(encoding="utf-8").splitlines()[-15:])
            raise ClusterError(
                f"kwokctl {' '.join(arguments[:2])} failed, see {self.home}:\n{tail}"
            )

    def _wait_ready(self, kube: Kube, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while True:
            try:
                kube.request("GET", "readyz")
                return
            except (ApiError, urllib3.exceptions.HTTPError, OSError) as error:
                dead = set(COMPONENTS) - self.processes().keys()
                if dead or time.monotonic() > deadline:
                    raise ClusterError(
                        f"cluster {self.name} does not get ready ({error}); not running: "
                        f"{sorted(dead)}; logs in {self.workdir / 'logs'}"
                    ) from error
                time.sleep(0.05)

    def _etcd(self) -> etcd.Etcd:
        documents = yaml.safe_load_all((self.workdir / "kwok.yaml").read_text(encoding="utf-8"))
        options = next(d["options"] for d in documents if d["kind"] == "KwokctlConfiguration")
        return etcd.Etcd(f"http://127.0.0.1:{options['etcdPort']}")

    def _remove(self) -> None:
        self._end_processes()
        if self.home.exists():
            shutil.rmtree(self.home)

    def _end_processes(self) -> None:
        """Kill what runs; the data is thrown away, so nobody needs to say goodbye."""
        for pid in self.processes().values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while self.processes():
            time.sleep(0.01)


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, all different."""
    with ExitStack() as open_sockets:
        sockets = [
            open_sockets.enter_context(socket.create_server(("127.0.0.1", 0)))
            for dummy in range(count)
        ]
        return [int(listener.getsockname()[1]) for listener in sockets]


def _command_line(pid: int) -> str:
    """A process's command line; empty when it is no more."""
    proc = Path(f"/proc/{pid}/cmdline")
    if proc.parent.parent.joinpath("self").exists():
        return proc.read_text(encoding="utf-8", errors="replace") if proc.exists() else ""
    said = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return said.stdout


def _embedded(path: Path, context: str) -> str:
    """kwokctl's kubeconfig with the certificates inside, so that the one file is all one needs."""
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    for holder in (cluster, user):
        for key in ("certificate-authority", "client-certificate", "client-key"):
            if file := holder.pop(key, None):
                holder[f"{key}-data"] = base64.b64encode(Path(file).read_bytes()).decode()
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "clusters": [{"name": context, "cluster": cluster}],
            "users": [{"name": context, "user": user}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        }
    )


def _write_private(path: Path, content: str) -> None:
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(content)
