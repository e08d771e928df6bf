# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the test clusters: python -m tests.cluster start | stop | status | …"""

from __future__ import annotations

import argparse
import shlex
import sys
import time

from tests.cluster import binaries
from tests.cluster.cluster import clusters_dir, default_name, provider_name
from tests.cluster.progress import say
from tests.cluster.providers import provider
from tests.cluster.versions import ClusterError, Versions


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it succeeded, 3 when `status` finds no running cluster."""
    options = _parser().parse_args(arguments)
    try:
        return int(COMMANDS[options.command](options) or 0)
    except ClusterError as error:
        say(f"error: {error}")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, function in COMMANDS.items():
        command = commands.add_parser(name, help=function.__doc__)
        if name != "ensure-binaries":
            command.add_argument("--name", default=default_name(), help="the cluster (%(default)s)")
        if name == "start":
            command.add_argument("--nodes", type=int, help="simulated nodes (3)")
    return parser


def _start(options: argparse.Namespace) -> int:
    """start the cluster, or find it running"""
    print(provider(options.name).start(nodes=options.nodes).kubeconfig)
    return 0


def _stop(options: argparse.Namespace) -> int:
    """end the cluster and remove all of it"""
    provider(options.name).stop()
    return 0


def _status(options: argparse.Namespace) -> int:
    """show the cluster and its processes"""
    manager = provider(options.name)
    cluster = manager.find()
    if not cluster:
        print(f"cluster {options.name}: not running")
        return 3
    version, nodes = cluster.kubernetes, " ".join(cluster.nodes)
    lines = [f"cluster {cluster.name} ({provider_name()}): Kubernetes {version}, nodes {nodes}"]
    lines += [f"kubeconfig {cluster.kubeconfig}"]
    lines += [f"{component} {pid}" for component, pid in manager.processes().items()]
    print("\n".join(lines))
    return 0


def _reset(options: argparse.Namespace) -> int:
    """bring the cluster back to what it was after its start"""
    begin = time.monotonic()
    changes = provider(options.name).reset()
    say(f"cluster {options.name}: {changes} objects reset in {time.monotonic() - begin:.2f} s")
    return 0


def _kubeconfig(options: argparse.Namespace) -> int:
    """print the path of the cluster's kubeconfig"""
    cluster = provider(options.name).find()
    if not cluster:
        raise ClusterError(
            f"cluster {options.name} does not run; its folder is below {clusters_dir()}"
        )
    print(cluster.kubeconfig)
    return 0


def _env(options: argparse.Namespace) -> int:
    """print shell commands that point kubectl and Ansible to the cluster"""
    cluster = provider(options.name).find()
    if not cluster:
        raise ClusterError(f"cluster {options.name} does not run")
    for name, value in cluster.environment().items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _ensure_binaries(_options: argparse.Namespace) -> int:
    """get all binaries into the cache, from a release or by a build"""
    for binary, path in binaries.ensure(Versions.select()).items():
        print(f"{binary} {path}")
    return 0


COMMANDS = {
    "start": _start,
    "stop": _stop,
    "status": _status,
    "reset": _reset,
    "kubeconfig": _kubeconfig,
    "env": _env,
    "ensure-binaries": _ensure_binaries,
}

if __name__ == "__main__":
    sys.exit(main())
