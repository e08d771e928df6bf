# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API call ends in one of three ways: done, refused, or unknown; each has its exception.

`Unknown` is the one that a scheduler must never guess about: the request may have been carried
out. Only a read can tell.
"""

from __future__ import annotations


class SchedulerError(Exception):
    """The base of all errors of this package."""


class ApiError(SchedulerError):
    """The API server answered, and refused.

    `status` is the HTTP code, `reason` and `message` are those of the Status object, and
    `retry_after` is in seconds, None where the server named no time.
    """

    def __init__(
        self,
        status: int,
        reason: str = "",
        message: str = "",
        *,
        request: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{request}: {status} {reason}: {message}".strip())
        self.status = status
        self.reason = reason
        self.message = message
        self.request = request
        self.retry_after = retry_after

    @property
    def is_transient(self) -> bool:
        """The same request may succeed later: too many requests, or the server is not well."""
        return self.status == 429 or self.status >= 500


class Gone(ApiError):
    """410: the server no longer knows the resource version; only a list helps."""


class Unreached(SchedulerError):
    """The request was certainly not carried out: no byte of it left this process."""


class Unknown(SchedulerError):
    """The request was sent and its answer was lost: it may or may not have been carried out."""


class ConfigError(SchedulerError):
    """The configuration cannot be used; says where, what is wrong, and what to do."""
