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
from ansible_collections.podplacement.core.plugins.module_utils.moves.refusals import (
    check_opt_out,
    check_state,
    check_volumes,
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


def link(obj: Object, *, gone: bool = False) -> Owner:
    found = obj["metadata"]
    return Owner(obj["kind"], obj["apiVersion"], found["name"], found["uid"], None if gone else obj)


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


# ---- volumes


def volumes(*found: Object, objects: tuple[Object, ...] = (), **more: Any) -> Any:
    old = pod("old", volumes=list(found))
    return check_volumes(FakeApi(*objects), old, options(**more))


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


@pytest.mark.parametrize(
    ("modes", "attachment"),
    [
        (("ReadWriteMany",), "shared"),
        (("ReadOnlyMany",), "shared"),
        (("ReadWriteOnce", "ReadOnlyMany"), "shared"),
        (("ReadWriteOnce",), "one_node"),
        (("ReadWriteOncePod",), "one_pod"),
    ],
)
def test_how_a_claim_attaches(modes: tuple[str, ...], attachment: str) -> None:
    assert volumes(MOUNT, objects=(claim(*modes),)) == attachment


def test_what_the_volume_can_counts_more_than_what_was_asked_for() -> None:
    found = volumes(MOUNT, objects=(claim("ReadWriteOnce", actual=("ReadWriteMany",)),))
    assert found == "shared"


def test_the_strictest_volume_counts() -> None:
    disk = {"name": "disk", "iscsi": {}}
    assert volumes(disk, MOUNT, objects=(claim("ReadWriteMany"),)) == "one_node"
    assert volumes(MOUNT, disk, objects=(claim("ReadWriteOncePod"),)) == "one_pod"


def test_a_claim_that_does_not_exist() -> None:
    assert code_of(lambda: volumes(MOUNT)) == "ClaimNotFound"


@pytest.mark.parametrize("kind", ["awsElasticBlockStore", "iscsi", "rbd"])
def test_a_disk_without_a_claim_is_on_one_node(kind: str) -> None:
    assert volumes({"name": "v", kind: {}}) == "one_node"


@pytest.mark.parametrize("kind", ["configMap", "secret", "projected", "hostPath", "nfs"])
def test_volumes_that_are_the_same_everywhere_pass(kind: str) -> None:
    assert volumes({"name": "v", kind: {}}) == "shared"


def test_devices_are_not_moved() -> None:
    old = pod("old", resourceClaims=[{"name": "gpu"}])
    code = code_of(check_volumes, FakeApi(), old, options())
    assert code == "ResourceClaims"
