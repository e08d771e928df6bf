# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo shows the collection at work on a real control plane, and checks what it shows.

    demo.py up      bring up the cluster `demo` and run the playbook podplacement.core.demo on it
    demo.py down    remove all of it

`up` begins anew each time. It ends with an error when the second run of the playbook changed
anything, when a workload was ever short of a Ready pod, or when a pod is not where it was sent.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml
from board import Object, board, colourful, heading, moved, node_of, paint, table
from second_scheduler import SecondScheduler

from tests.cluster.cluster import Cluster, clusters_dir
from tests.cluster.kube import Kube, is_ready
from tests.cluster.kwok import Kwok
from tests.cluster.progress import step
from tests.cluster.role_daemon import RoleDaemon
from tests.cluster.versions import ClusterError, cache_dir
from tests.cluster.watcher import Watching, watching

ROOT = Path(__file__).resolve().parent.parent
MANIFESTS = ROOT / "tools" / "demo" / "manifests"
NAMESPACE = "demo"
NODES = 4
SECOND = "xyzscheduler"
OWN = "podplacement-scheduler"  # the collection's daemon, as its role names it
OWN_NAMESPACE = "podplacement"
# What must stay available while its pods are moved or replaced: label app -> Ready pods.
DESIRED = {"web": 3, "cache": 2, "legacy": 2, "queue": 2, "api": 2, "batch": 4}
MOVED = ("web", "cache", "legacy", "solo-a")  # one pod of each is sent to another node


class Broken(Exception):
    """A promise was not kept."""


def state_folder() -> Path:
    """What the demo keeps outside of the cluster's own folder."""
    return cache_dir() / "demo"


def up() -> int:
    """Show the tour; 0 when every promise was kept."""
    began = time.monotonic()
    cluster = bring_up()
    start_daemon(cluster)
    kube = Kube(cluster.kubeconfig)
    before = create_workloads(kube)
    show_placed(kube)
    show_board("Before", before, cluster.nodes)
    moves = choose_moves(before, cluster.nodes)
    variables = write_variables(moves, cluster.nodes)

    with watchers(cluster) as watches:
        heading("Playbook podplacement.core.demo")
        first = run_playbook(cluster, variables)
    heading("The same playbook again: nothing is left to change")
    second = run_playbook(cluster, variables)

    after = kube.list("Pod", NAMESPACE)
    show_outcome(kube, before, after, cluster.nodes)
    show_availability(watches)
    problems = check(first, second, watches, moves, after)
    show_end(cluster, problems, time.monotonic() - began)
    return 1 if problems else 0


def bring_up() -> Cluster:
    """The embedded cluster with a second scheduler, empty."""
    heading("A Kubernetes control plane of its own: no container engine, no root")
    kwok = Kwok("demo")
    cluster = kwok.start(nodes=NODES)
    if Kube(cluster.kubeconfig).find("Namespace", NAMESPACE):
        print("the demo runs already: begin anew", flush=True)
        RoleDaemon(state_folder(), OWN).stop()
        kwok.reset()
    pid = SecondScheduler(state_folder(), SECOND).start(cluster)
    print(
        f"Kubernetes {cluster.kubernetes} with {NODES} simulated nodes, "
        f"and a second kube-scheduler named {SECOND} (process {pid})"
    )
    return cluster


def start_daemon(cluster: Cluster) -> None:
    """The collection's own scheduler: its role makes rights and configuration, and it runs beside
    the cluster, since pods are only simulated."""
    heading("A scheduler of our own: playbook podplacement.core.deploy_scheduler")
    variables = state_folder() / "scheduler.yml"
    variables.write_text("scheduler_deployment: false\n", encoding="utf-8")
    run_playbook(cluster, variables, "podplacement.core.deploy_scheduler")
    daemon = RoleDaemon(state_folder(), OWN)
    daemon.start(cluster.kubeconfig, OWN_NAMESPACE)
    print(f"{OWN} runs under the role's service account (process {daemon.pid()})")


def create_workloads(kube: Kube) -> list[Object]:
    """Create what the manifests say; the pods when all run that can."""
    heading("Workloads")
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    kube.wait(
        "ServiceAccount",
        "default",
        bool,
        NAMESPACE,
        what="default service account",
    )
    for file in sorted(MANIFESTS.glob("*.yml")):
        documents = yaml.safe_load(file.read_text(encoding="utf-8"))["items"]
        print(
            f"{file.relative_to(ROOT)}: {', '.join(_title(each) for each in documents)}", flush=True
        )
        for document in documents:
            kube.create(document, NAMESPACE)
    running = sum(DESIRED.values()) + 2  # and the two bare pods
    with step("waiting until the pods are Ready"):
        return kube.wait_list(
            "Pod",
            lambda pods: sum(map(is_ready, pods)) == running,
            NAMESPACE,
            timeout=90,
            what="all pods Ready",
        )


def show_placed(kube: Kube) -> None:
    """Who placed the pods that ask for the daemon; Broken if it was somebody else."""
    heading(f"Placed by {OWN}, which writes the time in the same request as the node")
    # Events are told a moment after the pods are placed.
    events = kube.wait_list(
        "Event",
        lambda told: (
            len([e for e in told if e.get("reportingComponent") == OWN]) >= DESIRED["batch"]
        ),
        NAMESPACE,
        fields="reason=Scheduled",
        what=f"events of {OWN}",
    )
    by = {e["involvedObject"]["uid"]: e.get("reportingComponent", "") for e in events}
    rows = []
    for pod in kube.list("Pod", NAMESPACE, selector="app=batch"):
        meta = pod["metadata"]
        at = meta.get("annotations", {}).get("podplacement.io/scheduled-at", "")
        rows.append([meta["name"], node_of(pod), at, by.get(meta["uid"], "")])
    print("\n".join(table(sorted(rows), ["pod", "node", "scheduled at", "placed by"])), flush=True)
    if {(bool(at), who) for _name, _node, at, who in rows} != {(True, OWN)}:
        raise Broken(f"not every pod of batch was placed by {OWN}")


def _title(document: Object) -> str:
    return f"{document['kind']} {document['metadata']['name']}"


def choose_moves(pods: Sequence[Object], nodes: Sequence[str]) -> list[dict[str, str]]:
    """One pod of each kind goes to a node where its workload has none, if there is one."""
    moves = []
    for app in MOVED:
        mine = sorted(
            (p for p in pods if p["metadata"]["labels"]["app"] == app),
            key=lambda p: p["metadata"]["name"],
        )
        free = [node for node in nodes if node not in {node_of(pod) for pod in mine}]
        others = [node for node in nodes if node != node_of(mine[0])]
        moves.append(
            {
                "namespace": NAMESPACE,
                "name": mine[0]["metadata"]["name"],
                "node": (free or others)[0],
            }
        )
    return moves


def write_variables(moves: list[dict[str, str]], nodes: Sequence[str]) -> Path:
    """The playbook's variables, the same for every run."""
    path = state_folder() / "variables.yml"
    path.write_text(
        yaml.safe_dump({"demo_moves": moves, "demo_hello_node": nodes[1]}), encoding="utf-8"
    )
    heading("Who shall go where")
    print(path.read_text(encoding="utf-8"), end="")
    return path


@contextmanager
def watchers(cluster: Cluster) -> Iterator[dict[str, Watching]]:
    """Processes that count Ready pods while the block runs; they know nothing of the collection."""
    with ExitStack() as stack:
        yield {
            app: stack.enter_context(watching(cluster, NAMESPACE, f"app={app}", desired))
            for app, desired in DESIRED.items()
        }


def run_playbook(
    cluster: Cluster, variables: Path, playbook: str = "podplacement.core.demo"
) -> int:
    """Run a playbook as a user does, in plain sight; the number of changed tasks."""
    command = ["ansible-playbook", playbook, "-e", f"@{variables}"]
    print(f"$ K8S_AUTH_KUBECONFIG={cluster.kubeconfig} \\\n  {' '.join(command)}", flush=True)
    command[0] = str(Path(sys.executable).with_name("ansible-playbook"))
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=playbook_environment(cluster),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        print(line, end="", flush=True)
        said = line if "changed=" in line else said
    if process.wait():
        raise Broken(f"ansible-playbook failed ({process.returncode})")
    found = re.search(r"changed=(\d+)", re.sub(r"\x1b\[[\d;]*m", "", said))
    if found is None:
        raise Broken("ansible-playbook gave no recap")
    return int(found[1])


def playbook_environment(cluster: Cluster) -> dict[str, str]:
    """Ansible with this tree's collections and the demo's cluster, whatever the user has set."""
    settings = state_folder() / "ansible.cfg"
    settings.write_text("[defaults]\n", encoding="utf-8")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANSIBLE_", "K8S_AUTH_", "KUBE", "PYTHONPATH"))
    }
    return {
        **kept,
        **cluster.environment(),
        "ANSIBLE_CONFIG": str(settings),
        "ANSIBLE_HOME": str(ROOT / ".ansible" / "home"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible" / "collections"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_FORCE_COLOR" if colourful() else "ANSIBLE_NOCOLOR": "true",
        "PYTHONUNBUFFERED": "1",
    }


def show_board(
    title: str, pods: Sequence[Object], nodes: Sequence[str], new: dict[str, str] | None = None
) -> None:
    """Nodes and pods."""
    heading(f"{title}: {len(pods)} pods on {len(nodes)} nodes")
    print("\n".join(board(pods, nodes, new)), flush=True)


def show_outcome(
    kube: Kube, before: Sequence[Object], after: Sequence[Object], nodes: Sequence[str]
) -> None:
    """The board now, and who moved."""
    known = {pod["metadata"]["uid"]: node_of(pod) for pod in before}
    new = {
        p["metadata"]["uid"]: "*" for p in after if known.get(p["metadata"]["uid"]) != node_of(p)
    }
    show_board("After", after, nodes, new)
    rows = moved(before, after, kube.list("Event", NAMESPACE))
    heading(
        "Who moved where (* on the board; the others marked there come from the rollout of api)"
    )
    print("\n".join(table(rows, ["pod", "from", "to", "its name now", "placed by"])))


def show_availability(watches: dict[str, Watching]) -> None:
    """What the independent watchers saw during the first run."""
    heading("Lowest number of Ready pods that independent watchers saw meanwhile")
    rows = [
        [
            app,
            str(DESIRED[app]),
            str(watch.summary.min_ready),
            f"{watch.summary.unavailable_seconds:.1f}",
        ]
        for app, watch in watches.items()
    ]
    print("\n".join(table(rows, ["workload", "desired", "lowest Ready", "missing pod-seconds"])))


def check(
    first: int,
    second: int,
    watches: dict[str, Watching],
    moves: Sequence[dict[str, str]],
    after: Sequence[Object],
) -> list[str]:
    """What was promised and did not hold."""
    problems = [] if first else ["the first run changed nothing"]
    if second:
        problems.append(f"the second run changed {second} tasks, must be 0")
    problems += [
        f"{app}: only {watch.summary.min_ready} of {DESIRED[app]} pods were Ready at a moment"
        for app, watch in watches.items()
        if watch.summary.min_ready < DESIRED[app]
    ]
    problems += [f"{p['metadata']['name']} is not Ready" for p in after if not is_ready(p)]
    for move in moves:
        known = {node_of(pod) for pod in after if move["name"] in _names(pod)}
        if known != {move["node"]}:
            problems.append(
                f"{move['name']} should be on {move['node']} and is on {sorted(known) or 'no node'}"
            )
    return problems


def _names(pod: Object) -> list[str]:
    """The name of a pod and those that it had before it was moved."""
    earlier = pod["metadata"].get("annotations", {}).get("podplacement.io/moved-from-name", "[]")
    return [pod["metadata"]["name"], *yaml.safe_load(earlier)]


def show_end(cluster: Cluster, problems: Sequence[str], seconds: float) -> None:
    """The verdict, and how to go on."""
    heading("Result")
    for problem in problems:
        print(paint(f"BROKEN: {problem}", "red"))
    if not problems:
        print(
            paint(
                "All promises kept: every pod is where it was sent, no workload was ever short of",
                "green",
            )
        )
        print(paint(f"a Ready pod, and the second run changed nothing. {seconds:.0f} s.", "green"))
    print(
        f"\nLook around:\n  export KUBECONFIG={cluster.kubeconfig}\n"
        f"  {cluster.bin_dir}/kubectl get pods -n {NAMESPACE} -o wide\n"
        "Remove it all:\n  make demo-down"
    )


def down() -> int:
    """Remove the cluster and everything else that the demo made."""
    SecondScheduler(state_folder(), SECOND).stop()
    RoleDaemon(state_folder(), OWN).stop()
    Kwok("demo").stop()
    (clusters_dir() / "demo.lock").unlink(missing_ok=True)
    shutil.rmtree(state_folder(), ignore_errors=True)
    print("the demo is gone")
    return 0


def main(arguments: Sequence[str]) -> int:
    """`up` or `down`."""
    commands = {"up": up, "down": down}
    if len(arguments) != 1 or arguments[0] not in commands:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        return commands[arguments[0]]()
    except (Broken, ClusterError) as problem:
        print(paint(f"demo: {problem}", "red"), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\ndemo: interrupted; `make demo` begins anew, `make demo-down` removes it",
            file=sys.stderr,
        )
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
