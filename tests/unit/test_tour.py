# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo does not praise what it did not see: each broken promise is told and fails it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import tour
from board import Object

from tests.cluster.watcher import Watching

MOVES = [{"namespace": "demo", "name": "web-1", "node": "n2"}]


def pod(name: str, node: str, *, ready: bool = True, before: str = "[]") -> Object:
    """A pod as the API server shows it after a move."""
    conditions = [{"type": "Ready", "status": str(ready)}]
    annotations = {"podplacement.io/moved-from-name": before}
    metadata = {"name": name, "annotations": annotations}
    return {
        "metadata": metadata,
        "spec": {"nodeName": node},
        "status": {"conditions": conditions},
    }


def problems(*pods: Object, first: int = 1, second: int = 0, lowest: int = 3) -> list[str]:
    """What the demo says of a run that ended like this."""
    seen: Any = SimpleNamespace(summary=SimpleNamespace(min_ready=lowest))
    watches = {"web": cast(Watching, seen)}
    return tour.check(first, second, watches, MOVES, pods)


def test_kept_promises_are_no_problem() -> None:
    assert problems(pod("web-m1", "n2", before='["web-1"]')) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (problems(pod("web-1", "n2"), first=0), "the first run changed nothing"),
        (problems(pod("web-1", "n2"), second=2), "the second run changed 2 tasks, must be 0"),
        (problems(pod("web-1", "n2"), lowest=2), "web: only 2 of 3 pods were Ready at a moment"),
        (problems(pod("web-1", "n2", ready=False)), "web-1 is not Ready"),
        (problems(pod("web-1", "n1")), "web-1 should be on n2 and is on ['n1']"),
        (problems(pod("web-9", "n2")), "web-1 should be on n2 and is on no node"),
    ],
)
def test_a_broken_promise_is_told(found: list[str], said: str) -> None:
    assert found == [said]
