# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real process with a plugin that blocks is ended, and says whose fault it was."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from podplacement_scheduler import watchdog

PLUGIN = """
import re, time

class Stuck:
    name = "Stuck"

    def filter(self):
        {body}
"""

HOST = """
import asyncio, importlib.util, sys
from pathlib import Path
from podplacement_scheduler.watchdog import Watchdog, source_file

spec = importlib.util.spec_from_file_location("stuck", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
plugin, running = module.Stuck(), []
files = {{"Stuck": source_file(module.Stuck)}}
assert files["Stuck"] == Path(sys.argv[1])

async def main():
    dog = Watchdog(
        lambda: running[0] if running else None, budget=0.4, deadline=1.6,
        files=files, state_directory=sys.argv[2],
    )
    dog.start()
    await asyncio.sleep(0.2)
    if {marked}:
        running.append(("Stuck", "filter"))
    plugin.filter()
    if {after} < 2:
        running.clear()
    print("well", flush=True)
    await asyncio.sleep({after})
    dog.stop()

asyncio.run(main())
"""


def start(
    folder: Path, body: str, *, marked: bool = True, after: float = 0.0
) -> subprocess.Popen[str]:
    plugin = folder / "stuck.py"
    plugin.write_text(PLUGIN.format(body=body))
    host = HOST.format(marked=marked, after=after)
    return subprocess.Popen(
        [sys.executable, "-c", host, str(plugin), str(folder / "state")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def blamed(folder: Path) -> list[tuple[str, str, str, str]]:
    found = watchdog.blocked(str(folder / "state"))
    return [(one.plugin, one.point, one.file, one.digest) for one in found]


def off(folder: Path) -> dict[str, str]:
    """What the next start keeps off."""
    files = {"Other": folder / "other.py", "Stuck": folder / "stuck.py"}
    (folder / "other.py").write_text("")
    return watchdog.kept_off(str(folder / "state"), files)


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / "stuck.py").read_bytes()).hexdigest()


@pytest.mark.parametrize("body", ["time.sleep(60)", "while True: pass"])
def test_a_plugin_that_blocks_is_named_and_the_process_ends(tmp_path: Path, body: str) -> None:
    process = start(tmp_path, body)
    _out, told = process.communicate(timeout=30)
    assert process.returncode == watchdog.EXIT_CODE == 70
    assert "plugin Stuck blocked the process in filter" in told
    assert 'stuck.py", line' in told  # the stack
    assert blamed(tmp_path) == [("Stuck", "filter", "stuck.py", digest(tmp_path))]


def test_it_stays_off_until_its_file_changes(tmp_path: Path) -> None:
    start(tmp_path, "time.sleep(60)").communicate(timeout=30)
    assert list(off(tmp_path)) == ["Stuck"]
    assert "blocked the process in filter" in off(tmp_path)["Stuck"]
    (tmp_path / "stuck.py").write_text("class Stuck: pass")
    assert off(tmp_path) == {}


def test_one_that_keeps_the_interpreter_to_itself_is_found_by_its_stack(tmp_path: Path) -> None:
    process = start(tmp_path, 're.match(r"(a+)+b", "a" * 64)')
    process.communicate(timeout=30)
    assert process.returncode == 1
    assert blamed(tmp_path) == []
    assert list(off(tmp_path)) == ["Stuck"]
    assert blamed(tmp_path) == [("", "filter", "stuck.py", digest(tmp_path))]
    assert list(off(tmp_path)) == ["Stuck"]
    assert len(blamed(tmp_path)) == 1


def test_a_loop_that_stands_still_without_a_plugin_blames_none(tmp_path: Path) -> None:
    process = start(tmp_path, "time.sleep(60)", marked=False)
    process.communicate(timeout=30)
    assert process.returncode in (watchdog.EXIT_CODE, 1)  # two timers with the same deadline
    assert blamed(tmp_path) == []


def test_a_short_pause_is_no_fault(tmp_path: Path) -> None:
    process = start(tmp_path, "time.sleep(0.1)", after=0.5)
    out, told = process.communicate(timeout=30)
    assert (process.returncode, out, told) == (0, "well\n", "")
    assert not (tmp_path / "state" / "stacks.txt").exists()


def test_a_stopped_process_did_not_block(tmp_path: Path) -> None:
    """SIGSTOP for more than the budget, in a plugin, and for less than the deadline."""
    process = start(tmp_path, "pass", after=2.0)
    assert process.stdout is not None
    assert process.stdout.readline() == "well\n"
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(0.9)  # how long it is frozen is what this test is about
    os.kill(process.pid, signal.SIGCONT)
    _out, told = process.communicate(timeout=30)
    assert (process.returncode, told) == (0, "")


def test_records_add_up_and_a_broken_record_is_ignored(tmp_path: Path) -> None:
    for _twice in range(2):
        start(tmp_path, "time.sleep(60)").communicate(timeout=30)
    assert [one[0] for one in blamed(tmp_path)] == ["Stuck"]
    (tmp_path / "state" / "blocked.json").write_text("{")
    assert blamed(tmp_path) == []
    assert watchdog.blocked("") == []


def test_the_budget_leaves_time_for_a_renewal() -> None:
    assert watchdog.budget(10.0, 2.0) == 4.0
