# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role node_maintenance in plays of users: one node after the other, and parts by tags."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.estate import AGENT, Estate, bare, workload
from tests.integration.runner import run_playbook

pytestmark = pytest.mark.cluster
BEGIN, END, REPORT = (f"node_maintenance_{part}" for part in ("begin", "end", "report"))


def window(estate: Estate, hosts: str, **more: Any) -> list[dict[str, Any]]:
    """A play that begins the window of each host's node, and ends it. JSON is YAML, too."""
    own = {
        "node_maintenance_node": "{{ inventory_hostname }}",
        "node_maintenance_record_namespace": estate.namespace,
        "node_maintenance_wait_timeout": 90,
    }
    roles = [
        {
            "role": "podplacement.core.node_maintenance",
            "vars": {**own, **more, "node_maintenance_state": state},
        }
        for state in ("begin", "end")
    ]
    return [{"name": "Windows", "hosts": hosts, "serial": 1, "gather_facts": False, "roles": roles}]


def play(estate: Estate, folder: Path, book: Any, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run it with the nodes as its inventory."""
    file = folder / "book.yml"
    file.write_text(json.dumps(book), encoding="utf-8")
    nodes = f"{estate.source},{estate.first}"
    shown = {"ANSIBLE_SHOW_CUSTOM_STATS": "1"}
    return run_playbook(estate.cluster, file, "-i", nodes, *flags, env=shown)


def handed_over(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What `set_stats` has for the next job of a workflow, of all hosts together."""
    found: dict[str, Any] = json.loads(done.stdout.partition("RUN: ")[2].splitlines()[0])
    return found


def cordons(estate: Estate) -> list[str]:
    """The nodes in the order in which they were written to since the mark."""
    found = estate.audit.entries(agent=AGENT, writes=True)
    return [e.name for e in found if e.resource == "nodes" and e.name.startswith(estate.namespace)]


def test_one_node_after_the_other_has_its_window(estate: Estate, tmp_path: Path) -> None:
    estate.fill(workload("web", 2))
    estate.open()
    estate.audit.mark()
    done = play(estate, tmp_path, window(estate, f"{estate.source}:{estate.first}"))
    assert done.returncode == 0, done.stdout
    assert cordons(estate) == [estate.source] * 2 + [estate.first] * 2
    assert (len(estate.on(estate.source)), estate.records()) == (2, [])
    told = handed_over(done)
    assert set(told["node_maintenance_nodes"]) == {estate.source, estate.first}
    figures = told["node_maintenance_stats"]
    assert {node: (one["state"], one["ok"]) for node, one in figures.items()} == {
        estate.source: ("end", True),
        estate.first: ("end", True),
    }


@pytest.mark.parametrize("choice", ["stop", "continue"])
def test_no_other_window_is_begun_after_one_that_failed(
    choice: str, estate: Estate, tmp_path: Path
) -> None:
    """Even if the nodes of one window do not wait for each other."""
    estate.fill(bare("stays", annotations={"podplacement.io/do-not-move": "true"}))
    estate.open()
    estate.audit.mark()
    hosts = f"{estate.source}:{estate.first}"
    done = play(estate, tmp_path, window(estate, hosts, node_maintenance_on_failure=choice))
    assert done.returncode != 0, done.stdout
    assert "OptedOut" in done.stdout
    assert cordons(estate) == [estate.source]
    told = handed_over(done)
    assert told["node_maintenance_nodes"] == [estate.source]
    assert told["node_maintenance_stats"][estate.source]["ok"] is False


def test_tags_choose_the_part_of_a_window(estate: Estate, tmp_path: Path) -> None:
    estate.fill(workload("web", 2))
    estate.open()
    reports = tmp_path / "reports"
    book = window(estate, estate.source, node_maintenance_report_dir=str(reports))
    begun = play(estate, tmp_path, book, "--tags", BEGIN, "--skip-tags", REPORT)
    assert begun.returncode == 0, begun.stdout
    assert (estate.on(estate.source), estate.is_cordoned()) == ([], True)
    assert not reports.exists()

    ended = play(estate, tmp_path, book, "--tags", END)
    assert ended.returncode == 0, ended.stdout
    assert (len(estate.on(estate.source)), estate.is_cordoned()) == (2, False)
    names = [p.name for p in reports.iterdir()]
    assert len(names) == 2, names
    assert all(name.startswith(f"{estate.source}-end-") for name in names), names
