# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`explain` tells why a pod can run where, with the rights of whoever asks: it only lists and gets.

A pod that has a node is judged as if it had none and did not count: the answer then is where else
it could run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from random import Random
from typing import Any, TextIO

import msgspec

from ..api.client import Client, connect
from ..api.kinds import (
    ATTACHMENTS,
    CLAIMS,
    CSI_NODES,
    NODES,
    PODS,
    STORAGE_CLASSES,
    VOLUMES,
    Kind,
)
from ..cache.cluster import Cluster
from ..cache.objects import Pod, decode_pod
from ..cache.sinks import fill
from ..clock import LoopClock
from ..config import ClientConnection, Configuration, seconds
from ..engine.decide import Decider
from ..engine.explain import Explanation, NodeVerdict
from ..engine.explain import explain as judge
from ..engine.handle import SchedulerHandle
from ..engine.waiting import Waiting
from ..errors import ConfigError
from ..framework.guard import Guard
from ..framework.loader import load
from ..framework.profile import build_profiles

_STORAGE = (CLAIMS, VOLUMES, CSI_NODES, ATTACHMENTS, STORAGE_CLASSES)
_ACTIVE = "status.phase!=Succeeded,status.phase!=Failed"

Configured = Callable[[argparse.Namespace], Configuration]


async def explain(
    options: argparse.Namespace,
    namespace: str,
    name: str,
    *,
    configured: Configured,
    out: TextIO | None = None,
) -> int:
    """Print the answer; `configured` makes a configuration of the options.

    Without a configuration the pod's own scheduler is taken, with the default rules.
    """
    out = sys.stdout if out is None else out
    given = options.config is not None or bool(options.scheduler_name)
    connection = ClientConnection(options.kubeconfig or "", options.context or "")
    client = connect(configured(options).client_connection if given else connection, connections=1)
    try:
        sent = msgspec.json.decode(await client.get(PODS, name, namespace))
        if not given:
            options.scheduler_name = sent["spec"]["schedulerName"]
        found = await _explained(client, configured(options), sent, options)
    finally:
        await client.close()
    if options.output == "json":
        out.write(msgspec.json.format(msgspec.json.encode(found.as_object())).decode() + "\n")
    else:
        write_text(found, out)
    return 0


async def _explained(
    client: Client, config: Configuration, sent: dict[str, Any], options: argparse.Namespace
) -> Explanation:
    names = frozenset(profile.scheduler_name for profile in config.profiles)
    scheduler = options.scheduler_name or sent["spec"]["schedulerName"]
    if scheduler not in names:
        there = ", ".join(sorted(names))
        raise ConfigError(
            f"the pod asks for scheduler {scheduler}, {options.config} has {there}; choose one "
            "with --scheduler-name"
        )
    cluster = Cluster(scheduler_names=names, node_selector=config.node_selector, clock=LoopClock())
    sent["spec"].pop("nodeName", None)
    sent["spec"]["schedulerName"] = scheduler
    pod = decode_pod(msgspec.json.encode(sent), cluster.interner)
    for kind in (PODS, NODES, *_storage_for(pod)):
        await _fill(client, cluster, kind)
    cluster.drop_pod(pod)
    guard = Guard(
        budget=seconds(config.user_plugins.budget), max_overruns=config.user_plugins.max_overruns
    )
    handle = SchedulerHandle(cluster, Waiting())
    profiles = build_profiles(config, handle, load(config.user_plugins), guard)
    decider = Decider(
        cluster, profiles, percentage=config.percentage_of_nodes_to_score, rng=Random()
    )
    return judge(decider.plans[scheduler], pod, cluster.table)


def _storage_for(pod: Pod) -> tuple[Kind, ...]:
    """Only a pod with volumes that matter needs to know of any."""
    return _STORAGE if pod.pod_class.example["spec"].get("volumes") else ()


async def _fill(client: Client, cluster: Cluster, kind: Kind) -> None:
    items = []
    selector = _ACTIVE if kind == PODS else ""
    async for page in client.pages(kind, field_selector=selector):
        items += page.items
    fill(cluster.sink(kind), items)


def write_text(found: Explanation, out: TextIO) -> None:
    """A line for each node, the best first; those that are refused last."""
    fitting = found.fitting
    out.write(f"{found.namespace}/{found.pod}, placed by {found.scheduler_name}: ")
    out.write(f"{len(fitting)} of {len(found.nodes)} nodes fit\n")
    for refusal in found.refusals:
        by = f"{refusal.plugin}: " if refusal.plugin else ""
        out.write(f"refused on all nodes: {by}{refusal.reason}\n")
    lines = [("NODE", "SCORE", "WHY")]
    lines += [(node.name, str(node.total), _scores(node)) for node in fitting]
    names = {node.name for node in fitting}
    others = sorted((n for n in found.nodes if n.name not in names), key=lambda n: n.name)
    lines += [(node.name, "-", _refusals(node)) for node in others]
    widths = [max(len(line[column]) for line in lines) for column in (0, 1)]
    for name, score, why in lines:
        out.write(f"{name:{widths[0]}}  {score:>{widths[1]}}  {why}".rstrip() + "\n")


def _scores(node: NodeVerdict) -> str:
    return ", ".join(
        f"{score.plugin} {score.normalized}" + (f"x{score.weight}" if score.weight != 1 else "")
        for score in node.scores
    )


def _refusals(node: NodeVerdict) -> str:
    if node.fits:
        return "fits"
    return "; ".join(f"{refusal.plugin}: {refusal.reason}" for refusal in node.refusals)
