# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k8s_pod_bind with bad input: one clear error with a code, nothing changed, no secret told."""

from __future__ import annotations

import importlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import certifi
import pytest
import yaml

from ansible_collections.podplacement.core.plugins.module_utils.binding.run import API_CALLS
from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube
from tests.integration.accounts import account, with_token
from tests.integration.modules.conftest import Yard
from tests.integration.runner import Result, run_ansible, run_module, run_playbook

pytestmark = pytest.mark.cluster
MODULE = "k8s_pod_bind"
MODULES = "ansible_collections.podplacement.core.plugins.modules"
CANARY = "canary-5up3r-s3cr3t-t0k3n"
NEEDED = [call for call in API_CALLS if call[2] != "selfsubjectaccessreviews"]


def refused(result: Result) -> str:
    """The code of a run that failed cleanly."""
    assert result["failed"], result
    assert not result["changed"]
    assert "Traceback" not in str(result)
    return str(result["error"]["code"])


# ---- options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "one of the following is required: name, scheduler_name"),
        ({"name": "p", "scheduler_name": "s"}, "mutually exclusive: name|scheduler_name"),
        ({"name": "p", "namespace": "n"}, "required together: name, node"),
        ({"node": "a", "scheduler_name": "s"}, "required together: name, node"),
        ({"name": "p", "node": "a"}, "required by 'name': namespace"),
        ({"name": "p", "node": "a", "namespace": "n", "nodes": ["a"]}, "required by 'nodes'"),
        ({"scheduler_name": "s", "policy": "best"}, "value of policy must be one of: spread"),
        ({"scheduler_name": "s", "validate": "no"}, "value of validate must be one of: strict"),
        ({"scheduler_name": "s", "wait_timeout": "soon"}, "wait_timeout"),
    ],
)
def test_options_that_contradict_each_other_give_one_clear_error(
    options: dict[str, Any], message: str
) -> None:
    result = run_module(None, MODULE, options | {"host": "https://127.0.0.1:1"})
    assert result["failed"]
    assert message in result["msg"]


# ---- rights


def test_the_documented_rights_suffice_and_no_other_call_is_made(
    cluster: Cluster, yard: Yard, kube: Kube, audit: Any, tmp_path: Path
) -> None:
    uid = kube.get("Namespace", "kube-system")["metadata"]["uid"]
    with (
        volume_and_claim(yard),
        account(kube, yard.namespace, tmp_path, NEEDED) as user,
    ):
        yard.pod("p", volumes=[{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}])
        one = run_module(user, MODULE, yard.one(expected_cluster=uid))
        yard.pod("q")
        everything = run_module(user, MODULE, yard.all())
        assert (one["changed"], everything["changed"]) == (True, True)
        assert not one.get("warnings")
        groups = {"selfsubjectaccessreviews": "authorization.k8s.io"}
        made = {
            (e.verb, groups.get(e.resource, ""), f"{e.resource}/{e.subresource}".rstrip("/"))
            for e in audit.entries(user=user.name)
        }
        assert made == set(API_CALLS)


@contextmanager
def volume_and_claim(yard: Yard) -> Iterator[None]:
    """A claim `data` that the volume controller has bound to a volume."""
    shape = {"accessModes": ["ReadWriteOnce"], "storageClassName": yard.namespace}
    path = {"hostPath": {"path": "/none"}, "capacity": {"storage": "1Gi"}}
    volume = {"kind": "PersistentVolume", "apiVersion": "v1"}
    yard.kube.create(volume | {"metadata": {"name": yard.namespace}, "spec": shape | path})
    claim = {"kind": "PersistentVolumeClaim", "apiVersion": "v1", "metadata": {"name": "data"}}
    size = {"resources": {"requests": {"storage": "1Gi"}}}
    yard.kube.create(claim | {"spec": shape | size}, yard.namespace)
    yard.kube.wait(
        "PersistentVolumeClaim",
        "data",
        lambda found: found["status"]["phase"] == "Bound",
        yard.namespace,
    )
    try:
        yield
    finally:
        yard.kube.delete("PersistentVolume", yard.namespace)


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("missing", "code"),
    [
        (("get", "", "pods"), "RbacDenied: pods get"),
        (("list", "", "pods"), "RbacDenied: pods list"),
        (("watch", "", "pods"), "RbacDenied: pods watch"),
        (("get", "", "nodes"), "RbacDenied: nodes get"),
        (("create", "", "pods/binding"), "RbacDenied: pods/binding create"),
    ],
)
def test_a_missing_right_is_named_before_anything_is_written(
    yard: Yard, kube: Kube, tmp_path: Path, missing: tuple[str, str, str], code: str, check: bool
) -> None:
    yard.pod("p")
    rights = [call for call in NEEDED if call != missing]
    with account(kube, yard.namespace, tmp_path, rights) as user:
        assert refused(run_module(user, MODULE, yard.one(), check=check)) == code
    assert yard.node_of("p") == ""


def test_without_the_right_to_write_events_the_pod_is_bound_with_a_warning(
    yard: Yard, kube: Kube, tmp_path: Path
) -> None:
    yard.pod("p")
    rights = [call for call in NEEDED if call[2] != "events"]
    with account(kube, yard.namespace, tmp_path, rights) as user:
        predicted = run_module(user, MODULE, yard.one(), check=True)
        result = run_module(user, MODULE, yard.one())
    assert predicted == result
    assert result["changed"]
    assert "may not create events" in str(result["warnings"])


# ---- the way to the API server


def test_the_wrong_cluster_is_left_alone(cluster: Cluster, yard: Yard) -> None:
    yard.pod("p")
    result = run_module(cluster, MODULE, yard.one(expected_cluster="another"))
    assert refused(result) == "WrongCluster"
    assert yard.node_of("p") == ""


def test_a_server_that_is_not_there() -> None:
    options = {"namespace": "n", "name": "p", "node": "a", "host": "https://127.0.0.1:1"}
    result = run_module(None, MODULE, options | {"api_key": CANARY})
    assert refused(result) == "ApiUnreachable"
    assert CANARY not in str(result)


def test_a_kubeconfig_that_is_not_there(tmp_path: Path) -> None:
    options = {"namespace": "n", "name": "p", "node": "a", "kubeconfig": str(tmp_path / "none")}
    assert refused(run_module(None, MODULE, options)) == "BadCredentials"


def test_a_token_that_is_not_accepted(cluster: Cluster, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(with_token(cluster.kubeconfig, CANARY)), encoding="utf-8")
    options = {"namespace": "n", "name": "p", "node": "a", "kubeconfig": str(path)}
    result = run_module(None, MODULE, options)
    assert refused(result) == "Unauthorized"
    assert CANARY not in str(result)


def test_a_certificate_that_does_not_verify(cluster: Cluster, tmp_path: Path) -> None:
    config = yaml.safe_load(cluster.kubeconfig.read_text(encoding="utf-8"))
    for entry in config["clusters"]:
        entry["cluster"].pop("certificate-authority-data", None)
        entry["cluster"]["certificate-authority"] = certifi.where()
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    options = {"namespace": "n", "name": "p", "node": "a", "kubeconfig": str(path)}
    assert refused(run_module(None, MODULE, options)) == "CertificateError"


# ---- a server that tells nonsense


@contextmanager
def server_of(objects: dict[str, Any]) -> Iterator[str]:
    """A server that answers every read with what it has under that path; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server calls
            found = objects.get(self.path.partition("?")[0])
            body = json.dumps(found or {"message": "not found"}).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_a_quantity_that_is_none_is_named_with_its_place() -> None:
    pod = {
        "metadata": {"namespace": "n", "name": "p", "uid": "1", "resourceVersion": "1"},
        "spec": {"containers": [{"resources": {"requests": {"cpu": "a lot"}}}]},
    }
    node = {
        "metadata": {"name": "a"},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "allocatable": {"cpu": "1", "pods": "9"},
        },
    }
    pods = {"metadata": {"resourceVersion": "1"}, "items": []}
    answers = {
        "/api/v1/namespaces/n/pods/p": pod,
        "/api/v1/nodes/a": node,
        "/api/v1/pods": pods,
    }
    with server_of(answers) as host:
        options = {"namespace": "n", "name": "p", "node": "a", "host": host, "api_key": CANARY}
        result = run_module(None, MODULE, options)
    assert refused(result) == "MalformedObject"
    assert "spec.containers[0].resources.requests.cpu" in result["msg"]
    assert "a lot" in result["msg"]


# ---- the whole way through Ansible


def test_no_secret_is_in_any_output(cluster: Cluster, yard: Yard, tmp_path: Path) -> None:
    yard.pod("p")
    secret = with_token(cluster.kubeconfig, CANARY)
    by_file = tmp_path / "kubeconfig"
    by_file.write_text(yaml.safe_dump(secret), encoding="utf-8")
    flags = ("-vvv", "--diff")
    server = secret["clusters"][0]["cluster"]["server"]
    outputs = [
        run_ansible(None, MODULE, yard.one(kubeconfig=str(by_file)), *flags),
        run_ansible(None, MODULE, yard.one(kubeconfig=secret), *flags),
        run_ansible(None, MODULE, yard.one(host=server, api_key=CANARY), *flags, "--check"),
        run_ansible(
            None,
            MODULE,
            yard.one(),
            *flags,
            env={"K8S_AUTH_HOST": server, "K8S_AUTH_API_KEY": CANARY},
        ),
    ]
    for done in outputs:
        assert done.returncode != 0
        assert "error" in done.stdout
        assert CANARY not in done.stdout + done.stderr


def test_the_examples_of_the_documentation_run(
    cluster: Cluster, yard: Yard, tmp_path: Path
) -> None:
    """Every documented task, with this test's names in the place of the example's."""
    text = importlib.import_module(f"{MODULES}.{MODULE}").EXAMPLES
    names = {
        "namespace: shop": f"namespace: {yard.namespace}",
        "worker-2": yard.nodes[1],
        "by-hand": yard.scheduler,
    }
    for example, own in names.items():
        assert example in text
        text = text.replace(example, own)
    for name in ("importer", "other", "late"):
        yard.pod(name)
    play = {"hosts": "localhost", "gather_facts": False, "tasks": yaml.safe_load(text)}
    playbook = tmp_path / "examples.yml"
    playbook.write_text(yaml.safe_dump([play]), encoding="utf-8")
    done = run_playbook(cluster, playbook)
    assert done.returncode == 0, done.stdout + done.stderr
    assert yard.node_of("importer") == yard.nodes[1]
    assert yard.node_of("other") != ""


def test_a_task_through_ansible_returns_what_is_documented(cluster: Cluster, yard: Yard) -> None:
    yard.pod("p")
    yard.pod("big", cpu="4")
    done = run_ansible(cluster, MODULE, yard.all(), "--diff")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "CHANGED" in done.stdout
    result = json.loads(done.stdout.partition(" => ")[2])
    assert [pod["name"] for pod in result["bound"]] == ["p"]
    assert [pod["name"] for pod in result["leftovers"]] == ["big"]
    assert "1 of 2 pending pods were not bound" in done.stderr + done.stdout
