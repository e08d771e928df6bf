# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may import what: the rules are pure, the moves know no HTTP, one door leads to the server."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tidy import tree

PACKAGE = Path("plugins/module_utils")
HOME = "ansible_collections.podplacement.core."
DOOR = PACKAGE / "_kube.py"
# What only the door may import, whatever the depth.
BEHIND_THE_DOOR = ("kubernetes", "ansible_collections.kubernetes", "urllib3")


def imports(path: Path, syntax: ast.Module) -> Iterator[str]:
    """Every imported module by its full name; own ones start with `plugins.`, however spelled."""
    for node in ast.walk(syntax):
        if isinstance(node, ast.Import):
            yield from (alias.name.removeprefix(HOME) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").removeprefix(HOME)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(path.parts[: -node.level])
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from (f"{base}.{name}" for name in names)


def within(name: str, *roots: str) -> bool:
    return any(name == root or name.startswith(root + ".") for root in roots)


def standard(name: str) -> bool:
    return name.partition(".")[0] in sys.stdlib_module_names


def verdict(path: Path, name: str) -> str:
    """Why this file may not import that module; empty when it may."""
    if within(name, *BEHIND_THE_DOOR) and path != DOOR:
        return "only _kube.py talks to the API server"
    rules = "plugins.module_utils.rules"
    if path.is_relative_to(PACKAGE / "rules") and not (standard(name) or within(name, rules)):
        return "rules import the standard library and each other"
    pure = PACKAGE / "moves", PACKAGE / "binding", PACKAGE / "placement"
    if any(path.is_relative_to(folder) for folder in pure):
        if within(name, "ansible", "plugins.module_utils._kube", "plugins.module_utils._module"):
            return "moves know neither Ansible nor HTTP"
    if path.is_relative_to(PACKAGE) and within(name, "plugins.modules", "tests", "tools"):
        return "a library does not import what uses it"
    return ""


def test_every_layer_keeps_to_itself() -> None:
    found = [
        f"{path}: imports {name}: {why}"
        for path in tree.below("plugins", ".py")
        for name in imports(path, tree.syntax(path))
        if (why := verdict(path, name))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("rules/fit.py", "from ..resources import cpu"),
        ("rules/fit.py", "import yaml"),
        ("moves/adopt.py", "from .._kube import Client"),
        ("moves/adopt.py", "from ansible.module_utils.basic import AnsibleModule"),
        ("workloads.py", "import kubernetes.client"),
        ("workloads.py", "from ansible_collections.kubernetes.core.plugins import x"),
        ("workloads.py", "from ..modules import k8s_pod_move"),
    ],
)
def test_a_forbidden_import_is_found(file: str, code: str) -> None:
    path = PACKAGE / file
    assert [name for name in imports(path, ast.parse(code)) if verdict(path, name)]


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("rules/fit.py", "from .taints import tolerated"),
        ("rules/fit.py", "import dataclasses"),
        ("moves/adopt.py", "from ..workloads import Workload"),
        ("_kube.py", "import kubernetes"),
    ],
)
def test_a_permitted_import_is_not(file: str, code: str) -> None:
    path = PACKAGE / file
    assert not [name for name in imports(path, ast.parse(code)) if verdict(path, name)]
