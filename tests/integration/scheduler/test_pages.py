# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health is open; who sees the other pages the API server says, asked with the rights of the role.

One daemon for all tests here: with the service account and the configuration that its role has
made, the pages behind TLS and both reviews.
"""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.audit import Audit
from tests.cluster.auditor import auditing
from tests.cluster.cluster import Cluster
from tests.cluster.daemon import LOCAL, Daemon, daemon
from tests.cluster.kube import Kube
from tests.integration.accounts import with_token
from tests.integration.scheduler.ground import Ground
from tests.integration.scheduler.test_rights import AGENT
from tests.integration.scheduler.test_role import REVIEWS, Role, applied
from tests.integration.webhook import self_signed

pytestmark = pytest.mark.cluster
PAGES = ("/metrics", "/configz", "/plugins", "/queue", "/explain", "/nothing")
RBAC = "rbac.authorization.k8s.io"


@dataclass
class Desk:
    """A daemon with guarded pages, and who asks for them."""

    running: Daemon
    role: Role
    kube: Kube
    trust: ssl.SSLContext

    def token(self, account: str, **spec: Any) -> str:
        """A new token of a service account in the role's namespace."""
        return token(self.kube, self.role.token, account, **spec)

    def get(self, path: str, bearer: str = "") -> tuple[int, str]:
        """Code and text of a guarded page."""
        serving = self.running.wait_record(lambda record: record["message"] == "serving")
        request = urllib.request.Request(f"https://{serving['address']}{path}")
        if bearer:
            request.add_header("Authorization", f"Bearer {bearer}")
        try:
            with urllib.request.urlopen(request, timeout=10, context=self.trust) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()


def token(kube: Kube, namespace: str, account: str, **spec: Any) -> str:
    path = f"api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    asked = {"spec": {"expirationSeconds": 3600, **spec}}
    return str(kube.request("POST", path, asked)["status"]["token"])


@pytest.fixture(scope="module")
def desk(cluster: Cluster, kube: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("pages")
    with applied(cluster, kube, folder) as role:
        reader = {"kind": "ServiceAccount", "name": "reader", "namespace": role.token}
        made = role(deployment=False, metrics=True, metrics_readers=[reader])
        people(kube, role)
        held = kube.get("ConfigMap", made["config_map"], role.token)
        config = yaml.safe_load(held["data"]["config.yaml"])
        pem, authority = self_signed(folder)
        config["server"] |= {**LOCAL, "certificateFile": str(pem), "keyFile": str(pem)}
        identity = folder / "kubeconfig"
        own = with_token(kube.kubeconfig, token(kube, role.token, role.token))
        identity.write_text(yaml.safe_dump(own), encoding="utf-8")
        with (
            auditing(cluster, role.token) as audited,
            daemon(cluster, config=config, kubeconfig=identity) as running,
        ):
            running.wait_scheduling()
            yield Desk(running, role, kube, ssl.create_default_context(cadata=authority.decode()))
        audited.check()


def people(kube: Kube, role: Role) -> None:
    """A reader, who the role lets see the metrics; a helper, who may ask why; and a stranger."""
    for name in ("reader", "helper", "stranger"):
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
        kube.create(account, role.token)
    name = f"{role.token}-helper"
    head = {"apiVersion": f"{RBAC}/v1", "metadata": {"name": name}}
    rules = [{"nonResourceURLs": ["/explain"], "verbs": ["get"]}]
    kube.create({**head, "kind": "ClusterRole", "rules": rules})
    ref = {"apiGroup": RBAC, "kind": "ClusterRole", "name": name}
    subject = {"kind": "ServiceAccount", "name": "helper", "namespace": role.token}
    kube.create({**head, "kind": "ClusterRoleBinding", "roleRef": ref, "subjects": [subject]})


def test_health_is_open(desk: Desk) -> None:
    assert desk.running.get("/healthz") == b"ok"
    assert desk.running.get("/readyz") == b"ok"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_for_who_proves_to_be_somebody_and_may_see_it(desk: Desk, page: str) -> None:
    elsewhere = desk.token("reader", audiences=["elsewhere"])
    assert [desk.get(page, bearer)[0] for bearer in ("", "garbage", elsewhere)] == [401] * 3
    assert desk.get(page, desk.token("stranger")) == (403, "forbidden\n")
    code, text = desk.get(page, desk.token("reader"))
    assert code == (200 if page == "/metrics" else 403)
    assert ("scheduler_pending_pods" in text) is (page == "/metrics")


def test_the_rights_of_the_role_are_enough_for_both_reviews(desk: Desk, audit: Audit) -> None:
    user = f"system:serviceaccount:{desk.role.token}:{desk.role.token}"
    assert desk.get("/metrics", desk.token("reader"))[0] == 200
    calls = [call for call in audit.entries(agent=AGENT, user=user) if call.resource in REVIEWS]
    assert sorted((call.resource, call.code) for call in calls) == [
        ("subjectaccessreviews", 201),
        ("tokenreviews", 201),
    ]


def test_a_page_explains_a_pod_that_waits(desk: Desk, cluster: Cluster, namespace: str) -> None:
    ground = Ground(cluster, desk.kube, namespace, desk.role.token)
    bearer = desk.token("helper")
    try:
        ground.nodes(small={"cpu": "1"})
        ground.create(ground.pod("waits", requests={"cpu": "2"}), ground.pod("fits"))
        ground.bound("fits")
        ground.pending("waits", "Insufficient cpu")
        code, text = desk.get(f"/explain?pod={namespace}/waits", bearer)
        told = json.loads(text)
        assert (code, told["scheduler_name"]) == (200, desk.role.token)
        nodes = {node["name"]: node for node in told["nodes"]}
        refused = [{"plugin": "NodeResourcesFit", "reason": "Insufficient cpu"}]
        assert nodes[ground.name("small")]["refusals"] == refused
        assert set(nodes) >= set(cluster.nodes)
        assert desk.get(f"/explain?pod={namespace}/fits", bearer)[0] == 404
        ground.settle()
    finally:
        ground.remove()


def test_a_certificate_of_nobody_is_not_trusted(desk: Desk, tmp_path: Path) -> None:
    """The pages are served with the certificate of the configuration, and with no other."""
    _pem, other = self_signed(tmp_path)
    stranger = Desk(
        desk.running, desk.role, desk.kube, ssl.create_default_context(cadata=other.decode())
    )
    with pytest.raises(urllib.error.URLError, match="certificate verify failed"):
        stranger.get("/metrics")
