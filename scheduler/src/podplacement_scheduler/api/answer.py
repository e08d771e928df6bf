# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP/1.1 answer is parsed as it comes, by RFC 9112; all else is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from .transport import Response

MAX_HEAD = 64 * 1024
MAX_BODY = 64 * 1024 * 1024
_UNTIL_CLOSED = -1
_HEX = b"0123456789abcdefABCDEF"


class BadAnswer(Exception):
    """The bytes are not an answer to the request."""


class Headers(Mapping[str, str]):
    """The header lines of an answer, taken apart when somebody looks: hardly anybody does."""

    def __init__(self, lines: str) -> None:
        self._lines = lines

    @cached_property
    def _fields(self) -> dict[str, str]:
        parts = (line.partition(":") for line in self._lines.split("\r\n") if line)
        return {name.lower(): value.strip() for name, _sep, value in parts}

    def __getitem__(self, name: str) -> str:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


class Answer:
    """One answer: `feed` it what comes, until that returns the Response.

    When it is whole, `rest` is what came after it, and `keeps_alive` says whether the connection
    may carry another answer.
    """

    def __init__(self, method: str = "") -> None:
        self._method = method
        self._buffer = bytearray()
        self._status = 0  # 0: the head is not there yet
        self._headers: Mapping[str, str] = {}
        self._left = 0
        self._chunked = False
        self._body = bytearray()  # of the chunks so far
        self._closes = False
        self.keeps_alive = False
        self.rest = b""

    def feed(self, data: bytes) -> Response | None:
        """Take more bytes; the Response when it is whole. Raises BadAnswer."""
        buffer = self._buffer
        buffer += data
        if not self._status and not self._read_head():
            return None
        if len(buffer) + len(self._body) > MAX_BODY:
            raise BadAnswer("the answer is too long")
        if self._chunked:
            return self._read_chunks()
        if self._left == _UNTIL_CLOSED or len(buffer) < self._left:
            return None
        return self._whole(bytes(buffer[: self._left]), self._left)

    def end(self) -> Response | None:
        """The server closed the connection: the Response, if that is what ends it."""
        if not self._status or self._left != _UNTIL_CLOSED:
            return None
        return self._whole(bytes(self._buffer), len(self._buffer))

    def _whole(self, body: bytes, end: int) -> Response:
        self.rest = bytes(self._buffer[end:])
        self.keeps_alive = not self._closes
        return Response(self._status, body, self._headers)

    def _read_head(self) -> bool:
        """Take the head from the buffer, and interim answers (1xx) before it."""
        buffer = self._buffer
        while True:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(buffer) > MAX_HEAD:
                    raise BadAnswer("the head of the answer is too long")
                return False
            first, _sep, lines = buffer[:end].decode("latin-1").partition("\r\n")
            del buffer[: end + 4]
            version, _sep, rest = first.partition(" ")
            if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
                raise BadAnswer("the answer is not HTTP/1.1")
            status = int(rest[:3])
            if status < 200:
                if status == 101:
                    raise BadAnswer("the server speaks another protocol now")
                continue
            self._headers = Headers(lines)
            self._frame(status, version, f"\r\n{lines.lower()}\r\n")
            self._status = status
            return True

    def _frame(self, status: int, version: str, lines: str) -> None:
        """Where the body ends (RFC 9112, section 6.3)."""
        length, encoding = _value(lines, "content-length"), _value(lines, "transfer-encoding")
        self._closes = version == "HTTP/1.0" or _value(lines, "connection") == "close"
        if status in (204, 304) or self._method == "HEAD":
            self._left = 0
        elif encoding is not None:
            if encoding != "chunked":
                raise BadAnswer("the answer has an encoding that was not asked for")
            self._chunked = True
            self._closes = self._closes or length is not None
        elif length is not None:
            if not (length.isascii() and length.isdigit()):
                raise BadAnswer("the answer has no length")
            self._left = int(length)
        else:
            self._left = _UNTIL_CLOSED
            self._closes = True

    def _read_chunks(self) -> Response | None:
        buffer = self._buffer
        while True:
            end = buffer.find(b"\r\n")
            if end < 0:
                if len(buffer) > MAX_HEAD:
                    raise BadAnswer("a chunk has no size")
                return None
            digits = bytes(buffer[:end]).partition(b";")[0].strip()
            if not digits or digits.strip(_HEX):
                raise BadAnswer("a chunk has no size")
            size = int(digits, 16)
            if size == 0:
                return self._read_trailers(end)
            after = end + 2 + size
            if len(buffer) < after + 2:
                return None
            if buffer[after : after + 2] != b"\r\n":
                raise BadAnswer("a chunk does not end where it says")
            self._body += buffer[end + 2 : after]
            del buffer[: after + 2]

    def _read_trailers(self, end: int) -> Response | None:
        """After the last chunk: lines that nobody needs, and an empty one."""
        buffer = self._buffer
        while True:
            begin = end + 2
            end = buffer.find(b"\r\n", begin)
            if end < 0:
                return None
            if end == begin:
                return self._whole(bytes(self._body), end + 2)


def _value(lines: str, name: str) -> str | None:
    """Of the last such header in the lines, each of which ends and follows an end."""
    begin = lines.rfind(f"\r\n{name}:")
    if begin < 0:
        return None
    return lines[begin + len(name) + 3 : lines.index("\r\n", begin + 2)].strip()
