# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An operator that moves its pods itself when they are evicted, as KubeVirt does: a webhook refuses
the eviction with the words that say so, and the pod goes a moment later.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.cluster.kube import ApiError, Kube, Object

HOST = "127.0.0.1"
ANSWER = "Eviction triggered evacuation of the virtual machine"
KIND = "ValidatingWebhookConfiguration"
Asked = Callable[[Object], None]


def self_signed(folder: Path) -> tuple[Path, bytes]:
    """A key and a certificate for this host in one file, and the certificate alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "webhook.pem"
    path.write_bytes(private + pem)
    return path, pem


class _Handler(BaseHTTPRequestHandler):
    """Refuses every eviction, and tells of those that are meant."""

    asked: Asked

    def do_POST(self) -> None:
        """One AdmissionReview."""
        length = int(self.headers["Content-Length"])
        request = json.loads(self.rfile.read(length))["request"]
        refusal = {"code": 429, "reason": "TooManyRequests", "message": ANSWER}
        answer = {"uid": request["uid"], "allowed": False, "status": refusal}
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
        body = json.dumps({**review, "response": answer}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if not request.get("dryRun"):
            type(self).asked(request)

    def log_message(self, *_args: Any) -> None:
        """Not to the test's output."""


@contextmanager
def evacuating(kube: Kube, namespace: str, folder: Path, asked: Asked) -> Iterator[None]:
    """Evictions in the namespace are refused like that; `asked` is told of each."""
    path, certificate = self_signed(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    handler = type("Handler", (_Handler,), {"asked": staticmethod(asked)})
    with ThreadingHTTPServer((HOST, 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        kube.create(_configuration(namespace, server.server_address[1], certificate))
        try:
            yield
        finally:
            kube.delete(KIND, namespace)
            server.shutdown()


def _configuration(namespace: str, port: int, certificate: bytes) -> Object:
    rule = {
        "operations": ["CREATE"],
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": ["pods/eviction"],
    }
    client = {
        "url": f"https://{HOST}:{port}/evict",
        "caBundle": base64.b64encode(certificate).decode(),
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": KIND,
        "metadata": {"name": namespace},
        "webhooks": [
            {
                "name": "evictions.test.podplacement.io",
                "clientConfig": client,
                "rules": [rule],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "sideEffects": "NoneOnDryRun",
                "admissionReviewVersions": ["v1"],
                "timeoutSeconds": 10,
            }
        ],
    }


def until_effective(kube: Kube, pod: Object) -> None:
    """The API server takes a moment to know of a new webhook: a dry run shows whether it does."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    path = f"api/v1/namespaces/{namespace}/pods/{name}/eviction"
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    for _attempt in range(600):
        try:
            kube.request("POST", path, body, query={"dryRun": "All"})
        except ApiError as err:
            if ANSWER in str(err):
                return
    raise AssertionError("the webhook is never asked")
