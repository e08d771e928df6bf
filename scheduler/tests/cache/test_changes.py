# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of a pod that changed only what can have changed is read, with the same result."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from podplacement_scheduler.cache.objects import Pod, decode_change, decode_pod
from podplacement_scheduler.cache.podclass import Interner

from .objects import OTHERS, World, pod, raw

GATED: dict[str, Any] = {"schedulingGates": [{"name": "example.com/wait"}]}
RESIZING = {
    "containerStatuses": [
        {
            "name": "main",
            "allocatedResources": {"cpu": "2"},
            "resources": {"requests": {"cpu": "1"}},
        }
    ]
}


class Reader:
    """Decodes a pod as it was, and then as it is."""

    def __init__(self) -> None:
        self.interner = Interner()

    def changed(self, before: dict[str, Any], after: dict[str, Any]) -> tuple[Pod, Pod]:
        """As a change, and from nothing."""
        known = decode_pod(raw(before), self.interner)
        told = decode_change(raw(after), self.interner, {known.uid: known})
        return told, decode_pod(raw(after), self.interner)


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.mark.parametrize(
    "after",
    [
        pod("web", version=2, generation=1),
        pod("web", version=2, generation=1, node="node-1"),
        pod("web", version=2, generation=1, node="node-1", phase="Running"),
        pod("web", version=2, generation=1, node="node-1", status=RESIZING),
        pod("web", version=2, generation=1, managed=True),
        pod("web", version=2, generation=1, deleted=True),
        pod("web", version=2, generation=1, labels={"app": "web"}),
        pod("web", version=2, generation=2, cpu="2"),
        pod("web", version=2, generation=2, deleted=True),
        pod("web", version=2, generation=2, **GATED),
        pod("web", version=2, generation=2, scheduler="another"),
        pod("web", version=2, cpu="2"),
        pod("other", version=2, generation=1, cpu="2"),
    ],
)
def test_a_change_says_what_the_whole_pod_says(reader: Reader, after: dict[str, Any]) -> None:
    told, anew = reader.changed(pod("web", generation=1), after)
    assert msgspec.structs.astuple(told) == msgspec.structs.astuple(anew)


def test_labels_that_are_known_need_no_second_look(reader: Reader) -> None:
    labels = {"topology.kubernetes.io/zone": "a"}
    neighbour = decode_pod(raw(pod("other", labels=labels)), reader.interner)
    after = pod("web", version=2, generation=1, labels=labels, node="node-1")
    after["spec"]["containers"] = "not looked at"
    before = decode_pod(raw(pod("web", generation=1)), reader.interner)
    told = decode_change(raw(after), reader.interner, {"web": before})
    assert told.pod_class is neighbour.pod_class


@pytest.mark.parametrize("generation", [0, 1, 2])
def test_gates_are_read_where_the_generation_does_not_vouch(
    reader: Reader, generation: int
) -> None:
    before = pod("web", generation=generation and 1, **GATED)
    told, anew = reader.changed(before, pod("web", version=2, generation=generation))
    assert anew.gates == ()
    assert told.gates == (("example.com/wait",) if generation == 1 else ())


def test_a_generation_of_nought_vouches_for_nothing(reader: Reader) -> None:
    def with_zero(thing: dict[str, Any]) -> dict[str, Any]:
        thing["metadata"]["generation"] = 0
        return thing

    told, anew = reader.changed(with_zero(pod("web")), with_zero(pod("web", cpu="2")))
    assert told.pod_class is anew.pod_class


def test_pods_of_others_keep_no_text_when_they_change() -> None:
    world = World()
    for version in (1, 2):
        event = "ADDED" if version == 1 else "MODIFIED"
        world.pods(event, pod("web", version=version, generation=1, scheduler=OTHERS))
    known = world.cluster.pods["web"]
    assert (known.resource_version, known.raw) == ("2", None)


def test_what_was_not_readable_is_read_again(reader: Reader) -> None:
    broken = pod("web", generation=1)
    broken["spec"]["containers"] = "none"
    told, anew = reader.changed(broken, pod("web", version=2, generation=1))
    assert (told.pod_class.error, told.pod_class) == ("", anew.pod_class)


def test_a_change_that_cannot_be_read_is_read_as_any_such_pod(reader: Reader) -> None:
    broken = pod("web", version=2, generation=1)
    broken["status"]["phase"] = 7
    told, _anew = reader.changed(pod("web", generation=1), broken)
    assert "cannot be read" in told.pod_class.error
