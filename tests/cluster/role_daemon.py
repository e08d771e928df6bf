# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon as a process under the service account, and with the configuration, of its role.

On the embedded cluster nothing runs in pods. There the role podplacement.core.scheduler makes all
but the Deployment (`scheduler_deployment: false`), and this stands in for its pods:

    python -m tests.cluster.role_daemon start FOLDER KUBECONFIG NAMESPACE NAME
    python -m tests.cluster.role_daemon stop FOLDER NAME

`start` says `started` or `running`. What is different from a pod: addresses and folders.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.background import Background
from tests.cluster.kube import Kube

MADE_BY_THE_ROLE = "app.kubernetes.io/managed-by=podplacement.core.scheduler"
LOCAL = {"healthAddress": "127.0.0.1:0", "address": "127.0.0.1:0"}
TOKEN_SECONDS = 24 * 3600


class RoleDaemon(Background):
    """A daemon that the role has prepared; `name` is that of the scheduler."""

    def start(self, kubeconfig: Path, namespace: str) -> bool:
        """Run it; False if it runs already with the configuration that the role has made."""
        content = self._configuration(Kube(kubeconfig), namespace)
        if self.pid() and self.config.read_text(encoding="utf-8") == content:
            return False
        self.stop(signal.SIGTERM)
        self.config.write_text(content, encoding="utf-8")
        identity = self._identity(kubeconfig, namespace)
        command = Path(sys.executable).with_name("podplacement-scheduler")
        self.run([command, f"--config={self.config}", f"--kubeconfig={identity}"])
        return True

    def _configuration(self, kube: Kube, namespace: str) -> str:
        """The file of the role, and its plugins beside it."""
        selector = f"{MADE_BY_THE_ROLE},app.kubernetes.io/instance={self.name}"
        (held,) = kube.list("ConfigMap", namespace, selector=selector)
        files: dict[str, str] = held["data"]
        config: dict[str, Any] = yaml.safe_load(files["config.yaml"])
        config["server"] = config["server"] | LOCAL
        folder = self.config.parent / f"{self.name}-plugins"
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            if name.endswith(".py"):
                (folder / name).write_text(text, encoding="utf-8")
        if "userPlugins" in config:
            config["userPlugins"] |= {"directory": str(folder), "stateDirectory": str(folder)}
        return json.dumps(config)

    def _identity(self, kubeconfig: Path, namespace: str) -> Path:
        """A kubeconfig of the role's service account."""
        path = f"api/v1/namespaces/{namespace}/serviceaccounts/{self.name}/token"
        wanted = {"spec": {"expirationSeconds": TOKEN_SECONDS}}
        token = Kube(kubeconfig).request("POST", path, wanted)["status"]["token"]
        config: dict[str, Any] = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        config["users"] = [{"name": u["name"], "user": {"token": token}} for u in config["users"]]
        file = self.config.with_suffix(".kubeconfig")
        file.touch(0o600)
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        return file


def main(arguments: Sequence[str]) -> int:
    """`start` or `stop`."""
    if len(arguments) == 5 and arguments[0] == "start":
        folder, kubeconfig, namespace, name = arguments[1:]
        started = RoleDaemon(Path(folder), name).start(Path(kubeconfig), namespace)
        print("started" if started else "running")
        return 0
    if len(arguments) == 3 and arguments[0] == "stop":
        RoleDaemon(Path(arguments[1]), arguments[2]).stop(signal.SIGTERM)
        return 0
    print(__doc__, file=sys.stderr)
    return os.EX_USAGE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
