# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every answer of the API server has a code that a playbook can branch on, and a hint."""

from __future__ import annotations

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    OutcomeUnknown,
    PlacementError,
    TooManyRequests,
    Unreachable,
    api_to_placement,
)


@pytest.mark.parametrize(
    ("err", "code"),
    [
        (Unreachable(0, "ApiUnreachable", "m"), "ApiUnreachable"),
        (Unreachable(0, "CertificateError", "m"), "CertificateError"),
        (Unreachable(0, "", "m"), "ApiUnreachable"),
        (ApiError(401, "Unauthorized", "m"), "Unauthorized"),
        (Forbidden(403, "Forbidden", "m", request="pods create"), "RbacDenied: pods create"),
        (Forbidden(403, "Forbidden", "exceeded quota: q, requested: pods=1"), "QuotaExceeded"),
        (Forbidden(403, "Forbidden", "admission webhook x denied the request"), "AdmissionDenied"),
        (
            Forbidden(403, "Forbidden", "no", body={"details": {"causes": [{"message": "x"}]}}),
            "AdmissionDenied",
        ),
        (Forbidden(403, "Forbidden", "no", body={"details": None}, request="x"), "RbacDenied: x"),
        (NotFound(404, "NotFound", "m"), "NotFound"),
        (Conflict(409, "Conflict", "m"), "Conflict"),
        (AlreadyExists(409, "AlreadyExists", "m"), "AlreadyExists"),
        (Invalid(422, "Invalid", "m"), "Invalid"),
        (TooManyRequests(429, "TooManyRequests", "m"), "TooManyRequests"),
        (OutcomeUnknown(0, "OutcomeUnknown", "m"), "OutcomeUnknown"),
        (Gone(410, "Expired", "m"), "ApiError"),
        (ApiError(500, "InternalError", "m"), "ApiError"),
    ],
)
def test_each_answer_has_its_code(err: ApiError, code: str) -> None:
    found = api_to_placement(err, step="create", object="Pod shop/p")
    assert found.code == code
    assert found.message == f"create: {err.message}"
    assert found.as_dict() == {
        "code": code,
        "step": "create",
        "object": "Pod shop/p",
        "hint": found.hint,
    }
    assert found.hint
    assert not found.changed


def test_what_a_run_had_done_goes_with_its_failure() -> None:
    done = {"moved": ["p"]}
    err = PlacementError("Code", "message", changed=True, result=done)
    done["moved"] = []
    assert (err.changed, err.result, str(err)) == (True, {"moved": ["p"]}, "message")
    assert PlacementError("Code", "message").result == {}
