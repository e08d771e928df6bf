# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A trial counts what was written for it: in its namespace, to its node, and about that node."""

from __future__ import annotations

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.evacuation.record import record_name
from bench.evacuation import _own
from tests.cluster.audit import Entry

SOURCE = "bench-1-source"


def entry(namespace: str, name: str) -> Entry:
    return Entry("create", "", 201, "", "podplacement/", "", "", namespace, name, False, "")


@pytest.mark.parametrize(
    ("namespace", "name", "counts"),
    [
        ("bench-1", "app-0-xyz", True),
        ("", SOURCE, True),
        ("default", record_name(SOURCE), True),
        ("bench-2", "app-0-xyz", False),
        ("", "bench-2-source", False),
        ("default", record_name("bench-2-source"), False),
    ],
)
def test_a_trial_counts_its_own_writes(namespace: str, name: str, counts: bool) -> None:
    assert bool(_own([entry(namespace, name)], "bench-1", SOURCE)) is counts
