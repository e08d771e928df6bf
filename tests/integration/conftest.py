# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the integration tests share beside the cluster."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.second_scheduler import scheduler


@pytest.fixture(scope="session")
def second_scheduler(cluster: Cluster) -> Iterator[str]:
    """The name under which another real kube-scheduler serves the cluster."""
    if cluster.bin_dir is None or not (cluster.bin_dir / "kube-scheduler").exists():
        pytest.skip(f"no kube-scheduler binary is at hand for a {cluster.provider} cluster")
    name = f"second-{uuid.uuid4().hex[:6]}"
    with scheduler(cluster, name):
        yield name
