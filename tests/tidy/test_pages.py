# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages that are made from the sources, and examples that users copy, say what is true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import reason_codes
import rights
import yaml

from tests.tidy import tree
from tests.tidy.test_public_names import documentation

BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
PREFIX = "podplacement.core."
# Options that come from documentation fragments.
SHARED = {"expected_cluster", "kubeconfig", "context", "validate", "wait", "wait_timeout"}
PAGES = [path for path in tree.files(".md") if BLOCK.search(tree.text(path))]


def options(module: str) -> set[str]:
    """The options of a module of this collection."""
    path = Path(f"plugins/modules/{module}.py")
    return set(documentation(path, "DOCUMENTATION")["options"]) | SHARED


def variables(role: str) -> set[str]:
    """The variables of a role of this collection."""
    spec = yaml.safe_load(tree.text(Path(f"roles/{role}/meta/argument_specs.yml")))
    return set(spec["argument_specs"]["main"]["options"])


def dictionaries(node: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary of a document, however deep."""
    if isinstance(node, dict):
        yield node
    for child in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        yield from dictionaries(child)


def unknown(text: str) -> list[str]:
    """Options and variables of an example that nothing has."""
    found = []
    for part in dictionaries(yaml.safe_load(text)):
        for key in (k for k in part if str(k).startswith(f"{PREFIX}k8s_")):
            found += sorted(set(part[key]) - options(key.removeprefix(PREFIX)))
        included = part.get("ansible.builtin.include_role", {}).get("name", "")
        role = str(part.get("role", included))
        if role.startswith(PREFIX):
            found += sorted(set(part.get("vars", {})) - variables(role.removeprefix(PREFIX)))
    return found


def test_every_reason_code_is_documented() -> None:
    assert reason_codes.main(["--check"]) == 0


def test_the_rights_that_are_documented_are_those_of_the_modules() -> None:
    assert rights.main(["--check"]) == 0


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_examples_use_options_that_exist(page: Path) -> None:
    for example in BLOCK.findall(tree.text(page)):
        assert not unknown(example), example


def test_a_misspelt_option_is_noticed() -> None:
    example = "- podplacement.core.k8s_pod_bind: {name: a, nod: b}"
    assert unknown(example) == ["nod"]
    role = "{role: podplacement.core.pod_moves, vars: {pod_moves_move: []}}"
    assert unknown(role) == ["pod_moves_move"]
