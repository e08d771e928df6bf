# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is common to many pods is read once, and nothing is written."""

from __future__ import annotations

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import NotFound
from ansible_collections.podplacement.core.plugins.module_utils.placement.once import ReadOnce
from ansible_collections.podplacement.core.plugins.module_utils.resources import (
    NODE,
    POD,
    REPLICA_SET,
)
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import NS, controller, node, pod


@pytest.fixture
def api() -> FakeApi:
    here, there = controller(), controller(name="other")
    there["metadata"]["namespace"] = "elsewhere"
    here["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    return FakeApi(here, there, node("a"), pod("p"))


@pytest.mark.parametrize("wide", [True, False])
def test_a_kind_is_listed_once(api: FakeApi, wide: bool) -> None:
    once = ReadOnce(api, wide=wide)
    for _time in range(3):
        assert once.get(REPLICA_SET, "web-5d4f", NS)["metadata"]["uid"] == "uid-web-5d4f"
        assert [o["metadata"]["name"] for o in once.list(REPLICA_SET, NS)[0]] == ["web-5d4f"]
        assert once.list(REPLICA_SET, "nowhere")[0] == []
    listed = [call.namespace for call in api.calls]
    assert listed == ([""] if wide else [NS, "nowhere"])


@pytest.mark.parametrize("wide", [True, False])
def test_what_is_not_there_is_not_found(api: FakeApi, wide: bool) -> None:
    once = ReadOnce(api, wide=wide)
    with pytest.raises(NotFound):
        once.get(REPLICA_SET, "other", NS)
    assert once.get(REPLICA_SET, "other", "elsewhere")
    assert once.get(NODE, "a")


def test_selections_and_pods_of_all_namespaces_are_asked_for_each_time(api: FakeApi) -> None:
    once = ReadOnce(api, wide=False)
    assert len(once.list(POD)[0]) == 1
    assert once.list(POD, NS, label_selector="app=nothing")[0] == []
    assert once.list(POD, NS, field_selector="metadata.name=p")[0]
    assert len(api.calls) == 3


def test_what_no_rule_reads_is_dropped(api: FakeApi) -> None:
    found = ReadOnce(api, wide=True).get(REPLICA_SET, "web-5d4f", NS)
    assert "managedFields" not in found["metadata"]


def test_nothing_is_written() -> None:
    once = ReadOnce(FakeApi(), wide=True)
    assert once.may("delete", POD, NS)
    for write in (once.create, once.patch, once.delete, once.evict, once.bind, once.wait_change):
        with pytest.raises(AssertionError):
            write(POD, "p", NS)
