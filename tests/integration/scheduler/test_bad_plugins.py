# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A slow plugin is switched off; one that blocks ends the process, by name, and stays off."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from podplacement_scheduler.watchdog import EXIT_CODE
from tests.cluster.daemon import Daemon
from tests.integration.scheduler.ground import WITHIN, Ground

pytestmark = pytest.mark.cluster
PLUGIN = """
import time

from podplacement_scheduler.framework.interface import SUCCESS, Plugin


class Picky(Plugin):
    name = "Picky"

    def filter(self, state, pod, node):
        {body}
        return SUCCESS
"""
SLOW = PLUGIN.format(body="time.sleep(0.1)")
BLOCKING = PLUGIN.format(body='while pod.name == "trap": pass')
MENDED = PLUGIN.format(body="pass")
# The watchdog's patience is half of what a missed renewal leaves.
QUICK = {"leaseDuration": "8s", "renewDeadline": "6s", "retryPeriod": "1s", "leaderElect": False}

Start = Callable[..., AbstractContextManager[Daemon]]


@pytest.fixture
def start(own_ground: Ground, tmp_path: Path) -> Start:
    """Starts a scheduler with the one plugin file."""
    own_ground.nodes(a={})

    def started(text: str, **settings: object) -> AbstractContextManager[Daemon]:
        folder, state = tmp_path / "plugins", tmp_path / "state"
        folder.mkdir(exist_ok=True)
        (folder / "picky.py").write_text(text, encoding="utf-8")
        plugins = {"multiPoint": {"enabled": [{"name": "Picky"}]}}
        return own_ground.daemon(
            profiles=[{"schedulerName": own_ground.scheduler, "plugins": plugins}],
            userPlugins={"directory": str(folder), "stateDirectory": str(state), **settings},
            leaderElection=QUICK,
        )

    return started


def test_a_slow_plugin_is_switched_off_and_its_pods_are_refused_by_name(
    own_ground: Ground, start: Start
) -> None:
    with start(SLOW, budget="10ms", maxOverruns=2) as daemon:
        for name in ("first", "second"):
            own_ground.create(own_ground.pod(name))
            own_ground.bound(name)
        own_ground.create(own_ground.pod("third"))
        told = own_ground.pending("third", "Picky")
        assert "switched off" in told
        assert daemon.metrics()['podplacement_scheduler_plugin_off{plugin="Picky"}'] == 1
        off = json.loads(daemon.get("/plugins"))[own_ground.scheduler]["Picky"]
        assert "2 overruns in a row in filter" in off


def test_a_plugin_that_blocks_ends_the_process_and_stays_off_until_it_is_mended(
    own_ground: Ground, start: Start
) -> None:
    with start(BLOCKING) as daemon:
        daemon.wait_scheduling()
        own_ground.create(own_ground.pod("trap"))
        assert daemon.process.wait(WITHIN) == EXIT_CODE
        assert "plugin Picky blocked the process in filter" in daemon.log()
        assert "picky.py" in daemon.log()
    with start(BLOCKING) as daemon:
        daemon.wait_scheduling()
        own_ground.pending("trap", "it blocked the process in filter")
        own_ground.create(own_ground.pod("other"))
        own_ground.pending("other", "Picky")
    with start(MENDED) as daemon:
        own_ground.bound("trap", "other")
