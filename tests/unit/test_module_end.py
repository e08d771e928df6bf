# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a module ends: its result is told, and nothing is left to do."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils import _module as module
from ansible_collections.podplacement.core.plugins.module_utils.errors import PlacementError


class Ending:
    """An AnsibleModule at its end."""

    _diff = False

    def __init__(self) -> None:
        self.result: dict[str, Any] = {}
        self.frozen = 0

    def warn(self, text: str) -> None:
        self.result.setdefault("warned", []).append(text)

    def exit_json(self, **result: Any) -> None:
        self.result.update(result)
        self.frozen = gc.get_freeze_count()

    fail_json = exit_json


@pytest.fixture
def ending() -> Iterator[Ending]:
    yield Ending()
    gc.unfreeze()


def test_no_garbage_is_looked_for_at_the_end(ending: Ending) -> None:
    """What is there is not looked through once more when the interpreter ends."""
    here = len(gc.get_objects())
    module._exit(ending, {"changed": True, "warnings": ["w"], "diff": {}}, {"host": "h"})
    assert ending.result == {"changed": True, "cluster": {"host": "h"}, "warned": ["w"]}
    assert ending.frozen >= here // 2


def test_nor_after_a_failure(ending: Ending) -> None:
    module._fail(ending, PlacementError("Code", "why"), {})
    assert ending.result["msg"] == "Code: why"
    assert ending.frozen > 0
