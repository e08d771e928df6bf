# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selectors of list requests, as labels.Parse reads them."""

from __future__ import annotations

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.selecting import query, terms_of

POD = {
    "metadata": {"name": "p", "labels": {"app": "web", "tier": "front"}},
    "spec": {"nodeName": "a"},
    "status": {"phase": "Running"},
}


@pytest.mark.parametrize(
    ("labels", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app=db", False),
        ("app!=db", True),
        ("app!=web", False),
        ("zone!=b", True),
        ("app in (db,web)", True),
        ("app in (db, cache)", False),
        ("app notin (db)", True),
        ("zone notin (b)", True),
        ("app", True),
        ("zone", False),
        ("!zone", True),
        ("!app", False),
        ("app=web,tier=front", True),
        ("app=web,tier in (back, middle)", False),
        ("app in (web),!zone,tier", True),
    ],
)
def test_labels(labels: str, *, matches: bool) -> None:
    assert query(labels, "").matches(POD) is matches


@pytest.mark.parametrize(
    ("fields", "matches"),
    [
        ("spec.nodeName=a", True),
        ("spec.nodeName=b", False),
        ("spec.nodeName!=b,status.phase!=Failed", True),
        ("metadata.name=p", True),
        ("spec.schedulerName=", True),
    ],
)
def test_fields(fields: str, *, matches: bool) -> None:
    assert query("", fields).matches(POD) is matches


def test_what_an_index_can_serve() -> None:
    found = query("app=web,tier!=back,x in (y)", "spec.nodeName=a,metadata.name=p")
    assert found.terms == (("app", "web"), ("x", "y"), ("spec.nodeName", "a"))
    assert found.name == "p"
    assert set(found.terms[:1]) < terms_of(POD)
    assert terms_of({"metadata": {}}) == frozenset()
