# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process tree of an ansible-playbook run is killed amid a move; then it is run again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.faults.cases import CASES
from tests.faults.referee import watching
from tests.faults.world import World, hands_over
from tests.integration.surroundings import ROOT, environment

pytestmark = [pytest.mark.cluster, pytest.mark.faults]


def start_playbook(cluster: Any, module: str, args: Mapping[str, Any]) -> subprocess.Popen[str]:
    """A play with this one task, as its own session."""
    task = {f"podplacement.core.{module}": {**args, "kubeconfig": str(cluster.kubeconfig)}}
    play = {"name": "Move", "hosts": "localhost", "gather_facts": False, "tasks": [task]}
    path = Path(cluster.kubeconfig).with_suffix(".play.yml")
    path.write_text(yaml.safe_dump([play]), encoding="utf-8")
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        *("-i", "localhost,", "-c", "local"),
        *("-e", f"ansible_python_interpreter={sys.executable}"),
        str(path),
    ]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(),
        start_new_session=True,
    )


def test_a_playbook_that_was_killed_is_run_again(world: World, tmp_path: Path) -> None:
    """Killed after the swap: the second run finishes, the third has nothing to do."""
    case = CASES["adopt-deployment"](world)
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        killed = world.run(case.module, case.args, start_playbook)
        killed.proxy.at(hands_over, "after", killed.kill)
        killed.start().died()
        for changed in (1, 0):
            again = world.run(case.module, case.args, start_playbook).start()
            out, err = again.process.communicate(timeout=120)
            assert again.process.returncode == 0, out + err
            assert f"changed={changed} " in out, out
        case.check(referee.history())
