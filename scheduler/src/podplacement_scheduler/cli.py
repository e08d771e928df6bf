# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: what cannot be used is said in one line, with exit code 2."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import msgspec

from . import __version__, config
from .errors import ConfigError, SchedulerError

log = logging.getLogger(__name__)
NAME = "podplacement-scheduler"
WRONG_INPUT = 2
FAILED = 1
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of the process."""
    given = list(sys.argv[1:] if argv is None else argv)
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help", "--version")):
        given.insert(0, "run")
    options = parser().parse_args(given)
    try:
        code: int = options.command(options)
    except ConfigError as err:
        return _say(err, WRONG_INPUT)
    except SchedulerError as err:
        return _say(err, FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _say(err: Exception, code: int) -> int:
    print(f"{NAME}: error: {err}", file=sys.stderr)
    return code


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    top = argparse.ArgumentParser(NAME, description=__doc__, allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"{NAME} {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    cluster = argparse.ArgumentParser(add_help=False)
    cluster.add_argument("--kubeconfig", metavar="FILE", help="default: the service account's")
    cluster.add_argument("--context", metavar="NAME", help="which context of the kubeconfig")
    settings = argparse.ArgumentParser(add_help=False)
    settings.add_argument("--config", metavar="FILE", type=Path, help="SchedulerConfiguration")
    settings.add_argument(
        "--config-sha256", metavar="HEX", default="", help="refuse a file with another content"
    )
    settings.add_argument(
        "--scheduler-name", metavar="NAME", help="serve this name; without a file: by default rules"
    )

    def command(
        name: str, function: Callable[[argparse.Namespace], int], text: str, *parents: Any
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, parents=parents, allow_abbrev=False)
        made.set_defaults(command=function)
        return made

    run = command("run", _run, "schedule pods (the default)", cluster, settings)
    run.add_argument("--leader-elect", action=argparse.BooleanOptionalAction, default=None)
    run.add_argument("--log-level", choices=("debug", "info", "warning", "error"))
    watch = command("watch", _watch, "print pods, their phases and schedulers", cluster)
    watch.add_argument("--namespace", "-n", help="default: all")
    watch.add_argument("--output", "-o", choices=("text", "json"), default="text")
    explain = command("explain", _explain, "tell why a pod can run where", cluster, settings)
    explain.add_argument("pod", metavar="NAMESPACE/NAME")
    explain.add_argument("--output", "-o", choices=("text", "json"), default="text")
    check = command("check-config", _check_config, "check a file and the plugins that it names")
    check.add_argument("file", metavar="FILE", type=Path)
    command("plugins", _plugins, "list the plugins and their extension points", settings)
    return top


def configuration(options: argparse.Namespace) -> config.Configuration:
    """The file, with what the command line says instead; raises ConfigError."""
    if options.config is not None:
        found = config.load(options.config, sha256=options.config_sha256)
        if options.scheduler_name:
            found = _only(found, options.scheduler_name)
    elif options.scheduler_name:
        found = config.parse({"profiles": [{"schedulerName": options.scheduler_name}]})
    else:
        raise ConfigError("give --config FILE, or --scheduler-name NAME for the default rules")
    replace = msgspec.structs.replace
    connection = found.client_connection
    if getattr(options, "kubeconfig", None):
        connection = replace(connection, kubeconfig=options.kubeconfig)
    if getattr(options, "context", None):
        connection = replace(connection, context=options.context)
    found = replace(found, client_connection=connection)
    if getattr(options, "leader_elect", None) is not None:
        election = replace(found.leader_election, leader_elect=options.leader_elect)
        found = replace(found, leader_election=election)
    if getattr(options, "log_level", None):
        found = replace(found, logging=replace(found.logging, level=options.log_level))
    return found


def _only(found: config.Configuration, name: str) -> config.Configuration:
    """The one profile of that name."""
    profiles = [profile for profile in found.profiles if profile.scheduler_name == name]
    if not profiles:
        there = ", ".join(profile.scheduler_name for profile in found.profiles)
        raise ConfigError(f"--scheduler-name {name}: the file has no such profile, only {there}")
    return msgspec.structs.replace(found, profiles=profiles)


def _run(options: argparse.Namespace) -> int:
    from .observe.log import configure
    from .process import serve

    found = configuration(options)
    configure(found.logging)
    return _in_loop(serve(found))


def _watch(options: argparse.Namespace) -> int:
    from .api.client import connect
    from .commands.watch import watch

    async def show() -> int:
        client = connect(_connection(options), connections=1)
        try:
            await watch(client, namespace=options.namespace, output=options.output)
        finally:
            await client.close()
        return 0

    return _in_loop(show())


def _explain(options: argparse.Namespace) -> int:
    from .commands.explain import explain

    namespace, slash, name = options.pod.partition("/")
    if not (namespace and slash and name):
        raise ConfigError(f"{options.pod!r} is not NAMESPACE/NAME")
    return _in_loop(explain(options, namespace, name, configured=configuration))


def _check_config(options: argparse.Namespace) -> int:
    found = config.load(options.file)
    profiles = _profiles(found)
    for name, profile in profiles.items():
        print(f"{name}: {', '.join(profile.plugins)}")
    return 0


def _plugins(options: argparse.Namespace) -> int:
    """All that there are, and those of a configuration if one is given."""
    from .framework.loader import load
    from .framework.profile import POINTS
    from .framework.registry import BUILT_IN

    given = options.config is not None or options.scheduler_name
    user = load(configuration(options).user_plugins) if given else {}
    for name, plugin in {**BUILT_IN, **user}.items():
        points = [point for point, methods in POINTS.items() if _has(plugin, methods)]
        origin = "user" if name in user else "built-in"
        print(f"{name:34} {origin:9} {', '.join(points)}")
    return 0


def _has(plugin: type, methods: Sequence[str]) -> bool:
    return any(hasattr(plugin, method) for method in methods)


def _profiles(found: config.Configuration) -> dict[str, Any]:
    """Built as the daemon builds them, for a cluster without anything in it."""
    from .cache.cluster import Cluster
    from .engine.handle import SchedulerHandle
    from .engine.waiting import Waiting
    from .framework.guard import Guard
    from .framework.loader import load
    from .framework.profile import build_profiles

    plugins = load(found.user_plugins)
    cluster = Cluster(scheduler_names=frozenset(), node_selector={})
    guard = Guard(
        budget=config.seconds(found.user_plugins.budget),
        max_overruns=found.user_plugins.max_overruns,
    )
    return dict(build_profiles(found, SchedulerHandle(cluster, Waiting()), plugins, guard))


def _connection(options: argparse.Namespace) -> config.ClientConnection:
    return config.ClientConnection(
        kubeconfig=options.kubeconfig or "", context=options.context or ""
    )


def _in_loop(work: Coroutine[Any, Any, int]) -> int:
    """On uvloop where it is installed: a third less CPU for each request."""
    make_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):
        from uvloop import new_event_loop

        make_loop = new_event_loop
    with asyncio.Runner(loop_factory=make_loop) as runner:
        return runner.run(work)
