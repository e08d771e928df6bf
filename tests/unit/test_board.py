# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's board shows what the API server says, whatever the terminal is."""

from __future__ import annotations

from typing import Any

import board
import pytest
from board import Object


def pod(name: str, node: str = "", *, uid: str = "", **metadata: Any) -> Object:
    """As much of a pod as the board looks at."""
    spec = {"nodeName": node} if node else {}
    return {"metadata": {"name": name, "uid": uid or name, **metadata}, "spec": spec}


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")


def test_each_pod_stands_below_its_node() -> None:
    shown = board.board([pod("b", "n1"), pod("a", "n1"), pod("c", "n2")], ["n1", "n2"])
    assert shown[0].split() == ["n1", "(2)", "n2", "(1)"]
    assert [line.split() for line in shown[2:]] == [["a", "c"], ["b"]]


def test_a_pod_without_a_node_is_named() -> None:
    assert board.board([pod("w")], ["n1"])[-1] == "no node yet: w"


def test_a_new_pod_is_marked() -> None:
    assert "* a" in board.board([pod("a", "n1")], ["n1"], {"a": "*"})[2]


def test_no_line_is_wider_than_the_terminal() -> None:
    names = [pod("x" * 200, node) for node in ("n1", "n2", "n3", "n4")]
    assert max(map(len, board.board(names, ["n1", "n2", "n3", "n4"]))) <= 80


def test_a_move_is_told_with_both_names_and_its_scheduler() -> None:
    after = pod("web-m1", "n2", uid="2", labels={board.MOVED_FROM: "1"})
    event = {
        "reason": "Scheduled",
        "involvedObject": {"uid": "2"},
        "source": {"component": "default-scheduler"},
    }
    rows = board.moved([pod("web", "n1", uid="1")], [after], [event])
    assert rows == [["web", "n1", "n2", "web-m1", "default-scheduler"]]


def test_a_bound_pod_keeps_its_name() -> None:
    rows = board.moved([pod("w", uid="1")], [pod("w", "n1", uid="1")], [])
    assert rows == [["w", "-", "n1", "the same", "podplacement"]]


def test_columns_are_as_wide_as_they_need_to_be() -> None:
    assert board.table([["long one", "x"]], ["a", "b"]) == ["a         b", "long one  x"]
