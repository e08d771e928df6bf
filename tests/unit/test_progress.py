# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress reaches a listener, and nobody is disturbed when there is none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.callback.progress import (
    CallbackModule,
    Line,
    Lines,
    Reader,
    Tally,
    spoken,
    watched,
)
from ansible_collections.podplacement.core.plugins.module_utils.progress import (
    LINE_BYTES,
    VARIABLE,
    sink,
)

EVENT = {"event": "moved", "done": 1, "failed": 0, "total": 3, "left": 4.0}


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "progress"
    os.mkfifo(path)
    return path


@pytest.fixture
def listener(fifo: Path) -> Iterator[Callable[[], bytes]]:
    """Reads what is in the FIFO."""
    descriptor = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    yield lambda: os.read(descriptor, 1 << 20)
    os.close(descriptor)


# ---- the task's end


def test_an_event_is_a_line_of_json(fifo: Path, listener: Callable[[], bytes]) -> None:
    say = sink(str(fifo))
    say(EVENT)
    say({**EVENT, "done": 2})
    first, second = (json.loads(line) for line in listener().splitlines())
    assert first == {**EVENT, "run": str(os.getpid())}
    assert second["done"] == 2


def test_the_environment_names_the_fifo(
    fifo: Path, listener: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(fifo))
    sink()(EVENT)
    assert listener()


def test_a_plain_file_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("first\n")
    sink(str(path))(EVENT)
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize("path", ["", "nothing-there", "/dev/null", ".", "a\0b"])
def test_without_a_listener_nothing_happens(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    sink(path)(EVENT)
    sink()(EVENT)


def test_a_device_is_never_written_to() -> None:
    assert sink("/dev/null") is sink("")


def test_a_fifo_without_a_reader_blocks_nobody(fifo: Path) -> None:
    sink(str(fifo))(EVENT)


def test_a_reader_that_goes_away_is_no_error(fifo: Path) -> None:
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    say = sink(str(fifo))
    os.close(reader)
    say(EVENT)
    say(EVENT)


def test_a_slow_reader_misses_lines_and_none_is_cut(
    fifo: Path, listener: Callable[[], bytes]
) -> None:
    say = sink(str(fifo))
    for number in range(5000):
        say({**EVENT, "done": number, "pod": "p" * 200})
    said = listener().splitlines()
    assert 0 < len(said) < 5000
    assert all(json.loads(line)["pod"] == "p" * 200 for line in said)
    say({**EVENT, "event": "stopped"})
    assert json.loads(listener().splitlines()[-1])["event"] == "stopped"


def test_a_line_that_is_too_long_to_be_whole_is_left_out(
    fifo: Path, listener: Callable[[], bytes]
) -> None:
    say = sink(str(fifo))
    say({**EVENT, "pod": "p" * LINE_BYTES})
    say(EVENT)
    assert len(listener().splitlines()) == 1


# ---- the reader's end


def tally(*events: dict[str, Any]) -> str:
    found = Tally()
    for event in events:
        assert found.note(json.dumps(event).encode())
    return found.text()


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (EVENT, "1 of 3 moved, 2 to do, about 4 s left"),
        ({**EVENT, "done": 2, "failed": 1}, "1 of 3 moved, 1 failed, 1 to do, about 4 s left"),
        ({**EVENT, "left": None}, "1 of 3 moved, 2 to do"),
        ({**EVENT, "done": 3}, "3 of 3 moved, 0 to do"),
    ],
)
def test_one_sentence_tells_how_far_it_is(event: dict[str, Any], text: str) -> None:
    assert tally(event) == text


def test_runs_side_by_side_are_summed_up() -> None:
    other = {**EVENT, "run": "2", "done": 2, "total": 10, "left": 90}
    newest = {**EVENT, "run": "1", "done": 2}
    assert tally({**EVENT, "run": "1"}, other, newest) == "4 of 13 moved, 9 to do, about 2 min left"


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"7", b'{"event": "moved"}', b'{"total": "3"}'])
def test_what_is_no_event_is_passed_over(line: bytes) -> None:
    found = Tally()
    assert not found.note(line)
    assert found.text() == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (89, "89 s"), (90, "2 min"), (5400, "1 h 30 min")]
)
def test_seconds_as_a_person_says_them(seconds: float, text: str) -> None:
    assert spoken(seconds) == text


def test_a_line_is_written_anew_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "11")
    said: list[str] = []
    line = Line(said.append)
    line.end("")
    line.show("1 of 3 moved, and so on")
    line.show("1 of 3 moved, and more")
    line.show("2 of 3")
    line.end("2 of 3")
    assert said == ["\r\033[K1 of 3 mov", "\r\033[K2 of 3", "\r\033[K"]


def test_lines_are_written_when_they_say_something_new() -> None:
    said: list[str] = []
    lines = Lines(said.append, 5.0)
    for text in ("1 of 3", "1 of 3", "2 of 3"):
        lines.show(text)
    lines.end("2 of 3")
    lines.end("")
    assert said == ["1 of 3\n", "2 of 3\n"]


def test_the_reader_shows_one_task_after_the_other_and_ends(fifo: Path) -> None:
    said: list[str] = []
    reader = Reader(str(fifo), Lines(said.append, 0.0))
    reader.start()
    for total in (1, 2):
        descriptor = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        os.write(descriptor, json.dumps({**EVENT, "total": total}).encode() + b"\nrubbish\n")
        os.close(descriptor)
        while len(said) < total:
            os.sched_yield()
    reader.stop()
    assert not reader.is_alive()
    assert said == ["1 of 1 moved, 0 to do\n", "1 of 2 moved, 1 to do, about 4 s left\n"]


def test_a_screen_that_breaks_silences_the_reader_only(fifo: Path) -> None:
    def broken(_text: str) -> None:
        raise BrokenPipeError

    reader = Reader(str(fifo), Lines(broken, 0.0))
    reader.start()
    say = sink(str(fifo))
    say(EVENT)
    reader.join(timeout=10)
    assert not reader.is_alive()
    say(EVENT)
    reader.stop()


@pytest.mark.parametrize("broken", ["tempfile.mkdtemp", "os.mkfifo", "threading.Thread.start"])
def test_a_callback_that_cannot_listen_is_silent(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise OSError("no")

    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(broken, fail)
    callback = CallbackModule()
    callback.set_options()
    callback.v2_playbook_on_start(None)
    assert VARIABLE not in os.environ
    callback.v2_playbook_on_stats(None)
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_of_ansible_runner_is_nobody_s_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdout", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("AWX_ISOLATED_DATA_DIR", raising=False)
    assert watched()
    monkeypatch.setenv("TERM", "dumb")
    assert not watched()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("AWX_ISOLATED_DATA_DIR", "somewhere")
    assert not watched()
