# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module states about itself is stated by every module, and holds in the action group."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.tidy import tree

MODULES = [path for path in tree.below("plugins/modules", ".py") if path.name != "__init__.py"]
FRAGMENTS = {
    "kubernetes.core.k8s_auth_options",
    "podplacement.core._attributes",
    "podplacement.core._attributes.actiongroup_placement",
}
ATTRIBUTES = {"check_mode", "diff_mode", "idempotent", "action_group"}

each_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)


def documentation(path: Path, name: str) -> dict[str, Any]:
    for node in tree.syntax(path).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            if node.targets[0].id == name and isinstance(node.value, ast.Constant):
                return dict(yaml.safe_load(str(node.value.value)))
    raise AssertionError(f"{path} has no {name}")


def test_the_action_group_holds_every_module() -> None:
    runtime = yaml.safe_load(tree.text(Path("meta/runtime.yml")))
    assert runtime["action_groups"] == {"placement": sorted(path.stem for path in MODULES)}


@each_module
def test_a_module_takes_the_shared_options_and_attributes(path: Path) -> None:
    stated = documentation(path, "DOCUMENTATION")
    assert set(stated["extends_documentation_fragment"]) >= FRAGMENTS
    assert set(stated.get("attributes", {})) >= ATTRIBUTES - {"action_group"}


@each_module
def test_a_module_documents_the_results_that_all_have(path: Path) -> None:
    assert set(documentation(path, "RETURN")) >= {"cluster", "error"}


@each_module
def test_a_module_shows_how_it_is_used(path: Path) -> None:
    examples = yaml.safe_load(tree.text(path).split('EXAMPLES = r"""')[1].split('"""')[0])
    name = f"podplacement.core.{path.stem}"
    assert any(name in task for task in examples)
