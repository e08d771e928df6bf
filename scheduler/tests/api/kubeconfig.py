# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubeconfigs for tests, and plugins that they name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from podplacement_scheduler.config import ClientConnection

from ..misbehaving import Server

PLUGIN = """
import json, pathlib
token = pathlib.Path({path!r}).read_text()
kind = {{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}}
status = {{"token": token, **{more!r}}}
print(json.dumps({{**kind, "status": status}}))
"""


def plugin(file: Path, **more: str) -> str:
    """A program that gives the token that is in a file."""
    return PLUGIN.format(path=str(file), more=more)


def runs(program: str) -> dict[str, Any]:
    """A user whose identity comes from a program."""
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": ["-c", program],
            "interactiveMode": "Never",
        }
    }


class Kubeconfig:
    """A kubeconfig that is written when it is used."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "kubeconfig"
        self.cluster: dict[str, Any] = {}
        self.user: dict[str, Any] = {"token": "secret-0"}

    def settings(self, server: Server | None = None, scheme: str = "http") -> ClientConnection:
        """Writes the file."""
        port = server.port if server is not None else 6443
        cluster = {"server": f"{scheme}://127.0.0.1:{port}", **self.cluster}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "other",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": self.user}],
            "contexts": [{"name": "used", "context": {"cluster": "c", "user": "u"}}],
        }
        self.path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return ClientConnection(kubeconfig=str(self.path), context="used")
