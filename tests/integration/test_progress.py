# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback plugin in whole `ansible-playbook` runs: on a terminal, in a log, and in the way of
nobody.
"""

from __future__ import annotations

import os
import pty
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.runner import run_playbook
from tests.integration.surroundings import environment

WORKER = """
import sys
from ansible_collections.podplacement.core.plugins.module_utils.progress import sink
total = int(sys.argv[1])
sink()({"event": "moved", "done": 1, "failed": 0, "total": total, "left": None})
"""
PLAYBOOK = """
- name: Two tasks that take long
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Move
      ansible.builtin.command: {argv: [%(python)s, %(worker)s, "3"]}
    - name: Move more
      ansible.builtin.command: {argv: [%(python)s, %(worker)s, "5"]}
    - name: A task that tells nothing
      ansible.builtin.command: {argv: ["true"]}
"""
SHOWN = "\r\033[K1 of 3 moved, 2 to do"
GONE = "\r\033[K"


@dataclass(frozen=True)
class Theatre:
    """A playbook, and the folder in which the callback makes its FIFO."""

    playbook: Path
    folder: Path

    def env(self, **more: str) -> dict[str, str]:
        enabled = {"ANSIBLE_CALLBACKS_ENABLED": "podplacement.core.progress"}
        return {"TMPDIR": str(self.folder), "TERM": "xterm", **enabled, **more}

    def log(self, **env: str) -> str:
        """The output of a run whose output is no terminal."""
        done = run_playbook(None, self.playbook, env=self.env(**env))
        assert done.returncode == 0, done.stdout + done.stderr
        assert " failed=0 " in done.stdout
        return done.stdout

    def terminal(self, **env: str) -> str:
        """The output of a run on a terminal."""
        python = f"ansible_python_interpreter={sys.executable}"
        here = ("-i", "localhost,", "-c", "local", "-e", python)
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        status, text = on_a_terminal([program, str(self.playbook), *here], self.env(**env))
        assert status == 0, text
        return text


def on_a_terminal(command: list[str], env: Mapping[str, str]) -> tuple[int, str]:
    """Run a command in a pseudo terminal; its status and all that it wrote."""
    child, descriptor = pty.fork()
    if child == 0:
        os.execve(command[0], command, environment(env))
    said = b""
    try:
        while data := os.read(descriptor, 65536):
            said += data
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(descriptor)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said.decode()


@pytest.fixture
def theatre(tmp_path: Path) -> Iterator[Theatre]:
    worker, playbook = tmp_path / "worker.py", tmp_path / "play.yml"
    worker.write_text(WORKER)
    playbook.write_text(PLAYBOOK % {"python": sys.executable, "worker": worker})
    # Not in tmp_path: Ansible makes sockets there, whose paths must be short.
    with tempfile.TemporaryDirectory() as folder:
        yield Theatre(playbook, Path(folder))


def test_in_a_log_each_task_tells_its_end(theatre: Theatre) -> None:
    said = theatre.log()
    told = re.findall(r"^\d of .*$|^TASK \[.*?\]", said, re.MULTILINE)
    assert told == [
        "TASK [Move]",
        "1 of 3 moved, 2 to do",
        "TASK [Move more]",
        "1 of 5 moved, 4 to do",
        "TASK [A task that tells nothing]",
    ]
    assert "\r" not in said
    assert list(theatre.folder.glob("podplacement-*")) == []


def test_on_a_terminal_one_line_is_shown_and_taken_away(theatre: Theatre) -> None:
    said = theatre.terminal()
    assert SHOWN in said
    assert GONE in said.partition(SHOWN)[2]
    assert said.count("changed: [localhost]") == 3
    assert list(theatre.folder.glob("podplacement-*")) == []


def test_on_the_terminal_of_ansible_runner_there_are_lines(theatre: Theatre) -> None:
    said = theatre.terminal(AWX_ISOLATED_DATA_DIR=str(theatre.folder))
    assert GONE not in said
    assert "\n1 of 3 moved, 2 to do\r\n" in said


def test_an_outer_listener_is_left_alone(theatre: Theatre) -> None:
    outer = theatre.folder / "outer"
    outer.touch()
    assert "1 of 3" not in theatre.log(PODPLACEMENT_PROGRESS=str(outer))
    assert len(outer.read_text().splitlines()) == 2


def test_a_callback_that_cannot_be_loaded_stops_no_playbook(theatre: Theatre) -> None:
    assert "1 of 3" not in theatre.log(PODPLACEMENT_PROGRESS_STYLE="no such style")
