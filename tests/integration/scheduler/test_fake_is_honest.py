# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fake API server of the simulation answers as a real one: both are asked the same questions.

What the daemon's decisions hang on is asked: how a binding ends, what a list and a watch promise,
when a write is a conflict. What becomes of versions that are too old cannot be asked of a server
that others use; `tests/faults/scheduler/test_servers.py` lets a real one forget.
"""

from __future__ import annotations

import asyncio

import pytest

from podplacement_scheduler.api.kinds import EVENTS, LEASES, PODS
from podplacement_scheduler.api.transport import MERGE_PATCH, STRATEGIC_PATCH
from podplacement_scheduler.errors import ApiError
from tests.integration.scheduler.sides import Asks, Object, Side, ask_fake, ask_real

pytestmark = pytest.mark.cluster


@pytest.fixture(params=["fake", "real"])
def asks(request: pytest.FixtureRequest) -> Asks:
    """Puts a question to one of the two."""
    if request.param == "fake":
        return ask_fake
    cluster = request.getfixturevalue("cluster")
    return ask_real(cluster, request.getfixturevalue("namespace"))


# ---- bindings


def test_a_binding_is_one_write_with_its_annotations(asks: Asks) -> None:
    async def question(side: Side) -> None:
        pod = await side.pod("p")
        version = pod["metadata"]["resourceVersion"]

        async def bind() -> None:
            done = await side.bind(pod, side.node, annotations={"a/b": "c"})
            assert (done["kind"], done["status"], done["code"]) == ("Status", "Success", 201)

        [(event, found)] = await side.events(1, version, bind)
        assert event == "MODIFIED"
        assert found["spec"]["nodeName"] == side.node
        assert found["metadata"]["annotations"]["a/b"] == "c"
        assert found["metadata"]["uid"] == pod["metadata"]["uid"]
        [condition] = [c for c in found["status"]["conditions"] if c["type"] == "PodScheduled"]
        assert condition["status"] == "True"

    asks(question)


def test_a_bound_pod_stays_where_it_is(asks: Asks) -> None:
    async def question(side: Side) -> None:
        pod = await side.pod("p")
        await side.bind(pod, side.node)
        for node in (side.node, "another"):
            error = await side.refuse_bind(pod, node)
            assert (error.status, error.reason) == (409, "Conflict")
            assert f'is already assigned to node "{side.node}"' in error.message

    asks(question)


def test_a_binding_for_another_uid_is_a_conflict(asks: Asks) -> None:
    async def question(side: Side) -> None:
        pod = await side.pod("p")
        await side.delete("p", gracePeriodSeconds=0)
        again = await side.pod("p")
        assert again["metadata"]["uid"] != pod["metadata"]["uid"]
        error = await side.refuse_bind(pod, side.node)
        assert (error.status, error.reason) == (409, "Conflict")
        assert "UID in precondition" in error.message
        assert "nodeName" not in (await side.read("p"))["spec"]

    asks(question)


def test_a_gated_pod_cannot_be_bound(asks: Asks) -> None:
    async def question(side: Side) -> None:
        pod = await side.pod("p", schedulingGates=[{"name": "example.com/wait"}])
        [condition] = pod["status"]["conditions"]
        assert (condition["type"], condition["reason"]) == ("PodScheduled", "SchedulingGated")
        error = await side.refuse_bind(pod, side.node)
        assert (error.status, error.reason) == (409, "Conflict")
        assert "non-empty .spec.schedulingGates" in error.message
        open_gate = {"spec": {"schedulingGates": None}}
        await side.ask("PATCH", side.path(PODS, "p"), open_gate, content_type=MERGE_PATCH)
        await side.bind(pod, side.node)

    asks(question)


def test_a_pod_that_is_being_deleted_cannot_be_bound(asks: Asks) -> None:
    async def question(side: Side) -> None:
        pod = await side.pod("p", finalizers=["example.com/hold"])
        await side.delete("p")
        assert (await side.read("p"))["metadata"]["deletionTimestamp"]
        error = await side.refuse_bind(pod, side.node)
        assert (error.status, error.reason) == (409, "Conflict")
        assert "is being deleted" in error.message
        free: Object = {"metadata": {"finalizers": None}}
        await side.ask("PATCH", side.path(PODS, "p"), free, content_type=MERGE_PATCH)
        assert (await side.refused("GET", side.path(PODS, "p"))).status == 404

    asks(question)


def test_a_pod_that_is_gone_cannot_be_bound(asks: Asks) -> None:
    async def question(side: Side) -> None:
        pod = await side.pod("p")
        await side.delete("p", gracePeriodSeconds=0)
        error = await side.refuse_bind(pod, side.node)
        assert (error.status, error.reason) == (404, "NotFound")

    asks(question)


def test_a_binding_without_a_node_is_a_server_error(asks: Asks) -> None:
    """Not a 4xx: whoever retries on 5xx must never send one (kubernetes issue 139488)."""

    async def question(side: Side) -> None:
        pod = await side.pod("p")
        error = await side.refuse_bind(pod, "")
        assert error.status == 500

    asks(question)


def test_nobody_checks_that_the_node_exists(asks: Asks) -> None:
    async def question(side: Side) -> None:
        pod = await side.pod("p")
        await side.bind(pod, "no-such-node")
        assert (await side.read("p"))["spec"]["nodeName"] == "no-such-node"

    asks(question)


# ---- deletions


def test_an_unbound_pod_goes_at_once(asks: Asks) -> None:
    async def question(side: Side) -> None:
        pod = await side.pod("p")
        version = pod["metadata"]["resourceVersion"]
        found = await side.events(2, version, lambda: side.delete("p"))
        assert [event for event, _pod in found] == ["MODIFIED", "DELETED"]
        versions = [int(pod["metadata"]["resourceVersion"]) for _event, pod in found]
        assert int(version) < versions[0] < versions[1]
        assert found[0][1]["metadata"]["deletionGracePeriodSeconds"] == 0

    asks(question)


def test_a_bound_pod_is_marked_first(asks: Asks) -> None:
    async def question(side: Side) -> None:
        pod = await side.pod("p")
        await side.bind(pod, "no-such-node")
        version = (await side.read("p"))["metadata"]["resourceVersion"]
        [(event, found)] = await side.events(1, version, lambda: side.delete("p"))
        assert event == "MODIFIED"
        assert found["metadata"]["deletionTimestamp"]
        assert found["metadata"]["deletionGracePeriodSeconds"] == 30
        await side.delete("p", gracePeriodSeconds=0)
        assert (await side.refused("GET", side.path(PODS, "p"))).status == 404

    asks(question)


def test_a_deletion_may_name_the_uid(asks: Asks) -> None:
    async def question(side: Side) -> None:
        await side.pod("p")
        body = {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}}
        error = await side.refused("DELETE", side.path(PODS, "p"), body)
        assert (error.status, error.reason) == (409, "Conflict")

    asks(question)


# ---- conflicts


def test_a_lease_is_written_only_at_its_version(asks: Asks) -> None:
    async def question(side: Side) -> None:
        path = side.path(LEASES)
        lease = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "a"}}
        first = await side.ask("POST", path, lease)
        error = await side.refused("POST", path, lease)
        assert (error.status, error.reason) == (409, "AlreadyExists")
        second = await side.ask("PUT", f"{path}/l", {**first, "spec": {"holderIdentity": "b"}})
        assert second["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]
        assert second["metadata"]["uid"] == first["metadata"]["uid"]
        error = await side.refused("PUT", f"{path}/l", {**first, "spec": {"holderIdentity": "c"}})
        assert (error.status, error.reason) == (409, "Conflict")
        error = await side.refused("PUT", f"{path}/l", lease)
        assert (error.status, error.reason) == (422, "Invalid")
        other = {**second["metadata"], "uid": "00000000-0000-0000-0000-000000000000"}
        error = await side.refused("PUT", f"{path}/l", {**second, "metadata": other})
        assert (error.status, error.reason) == (409, "Conflict")
        assert (await side.refused("PUT", f"{path}/other", lease)).status in (400, 404)
        assert (await side.refused("GET", f"{path}/other")).status == 404

    asks(question)


def test_what_changes_nothing_is_no_write(asks: Asks) -> None:
    async def question(side: Side) -> None:
        pod = await side.pod("p")
        labels = {"metadata": {"labels": {"a": "b"}}}
        for _twice in range(2):
            after = await side.ask("PATCH", side.path(PODS, "p"), labels, content_type=MERGE_PATCH)
        first = int(pod["metadata"]["resourceVersion"])
        [(event, found)] = await side.events(1, str(first), lambda: asyncio.sleep(0))
        assert event == "MODIFIED"
        assert found["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]

    asks(question)


def test_the_generation_of_a_pod_vouches_for_its_spec(asks: Asks) -> None:
    """The daemon reads no more than the labels and the node of a pod whose generation stays."""

    async def question(side: Side) -> None:
        pod = await side.pod("p", schedulingGates=[{"name": "example.com/wait"}])

        async def generation(body: Object, subresource: str = "") -> int:
            path = side.path(PODS, "p", subresource)
            found = await side.ask("PATCH", path, body, content_type=MERGE_PATCH)
            return int(found["metadata"]["generation"])

        assert pod["metadata"]["generation"] == 1
        assert (
            await generation({"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}}) == 1
        )
        assert await generation({"status": {"message": "m"}}, "status") == 1
        image = {"containers": [{**pod["spec"]["containers"][0], "image": "other"}]}
        assert await generation({"spec": image}) == 2
        assert await generation({"spec": {"nodeSelector": {"disk": "ssd"}}}) == 3
        assert await generation({"spec": {"schedulingGates": None}}) == 4
        await side.bind(pod, side.node)
        bound = await side.read("p")
        assert (bound["spec"]["nodeName"], bound["metadata"]["generation"]) == (side.node, 4)
        await side.delete("p")
        assert (await side.read("p"))["metadata"]["generation"] == 5
        await side.delete("p", gracePeriodSeconds=0)

    asks(question)


def test_a_condition_is_merged_into_the_others(asks: Asks) -> None:
    async def question(side: Side) -> None:
        pod = await side.pod("p")

        async def set_condition(kind: str, message: str, uid: str) -> Object:
            condition = {"type": kind, "status": "False", "reason": "R", "message": message}
            body = {"metadata": {"uid": uid}, "status": {"conditions": [condition]}}
            path = side.path(PODS, "p", "status")
            return await side.ask("PATCH", path, body, content_type=STRATEGIC_PATCH)

        uid = pod["metadata"]["uid"]
        await set_condition("example.com/other", "x", uid)
        await set_condition("PodScheduled", "first", uid)
        found = await set_condition("PodScheduled", "second", uid)
        told = {each["type"]: each["message"] for each in found["status"]["conditions"]}
        assert told == {"example.com/other": "x", "PodScheduled": "second"}
        assert found["status"]["phase"] == "Pending"
        with pytest.raises(ApiError) as caught:
            await set_condition("PodScheduled", "third", "00000000-0000-0000-0000-000000000000")
        assert (caught.value.status, caught.value.reason) == (422, "Invalid")

    asks(question)


# ---- events


def test_an_event_needs_its_fields_and_a_name_of_its_own(asks: Asks) -> None:
    async def question(side: Side) -> None:
        event = {
            "metadata": {"name": "e", "namespace": side.namespace},
            "eventTime": "2026-01-01T00:00:00.000000Z",
            "reportingController": "own",
            "reportingInstance": "own-1",
            "action": "Binding",
            "reason": "Scheduled",
            "type": "Normal",
            "regarding": {"kind": "Pod", "name": "p", "namespace": side.namespace},
            "note": "n" * 1024,
        }
        path = side.path(EVENTS)
        await side.ask("POST", path, event)
        error = await side.refused("POST", path, event)
        assert (error.status, error.reason) == (409, "AlreadyExists")
        other = {"name": "f", "namespace": side.namespace}
        for key in ("action", "reason", "reportingController", "reportingInstance", "eventTime"):
            broken = {**event, "metadata": other}
            del broken[key]
            assert (await side.refused("POST", path, broken)).status == 422, key
        long = {**event, "metadata": other, "note": "n" * 1025}
        assert (await side.refused("POST", path, long)).status == 422
        astray = {**event, "metadata": {"name": "f", "namespace": "default"}}
        assert (await side.refused("POST", path, astray)).status == 400
        series = {"series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z"}}
        found = await side.ask("PATCH", f"{path}/e", series, content_type=MERGE_PATCH)
        assert found["series"]["count"] == 2

    asks(question)
