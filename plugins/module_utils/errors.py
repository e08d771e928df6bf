# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every failure is a value that an operator and a playbook can act on.

``PlacementError`` is what a user sees: a stable reason code, the object, the step and a hint.
``ApiError`` and its children are what the API server answered; only ``_kube.py`` makes them, and
nothing above it sees an HTTP exception.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Tuple, Type


class PlacementError(Exception):
    """A refusal or a failure with a reason code.

    ``code`` is stable and CamelCase (``NodeNotReady``, ``RbacDenied: pods/eviction create``),
    ``object`` is
    ``Kind namespace/name``, ``step`` says what was being done, ``hint`` says what to do about it.
    ``result`` carries what the run had already done (keys of the module's result) so that a failure
    halfway is still reported.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        object: str = "",
        step: str = "",
        hint: str = "",
        changed: bool = False,
        result: Optional[Mapping[str, Any]] = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.object = object
        self.step = step
        self.hint = hint
        self.changed = changed
        self.result: Dict[str, Any] = dict(result or {})

    def as_dict(self) -> Dict[str, str]:
        """The ``error`` key of a failed module result."""
        return {"code": self.code, "step": self.step, "object": self.object, "hint": self.hint}


class ApiError(Exception):
    """The API server refused: ``status`` is the HTTP code, ``reason`` the Status reason, ``body``
    the Status object.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        request: str = "",
        body: Optional[Mapping[str, Any]] = None,
        retry_after: Optional[float] = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.request = request
        self.body: Mapping[str, Any] = body or {}
        self.retry_after = retry_after


class NotFound(ApiError):
    """404: no such object, or no such API."""


class Forbidden(ApiError):
    """403: RBAC, quota or an admission policy said no; ``message`` tells which."""


class Conflict(ApiError):
    """409: the uid or resourceVersion is no longer the one that was read."""


class AlreadyExists(Conflict):
    """409 on create: an object of that name is there."""


class Gone(ApiError):
    """410: the watched resourceVersion was compacted; list again."""


class Invalid(ApiError):
    """400 or 422: the server understands but does not accept the object."""


class TooManyRequests(ApiError):
    """429: on an eviction a budget's answer, elsewhere flow control; ``retry_after`` in seconds if
    given.
    """


class OutcomeUnknown(ApiError):
    """The connection broke after a write was sent: it may or may not have happened. Look before
    writing again.
    """


class Unreachable(ApiError):
    """No answer from the API server: refused, timed out, or a certificate that does not verify."""


def explained(err: ApiError) -> str:
    """The message and its causes: of an eviction's refusal they name the budget and its numbers."""
    causes = (err.body.get("details") or {}).get("causes") or []
    told = [str(c["message"]) for c in causes if c.get("message")]
    return "; ".join([err.message, *told])


def api_to_placement(err: ApiError, *, step: str, object: str = "") -> PlacementError:
    """Give an API error the shape that users see, with the code they can branch on."""
    code, hint = _code_and_hint(err)
    return PlacementError(code, "%s: %s" % (step, err.message), object=object, step=step, hint=hint)


def _code_and_hint(err: ApiError) -> Tuple[str, str]:
    if isinstance(err, Unreachable):
        return err.reason or "ApiUnreachable", "Check host, credentials, proxy and ca_cert."
    if isinstance(err, Forbidden):
        return _forbidden(err)
    if err.status == 401:
        return "Unauthorized", "The credentials were not accepted: check token or certificate."
    for kind, hint in _HINTS:
        if isinstance(err, kind):
            return kind.__name__, hint
    if "more than one PodDisruptionBudget" in err.message:  # a 500, of an eviction
        return "MultiplePdbs", "The eviction API refuses such pods; leave one budget for them."
    return "ApiError", "The API server failed; see the message and its own logs."


def _forbidden(err: Forbidden) -> Tuple[str, str]:
    """403 means quota, admission or rights; only the message tells the first two."""
    if "exceeded quota" in err.message:
        return "QuotaExceeded", "Make room in the namespace's ResourceQuota for one more pod."
    causes = (err.body.get("details") or {}).get("causes")
    if causes or "admission" in err.message or "denied the request" in err.message:
        return "AdmissionDenied", "An admission policy or webhook refused it; see the message."
    hint = "Grant this right to the user of the task; the module's documentation lists all."
    return "RbacDenied: %s" % err.request, hint


# The first that fits counts: AlreadyExists is a Conflict too.
_HINTS: Tuple[Tuple[Type[ApiError], str], ...] = (
    (NotFound, "Check name and namespace."),
    (AlreadyExists, "Another object of that name is in the way."),
    (Conflict, "The object was changed by someone else meanwhile; run the task again."),
    (Invalid, "The API server does not accept the object; see the message."),
    (TooManyRequests, "The API server is shedding load; run the task again later."),
    (OutcomeUnknown, "The connection broke during a write; run the task again, it finds out."),
)
