# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API server says when it refuses, as an exception."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import msgspec

from ..errors import ApiError, Gone
from .transport import Response


class _Details(msgspec.Struct):
    retry_after: int = msgspec.field(name="retryAfterSeconds", default=0)


class Status(msgspec.Struct):
    """What the API server says when it refuses."""

    code: int = 0
    reason: str = ""
    message: str = ""
    details: _Details | None = None


_STATUS = msgspec.json.Decoder(Status)


def refusal(response: Response, request: str) -> ApiError:
    """The exception for an answer that is not a success."""
    try:
        status = _STATUS.decode(response.body)
    except msgspec.MsgspecError:
        # A proxy in between, or a filter that answers in plain text.
        status = Status(message=response.body[:200].decode(errors="replace").strip())
    told = retry_after(response.headers)
    return refused(status, request, code=response.status, after=told)


def refused(status: Status, request: str, *, code: int = 0, after: float | None = None) -> ApiError:
    """The exception for a Status object."""
    code = code or status.code or 500
    if after is None and status.details and status.details.retry_after > 0:
        after = float(status.details.retry_after)
    kind = Gone if code == 410 or status.reason in ("Expired", "Gone") else ApiError
    return kind(code, status.reason, status.message, request=request, retry_after=after)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks us to wait: a number, or a date, which its own date is held
    against."""
    text = headers.get("retry-after", "")
    if text.isdigit():
        return float(text)
    try:
        then, now = (parsedate_to_datetime(date) for date in (text, headers.get("date", "")))
        return max(0.0, (then - now).total_seconds())
    except (ValueError, TypeError):
        return None
