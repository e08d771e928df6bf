# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which requests are sent again, and what is known of those that are not."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.client import (
    JSON_PATCH,
    MERGE_PATCH,
    RETRY_SECONDS,
    KubeApi,
)
from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    ApiError,
    Conflict,
    Forbidden,
    Gone,
    NotFound,
    OutcomeUnknown,
    TooManyRequests,
    Unreachable,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import LEASE, NODE, POD
from tests.unit.fake_api import VirtualClock

BUSY = TooManyRequests(429, "TooManyRequests", "busy")
BROKEN = OutcomeUnknown(0, "OutcomeUnknown", "the connection broke")
REFUSED = Unreachable(0, "ApiUnreachable", "no connection")
UNTRUSTED = Unreachable(0, "CertificateError", "does not verify")


class Wire:
    """A transport that answers from a list: an object, or an error to raise; the last one stays."""

    host = "https://api"

    def __init__(self, *answers: Any, answered: bool = True, events: Any = ()) -> None:
        self.answers = list(answers)
        self.answered = answered
        self.sent: list[tuple[str, str, Any, str, str]] = []
        self.watched: list[tuple[str, float]] = []
        self._events = events

    def send(
        self, method: str, url: str, payload: bytes | None, content_type: str, what: str
    ) -> bytes:
        body = None if payload is None else json.loads(payload)
        self.sent.append((method, url, body, content_type, what))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return b"" if answer is None else json.dumps(answer).encode()

    def events(self, url: str, seconds: float) -> Generator[Mapping[str, Any], None, None]:
        self.watched.append((url, seconds))
        if isinstance(self._events, Exception):
            raise self._events
        yield from self._events


def client(*answers: Any, **how: Any) -> tuple[KubeApi, Wire, VirtualClock]:
    wire, clock = Wire(*answers, **how), VirtualClock()
    return KubeApi(wire, clock), wire, clock


Call = Callable[[KubeApi], Any]
READS: dict[str, Call] = {
    "get": lambda api: api.get(POD, "p", "shop"),
    "dry run": lambda api: api.create(POD, {}, "shop", dry_run=True),
}
WRITES: dict[str, Call] = {
    "create": lambda api: api.create(POD, {}, "shop"),
    "patch": lambda api: api.patch(POD, "p", {}, "shop"),
    "delete": lambda api: api.delete(POD, "p", "shop", uid="u"),
    "bind": lambda api: api.bind("p", "shop", "a", uid="u", resource_version="1", annotations={}),
    "evict": lambda api: api.evict("p", "shop", uid="u"),
}


# ---- what is sent again


@pytest.mark.parametrize("call", [*READS.values(), *list(WRITES.values())[:4]])
def test_a_busy_server_is_asked_again_when_it_says(call: Call) -> None:
    later = TooManyRequests(429, "TooManyRequests", "busy", retry_after=7.0)
    api, wire, clock = client(later, {})
    began = clock.now
    call(api)
    assert (len(wire.sent), clock.now - began) == (2, 7.0)


def test_without_a_time_the_pauses_grow_and_end() -> None:
    api, wire, clock = client(BUSY)
    began = clock.now
    with pytest.raises(TooManyRequests):
        READS["get"](api)
    assert RETRY_SECONDS - 2 <= clock.now - began <= RETRY_SECONDS
    assert 10 < len(wire.sent) < 25


def test_a_time_beyond_our_patience_is_not_waited_for() -> None:
    api, wire, clock = client(TooManyRequests(429, "", "busy", retry_after=60.0))
    began = clock.now
    with pytest.raises(TooManyRequests):
        READS["get"](api)
    assert (len(wire.sent), clock.now) == (1, began)


@pytest.mark.parametrize("dry_run", [True, False])
def test_of_an_eviction_429_is_the_budgets_answer(dry_run: bool) -> None:
    api, wire, _clock = client(TooManyRequests(429, "", "budget", retry_after=1.0), None)
    with pytest.raises(TooManyRequests):
        api.evict("p", "shop", uid="u", dry_run=dry_run)
    assert len(wire.sent) == 1


@pytest.mark.parametrize("name", sorted(WRITES))
def test_a_write_whose_outcome_is_unknown_is_never_sent_again(name: str) -> None:
    api, wire, _clock = client(BROKEN, {})
    with pytest.raises(OutcomeUnknown):
        WRITES[name](api)
    assert len(wire.sent) == 1


@pytest.mark.parametrize("name", sorted(READS))
def test_what_changes_nothing_is_sent_again(name: str) -> None:
    api, wire, _clock = client(BROKEN, BROKEN, {"kind": "Pod"})
    assert READS[name](api) == {"kind": "Pod"}
    assert len(wire.sent) == 3


def test_a_read_that_never_gets_through_is_unreachable() -> None:
    api, _wire, _clock = client(BROKEN)
    with pytest.raises(Unreachable) as caught:
        READS["get"](api)
    assert caught.value.reason == "ApiUnreachable"


@pytest.mark.parametrize("name", [*sorted(WRITES), *sorted(READS)])
def test_what_was_surely_not_sent_is_sent_again(name: str) -> None:
    api, wire, _clock = client(REFUSED, REFUSED, {})
    (WRITES | READS)[name](api)
    assert len(wire.sent) == 3


@pytest.mark.parametrize("error", [REFUSED, BROKEN])
@pytest.mark.parametrize("name", [*sorted(WRITES), *sorted(READS)])
def test_the_first_contact_fails_at_once(name: str, error: ApiError) -> None:
    """A wrong address is told now, not in half a minute."""
    api, wire, clock = client(error, {}, answered=False)
    began = clock.now
    with pytest.raises(ApiError) as caught:
        (WRITES | READS)[name](api)
    assert (len(wire.sent), clock.now) == (1, began)
    unknown = error is BROKEN and name in WRITES
    assert isinstance(caught.value, OutcomeUnknown if unknown else Unreachable)


@pytest.mark.parametrize(
    "error",
    [
        UNTRUSTED,
        NotFound(404, "NotFound", "gone"),
        Conflict(409, "Conflict", "changed"),
        Forbidden(403, "Forbidden", "no"),
        ApiError(500, "InternalError", "broken"),
    ],
)
@pytest.mark.parametrize("name", ["get", "create"])
def test_other_answers_are_final(name: str, error: ApiError) -> None:
    api, wire, _clock = client(error, {})
    with pytest.raises(type(error)):
        (WRITES | READS)[name](api)
    assert len(wire.sent) == 1


# ---- what is sent


def query(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


def sent(call: Call, answer: Any = None) -> tuple[str, str, Any, str, str]:
    api, wire, _clock = client(answer if answer is not None else {})
    call(api)
    return wire.sent[-1]


@pytest.mark.parametrize(
    ("call", "method", "path", "what"),
    [
        (READS["get"], "GET", "/api/v1/namespaces/shop/pods/p", "pods get"),
        (WRITES["create"], "POST", "/api/v1/namespaces/shop/pods", "pods create"),
        (WRITES["patch"], "PATCH", "/api/v1/namespaces/shop/pods/p", "pods patch"),
        (WRITES["delete"], "DELETE", "/api/v1/namespaces/shop/pods/p", "pods delete"),
        (WRITES["bind"], "POST", "/api/v1/namespaces/shop/pods/p/binding", "pods/binding create"),
        (
            WRITES["evict"],
            "POST",
            "/api/v1/namespaces/shop/pods/p/eviction",
            "pods/eviction create",
        ),
        (lambda api: api.get(NODE, "a"), "GET", "/api/v1/nodes/a", "nodes get"),
    ],
)
def test_a_request_and_its_name(call: Call, method: str, path: str, what: str) -> None:
    got_method, url, _body, _type, got_what = sent(call)
    assert (got_method, urlsplit(url).path, got_what) == (method, path, what)


@pytest.mark.parametrize(
    "call",
    [
        READS["dry run"],
        lambda api: api.patch(POD, "p", {}, "shop", dry_run=True),
        lambda api: api.delete(POD, "p", "shop", uid="u", dry_run=True),
        lambda api: api.evict("p", "shop", uid="u", dry_run=True),
        lambda api: api.bind(
            "p", "shop", "a", uid="u", resource_version="1", annotations={}, dry_run=True
        ),
    ],
)
def test_a_dry_run_is_said_in_the_query(call: Call) -> None:
    """So an audit log without bodies tells it from a write."""
    assert query(sent(call)[1]) == {"dryRun": ["All"]}


def test_a_dry_run_of_a_deletion_is_said_in_its_body() -> None:
    """The API server looks at the query of a deletion only where there is no body."""
    assert sent(lambda api: api.delete(POD, "p", uid="u", dry_run=True))[2]["dryRun"] == ["All"]
    assert "dryRun" not in sent(lambda api: api.delete(POD, "p", uid="u"))[2]


def test_preconditions_of_a_deletion_and_an_eviction() -> None:
    def delete(api: KubeApi) -> None:
        api.delete(
            LEASE,
            "l",
            "shop",
            uid="u",
            resource_version="7",
            propagation="Orphan",
            grace_period=0,
        )

    options = sent(delete)[2]
    assert options["preconditions"] == {"uid": "u", "resourceVersion": "7"}
    assert (options["propagationPolicy"], options["gracePeriodSeconds"]) == ("Orphan", 0)
    eviction = sent(WRITES["evict"])[2]
    assert eviction["deleteOptions"]["preconditions"] == {"uid": "u"}
    assert "gracePeriodSeconds" not in eviction["deleteOptions"]


def test_a_binding_has_no_labels() -> None:
    body = sent(WRITES["bind"])[2]
    assert set(body["metadata"]) == {"name", "namespace", "uid", "resourceVersion", "annotations"}
    assert body["target"]["name"] == "a"


def test_the_two_kinds_of_patch() -> None:
    assert sent(WRITES["patch"])[3] == MERGE_PATCH
    assert sent(lambda api: api.patch(POD, "p", [], "shop", json_patch=True))[3] == JSON_PATCH


@pytest.mark.parametrize("allowed", [True, False, None])
def test_a_review_is_no_write(allowed: bool | None) -> None:
    status = {} if allowed is None else {"allowed": allowed}
    api, wire, _clock = client(BROKEN, {"status": status})
    assert api.may("create", POD, "shop", "eviction") == bool(allowed)
    attributes = wire.sent[-1][2]["spec"]["resourceAttributes"]
    assert attributes == {
        "verb": "create",
        "group": "",
        "resource": "pods",
        "subresource": "eviction",
        "namespace": "shop",
    }


def test_a_right_in_the_whole_cluster_names_no_namespace() -> None:
    api, wire, _clock = client({"status": {"allowed": True}})
    assert api.may("list", NODE)
    assert "namespace" not in wire.sent[-1][2]["spec"]["resourceAttributes"]


# ---- lists and watches

A, B = {"kind": "Pod", "n": 1}, {"kind": "Pod", "n": 2}


def page(*names: Any, more: str = "") -> Any:
    return {"metadata": {"resourceVersion": "9", "continue": more}, "items": list(names)}


def test_a_list_is_read_page_by_page() -> None:
    api, wire, _clock = client(page(A, more="t"), page(B))
    assert api.list(POD, "shop", label_selector="x=y", field_selector="f=g") == ([A, B], "9")
    first, second = (query(url) for _method, url, *_rest in wire.sent)
    assert first == {"labelSelector": ["x=y"], "fieldSelector": ["f=g"], "limit": ["500"]}
    assert second["continue"] == ["t"]


def test_a_page_that_expired_begins_the_list_anew_in_one_piece() -> None:
    api, wire, _clock = client(page(A, more="t"), Gone(410, "Expired", "old"), page(A, B))
    assert api.list(POD)[0] == [A, B]
    assert query(wire.sent[-1][1]) == {}


def watch(**how: Any) -> tuple[bool, Wire, float]:
    api, wire, clock = client({}, **how)
    began = clock.now
    changed = api.wait_change(POD, "shop", resource_version="5", timeout=3.2, label_selector="x")
    return changed, wire, clock.now - began


def test_the_first_event_ends_a_wait() -> None:
    changed, wire, _seconds = watch(events=({"type": "MODIFIED"}, {"type": "ADDED"}))
    assert changed
    ((url, seconds),) = wire.watched
    assert seconds == 3.2
    assert query(url) == {
        "watch": ["true"],
        "resourceVersion": ["5"],
        "timeoutSeconds": ["4"],
        "labelSelector": ["x"],
    }


def test_silence_ends_it_too() -> None:
    assert watch(events=())[0] is False


@pytest.mark.parametrize(
    ("error", "pause"),
    [
        (Gone(410, "Expired", "old"), 0.0),
        (REFUSED, 0.5),
        (BROKEN, 0.5),
        (BUSY, 0.5),
        (TooManyRequests(429, "", "busy", retry_after=2.0), 2.0),
        (TooManyRequests(429, "", "busy", retry_after=60.0), 3.2),
    ],
)
def test_a_watch_that_breaks_is_a_reason_to_look(error: ApiError, pause: float) -> None:
    """Flow control too: a move must not be turned round because the server is busy."""
    changed, _wire, seconds = watch(events=error)
    assert changed
    assert seconds == pytest.approx(pause)


def test_a_watch_that_is_forbidden_is_an_error() -> None:
    with pytest.raises(Forbidden):
        watch(events=Forbidden(403, "Forbidden", "no"))


def test_a_watch_that_breaks_at_its_end_is_silence() -> None:
    api, _wire, clock = client({}, events=REFUSED)
    assert not api.wait_change(POD, resource_version="5", timeout=0.01)
    assert clock.now == 1000.0
