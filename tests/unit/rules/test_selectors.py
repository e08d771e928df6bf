# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Label selectors: absent and empty are opposites, and a malformed one is an error."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.rules import MalformedObject
from ansible_collections.podplacement.core.plugins.module_utils.rules.model import parse_int64
from ansible_collections.podplacement.core.plugins.module_utils.rules.selectors import (
    matches_labels,
)

LABELS = {"app": "web", "tier": "front"}


def expression(operator: str, *values: str, key: str = "app") -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": None, "matchExpressions": None}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "web", "tier": "back"}}, False),
        ({"matchLabels": {"zone": "a"}}, False),
        (expression("In", "api", "web"), True),
        (expression("In", "api"), False),
        (expression("In", "api", key="zone"), False),
        (expression("NotIn", "api"), True),
        (expression("NotIn", "web"), False),
        (expression("NotIn", "web", key="zone"), True),
        (expression("Exists"), True),
        (expression("Exists", key="zone"), False),
        (expression("DoesNotExist"), False),
        (expression("DoesNotExist", key="zone"), True),
        ({"matchLabels": {"tier": "front"}, **expression("In", "api")}, False),
    ],
)
def test_a_selector_matches_as_the_api_server_has_it(selector: Any, matches: bool) -> None:
    assert matches_labels(selector, LABELS) is matches


@pytest.mark.parametrize(
    "selector",
    [
        expression("In"),
        expression("Exists", "web"),
        expression("Gt", "1"),
        expression("Like", "web"),
        {"matchLabels": {"app": 1}},
        {"matchLabels": ["app"]},
        {"matchExpressions": "app"},
        "app=web",
        # The first half does not match, but the second is malformed all the same.
        {"matchLabels": {"app": "api"}, **expression("In")},
    ],
)
def test_a_malformed_selector_is_an_error(selector: Any) -> None:
    with pytest.raises(MalformedObject):
        matches_labels(selector, LABELS)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-5", -5),
        ("+5", 5),
        ("007", 7),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("9223372036854775808", None),
        ("1_000", None),
        (" 1", None),
        ("1.0", None),
        ("\u0661", None),
        ("", None),
        ("9" * 5000, None),
    ],
)
def test_integers_are_those_of_go(text: str, value: int | None) -> None:
    assert parse_int64(text) == value
