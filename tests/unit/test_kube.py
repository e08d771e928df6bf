# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From HTTP to errors as values: what the server's answer, or its absence, means."""

from __future__ import annotations

import json
import ssl
from typing import Any

import pytest
from urllib3 import exceptions as http

from ansible_collections.podplacement.core.plugins.module_utils import _kube
from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    OutcomeUnknown,
    TooManyRequests,
    Unreachable,
)

HOST = "https://api"
NOWHERE: Any = None  # the connection pool that an error of urllib3 belongs to


class Answer:
    """As much of a urllib3 response as is looked at."""

    def __init__(self, status: int, body: Any = b"", **headers: str) -> None:
        self.status = status
        self.data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.headers = {k.replace("_", "-"): v for k, v in headers.items()}


def raised(answer: Answer) -> ApiError:
    with pytest.raises(ApiError) as caught:
        _kube._raise_for(answer, "pods create")
    return caught.value


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (400, "BadRequest", Invalid),
        (401, "Unauthorized", ApiError),
        (403, "Forbidden", Forbidden),
        (404, "NotFound", NotFound),
        (409, "Conflict", Conflict),
        (409, "AlreadyExists", AlreadyExists),
        (410, "Expired", Gone),
        (422, "Invalid", Invalid),
        (429, "TooManyRequests", TooManyRequests),
        (500, "InternalError", ApiError),
        (502, "", OutcomeUnknown),
        (503, "ServiceUnavailable", OutcomeUnknown),
        (504, "Timeout", OutcomeUnknown),
        (307, "", ApiError),
    ],
)
def test_a_status_is_an_error_of_its_kind(status: int, reason: str, kind: type[ApiError]) -> None:
    err = raised(Answer(status, {"reason": reason, "message": "the message"}))
    assert err.__class__ is kind
    assert (err.status, err.reason, err.message) == (status, reason, "the message")
    assert err.request == "pods create"


@pytest.mark.parametrize("status", [200, 201, 202])
def test_success_is_no_error(status: int) -> None:
    _kube._raise_for(Answer(status), "pods create")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"plain words", "plain words"),
        (b"", "HTTP 500"),
        (b"[1]", "[1]"),
        (b"\xff", "\ufffd"),
        (b"x" * 999, "x" * 300),
    ],
)
def test_an_answer_that_is_no_status_object(body: bytes, message: str) -> None:
    assert raised(Answer(500, body)).message == message


@pytest.mark.parametrize(("text", "seconds"), [("7", 7.0), ("", None), ("tomorrow", None)])
def test_retry_after(text: str, seconds: float | None) -> None:
    assert raised(Answer(429, {}, Retry_After=text)).retry_after == seconds


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (http.NewConnectionError(NOWHERE, "refused"), Unreachable, "ApiUnreachable"),
        (http.ConnectTimeoutError("slow"), Unreachable, "ApiUnreachable"),
        (http.LocationParseError("https://:x"), Unreachable, "ApiUnreachable"),
        (http.ProxyError("no", OSError("x")), Unreachable, "ApiUnreachable"),
        (http.SSLError(ssl.SSLCertVerificationError("no")), Unreachable, "CertificateError"),
        (http.SSLError("certificate required"), Unreachable, "CertificateError"),
        (FileNotFoundError("ca.crt"), Unreachable, "CertificateError"),
        (http.SSLError(ssl.SSLEOFError(8, "EOF")), OutcomeUnknown, "OutcomeUnknown"),
        (http.ProtocolError("aborted", OSError("reset")), OutcomeUnknown, "OutcomeUnknown"),
        (http.ReadTimeoutError(NOWHERE, "/", "slow"), OutcomeUnknown, "OutcomeUnknown"),
        (
            http.MaxRetryError(NOWHERE, "/", http.ConnectTimeoutError("slow")),
            Unreachable,
            "ApiUnreachable",
        ),
    ],
)
def test_never_sent_or_sent_without_an_answer(
    error: Exception, kind: type[ApiError], reason: str
) -> None:
    """The difference decides whether a write may be sent again."""
    found = _kube._connection_error(error, "POST", HOST)
    assert (type(found), found.reason) == (kind, reason)
    assert HOST in found.message


class Stream:
    """A streamed answer in pieces; an exception ends it."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = pieces

    def stream(self, _size: int, *, decode_content: bool) -> Any:
        assert decode_content
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ((), []),
        ((b"one\ntwo\n",), [b"one", b"two"]),
        ((b"o", b"ne\nt", b"wo", b"\n"), [b"one", b"two"]),
        ((b"one\nhal", http.ProtocolError("broke")), [b"one"]),
        ((b"one\n", http.ReadTimeoutError(NOWHERE, "/", "silent")), [b"one"]),
    ],
)
def test_the_lines_of_a_watch(pieces: Any, lines: list[bytes]) -> None:
    assert list(_kube._lines(Stream(*pieces))) == lines


def test_a_watch_that_expired() -> None:
    found = _kube._expired({"code": 410, "reason": "Expired", "message": "too old"})
    assert (found.status, found.reason, found.message) == (410, "Expired", "too old")


@pytest.mark.parametrize(
    ("auth", "inside", "source"),
    [
        ({"host": HOST, "api_key": "x"}, True, "parameters"),
        ({"host": HOST}, False, "kubeconfig"),
        ({"kubeconfig": "/k"}, True, "kubeconfig"),
        ({"context": "c"}, True, "kubeconfig"),
        ({}, True, "incluster"),
        ({}, False, "kubeconfig"),
    ],
)
def test_where_the_credentials_came_from(
    auth: dict[str, str], inside: bool, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    if inside:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert _kube._source(auth) == source
