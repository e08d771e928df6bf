# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests run on is what the collection says it needs."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.tidy import tree


def test_the_kubernetes_core_in_use_is_in_the_range_of_galaxy_yml() -> None:
    wanted = yaml.safe_load(tree.text(Path("galaxy.yml")))["dependencies"]["kubernetes.core"]
    manifest = json.loads((tree.KUBERNETES / "core" / "MANIFEST.json").read_text())
    assert manifest["collection_info"]["version"] in SpecifierSet(wanted)


def test_ansible_core_in_use_is_supported() -> None:
    wanted = yaml.safe_load(tree.text(Path("meta/runtime.yml")))["requires_ansible"]
    assert version("ansible-core") in SpecifierSet(wanted)


def test_python_requirements_are_lower_bounds_that_hold() -> None:
    lines = tree.text(Path("requirements.txt")).splitlines()
    wanted = [Requirement(line) for line in lines if re.match(r"\w", line)]
    assert {requirement.name for requirement in wanted} == {"kubernetes", "PyYAML"}
    for requirement in wanted:
        assert not re.search(r"(^|,)\s*(==|<)", str(requirement.specifier))
        assert version(requirement.name) in requirement.specifier


def test_an_execution_environment_gets_the_same() -> None:
    assert tree.text(Path("meta/ee-requirements.txt")) == tree.text(Path("requirements.txt"))
