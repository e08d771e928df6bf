# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process: what it is told by its file, by signals and by its Lease, and its commands."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.daemon import COMMAND
from tests.cluster.kube import Kube
from tests.integration.scheduler.ground import WITHIN, Ground, own_daemon, scope_of

pytestmark = pytest.mark.cluster

FAVOURITE = '''
from podplacement_scheduler.framework.interface import SUCCESS, Plugin, unschedulable


class Favourite(Plugin):
    """Pods go to the node that their annotation names."""

    name = "Favourite"

    def filter(self, state, pod, node):
        wanted = pod.object["metadata"].get("annotations", {}).get("favourite")
        if wanted == "boom":
            raise ValueError("this annotation is not for me")
        return SUCCESS if wanted in (None, node.name) else unschedulable("node(s) not favoured")
'''


def command(*arguments: object, within: float = WITHIN) -> subprocess.CompletedProcess[str]:
    """A run of the console command to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=within,
        stdin=subprocess.DEVNULL,
    )


def test_the_first_decisions_of_a_new_scheduler_are_in_the_order_of_priority(
    own_ground: Ground, kube: Kube
) -> None:
    ground = own_ground
    important = ground.name("important")
    kube.create(
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": important},
            "value": 1000,
            "preemptionPolicy": "Never",
        }
    )
    try:
        ground.nodes(a={"cpu": "1"})
        half = {"cpu": "600m"}
        ground.create(*(ground.pod(f"low-{number}", requests=half) for number in range(4)))
        # The list that the scheduler begins with is in the order of names.
        ground.create(ground.pod("urgent", requests=half, priorityClassName=important))
        with ground.daemon() as daemon:
            ground.bound("urgent")
            ground.pending("low-3", "Insufficient cpu")
            low = [
                p for p in kube.list("Pod", ground.namespace) if p["metadata"]["name"] != "urgent"
            ]
            assert [pod["spec"].get("nodeName") for pod in low] == [None] * 4
            assert daemon.stop() == 0
    finally:
        kube.delete("PriorityClass", important)


def test_a_users_plugin_from_a_folder_decides_and_harms_only_its_own_pod(
    own_ground: Ground, kube: Kube, tmp_path: Path
) -> None:
    ground = own_ground
    ground.nodes(a={}, b={}, c={})
    (tmp_path / "favourite.py").write_text(FAVOURITE, encoding="utf-8")
    plugins = {"multiPoint": {"enabled": [{"name": "Favourite"}]}}
    profile = {"schedulerName": ground.scheduler, "plugins": plugins, "timestampAnnotation": True}
    with ground.daemon(profiles=[profile], userPlugins={"directory": str(tmp_path)}) as daemon:
        for number, wanted in enumerate((ground.name("b"), ground.name("b"), "boom", "nowhere")):
            pod = ground.pod(f"p-{number}")
            pod["metadata"]["annotations"] = {"favourite": wanted}
            ground.create(pod)
        ground.create(ground.pod("plain"))
        assert ground.bound("p-0", "p-1", "plain").items() >= {("p-0", "b"), ("p-1", "b")}
        assert "Favourite" in ground.pending("p-2", "this annotation is not for me")
        ground.pending("p-3", "node(s) not favoured")
        stamp = kube.get("Pod", "p-0", ground.namespace)["metadata"]["annotations"]
        assert re.fullmatch(r"\d{19}", stamp["Scheduler-Timestamp"])
        failures = [
            name for name in daemon.metrics() if name.startswith("podplacement_scheduler_plugin_f")
        ]
        assert any('plugin="Favourite"' in name and '"ValueError"' in name for name in failures)


def test_the_random_policy_logs_the_priorities_of_every_node(own_ground: Ground) -> None:
    ground = own_ground
    ground.nodes(a={}, b={}, c={})
    plugins = {
        "score": {"enabled": [{"name": "RandomScore"}], "disabled": [{"name": "*"}]},
        "postBind": {"enabled": [{"name": "RandomScore"}]},
        "preFilter": {"enabled": [{"name": "RandomScore"}]},
    }
    with ground.daemon(
        profiles=[{"schedulerName": ground.scheduler, "plugins": plugins}]
    ) as daemon:
        names = [f"p-{number}" for number in range(12)]
        ground.create(*(ground.pod(name) for name in names))
        assert len(set(ground.bound(*names).values())) > 1
        told = daemon.wait_record(lambda record: "calculated priorities" in record["message"])
        assert all(ground.name(short) in told["message"] for short in ("a", "b", "c"))
        daemon.wait_record(lambda record: "Placed pod" in record["message"])


def test_schedulers_side_by_side_and_two_profiles_in_one_each_serve_their_own(
    own_ground: Ground, kube: Kube
) -> None:
    ground = own_ground
    _own, first, second, third = ground.names
    ground.nodes(a={}, b={})
    pool = scope_of(ground.scheduler)
    two = {"profiles": [{"schedulerName": first}, {"schedulerName": second}], "nodeSelector": pool}
    with (
        own_daemon(ground.cluster, "two", **two),
        own_daemon(ground.cluster, third, nodeSelector=pool),
    ):
        for number in range(8):
            for name in (first, second, third):
                pod = ground.pod(f"{name}-{number}", requests={"cpu": "1m"})
                pod["spec"]["schedulerName"] = name
                ground.create(pod)
        names = [f"{name}-{number}" for name in (first, second, third) for number in range(8)]
        ground.bound(*names)
        for name in names:
            [event] = ground.events(name, "Scheduled")
            assert event["reportingComponent"] == name.rpartition("-")[0]
    ground.create(ground.pod("of-nobody"))
    assert not kube.get("Pod", "of-nobody", ground.namespace)["spec"].get("nodeName")


def test_asked_to_stop_it_finishes_and_gives_its_lease_away(own_ground: Ground, kube: Kube) -> None:
    ground = own_ground
    ground.nodes(a={})
    election = {"leaderElect": True, "resourceNamespace": ground.namespace}
    with ground.daemon(leaderElection=election) as daemon:
        daemon.wait_scheduling()
        names = [f"p-{number}" for number in range(30)]
        ground.create(*(ground.pod(name) for name in names))
        kube.wait(
            "Pod", "p-0", lambda pod: pod["spec"].get("nodeName"), ground.namespace, timeout=WITHIN
        )
        assert daemon.stop() == 0
        lease = kube.get("Lease", ground.scheduler, ground.namespace)
        assert not lease["spec"].get("holderIdentity")
        bound = [p for p in kube.list("Pod", ground.namespace) if p["spec"].get("nodeName")]
        for pod in bound:
            assert len(ground.events(pod["metadata"]["name"], "Scheduled")) == 1
        [stopped] = [one for one in daemon.records() if one["message"] == "stopped"]
        assert stopped["active"] == 30 - len(bound)
    with ground.daemon(leaderElection=election):
        ground.bound(*names)


def test_who_loses_the_lease_ends_at_once_and_not_as_if_all_were_well(
    own_ground: Ground, kube: Kube
) -> None:
    ground = own_ground
    election = {"leaderElect": True, "resourceNamespace": ground.namespace}
    with ground.daemon(leaderElection=election) as daemon:
        daemon.wait_scheduling()
        kube.patch(
            "Lease", ground.scheduler, {"spec": {"holderIdentity": "another"}}, ground.namespace
        )
        assert daemon.process.wait(WITHIN) == 1
        assert any("leadership was lost" in record["message"] for record in daemon.records())


def test_watch_prints_name_phase_and_scheduler(own_ground: Ground, kube: Kube) -> None:
    ground = own_ground
    ground.create(ground.pod("early"))
    watching = subprocess.Popen(
        [*COMMAND, "watch", "--kubeconfig", ground.cluster.kubeconfig, "-n", ground.namespace],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        # A test run in the background has it ignored, and its children would, too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert watching.stdout is not None
        line = watching.stdout.readline()
        early = f"pod: '{ground.namespace}/early', phase: 'Pending'"
        assert line.strip() == f"{early}, scheduler: '{ground.scheduler}'"
        ground.create(ground.pod("late"))
        assert "late" in watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        assert watching.wait(WITHIN) == 130
    finally:
        watching.kill()
        watching.communicate()


def test_explain_tells_for_every_node_what_speaks_for_and_against_it(own_ground: Ground) -> None:
    ground = own_ground
    ground.nodes(a={}, small={"cpu": "100m"}, closed={"unschedulable": True})
    ground.create(ground.pod("p", requests={"cpu": "1"}))
    name = f"{ground.namespace}/p"
    done = command("explain", name, "--kubeconfig", ground.cluster.kubeconfig, "-o", "json")
    assert (done.returncode, done.stderr) == (0, "")
    nodes: dict[str, Any] = {node["name"]: node for node in json.loads(done.stdout)["nodes"]}
    said = {short: json.dumps(nodes[ground.name(short)]) for short in ("a", "small", "closed")}
    assert "LeastAllocated" in said["a"] or "NodeResourcesFit" in said["a"]
    assert "Insufficient cpu" in said["small"]
    assert "NodeUnschedulable" in said["closed"]
