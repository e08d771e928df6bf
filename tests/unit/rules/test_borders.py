# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules can be carried into another package: standard library, relative imports, no I/O."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.podplacement.core.plugins.module_utils import rules

FILES = sorted(Path(next(iter(rules.__path__))).glob("*.py"))
# What pure functions need. A new name here is a decision, not an accident.
ALLOWED = {"__future__", "collections", "dataclasses", "functools", "re", "typing"}
IMPURE = {"open", "print", "input", "eval", "exec", "__import__"}


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in FILES])
def test_a_rule_file_imports_only_its_neighbours_and_pure_modules(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Import):
            assert {alias.name.split(".")[0] for alias in statement.names} <= ALLOWED
        elif isinstance(statement, ast.ImportFrom):
            assert statement.level == 1 or (statement.module or "").split(".")[0] in ALLOWED
        elif isinstance(statement, ast.Name):
            assert statement.id not in IMPURE


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in FILES])
def test_a_rule_file_carries_the_licence_that_lets_others_include_it(path: Path) -> None:
    assert "Identifier: BSD-2-Clause" in path.read_text(encoding="utf-8")


def test_the_rules_work_under_another_package_name_without_any_other_package(
    tmp_path: Path,
) -> None:
    shutil.copytree(FILES[0].parent, tmp_path / "carrier" / "_rules")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from carrier._rules import View, check_fit\n"
        "print([r.code for r in check_fit({}, View(node={'spec': {'unschedulable': True}}))])"
    )
    # -I and -S leave the standard library and nothing else to import from.
    command = [sys.executable, "-I", "-S", "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "['NodeUnschedulable', 'TooManyPods']\n"
