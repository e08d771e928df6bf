# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each refusal has its code, names the pod, and says what to do instead."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import PlacementError
from ansible_collections.podplacement.core.plugins.module_utils.moves.holder import Holder
from ansible_collections.podplacement.core.plugins.module_utils.moves.names import DO_NOT_MOVE
from ansible_collections.podplacement.core.plugins.module_utils.moves.order import Order
from ansible_collections.podplacement.core.plugins.module_utils.moves.refusals import (
    check_opt_out,
    check_state,
    check_volumes,
    choose_strategy,
)
from ansible_collections.podplacement.core.plugins.module_utils.workloads import Owner
from tests.unit.fake_api import FakeApi, VirtualClock
from tests.unit.moves.objects import NS, Object, controller, deployment, pod, settings

CLOCK = VirtualClock()
ME = Holder()


def code_of(call: Any, *args: Any) -> str:
    with pytest.raises(PlacementError) as caught:
        call(*args)
    err = caught.value
    assert err.object == f"Pod {NS}/old"
    assert err.step == "preflight"
    assert err.message
    assert err.hint
    assert not err.changed
    return err.code


def options(**more: Any) -> Any:
    return settings(CLOCK, ME, **more)


# ---- state


@pytest.mark.parametrize(
    ("old", "code"),
    [
        (pod("old", terminating=True), "PodTerminating"),
        (pod("old", phase="Succeeded"), "PodFinished"),
        (pod("old", phase="Failed"), "PodFinished"),
        (pod("old", on=""), "PodNotRunning"),
        (pod("old", phase="Pending"), "PodNotRunning"),
        (pod("old", phase="Unknown"), "PodNotRunning"),
    ],
)
def test_only_a_running_pod_moves(old: Object, code: str) -> None:
    assert code_of(check_state, old) == code


@pytest.mark.parametrize("ready", [True, False])
def test_a_running_pod_may_move_ready_or_not(ready: bool) -> None:
    check_state(pod("old", ready=ready))


# ---- opt-outs

OPT_OUTS = {
    DO_NOT_MOVE: "true",
    "karpenter.sh/do-not-disrupt": "true",
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
}


@pytest.mark.parametrize("key", sorted(OPT_OUTS))
@pytest.mark.parametrize("where", ["pod", "ReplicaSet", "Deployment"])
def test_an_opt_out_counts_on_the_pod_and_on_all_above_it(key: str, where: str) -> None:
    above = deployment()
    owner = controller(above=above)
    old = pod("old", owner=owner)
    marked = {"pod": old, "ReplicaSet": owner, "Deployment": above}[where]
    marked["metadata"].setdefault("annotations", {})[key] = OPT_OUTS[key]
    chain = [link(owner), link(above)]
    assert code_of(check_opt_out, old, chain, options()) == "OptedOut"
    check_opt_out(old, chain, options(force=True))


@pytest.mark.parametrize("key", sorted(OPT_OUTS))
def test_other_values_are_no_opt_out(key: str) -> None:
    other = "false" if OPT_OUTS[key] == "true" else "true"
    check_opt_out(pod("old", annotations={key: other}), [], options())


@pytest.mark.parametrize("name", ["system-cluster-critical", "system-node-critical"])
def test_system_pods_only_by_explicit_option(name: str) -> None:
    old = pod("old", priorityClassName=name)
    assert code_of(check_opt_out, old, [], options(force=True)) == "SystemPod"
    check_opt_out(old, [], options(system_pods=True))


def test_kube_system_is_a_system_namespace() -> None:
    old = pod("old")
    old["metadata"]["namespace"] = "kube-system"
    with pytest.raises(PlacementError) as caught:
        check_opt_out(old, [], options())
    assert caught.value.code == "SystemPod"


def test_the_pod_that_this_task_runs_in_stays_whatever_one_says() -> None:
    every = options(own_pod=(NS, "old"), force=True, system_pods=True)
    assert code_of(check_opt_out, pod("old"), [], every) == "OwnPod"
    check_opt_out(pod("old"), [], options(own_pod=("elsewhere", "old")))


# ---- strategy


def link(obj: Object, *, gone: bool = False) -> Owner:
    found = obj["metadata"]
    return Owner(obj["kind"], obj["apiVersion"], found["name"], found["uid"], None if gone else obj)


def chosen(strategy: str, *chain: Owner, old: Object | None = None) -> str:
    order = Order(NS, "old", "b", strategy)
    return choose_strategy(order, old or pod("old"), list(chain))


ABOVE = deployment()
OF_DEPLOYMENT = (link(controller(above=ABOVE)), link(ABOVE))
BARE_RS = (link(controller()),)
BARE_RC = (link(controller("ReplicationController")),)


@pytest.mark.parametrize("chain", [OF_DEPLOYMENT, BARE_RS, BARE_RC])
@pytest.mark.parametrize("strategy", ["auto", "adopt"])
def test_a_controllers_pod_is_adopted(chain: tuple[Owner, ...], strategy: str) -> None:
    assert chosen(strategy, *chain) == "adopt"


@pytest.mark.parametrize(
    ("asked", "got"), [("auto", "recreate"), ("recreate", "recreate"), ("surge", "surge")]
)
def test_a_bare_pod_is_recreated_or_surged(asked: str, got: str) -> None:
    assert chosen(asked) == got


@pytest.mark.parametrize(
    ("asked", "chain"),
    [
        ("adopt", ()),
        ("recreate", BARE_RS),
        ("surge", OF_DEPLOYMENT),
        ("shadow", BARE_RS),
        ("replace", BARE_RS),
        ("steer", ()),
    ],
)
def test_a_strategy_of_the_other_family_or_of_later_is_refused(
    asked: str, chain: tuple[Owner, ...]
) -> None:
    assert code_of(chosen, asked, *chain) == "StrategyUnavailable"


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "Job"])
def test_controllers_whose_pods_do_not_move(kind: str) -> None:
    assert code_of(chosen, "auto", link(controller(kind))) == f"OwnerUnsupported: {kind}"


@pytest.mark.parametrize("name", ["CloneSet", "ReplicaSet", "Deployment"])
def test_a_controller_of_another_api_group(name: str) -> None:
    alien = Owner(name, "example.org/v1", "x", "u")
    assert code_of(chosen, "auto", alien) == f"OwnerUnsupported: {name}"


@pytest.mark.parametrize("name", ["Rollout", "Deployment"])
def test_a_replica_set_of_another_operator(name: str) -> None:
    rollout = Owner(name, "argoproj.io/v1alpha1", "x", "u")
    assert code_of(chosen, "auto", BARE_RS[0], rollout) == f"OwnerUnsupported: {name}"


def test_an_owner_that_is_gone() -> None:
    assert code_of(chosen, "auto", link(controller(), gone=True)) == "OwnerGone"


def test_a_deployment_that_is_gone() -> None:
    """Its ReplicaSet is still there, but the garbage collector is on its way."""
    assert code_of(chosen, "auto", OF_DEPLOYMENT[0], link(ABOVE, gone=True)) == "OwnerGone"


def test_a_static_pod_belongs_to_its_node() -> None:
    old = pod("old", annotations={"kubernetes.io/config.mirror": "x"})
    with pytest.raises(PlacementError) as caught:
        chosen("auto", old=old)
    assert caught.value.code == "OwnerUnsupported: Node"


# ---- volumes


def volumes(*found: Object, objects: tuple[Object, ...] = (), **more: Any) -> Any:
    old = pod("old", volumes=list(found))
    return check_volumes(FakeApi(*objects), old, options(**more), "schedule")


def claim(*modes: str, actual: tuple[str, ...] = ()) -> Object:
    found: Object = {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": NS},
        "spec": {"accessModes": list(modes)},
    }
    if actual:
        found["status"] = {"accessModes": list(actual)}
    return found


MOUNT = {"name": "v", "persistentVolumeClaim": {"claimName": "data"}}


@pytest.mark.parametrize("kind", ["emptyDir", "ephemeral"])
def test_local_data_goes_only_by_explicit_option(kind: str) -> None:
    assert code_of(lambda: volumes({"name": "v", kind: {}})) == "LocalData"
    volumes({"name": "v", kind: {}}, delete_emptydir_data=True)


@pytest.mark.parametrize("mode", ["ReadWriteOnce", "ReadWriteOncePod"])
def test_a_claim_for_one_node_is_refused(mode: str) -> None:
    assert code_of(lambda: volumes(MOUNT, objects=(claim(mode),))) == "VolumeSingleNode"


@pytest.mark.parametrize("mode", ["ReadWriteMany", "ReadOnlyMany"])
def test_a_claim_for_many_nodes_passes(mode: str) -> None:
    volumes(MOUNT, objects=(claim(mode),))


def test_what_the_volume_can_counts_more_than_what_was_asked_for() -> None:
    volumes(MOUNT, objects=(claim("ReadWriteOnce", actual=("ReadWriteMany",)),))


def test_a_claim_that_does_not_exist() -> None:
    assert code_of(lambda: volumes(MOUNT)) == "ClaimNotFound"


@pytest.mark.parametrize("kind", ["awsElasticBlockStore", "iscsi", "rbd"])
def test_a_disk_without_a_claim_is_refused(kind: str) -> None:
    assert code_of(lambda: volumes({"name": "v", kind: {}})) == "VolumeSingleNode"


@pytest.mark.parametrize("kind", ["configMap", "secret", "projected", "hostPath", "nfs"])
def test_volumes_that_are_the_same_everywhere_pass(kind: str) -> None:
    volumes({"name": "v", kind: {}})


def test_devices_are_not_moved() -> None:
    old = pod("old", resourceClaims=[{"name": "gpu"}])
    code = code_of(check_volumes, FakeApi(), old, options(), "schedule")
    assert code == "ResourceClaims"
