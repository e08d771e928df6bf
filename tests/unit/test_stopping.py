# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a task learns that it should come to an end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.podplacement.core.plugins.module_utils import stopping
from ansible_collections.podplacement.core.plugins.module_utils.stopping import Stop
from tests.unit.moves.objects import stat

PROGRAM = """
import sys, time
from ansible_collections.podplacement.core.plugins.module_utils.stopping import STOP
STOP.install()
print("ready", flush=True)
while not STOP():
    time.sleep(0.02)
print("asked", flush=True)
for line in sys.stdin:
    pass
time.sleep(60)
"""


def process(folder: Path, pid: int, parent: int) -> None:
    """A line of /proc: its parent is the second field after the name."""
    (folder / str(pid)).mkdir(exist_ok=True)
    text = stat(5).replace(") S 0 ", f") S {parent} ", 1)
    (folder / str(pid) / "stat").write_text(text, encoding="ascii")


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch, parent: int) -> Stop:
    process(folder, os.getpgrp(), parent)
    monkeypatch.setattr(stopping, "SIGNALS", ())
    monkeypatch.setattr(stopping, "LOOK_SECONDS", 0.0)
    stop = Stop(proc=str(folder))
    stop.install()
    return stop


def test_nobody_asks_at_first() -> None:
    assert not Stop()()


def test_who_loses_the_one_that_began_it_is_asked_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = installed(tmp_path, monkeypatch, parent=4711)
    assert not stop()
    process(tmp_path, os.getpgrp(), parent=1)
    assert stop()
    process(tmp_path, os.getpgrp(), parent=4711)
    assert stop()  # a wish is not taken back


def test_the_end_of_the_groups_leader_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = installed(tmp_path, monkeypatch, parent=4711)
    (tmp_path / str(os.getpgrp()) / "stat").unlink()
    assert stop()


def test_what_was_left_alone_on_purpose_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = installed(tmp_path, monkeypatch, parent=1)
    (tmp_path / str(os.getpgrp()) / "stat").unlink()
    assert not stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_one_signal_is_a_wish_and_a_later_one_the_end(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(number)
        child.send_signal(number)  # the same, sent to the group and to the process
        assert child.stdout.readline() == "asked\n"
        assert child.poll() is None
        ends = 0
        while child.poll() is None:
            child.send_signal(number)
            ends += 1
            try:
                child.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
        assert child.returncode == -number
        assert ends >= 1
