# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The number of inline ignores is known and only goes down.

`ratchet.yml` holds how many there are of each kind. The test fails when the tree has more, and
also when it has fewer: then the number is to be lowered, so that none comes back unseen.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.tidy import tree

RATCHET: dict[str, int] = yaml.safe_load((Path(__file__).parent / "ratchet.yml").read_text())

MARKS = {
    "noqa": r"#\s*noqa\b",
    "type_ignore": r"#\s*type:\s*ignore\b",
    "pylint_disable": r"#\s*pylint:\s*disable",
    "fmt_off": r"#\s*fmt:\s*(off|skip)\b",
    "shellcheck_disable": r"#\s*shellcheck\s+disable",
    "yamllint_disable": r"#\s*yamllint\s+disable",
    "nocover": r"#\s*pragma:\s*no\s+cover",
    "skipped_tests": r"\bmark\.(skip|xfail)\b",
}


def places(mark: str) -> list[str]:
    pattern = re.compile(MARKS[mark])
    return [
        f"{path}:{number}: {line.strip()}"
        for path in tree.files(".py", ".sh", ".yml", ".yaml", "")
        for number, line in enumerate(tree.text(path).splitlines(), 1)
        if pattern.search(line)
    ]


def test_every_mark_has_its_number() -> None:
    assert set(RATCHET) == set(MARKS)


@pytest.mark.parametrize("mark", MARKS)
def test_inline_ignores_only_become_fewer(mark: str) -> None:
    found = places(mark)
    told = f"{mark}: {len(found)} in the tree, {RATCHET[mark]} in ratchet.yml"
    advice = "remove the new one" if len(found) > RATCHET[mark] else "lower the number"
    assert len(found) == RATCHET[mark], "\n".join([f"{told}: {advice}", *found])


def test_no_sanity_test_is_ignored() -> None:
    assert not list((tree.ROOT / "tests" / "sanity").glob("ignore-*.txt"))
