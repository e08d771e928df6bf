# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory and the environment that the tool prints lead Ansible to the cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.versions import HERE, REPOSITORY

pytestmark = pytest.mark.cluster


def test_a_module_finds_the_cluster(cluster: Cluster) -> None:
    pytest.importorskip("ansible")
    inventory = str(HERE / "inventory.yml")
    command = [sys.executable, "-m", "ansible", "adhoc", "localhost", "-i", inventory]
    command += ["-m", "kubernetes.core.k8s_info", "-a", "kind=Node"]
    collections = {"ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".ansible" / "collections")}
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=os.environ | collections | cluster.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("localhost | SUCCESS => ")
    result = json.loads(done.stdout.split("=>", 1)[1])
    assert set(cluster.nodes) <= {node["metadata"]["name"] for node in result["resources"]}
