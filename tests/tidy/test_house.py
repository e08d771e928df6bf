# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree keeps every house rule, and every rule finds what it is there to find."""

from __future__ import annotations

import pytest

from tests.tidy import tree
from tests.tidy.house import RULES, Rule

named = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)


@named
def test_the_tree_keeps_the_rule(rule: Rule) -> None:
    found = [
        f"{path}: {what}"
        for path in tree.files()
        if rule.concerns(path)
        for what in rule.find(path, tree.text(path))
    ]
    assert not found, "\n".join(found)


@named
def test_the_rule_finds_its_sample(rule: Rule) -> None:
    assert rule.concerns(rule.sample_path)
    assert list(rule.find(rule.sample_path, rule.sample))
