# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Would the replacement run something else than the old pod?"""

from __future__ import annotations

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.moves.manifest import differences
from tests.unit.moves.objects import IMAGE, Object, pod


def started(image_id: str) -> Object:
    found = pod("p")
    found["status"]["containerStatuses"] = [{"name": "app", "imageID": image_id}]
    return found


def with_containers(*containers: Object, group: str = "containers") -> Object:
    found = pod("p")
    found["spec"][group] = [{"image": IMAGE, **c} for c in containers]
    return found


def test_the_same_is_no_difference() -> None:
    assert differences(pod("old"), pod("new", on="b")) == []


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ([{"name": "app"}], [{"name": "app"}, {"name": "mesh"}], "container mesh is new"),
        ([{"name": "app"}, {"name": "mesh"}], [{"name": "app"}], "container mesh is missing"),
        ([{"name": "app"}], [{"name": "app", "image": "x:2"}], f"image {IMAGE} becomes x:2"),
        (
            [{"name": "app", "resources": {"requests": {"cpu": "1"}}}],
            [{"name": "app", "resources": {"requests": {"cpu": "2"}}}],
            "requests {'cpu': '1'} become {'cpu': '2'}",
        ),
        (
            [{"name": "app", "resources": {"limits": {"cpu": "1"}}}],
            [{"name": "app"}],
            "limits {'cpu': '1'} become {}",
        ),
    ],
)
@pytest.mark.parametrize("group", ["containers", "initContainers"])
def test_containers_images_and_resources_count(
    before: list[Object], after: list[Object], words: str, group: str
) -> None:
    (text,) = differences(
        with_containers(*before, group=group), with_containers(*after, group=group)
    )
    assert words in text


def test_all_differences_are_told() -> None:
    before = with_containers({"name": "a"}, {"name": "b"})
    after = with_containers({"name": "b", "image": "x:2"}, {"name": "c"})
    assert len(differences(before, after)) == 3


@pytest.mark.parametrize(
    ("before", "after", "count"),
    [
        ("reg/app@sha256:1", "reg/app@sha256:2", 1),
        ("reg/app@sha256:1", "mirror/app@sha256:1", 0),
        ("reg/app@sha256:1", "", 0),
    ],
)
def test_a_tag_that_means_another_image_by_now(before: str, after: str, count: int) -> None:
    assert len(differences(started(before), started(after))) == count
    assert differences(started(before), pod("p")) == []
