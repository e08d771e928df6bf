# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An answer is the same in whatever pieces it comes, and ends where it says."""

from __future__ import annotations

import pytest

from podplacement_scheduler.api.answer import MAX_HEAD, Answer, BadAnswer
from podplacement_scheduler.api.transport import Response

OK = b"HTTP/1.1 200 OK\r\n"

WHOLE = {
    "a length": (OK + b"Content-Length: 5\r\n\r\nhello", b"hello", True),
    "a length of nothing": (OK + b"content-length: 0\r\n\r\n", b"", True),
    "no body by its status": (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    "chunks": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n9;x=y\r\n,\r\n world\r\n0\r\n\r\n",
        b"hello,\r\n world",
        True,
    ),
    "chunks with trailers": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nEnd: yes\r\n\r\n",
        b"x",
        True,
    ),
    "an interim answer before it": (
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\nx",
        b"x",
        True,
    ),
    "the last of its connection": (
        OK + b"Connection: close\r\nContent-Length: 1\r\n\r\nx",
        b"x",
        False,
    ),
    "an old protocol": (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", b"x", False),
}


def feed(data: bytes, size: int, method: str = "POST") -> tuple[Response | None, Answer]:
    answer = Answer(method)
    found = None
    for begin in range(0, len(data), size):
        assert found is None, "it ended too early"
        found = answer.feed(data[begin : begin + size])
    return found, answer


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("name", WHOLE)
def test_in_whatever_pieces_it_comes(name: str, size: int) -> None:
    data, body, keeps_alive = WHOLE[name]
    found, answer = feed(data, size)
    assert found is not None
    assert found.body == body
    assert found.status in (200, 204)
    assert answer.keeps_alive is keeps_alive


def test_the_close_may_be_its_end() -> None:
    found, answer = feed(OK + b"\r\nhello", 3)
    assert found is None
    ended = answer.end()
    assert ended is not None
    assert ended.body == b"hello"
    assert not answer.keeps_alive


@pytest.mark.parametrize("name", WHOLE)
def test_the_close_does_not_complete_what_is_cut(name: str) -> None:
    found, answer = feed(WHOLE[name][0][:-1], 10_000)
    assert found is None
    assert answer.end() is None


def test_head_has_no_body_whatever_its_length_says() -> None:
    found, _answer = feed(OK + b"Content-Length: 5\r\n\r\n", 100, method="HEAD")
    assert found is not None
    assert found.body == b""


@pytest.mark.parametrize("name", [name for name, (_data, _body, keeps) in WHOLE.items() if keeps])
def test_what_comes_after_the_end_is_not_lost(name: str) -> None:
    data, body, _keeps_alive = WHOLE[name]
    found, answer = feed(data + b"HTTP/1.1", 1000)
    assert found is not None
    assert (found.body, answer.rest) == (body, b"HTTP/1.1")


def test_names_of_headers_are_in_lower_case() -> None:
    found, _answer = feed(OK + b"Retry-After:  7 \r\nContent-Length: 0\r\n\r\n", 1000)
    assert found is not None
    assert found.headers["retry-after"] == "7"


@pytest.mark.parametrize(
    "data",
    [
        b"220 mail ESMTP\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        OK + b"Content-Length: -5\r\n\r\n",
        OK + b"Content-Length: 5, 5\r\n\r\n",
        OK + b"Transfer-Encoding: gzip\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n",
        OK + b"X: " + b"x" * MAX_HEAD,
    ],
)
def test_all_else_is_refused(data: bytes) -> None:
    with pytest.raises(BadAnswer):
        feed(data, 100_000)
