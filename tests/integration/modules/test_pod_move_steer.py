# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k8s_pod_move on StatefulSets: each way, what is refused, and what a killed run leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.moves.calls import API_CALLS
from tests.cluster.audit import Audit
from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube, Object
from tests.integration.accounts import Call, account
from tests.integration.manifests import controller
from tests.integration.runner import Result, kill_group, run_module, start_module
from tests.integration.scenario import called, code_of, performed, refused
from tests.integration.steering import left_of_moves, steering_policy

pytestmark = pytest.mark.cluster
MODULE = "k8s_pod_move"
REVIEWS = "selfsubjectaccessreviews"


@dataclass
class Site:
    """A namespace where a StatefulSet of two pods is made."""

    cluster: Cluster
    kube: Kube
    namespace: str
    audit: Audit

    def make(self, scheduler: str | None = None, **spec: Any) -> Object:
        """The StatefulSet, when its pods are Ready."""
        made = self.kube.create(
            controller("StatefulSet", scheduler=scheduler, **spec), self.namespace
        )
        self.kube.wait_ready(self.namespace, "app=web", count=2)
        return made

    def pod(self, name: str = "web-1") -> Object:
        """One of its pods as it is now."""
        return self.kube.get("Pod", name, self.namespace)

    def order(self, way: str = "auto", name: str = "web-1", **more: Any) -> dict[str, Any]:
        """The options that move a pod to a node where it is not."""
        here = self.pod(name)["spec"]["nodeName"]
        node = next(n for n in self.cluster.nodes if n != here)
        own = {"namespace": self.namespace, "name": name, "node": node, "steer": way}
        return {**own, "wait_timeout": 60, **more}

    def perform(self, args: dict[str, Any]) -> dict[str, Any]:
        """Check mode, for real, and again; what moved."""
        result = performed(self.cluster, self.audit, MODULE, args)
        assert self.pod(args["name"])["spec"]["nodeName"] == args["node"]
        self.nothing_left()
        moved: dict[str, Any] = result["moved"][0]
        return moved

    def refuse(self, args: dict[str, Any]) -> tuple[str, str]:
        """Code and message of the refusal."""
        result = refused(self.cluster, self.audit, MODULE, args)
        return code_of(result), str(result["msg"])

    def run(self, **args: Any) -> Result:
        """The module once."""
        return run_module(self.cluster, MODULE, {"namespace": self.namespace, **args})

    def budget(self, allowed: int = 0) -> None:
        """A budget that lets so many pods go."""
        spec = {"maxUnavailable": allowed, "selector": {"matchLabels": {"app": "web"}}}
        body = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget"}
        self.kube.create({**body, "metadata": {"name": "tight"}, "spec": spec}, self.namespace)
        self.kube.wait(
            "PodDisruptionBudget",
            "tight",
            lambda found: found.get("status", {}).get("expectedPods") == 2,
            self.namespace,
        )

    def nothing_left(self) -> None:
        """No trace of a move, in the namespace or in the cluster."""
        assert left_of_moves(self.kube, self.namespace) == []
        assert self.kube.list("Lease", self.namespace) == []
        for found in self.kube.list("Pod", self.namespace):
            assert "finalizers" not in found["metadata"]
            assert "podplacement.io/move-id" not in found["metadata"]["labels"]


@pytest.fixture
def site(cluster: Cluster, kube: Kube, namespace: str, audit: Audit) -> Site:
    return Site(cluster, kube, namespace, audit)


@pytest.fixture
def steerable(site: Site) -> Iterator[Site]:
    """The static policy is installed."""
    with steering_policy(site.kube, site.namespace):
        yield site


@pytest.mark.parametrize("way", ["static", "block", "policy"])
def test_an_ordinal_is_steered_and_its_controller_is_not_touched(steerable: Site, way: str) -> None:
    before = steerable.make()
    revision = steerable.pod()["metadata"]["labels"]["controller-revision-hash"]
    first = steerable.pod("web-0")["metadata"]["uid"]
    moved = steerable.perform(steerable.order(way))
    assert (moved["strategy"], moved["way"], moved["new_pod"]) == ("steer", way, "web-1")
    assert moved["downtime"] > 0
    after = steerable.kube.get("StatefulSet", "web", steerable.namespace)
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert steerable.pod()["metadata"]["labels"]["controller-revision-hash"] == revision
    assert steerable.pod()["metadata"]["ownerReferences"][0]["uid"] == after["metadata"]["uid"]
    assert steerable.pod("web-0")["metadata"]["uid"] == first


def test_a_block_is_taken_where_the_static_policy_is_not(site: Site) -> None:
    site.make()
    assert site.perform(site.order())["way"] == "block"


def test_a_pod_steered_before_is_steered_again(steerable: Site) -> None:
    """The node that it was pinned to is no part of it."""
    steerable.make()
    steerable.perform(steerable.order("static"))
    assert steerable.perform(steerable.order("static"))["way"] == "static"


def test_a_held_pod_comes_back_on_the_node_or_the_task_says_where(site: Site) -> None:
    site.make()
    args = site.order("hold")
    result = run_module(site.cluster, MODULE, args)
    assert result["changed"], result
    site.kube.wait_ready(site.namespace, "app=web", count=2)
    on_target = site.pod()["spec"]["nodeName"] == args["node"]
    assert code_of(result) == ("" if on_target else "WrongNode")
    site.nothing_left()


@pytest.mark.parametrize("way", ["static", "block"])
def test_a_custom_scheduler_name_survives(steerable: Site, second_scheduler: str, way: str) -> None:
    steerable.make(second_scheduler)
    steerable.perform(steerable.order(way))
    assert steerable.pod()["spec"]["schedulerName"] == second_scheduler


@pytest.mark.parametrize("way", ["static", "block"])
def test_a_rollout_that_the_pod_would_join_is_refused(steerable: Site, way: str) -> None:
    """OnDelete: the next pod would be of the new template."""
    steerable.make(updateStrategy={"type": "OnDelete"})
    change = {"spec": {"template": {"metadata": {"annotations": {"release": "2"}}}}}
    steerable.kube.patch("StatefulSet", "web", change, steerable.namespace)
    steerable.kube.wait(
        "StatefulSet",
        "web",
        lambda s: s["status"]["currentRevision"] != s["status"]["updateRevision"],
        steerable.namespace,
    )
    assert steerable.refuse(steerable.order(way))[0] == "RolloutInProgress"


@pytest.mark.parametrize("way", ["static", "block"])
def test_a_pod_below_the_partition_keeps_its_revision(steerable: Site, way: str) -> None:
    """A canary that stays: the old pods are made of the old template again."""
    parts = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    steerable.make(updateStrategy=parts)
    old = steerable.pod()["metadata"]["labels"]["controller-revision-hash"]
    change = {"spec": {"template": {"metadata": {"annotations": {"release": "2"}}}}}
    steerable.kube.patch("StatefulSet", "web", change, steerable.namespace)
    steerable.kube.wait(
        "StatefulSet", "web", lambda s: s["status"]["updateRevision"] != old, steerable.namespace
    )
    steerable.perform(steerable.order(way))
    assert steerable.pod()["metadata"]["labels"]["controller-revision-hash"] == old
    assert "release" not in steerable.pod()["metadata"].get("annotations", {})


def test_a_lower_ordinal_that_is_not_ready_stands_in_the_way_of_ordered_pods(site: Site) -> None:
    site.make()
    site.kube.annotate("Pod", "web-0", site.namespace, hold_unready="true")
    site.kube.wait(
        "Pod", "web-0", lambda p: p["status"]["conditions"] and not _ready(p), site.namespace
    )
    code, message = site.refuse(site.order("block"))
    assert code == "WorkloadNotReady"
    assert "web-0" in message


def test_parallel_pods_move_whatever_the_others_do(site: Site) -> None:
    site.make(podManagementPolicy="Parallel")
    site.kube.annotate("Pod", "web-0", site.namespace, hold_unready="true")
    site.kube.wait("Pod", "web-0", lambda p: not _ready(p), site.namespace)
    site.perform(site.order("block"))


def _ready(pod: Object) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])


def test_a_budget_is_honoured_and_named(site: Site) -> None:
    site.make()
    site.budget()
    before = site.pod()["metadata"]["uid"]
    result = run_module(site.cluster, MODULE, site.order("block", wait_timeout=10))
    assert code_of(result) == "PdbBlocked"
    assert "tight" in result["msg"]
    assert site.pod()["metadata"]["uid"] == before
    site.nothing_left()


def test_policies_whose_lease_was_deleted_by_hand_are_found_and_removed(site: Site) -> None:
    site.make()
    site.budget()
    process = start_module(site.cluster, MODULE, site.order("block"))
    mine = f"{site.namespace}/"
    site.kube.wait_list(
        "ValidatingAdmissionPolicyBinding",
        lambda found: any(
            b["metadata"].get("annotations", {}).get("podplacement.io/lease", "").startswith(mine)
            for b in found
        ),
        selector="podplacement.io/move=true",
        timeout=60,
    )
    kill_group(process)
    process.communicate()
    for lease in site.kube.list("Lease", site.namespace):
        site.kube.delete("Lease", lease["metadata"]["name"], site.namespace)
    assert left_of_moves(site.kube, site.namespace)
    foretold = run_module(
        site.cluster, MODULE, {"namespace": site.namespace, "state": "recovered"}, check=True
    )
    assert [item["outcome"] for item in foretold["recovered"]] == ["interrupted"]
    result = site.run(state="recovered")
    assert [(i["pod"], i["outcome"]) for i in result["recovered"]] == [("web-1", "rolled_back")]
    site.nothing_left()


def test_without_rights_the_task_says_what_to_grant_or_install(site: Site, tmp_path: Path) -> None:
    site.make()
    with account(site.kube, site.namespace, tmp_path, _rights("steer")) as user:
        result = run_module(user, MODULE, site.order())
    assert code_of(result) == "SteerUnavailable"
    assert "no right to get configmaps" in result["msg"]
    assert "validatingadmissionpolicies" in result["msg"]
    assert "placement_policies" in result["error"]["hint"]


@pytest.mark.parametrize("way", ["static", "block", "policy", "hold"])
def test_the_documented_rights_suffice_for_each_way(
    steerable: Site, tmp_path: Path, way: str
) -> None:
    steerable.make()
    documented = _rights(f"steer, {way}")
    with account(steerable.kube, steerable.namespace, tmp_path, documented) as user:
        steerable.audit.mark()
        result = run_module(user, MODULE, steerable.order(way))
        assert result["changed"], result
        made = {called(entry) for entry in steerable.audit.entries(user=user.name)}
    assert made <= {*documented, ("create", "authorization.k8s.io", REVIEWS)}


def _rights(name: str) -> list[Call]:
    return [call for call in API_CALLS[name] if call[2] != REVIEWS]
