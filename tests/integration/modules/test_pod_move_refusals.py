# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k8s_pod_move refuses: one clear error with a code, check mode alike, and nothing changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.moves.calls import API_CALLS, RIGHTS
from tests.cluster.audit import Audit
from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube, Object
from tests.integration.accounts import account, with_token
from tests.integration.manifests import controller, pod, pod_spec
from tests.integration.runner import Result, run_ansible, run_module
from tests.integration.scenario import refused

pytestmark = pytest.mark.cluster
MODULE = "k8s_pod_move"
CANARY = "canary-5up3r-s3cr3t-t0k3n"


@dataclass(frozen=True)
class Site:
    """One test's namespace and the pod that is to be moved."""

    cluster: Cluster
    kube: Kube
    namespace: str
    audit: Audit

    def create(self, *manifests: Object) -> None:
        """Create them all."""
        for manifest in manifests:
            self.kube.create(manifest, self.namespace)

    def pods(self, count: int = 1) -> list[Object]:
        """The pods, when so many are Ready."""
        return self.kube.wait_ready(self.namespace, count=count)

    def order(self, found: Object | None = None, **more: Any) -> dict[str, Any]:
        """The options that move a pod (default: the only one) to a node that it is not on."""
        found = found or self.pods()[0]
        name, here = found["metadata"]["name"], found["spec"]["nodeName"]
        node = next(n for n in self.cluster.nodes if n != here)
        return {"namespace": self.namespace, "name": name, "node": node, "wait_timeout": 30} | more

    def refuse(self, args: Mapping[str, Any]) -> Result:
        """Check mode and the real run refuse alike."""
        return refused(self.cluster, self.audit, MODULE, args)


@pytest.fixture
def site(cluster: Cluster, kube: Kube, namespace: str, audit: Audit) -> Site:
    """A place to be refused at."""
    return Site(cluster, kube, namespace, audit)


def bare(**spec: Any) -> Object:
    """A bare pod with these fields in its spec."""
    return {**pod("web"), "spec": pod_spec() | spec}


OWNED_BY = {
    **dict.fromkeys(
        ("adopt", "shadow", "replace", "evict"), controller("ReplicationController", replicas=1)
    ),
    "steer": controller("StatefulSet", replicas=1),
}


# ---- what the pod is


@pytest.mark.parametrize(
    ("manifest", "options", "code"),
    [
        (controller("StatefulSet", replicas=1), {"strategy": "adopt"}, "StrategyUnavailable"),
        (
            controller("Deployment", replicas=1),
            {"strategy": "recreate"},
            "StrategyUnavailable",
        ),
        (bare(), {"strategy": "adopt"}, "StrategyUnavailable"),
        (bare(), {"strategy": "shadow"}, "StrategyUnavailable"),
        (bare(), {"max_downtime": 0}, "DowntimeNotAllowed"),
        (bare(hostname="db"), {"strategy": "surge"}, "NameMatters"),
        (bare(volumes=[{"name": "scratch", "emptyDir": {}}]), {}, "LocalData"),
        (pod("web", annotations={"podplacement.io/do-not-move": "true"}), {}, "OptedOut"),
        (pod("web", annotations={"karpenter.sh/do-not-disrupt": "true"}), {}, "OptedOut"),
        (
            pod("web", annotations={"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}),
            {},
            "OptedOut",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_pod_that_cannot_be_moved_like_this(
    site: Site, manifest: Object, options: dict[str, Any], code: str
) -> None:
    site.create(manifest)
    assert site.refuse(site.order(**options))["error"]["code"] == code


def test_a_daemon_set_s_pod(site: Site) -> None:
    only = {"kubernetes.io/hostname": site.cluster.nodes[0]}
    manifest = controller("DaemonSet")
    manifest["spec"]["template"]["spec"]["nodeSelector"] = only
    site.create(manifest)
    assert site.refuse(site.order())["error"]["code"] == "OwnerUnsupported: DaemonSet"


def test_a_job_s_pod(site: Site) -> None:
    template = {"spec": pod_spec(restart="Never")}
    metadata = {"name": "work"}
    job = {"kind": "Job", "apiVersion": "batch/v1", "metadata": metadata}
    site.create(job | {"spec": {"template": template}})
    assert site.refuse(site.order())["error"]["code"] == "OwnerUnsupported: Job"


def test_a_pod_of_an_owner_that_is_not_known(site: Site) -> None:
    site.create(controller("ReplicaSet", replicas=0))
    owner = site.kube.get("ReplicaSet", "web", site.namespace)["metadata"]
    ref = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": owner["uid"]}
    site.create(pod("lone", ownerReferences=[ref | {"controller": True}]))
    result = run_module(site.cluster, MODULE, site.order())
    assert result["error"]["code"] == "OwnerUnsupported: Widget"


@pytest.mark.parametrize("mode", ["ReadWriteOnce", "ReadWriteOncePod"])
def test_a_volume_that_attaches_to_one_node(site: Site, mode: str) -> None:
    shape = {"accessModes": [mode], "storageClassName": site.namespace}
    size = {"storage": "1Gi"}
    volume = {"kind": "PersistentVolume", "apiVersion": "v1", "metadata": {"name": site.namespace}}
    site.kube.create(volume | {"spec": shape | {"hostPath": {"path": "/n"}, "capacity": size}})
    claim = {"kind": "PersistentVolumeClaim", "apiVersion": "v1", "metadata": {"name": "data"}}
    site.create(claim | {"spec": shape | {"resources": {"requests": size}}})
    site.create(bare(volumes=[{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]))
    args = site.order(strategy="surge")
    assert site.refuse(args)["error"]["code"] == "VolumeSingleNode"


def test_a_pod_that_waits_for_a_scheduler(site: Site) -> None:
    site.create(pod("web", "nobody"))
    args = {"namespace": site.namespace, "name": "web", "node": site.cluster.nodes[0]}
    result = site.refuse(args)
    assert result["error"]["code"] == "PodNotRunning"
    assert "k8s_pod_bind" in result["error"]["hint"]


def test_a_pod_that_is_going(site: Site) -> None:
    site.create(pod("web", annotations={"test.podplacement.io/stop-after": "never"}))
    args = site.order()
    site.kube.delete("Pod", "web", site.namespace, grace=60)
    assert site.refuse(args)["error"]["code"] == "PodTerminating"


def test_a_system_pod_needs_an_explicit_word(site: Site) -> None:
    site.create(bare(priorityClassName="system-cluster-critical"))
    assert site.refuse(site.order())["error"]["code"] == "SystemPod"
    result = run_module(site.cluster, MODULE, site.order(system_pods=True))
    assert result["changed"], result


# ---- what the workload is


def test_a_controller_whose_every_selector_key_a_service_needs(site: Site) -> None:
    manifest = controller("ReplicaSet", replicas=1)
    service = {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "web"}}
    labels = manifest["spec"]["selector"]["matchLabels"]
    site.create(manifest, service | {"spec": {"selector": labels, "ports": [{"port": 80}]}})
    assert site.refuse(site.order(strategy="adopt"))["error"]["code"] == "NoDetachKey"


def test_another_controller_that_would_claim_the_replacement(site: Site) -> None:
    site.create(controller("ReplicaSet", replicas=1))
    args = site.order()
    other = controller("ReplicaSet", "other", replicas=0)
    other["spec"]["selector"] = {"matchLabels": {"replica": "web"}}
    other["spec"]["template"]["metadata"]["labels"] = {"replica": "web"}
    site.create(other)
    assert site.refuse(args)["error"]["code"] == "SelectorOverlap"


def test_two_budgets_for_one_pod(site: Site) -> None:
    spec = {"minAvailable": 0, "selector": {"matchLabels": {"app": "web"}}}
    budget = {"kind": "PodDisruptionBudget", "apiVersion": "policy/v1", "spec": spec}
    site.create(controller("Deployment", replicas=1))
    for name in ("one", "two"):
        site.create(budget | {"metadata": {"name": name}})
    assert site.refuse(site.order())["error"]["code"] == "MultiplePdbs"


def test_a_template_that_makes_another_pod(site: Site) -> None:
    site.create(controller("ReplicationController", replicas=1))
    args = site.order()
    container = {"name": "main", "image": "localhost/other:2"}
    change = {"spec": {"template": {"spec": {"containers": [container]}}}}
    site.kube.patch("ReplicationController", "web", change, site.namespace)
    result = site.refuse(args)
    assert result["error"]["code"] == "ReplacementDiffers"
    assert "localhost/other:2" in result["msg"]
    assert run_module(site.cluster, MODULE, args | {"accept_differences": True})["changed"]


# ---- bad input


def test_names_that_are_not_there(site: Site) -> None:
    site.create(pod("web"))
    args = site.order()
    assert site.refuse(args | {"node": "nowhere"})["error"]["code"] == "NodeNotFound"
    assert site.refuse(args | {"name": "nobody"})["error"]["code"] == "PodNotFound"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"namespace": "n", "name": "p"}, "required by 'name': node"),
        ({"name": "p", "node": "a"}, "BadRequest"),
        ({}, "BadRequest"),
        ({"moves": [{"name": "p", "node": "a"}] * 2, "namespace": "n"}, "named twice"),
        ({"moves": [{"name": "p"}], "namespace": "n"}, "node"),
        ({"name": "p", "node": "a", "moves": []}, "mutually exclusive"),
        ({"state": "recovered", "namespace": "n", "name": "p", "node": "a"}, "BadRequest"),
        ({"namespace": "n", "name": "p", "node": "a", "soak": -1}, "soak"),
        ({"namespace": "n", "name": "p", "node": "a", "strategy": "best"}, "strategy"),
    ],
)
def test_options_that_cannot_be_meant(options: dict[str, Any], message: str) -> None:
    result = run_module(None, MODULE, options | {"host": "https://127.0.0.1:1", "api_key": CANARY})
    assert result["failed"]
    assert message in result["msg"]
    assert CANARY not in str(result)


def test_a_server_that_is_not_there(site: Site) -> None:
    args = {"namespace": "n", "name": "p", "node": "a", "host": "https://127.0.0.1:1"}
    result = run_module(None, MODULE, args | {"api_key": CANARY})
    assert result["error"]["code"] == "ApiUnreachable"
    assert CANARY not in str(result)


def test_the_wrong_cluster_is_left_alone(site: Site) -> None:
    site.create(pod("web"))
    result = run_module(site.cluster, MODULE, site.order(expected_cluster="another"))
    assert result["error"]["code"] == "WrongCluster"


@pytest.mark.parametrize("strategy", sorted(RIGHTS))
def test_each_missing_right_is_named_before_anything_is_written(
    site: Site, tmp_path: Path, strategy: str
) -> None:
    site.create(OWNED_BY[strategy] if strategy in OWNED_BY else bare())
    args = site.order(strategy=strategy)
    needed = [call for call in API_CALLS[strategy] if call[2] != "selfsubjectaccessreviews"]
    for verb, kind, subresource in RIGHTS[strategy]:
        resource = "/".join(filter(None, (kind.plural, subresource)))
        granted = [call for call in needed if call != (verb, kind.group, resource)]
        with account(site.kube, site.namespace, tmp_path, granted) as user:
            site.audit.mark()
            result = run_module(user, MODULE, args)
            assert result["error"]["code"] == f"RbacDenied: {resource} {verb}", result
            assert not site.audit.entries(user=user.name, writes=True)
        site.kube.delete("ServiceAccount", "user", site.namespace)


def test_no_secret_is_in_any_output(site: Site) -> None:
    site.create(bare())
    secret = with_token(site.cluster.kubeconfig, CANARY)
    server = secret["clusters"][0]["cluster"]["server"]
    for own in ({"kubeconfig": secret}, {"host": server, "api_key": CANARY}):
        done = run_ansible(None, MODULE, site.order(**own), "-vvv", "--diff")
        assert done.returncode != 0
        assert CANARY not in done.stdout + done.stderr
