# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Under the rights of its role nothing is denied to the daemon, and no right is left unused.

The API server's audit log is the witness. What `rights.py` gives a note is a rare path: it may be
unused here, and has a test of its own where it is used.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from podplacement_scheduler.rights import API_CALLS
from tests.cluster.audit import Audit, Entry
from tests.cluster.auditor import auditing
from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube
from tests.integration.scheduler.ground import Ground
from tests.integration.scheduler.test_role import Role, role
from tests.integration.surroundings import ROOT

__all__ = ["role"]

AGENT = "podplacement-scheduler"


def test_nothing_is_denied_and_nothing_is_granted_in_vain(
    cluster: Cluster, kube: Kube, role: Role, namespace: str, audit: Audit, tmp_path: Path
) -> None:
    role(deployment=False, config={"consistencyInterval": "1s"})
    user = f"system:serviceaccount:{role.token}:{role.token}"
    ground = Ground(cluster, kube, namespace, role.token)
    folder = tmp_path / "run"
    folder.mkdir()
    place = (str(cluster.kubeconfig), role.token)
    run_role_daemon("start", str(folder), *place, role.token)
    try:
        with auditing(cluster, role.token) as audited:
            ground.nodes(a={}, full={"pods": "0"})
            ground.create(ground.pod("fits"), ground.pod("never", nodeSelector={"no": "such"}))
            ground.bound("fits")
            ground.events("fits", "Scheduled")
            ground.pending("never", "didn't match Pod's node affinity/selector")
            ground.events("never", "FailedScheduling")
            lists = verbs("list")
            audit.wait(lambda calls: lists <= used_by(calls), agent=AGENT, user=user)
    finally:
        run_role_daemon("stop", str(folder), role.token)
        ground.remove()
    assert audited.check().bound == 1
    watches = verbs("watch")
    calls = audit.wait(lambda calls: watches <= used_by(calls), agent=AGENT, user=user)
    assert [str(call) for call in calls if call.code in (401, 403)] == []
    used = used_by(calls)
    ordinary = {(call[0], call[2]) for call in API_CALLS if len(call) == 3}
    assert ordinary - used == set(), "granted, and never used"
    assert used - {(call[0], call[2]) for call in API_CALLS} == set(), "used, and not listed"


def used_by(calls: list[Entry]) -> set[tuple[str, str]]:
    return {(call.verb, f"{call.resource}/{call.subresource}".rstrip("/")) for call in calls}


def verbs(verb: str) -> set[tuple[str, str]]:
    """Every kind that the daemon lists in its consistency pass, or watches."""
    return {(call[0], call[2]) for call in API_CALLS if call[0] == verb and len(call) == 3}


def run_role_daemon(*arguments: str) -> None:
    """In a process of its own: what it starts outlives it."""
    command = [sys.executable, "-m", "tests.cluster.role_daemon", *arguments]
    subprocess.run(command, cwd=ROOT, check=True)
