# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner of parts: a failure holds back what needs it, and nothing is lost or left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import parts
import pytest
from parts import Outcome, Part, Runner


@pytest.fixture(autouse=True)
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Logs of these parts stay out of the real run's folder."""
    monkeypatch.setattr(parts, "ARTIFACTS", tmp_path)
    monkeypatch.setattr(parts, "TIMINGS", tmp_path / "timings.tsv")
    monkeypatch.setattr(parts, "ROOT", tmp_path)
    return tmp_path


def python(code: str) -> list[str | Path]:
    return [sys.executable, "-c", code]


def results(*chosen: Part) -> dict[str, str]:
    return {outcome.part.name: outcome.result for outcome in Runner(chosen).run()}


def test_a_failure_holds_back_only_what_comes_after_it() -> None:
    bad = Part("bad", python("raise SystemExit(3)"))
    needs = Part("needs", python(""), after=("bad",))
    last = Part("last", python(""), after=("needs",))
    other = Part("other", python(""))
    assert results(bad, needs, last, other) == {
        "bad": "FAILED",
        "needs": "skipped",
        "last": "skipped",
        "other": "ok",
    }


def test_a_part_starts_after_those_it_needs(artifacts: Path) -> None:
    mark = artifacts / "mark"
    first = Part("first", python(f"open({str(mark)!r}, 'w')"))
    second = Part("second", python(f"open({str(mark)!r})"), after=("first",))
    assert results(first, second) == {"first": "ok", "second": "ok"}


def test_what_is_not_for_this_machine_is_skipped_with_its_reason() -> None:
    (outcome,) = Runner([Part("kind", python(""), skip="needs root")]).run()
    assert (outcome.result, outcome.why) == ("skipped", "needs root")


def test_the_end_of_a_failed_log_and_the_closing_line_are_shown(
    capfd: pytest.CaptureFixture[str],
) -> None:
    code = "print('the cause'); print('=== 1 failed, 2 passed in 0.10s ==='); raise SystemExit(1)"
    outcomes = Runner([Part("unit", python(code))]).run()
    assert not parts.report(outcomes, elapsed=1.0)
    shown = capfd.readouterr().out
    assert "the cause" in shown
    assert "unit: 1 failed, 2 passed in 0.10s" in shown
    assert shown.endswith("parts: 0 ok, 1 failed, 0 skipped\n")


def test_skipped_tests_are_listed(capfd: pytest.CaptureFixture[str]) -> None:
    outcomes = Runner([Part("unit", python("print('SKIPPED [1] a.py:3: no kind here')"))]).run()
    assert parts.report(outcomes, elapsed=1.0)
    assert "unit: SKIPPED [1] a.py:3: no kind here" in capfd.readouterr().out


def test_times_are_kept_for_the_closing_table() -> None:
    parts.record([Outcome(Part("unit", []), "ok", 1.25), Outcome(Part("kind", []), "skipped")])
    assert parts.recorded() == [["unit", "ok", "1.2", ""], ["kind", "skipped", "0.0", ""]]


def test_an_interrupt_ends_the_whole_tree_of_a_part(artifacts: Path) -> None:
    """The child of the part, which ignores the interrupt, is gone as well; no other part starts.

    The child holds the writing end of a pipe: the test sees it start, and sees it end.
    """
    code = textwrap.dedent("""
        import pathlib, sys
        import parts
        parts.ARTIFACTS = pathlib.Path(sys.argv[1])
        parts.GRACE = 1.0
        parts.SIDE_BY_SIDE = 1
        child = "trap '' INT; exec > {0}/alive; echo started; sleep 60; echo survived"
        leader = ["sh", "-c", 'exec 3<>{0}/alive; sh -c "$0" & wait', child]
        chosen = [parts.Part("long", [word.format(sys.argv[1]) for word in leader])]
        chosen += [parts.Part("next", ["true"])]
        print(*[outcome.result for outcome in parts.Runner(chosen).run()])
    """)
    os.mkfifo(artifacts / "alive")
    runner = subprocess.Popen(
        [sys.executable, "-c", code, artifacts],
        cwd=Path(parts.__file__).parent,
        stdout=subprocess.PIPE,
        text=True,
    )
    with (artifacts / "alive").open() as alive:
        assert alive.readline() == "started\n"
        runner.send_signal(signal.SIGTERM)
        assert alive.read() == ""
    shown = runner.communicate(timeout=60)[0]
    assert shown.endswith("FAILED skipped\n")
