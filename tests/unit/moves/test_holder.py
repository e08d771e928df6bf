# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the process that holds a lock still there? Told from /proc, and never guessed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.moves.holder import Holder
from tests.unit.moves.objects import holder, stat

OTHER = 4_000_001


def other_process(folder: Path, line: str | None) -> str:
    """The identity of a process that started at 500, with /proc as it is now."""
    me = holder(folder)
    run, boot, space, *_rest = me.identity.split("/")
    if line is not None:
        (folder / str(OTHER)).mkdir()
        (folder / str(OTHER) / "stat").write_text(line, encoding="ascii")
    return "/".join([run, boot, space, str(OTHER), "500"])


def test_an_identity_names_run_boot_namespace_process_and_its_start(tmp_path: Path) -> None:
    first, second = holder(tmp_path).identity, holder(tmp_path).identity
    assert first.split("/")[1:] == ["b00t", "1", str(os.getpid()), "100"]
    assert first.partition("/")[0] != second.partition("/")[0]


def test_a_process_that_runs_is_there(tmp_path: Path) -> None:
    me = holder(tmp_path)
    assert not me.is_gone(me.identity)
    assert not me.is_gone(other_process(tmp_path, stat(500)))


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(None, id="no such process"),
        pytest.param(stat(501), id="its number belongs to another one now"),
        pytest.param(stat(500, state="Z"), id="unreaped remains"),
        pytest.param(stat(500, state="X"), id="dead"),
        pytest.param("", id="ended while we read"),
    ],
)
def test_a_dead_process_of_this_host_is_gone(line: str | None, tmp_path: Path) -> None:
    assert holder(tmp_path).is_gone(other_process(tmp_path, line))


@pytest.mark.parametrize("changes", [{"boot": "other"}, {"space": "2"}])
def test_a_process_elsewhere_is_not_ours_to_judge(changes: Any, tmp_path: Path) -> None:
    """Another host, this host before it restarted, or another container."""
    identity = other_process(tmp_path, None)
    assert not holder(tmp_path, **changes).is_gone(identity)


@pytest.mark.parametrize(
    "identity",
    ["", "job-17", "a/b/c/d/e", "r/b00t/1/12", "r/b00t/1/12/", "r//1/12/500", "r/b00t/1/12/5/6"],
)
def test_an_identity_of_another_make_is_not_ours_to_judge(identity: str, tmp_path: Path) -> None:
    assert not holder(tmp_path).is_gone(identity)


def test_without_proc_nobody_is_judged(tmp_path: Path) -> None:
    """On another system a lock is taken over by the clock alone."""
    blind = Holder(proc=str(tmp_path / "nothing"))
    assert blind.identity.split("/")[1:] == ["", "", str(os.getpid()), ""]
    assert not blind.is_gone(blind.identity)


def test_a_live_process_is_recognised_in_the_real_proc() -> None:
    assert not Holder().is_gone(Holder().identity)
