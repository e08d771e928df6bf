# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists and watches of the fake API server are those of a real one; see test_fake_is_honest.py."""

from __future__ import annotations

import msgspec
import pytest

from podplacement_scheduler.api.kinds import PODS
from podplacement_scheduler.api.transport import MERGE_PATCH
from podplacement_scheduler.errors import ApiError
from tests.integration.scheduler.sides import Asks, Side, ask_fake, ask_real

pytestmark = pytest.mark.cluster


@pytest.fixture(params=["fake", "real"])
def asks(request: pytest.FixtureRequest) -> Asks:
    """Puts a question to one of the two."""
    if request.param == "fake":
        return ask_fake
    cluster = request.getfixturevalue("cluster")
    return ask_real(cluster, request.getfixturevalue("namespace"))


# ---- lists


def test_pages_are_of_one_version(asks: Asks) -> None:
    async def question(side: Side) -> None:
        for name in "abcde":
            await side.pod(name)
        pages = []
        async for page in side.client.pages(PODS, namespace=side.namespace, limit=2):
            pages.append(page)
            if len(pages) == 1:
                await side.pod("bb")
                await side.delete("e", gracePeriodSeconds=0)
        items = [msgspec.json.decode(raw) for page in pages for raw in page.items]
        assert [item["metadata"]["name"] for item in items] == list("abcde")
        assert len({page.version for page in pages}) == 1
        assert not any("kind" in item or "apiVersion" in item for item in items)

    asks(question)


def test_a_list_is_of_what_its_selector_lets_through(asks: Asks) -> None:
    async def question(side: Side) -> None:
        pod = await side.pod("a")
        await side.pod("b")
        await side.bind(pod, "no-such-node")

        async def names(selector: str) -> list[str]:
            found = await side.ask("GET", f"{side.path(PODS)}?fieldSelector={selector}")
            return [item["metadata"]["name"] for item in found["items"]]

        assert await names("spec.nodeName=no-such-node") == ["a"]
        assert await names("spec.nodeName=") == ["b"]
        assert await names("metadata.name=b") == ["b"]
        assert await names("status.phase!=Succeeded,status.phase!=Failed") == ["a", "b"]
        assert await names("status.phase!=Pending") == []

    asks(question)


# ---- watches


def test_a_watch_brings_each_change_once_and_in_order(asks: Asks) -> None:
    async def question(side: Side) -> None:
        version = await side.version()

        async def live() -> None:
            pod = await side.pod("p")
            labels = {"metadata": {"labels": {"a": "b"}}}
            await side.ask("PATCH", side.path(PODS, "p"), labels, content_type=MERGE_PATCH)
            await side.bind(pod, "no-such-node")
            await side.delete("p", gracePeriodSeconds=0)

        for _twice in range(2):  # while it happens, and afterwards from the same version
            found = await side.events(5, version, live)
            assert [event for event, _pod in found] == ["ADDED", *["MODIFIED"] * 3, "DELETED"]
            versions = [int(pod["metadata"]["resourceVersion"]) for _event, pod in found]
            assert versions == sorted(set(versions))
            assert versions[0] > int(version)

            async def live() -> None:
                return None

    asks(question)


def test_who_leaves_the_selection_is_deleted_for_its_watch(asks: Asks) -> None:
    async def question(side: Side) -> None:
        version = await side.version()

        async def live() -> None:
            await side.pod("p")
            body = {"status": {"phase": "Succeeded"}}
            path = side.path(PODS, "p", "status")
            await side.ask("PATCH", path, body, content_type=MERGE_PATCH)

        selector = "status.phase!=Succeeded,status.phase!=Failed"
        found = await side.events(2, version, live, field_selector=selector)
        assert [event for event, _pod in found] == ["ADDED", "DELETED"]
        # As it was when it was last seen, at a new version.
        assert found[1][1]["status"]["phase"] == "Pending"
        first, second = (int(pod["metadata"]["resourceVersion"]) for _event, pod in found)
        assert first < second

    asks(question)


def test_a_streaming_list_ends_with_a_marked_bookmark(asks: Asks) -> None:
    async def question(side: Side) -> None:
        for name in "ab":
            await side.pod(name)
        found = await side.events(4, "", lambda: side.pod("c"), initial=True)
        names = [pod["metadata"].get("name", "") for _event, pod in found]
        bookmark = next(index for index, (event, _pod) in enumerate(found) if event == "BOOKMARK")
        assert sorted(names) == ["", "a", "b", "c"]  # c before or after the end
        meta = found[bookmark][1]["metadata"]
        assert meta["annotations"] == {"k8s.io/initial-events-end": "true"}
        before = set(names[:bookmark])
        assert before >= {"a", "b"}
        for _event, pod in found[:bookmark]:
            assert int(pod["metadata"]["resourceVersion"]) <= int(meta["resourceVersion"])

    asks(question)


def test_streaming_must_be_asked_for_in_full(asks: Asks) -> None:
    async def question(side: Side) -> None:
        query = "watch=true&sendInitialEvents=true&allowWatchBookmarks=true&timeoutSeconds=1"
        with pytest.raises(ApiError) as caught:
            async with side.client._transport.stream(
                f"{side.path(PODS)}?{query}", idle_timeout=10.0
            ):
                pass
        assert (caught.value.status, caught.value.reason) == (422, "Invalid")

    asks(question)


def test_a_watch_ends_by_itself(asks: Asks) -> None:
    async def question(side: Side) -> None:
        pod = await side.pod("p")
        version = pod["metadata"]["resourceVersion"]
        found = []
        async with side.client.watch(
            PODS, version=version, namespace=side.namespace, seconds=1
        ) as events:
            async for event, _raw in events:
                found.append(event)
        assert set(found) <= {"BOOKMARK"}

    asks(question)
