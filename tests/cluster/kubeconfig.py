# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kubeconfig is read here: server, trust and identity of its current context."""

from __future__ import annotations

import base64
import ssl
import tempfile
from pathlib import Path
from typing import Any

import yaml


def connection(kubeconfig: Path) -> tuple[str, ssl.SSLContext, dict[str, str]]:
    """Server, TLS settings and headers of a kubeconfig's current context."""
    config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    by_name = {
        kind: {e["name"]: e[kind] for e in config[f"{kind}s"]}
        for kind in ("cluster", "user", "context")
    }
    context = by_name["context"][config["current-context"]]
    cluster, user = by_name["cluster"][context["cluster"]], by_name["user"][context["user"]]
    tls = ssl.create_default_context(
        cafile=cluster.get("certificate-authority"),
        cadata=_text(cluster.get("certificate-authority-data")),
    )
    if cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    # the strict checks of Python 3.13 ask for an extension that kubeadm's and KWOK's own CAs lack
    tls.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    _load_certificate(tls, user)
    headers = {"Accept": "application/json"}
    if token := user.get("token"):
        headers["Authorization"] = f"Bearer {token}"
    if other := user.get("as"):
        headers["Impersonate-User"] = other
        (headers["Impersonate-Group"],) = user["as-groups"]  # one: a dict has no room for more
    return cluster["server"].rstrip("/"), tls, headers


def _load_certificate(tls: ssl.SSLContext, user: dict[str, Any]) -> None:
    """Give the client certificate to OpenSSL, which reads it from files only."""
    certificate, key = user.get("client-certificate"), user.get("client-key")
    if data := _text(user.get("client-certificate-data")):
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as both:
            both.write(data + "\n" + (_text(user.get("client-key-data")) or ""))
            both.flush()
            tls.load_cert_chain(both.name)
    elif certificate:
        tls.load_cert_chain(certificate, key)


def _text(data: str | None) -> str | None:
    return base64.b64decode(data).decode() if data else None
