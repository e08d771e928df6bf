# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role `scheduler` on a real API server: what it grants, what rolls, and what it leaves behind.

Pods of its Deployment are simulated here; that they run and schedule is shown on kind.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from podplacement_scheduler.rights import API_CALLS
from tests.cluster.cluster import Cluster
from tests.cluster.kube import ApiError, Kube, Object
from tests.integration.runner import run_playbook

PLAYBOOK = """
- name: Apply the role as often as it is asked for
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Apply the role
      ansible.builtin.include_role:
        name: podplacement.core.scheduler

    - name: Keep its result
      ansible.builtin.copy:
        content: "{{ scheduler_result | to_json }}"
        dest: "{{ result_file }}"
        mode: "0600"
      check_mode: false
"""
DEFAULTS = {
    "scheduler_image": "localhost/podplacement-scheduler:none",
    "scheduler_probe": False,
    "scheduler_wait_timeout": 60,
}
LABELS = "app.kubernetes.io/managed-by=podplacement.core.scheduler"
COMES_BY_ITSELF = ("Event", "EndpointSlice", "Endpoints")
REVIEWS = {"tokenreviews", "subjectaccessreviews"}


class Role:
    """The role as a playbook applies it, with names of this test's own."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.token = f"s{uuid.uuid4().hex[:6]}"
        self.folder = folder
        (folder / "play.yml").write_text(PLAYBOOK)

    def run(self, *flags: str, **variables: Any) -> tuple[int, str]:
        """Exit code and output of one run; the scheduler is named as the test is."""
        given = {f"scheduler_{name}": value for name, value in variables.items()}
        names = {"scheduler_name": self.token, "scheduler_namespace": self.token}
        extra = {**DEFAULTS, **names, **given, "result_file": str(self.folder / "result.json")}
        done = run_playbook(self.cluster, self.folder / "play.yml", "-e", json.dumps(extra), *flags)
        return done.returncode, done.stdout + done.stderr

    def __call__(self, *flags: str, **variables: Any) -> dict[str, Any]:
        """The result of a run that succeeds."""
        code, said = self.run(*flags, **variables)
        assert code == 0, said
        return dict(json.loads((self.folder / "result.json").read_text()))

    def refused(self, **variables: Any) -> str:
        """What a run says that fails."""
        code, said = self.run(**variables)
        assert code != 0, said
        return said


@contextmanager
def applied(cluster: Cluster, kube: Kube, folder: Path) -> Iterator[Role]:
    """The role with names of its own; what it leaves in the cluster is removed."""
    made = Role(cluster, folder)
    try:
        yield made
    finally:
        for kind in ("ClusterRoleBinding", "ClusterRole", "Namespace"):
            for item in kube.list(kind):
                if made.token in item["metadata"]["name"]:
                    kube.delete(kind, item["metadata"]["name"])


@pytest.fixture
def role(cluster: Cluster, kube: Kube, tmp_path: Path) -> Iterator[Role]:
    with applied(cluster, kube, tmp_path) as made:
        yield made


def granted(rules: list[Object]) -> set[tuple[str, str, str]]:
    return {
        (verb, group, resource)
        for rule in rules
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def listed(kube: Kube, part: str) -> dict[str, Object]:
    """Everything in the cluster whose name or namespace has this part, but what comes by itself."""
    found = {}
    for api in ("api/v1", *(f"apis/{g}" for g in groups(kube))):
        for resource in asked(kube, api, "resources"):
            if "list" not in resource["verbs"] or resource["kind"] in COMES_BY_ITSELF:
                continue
            for item in asked(kube, f"{api}/{resource['name']}", "items"):
                meta = item["metadata"]
                place = (meta.get("namespace", ""), meta["name"])
                if part in "/".join(place) and place[1] not in ("default", "kube-root-ca.crt"):
                    found[f"{resource['kind']} {'/'.join(place)}"] = item
    return found


def asked(kube: Kube, path: str, key: str) -> list[Object]:
    """What is there; a kind that another test has just made may be told of and not served yet."""
    try:
        found: list[Object] = kube.request("GET", path)[key]
    except ApiError as error:
        if error.code not in (404, 503):
            raise
        return []
    return found


def groups(kube: Kube) -> list[str]:
    found = kube.request("GET", "apis")["groups"]
    return [group["preferredVersion"]["groupVersion"] for group in found]


def test_the_role_grants_what_the_daemon_calls_and_nothing_more(role: Role, kube: Kube) -> None:
    role(deployment=False)
    own = kube.get("ClusterRole", f"podplacement:{role.token}")["rules"]
    leases = kube.get("Role", role.token, role.token)["rules"]
    called = {tuple(call[:3]) for call in API_CALLS}
    reviews = {call for call in called if call[2] in REVIEWS}
    assert granted(own) | granted(leases) == called - reviews
    assert {call[2] for call in granted(leases)} == {"leases"}
    # Only its own Lease can be changed.
    named = [rule for rule in leases if "create" not in rule["verbs"]]
    assert [rule["resourceNames"] for rule in named] == [[role.token]]

    role(deployment=False, metrics=True)
    own = kube.get("ClusterRole", f"podplacement:{role.token}")["rules"]
    assert granted(own) | granted(leases) == called


def test_a_change_of_configuration_or_plugins_rolls_the_deployment(role: Role, kube: Kube) -> None:
    plugin = "NAME = '{{ not a template }}'\n"
    path = role.folder / "first.py"
    path.write_text(plugin)
    given = {"plugin_files": [str(path)], "config": {"parallelBinds": 8}, "replicas": 1}
    first = role(**given)
    assert first["changed"]
    template = kube.get("Deployment", role.token, role.token)["spec"]["template"]
    held = kube.get("ConfigMap", first["config_map"], role.token)
    digest = hashlib.sha256(plugin.encode()).hexdigest()
    assert held["data"]["first.py"] == plugin
    assert digest in held["data"]["config.yaml"]
    assert "parallelBinds: 8" in held["data"]["config.yaml"]
    assert template["metadata"]["annotations"]["sha256.plugins.podplacement.io/first.py"] == digest

    assert not role(**given)["changed"]
    assert kube.get("Deployment", role.token, role.token)["spec"]["template"] == template
    # The namespace demands the restricted standard: a pod that breaks it would not be there.
    space = kube.get("Namespace", role.token)["metadata"]["labels"]
    assert space["pod-security.kubernetes.io/enforce"] == "restricted"
    pods = kube.list("Pod", role.token)
    assert [pod["spec"]["schedulerName"] for pod in pods] == ["default-scheduler"]

    path.write_text(plugin + "# changed\n")
    code, said = role.run("--check", "--diff", **given)
    assert code == 0, said
    assert "# changed" in said  # the difference is shown, and nothing is done
    assert kube.get("Deployment", role.token, role.token)["spec"]["template"] == template
    second = role(**given)
    rolled = kube.get("Deployment", role.token, role.token)["spec"]["template"]
    assert rolled["metadata"]["annotations"] != template["metadata"]["annotations"]
    assert second["removed"] == [f"ConfigMap {first['config_map']}"]
    left = kube.list("ConfigMap", role.token, selector=LABELS)
    assert [item["metadata"]["name"] for item in left] == [second["config_map"]]


def test_absent_removes_all_that_was_made_and_nothing_else(role: Role, kube: Kube) -> None:
    other = f"{role.token}-other"
    role(flow_schema=True, metrics=True, metrics_readers=[{"kind": "Group", "name": "people"}])
    role(name=other)
    kube.create({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "mine"}}, role.token)
    # As the daemon makes it.
    lease = {"kind": "Lease", "apiVersion": "coordination.k8s.io/v1"}
    kube.create(lease | {"metadata": {"name": role.token}}, role.token)
    kube.create(lease | {"metadata": {"name": other}}, role.token)
    before = listed(kube, role.token)
    others = {name for name in before if other in name or name.endswith("/mine")}

    assert role("--check", state="absent")["changed"]
    assert set(listed(kube, role.token)) == set(before)
    removed = role(state="absent")["removed"]
    assert f"FlowSchema {role.token}" in removed
    assert f"ClusterRole podplacement:{role.token}:metrics" in removed
    assert not any(name.startswith("Namespace") for name in removed)
    left = listed(kube, role.token)
    assert set(left) == others | {f"Namespace /{role.token}"}
    for name in others:
        assert left[name]["metadata"].get("generation") == before[name]["metadata"].get(
            "generation"
        )
        assert left[name]["metadata"]["uid"] == before[name]["metadata"]["uid"]

    # The namespace goes with the last that was in it.
    kube.delete("ConfigMap", "mine", role.token)
    assert f"Namespace {role.token}" in role(name=other, state="absent")["removed"]
    assert not listed(kube, role.token)


def test_what_somebody_else_has_made_is_neither_changed_nor_removed(role: Role, kube: Kube) -> None:
    name = f"podplacement:{role.token}"
    foreign = {"kind": "ClusterRole", "apiVersion": "rbac.authorization.k8s.io/v1"}
    kube.create(foreign | {"metadata": {"name": name}, "rules": []})
    before = kube.get("ClusterRole", name)
    said = role.refused()
    assert f"ClusterRole {name}" in said
    assert "Somebody else" in said
    assert not role(state="absent")["changed"]
    assert kube.get("ClusterRole", name) == before
    with pytest.raises(ApiError, match="404"):
        kube.get("Namespace", role.token)


def test_a_scheduler_that_would_wait_for_itself_is_refused(role: Role) -> None:
    assert re.search(r"would wait for\s+\S+", role.refused(placed_by=role.token))


def test_a_service_monitor_is_made_and_removed_where_there_is_such_a_kind(
    role: Role, kube: Kube
) -> None:
    monitors = service_monitors(kube)
    labels = {"release": "prometheus"}
    monitored = {"service_monitor": True, "service_monitor_labels": labels}
    role(metrics=True, metrics_tls_secret="proof", replicas=1, **monitored)
    path = f"{monitors}/namespaces/{role.token}/servicemonitors"
    [monitor] = kube.request("GET", path)["items"]
    assert monitor["metadata"]["labels"].items() >= labels.items()
    [endpoint] = monitor["spec"]["endpoints"]
    assert (endpoint["port"], endpoint["scheme"]) == ("metrics", "https")
    # What it selects is the Service, and a port of that.
    [service] = kube.list("Service", role.token)
    chosen = monitor["spec"]["selector"]["matchLabels"]
    assert service["metadata"]["labels"].items() >= chosen.items()
    assert endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]
    host = f"{service['metadata']['name']}.{role.token}.svc"
    trusted = {"secret": {"name": "proof", "key": "ca.crt"}}
    assert endpoint["tlsConfig"] == {"serverName": host, "ca": trusted}
    # Without a token nobody may see the metrics.
    assert endpoint["bearerTokenFile"].startswith("/var/run/secrets/kubernetes.io/")

    assert f"ServiceMonitor {role.token}" in role(state="absent")["removed"]
    assert kube.request("GET", path)["items"] == []


def service_monitors(kube: Kube) -> str:
    """Where they are served: a kind with that name and no more, which stays in the cluster, for
    other tests list all kinds meanwhile."""
    group, names = "monitoring.coreos.com", {"plural": "servicemonitors", "kind": "ServiceMonitor"}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    definitions = "apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    name = f"servicemonitors.{group}"
    spec = {"group": group, "names": names, "scope": "Namespaced", "versions": [version]}
    with suppress(ApiError):  # it is there
        kube.request("POST", definitions, {"metadata": {"name": name}, "spec": spec})
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(ApiError):
            kube.request("GET", f"apis/{group}/v1/servicemonitors")
            return f"apis/{group}/v1"
        time.sleep(0.1)  # discovery cannot be watched
    raise AssertionError(f"{name} is not served")
