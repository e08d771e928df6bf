# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log lines are easy to read for machines, and hold no token wherever it came from."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from podplacement_scheduler.config import Logging
from podplacement_scheduler.observe.log import configure, strike_tokens

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJl"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    yield io.StringIO()
    root.handlers[:], root.level = before[0], before[1]


def test_a_line_is_one_object_with_its_fields(stream: io.StringIO) -> None:
    configure(Logging(), stream)
    logging.getLogger("some.place").info("bound %s", "a/b", extra={"node": "n1", "message_": {1}})
    line = json.loads(stream.getvalue())
    assert line["message"] == "bound a/b"
    assert line["level"] == "info"
    assert line["logger"] == "some.place"
    assert line["node"] == "n1"
    assert line["message_"] == "{1}"  # what JSON does not know is told as Python does
    assert line["time"].endswith("Z")


def test_the_level_is_kept(stream: io.StringIO) -> None:
    configure(Logging(level="warning"), stream)
    logging.getLogger("x").info("no")
    logging.getLogger("x").warning("yes")
    assert json.loads(stream.getvalue())["message"] == "yes"


@pytest.mark.parametrize("shape", ["json", "text"])
def test_no_token_gets_out(stream: io.StringIO, shape: str) -> None:
    configure(Logging(format="json" if shape == "json" else "text"), stream)
    log = logging.getLogger("x")
    log.error("sent %s", TOKEN, extra={"headers": {"Authorization": "Bearer opaque-secret"}})
    try:
        raise ValueError(f"authorization: bearer opaque-secret and {TOKEN}")
    except ValueError:
        log.exception("it failed")
    told = stream.getvalue()
    assert TOKEN not in told
    assert "opaque-secret" not in told
    assert "ValueError" in told
    assert told.count("<token>") == 5  # the line of source in the traceback is one


def test_nobody_can_forge_a_line(stream: io.StringIO) -> None:
    configure(Logging(format="text"), stream)
    logging.getLogger("x").info("pod %s", "a\n2026-01-01 INFO x: all is well")
    assert stream.getvalue().count("\n") == 1


def test_ordinary_words_stay() -> None:
    text = "the bearer of news, eyJunk, /readyz"
    assert strike_tokens(text).startswith("the bearer ")
    assert strike_tokens("eyJunk /readyz") == "eyJunk /readyz"
