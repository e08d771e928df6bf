# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Only those whom the API server lets in get in, and asking costs it little."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec
import pytest

from podplacement_scheduler.errors import Unreached
from podplacement_scheduler.observe.access import Access, Verdict
from podplacement_scheduler.testing.loop import VirtualClock, run

USERS = {"good": "system:serviceaccount:monitoring:prometheus", "other": "someone"}


class Reviewer:
    """Answers reviews as the API server does."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.specs: list[dict[str, Any]] = []
        self.seconds = 0.01
        self.error: Exception | None = None
        self.under_way = self.most = 0

    async def call(
        self, method: str, path: str, body: Any = None, *, timeout: float = 10.0
    ) -> bytes:
        assert method == "POST"
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(self.seconds)
        self.under_way -= 1
        if self.error is not None:
            raise self.error
        review = msgspec.json.decode(body)
        self.asked.append(path.rpartition("/")[2])
        self.specs.append(review["spec"])
        return msgspec.json.encode({**review, "status": self.status(review)})

    def status(self, review: dict[str, Any]) -> dict[str, Any]:
        spec = review["spec"]
        if review["kind"] == "TokenReview":
            user = USERS.get(spec["token"])
            if user is None:
                return {"authenticated": False, "error": "invalid bearer token"}
            about = {"username": user, "uid": "7", "groups": ["g"], "extra": {"a": ["b"]}}
            return {"authenticated": True, "user": about}
        attributes = spec["nonResourceAttributes"]
        allowed = spec["user"] == USERS["good"] and attributes["path"] == "/metrics"
        return {"allowed": allowed and attributes["verb"] == "get"}


def judge(*questions: tuple[str, str], reviewer: Reviewer | None = None) -> list[Verdict]:
    async def main() -> list[Verdict]:
        access = Access(reviewer or Reviewer(), VirtualClock())
        return [await access.judge(header, path) for header, path in questions]

    return run(main())


def test_the_bearer_of_a_good_token_is_let_in() -> None:
    reviewer = Reviewer()
    assert judge(("Bearer good", "/metrics"), reviewer=reviewer) == [Verdict.ALLOWED]
    assert reviewer.asked == ["tokenreviews", "subjectaccessreviews"]
    assert reviewer.specs[1] == {
        "user": USERS["good"],
        "uid": "7",
        "groups": ["g"],
        "extra": {"a": ["b"]},
        "nonResourceAttributes": {"path": "/metrics", "verb": "get"},
    }


def test_each_path_is_a_question_of_its_own() -> None:
    found = judge(("Bearer good", "/metrics"), ("Bearer good", "/configz"))
    assert found == [Verdict.ALLOWED, Verdict.FORBIDDEN]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic good", "good", "Bearer wrong"])
def test_without_a_good_token_nobody_is_known(header: str) -> None:
    assert judge((header, "/metrics")) == [Verdict.UNAUTHENTICATED]


def test_who_is_known_may_still_be_refused() -> None:
    assert judge(("Bearer other", "/metrics")) == [Verdict.FORBIDDEN]


def test_an_endless_token_is_not_sent_on() -> None:
    reviewer = Reviewer()
    judge(("Bearer " + "a" * 10000, "/metrics"), reviewer=reviewer)
    assert not reviewer.asked


def test_a_verdict_is_remembered_for_a_moment() -> None:
    async def main() -> None:
        reviewer = Reviewer()
        access = Access(reviewer, VirtualClock())
        for _repeat in range(20):
            await access.judge("Bearer good", "/metrics")
        assert len(reviewer.asked) == 2
        await asyncio.sleep(11)
        await access.judge("Bearer good", "/metrics")
        assert len(reviewer.asked) == 4

    run(main())


def test_what_is_remembered_is_bounded_and_holds_no_token() -> None:
    async def main() -> None:
        access = Access(Reviewer(), VirtualClock())
        for number in range(1000):
            await access.judge(f"Bearer secret-{number}", "/metrics")
        remembered = repr(vars(access))
        assert "secret" not in remembered
        assert len(access._known) == 256

    run(main())


def test_a_crowd_does_not_become_a_crowd_at_the_api_server() -> None:
    async def main() -> None:
        reviewer = Reviewer()
        reviewer.seconds = 5.0
        access = Access(reviewer, VirtualClock())
        verdicts = await asyncio.gather(
            *(access.judge(f"Bearer {number}", "/metrics") for number in range(500))
        )
        assert reviewer.most <= 4
        assert verdicts.count(Verdict.BUSY) == 500 - 32

    run(main())


def test_what_cannot_be_found_out_is_a_no_that_is_not_remembered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        reviewer = Reviewer()
        reviewer.error = Unreached("no route")
        access = Access(reviewer, VirtualClock())
        with caplog.at_level(logging.DEBUG):
            assert await access.judge("Bearer good", "/metrics") is Verdict.BUSY
        reviewer.error = None
        assert await access.judge("Bearer good", "/metrics") is Verdict.ALLOWED

    run(main())
    assert "good" not in caplog.text
