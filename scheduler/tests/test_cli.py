# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be used is said in one line; what the command line says wins over the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from podplacement_scheduler import __version__
from podplacement_scheduler.cli import configuration, main, parser

GOOD = "apiVersion: scheduler.podplacement.io/v1\nprofiles: [{schedulerName: mine}]\n"
NOPE = "mine, plugins: {filter: {enabled: [{name: Nope}]}}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD + "profilez: []\n", "profilez"),
        ("profiles: []\n", "profiles"),
        ("profiles: [\n", "is not YAML"),
        (GOOD.replace("mine", NOPE), "Nope"),
        (GOOD + "userPlugins: {directory: FOLDER}\n", "broken.py: line 1"),
        (GOOD + "leaderElection: {renewDeadline: 20s}\n", "renewDeadline"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_line(
    text: str, told: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.py").write_text("def oops(:\n", encoding="utf-8")
    file = tmp_path / "config.yml"
    file.write_text(text.replace("FOLDER", str(tmp_path)), encoding="utf-8")
    assert main(["check-config", str(file)]) == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert told in said.err
    lines = [line for line in said.err.splitlines() if line.startswith("podplacement-scheduler: ")]
    assert len(lines) == 1


def test_a_good_file_is_shown_with_its_plugins(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.yml"
    file.write_text(GOOD, encoding="utf-8")
    assert main(["check-config", str(file)]) == 0
    assert capfd.readouterr().out.startswith("mine: SchedulingGates, PrioritySort, ")


def test_what_is_missing_or_malformed_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    for given, told in (
        ([], "give --config FILE, or --scheduler-name NAME"),
        (["--config", "/no/such/file"], "cannot be read"),
        (["explain", "no-slash"], "is not NAMESPACE/NAME"),
        (["--scheduler-name", "Not A Name"], "schedulerName"),
    ):
        assert main(given) == 2
        assert told in capfd.readouterr().err


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text(GOOD + "logging: {level: error}\n", encoding="utf-8")
    given = ["run", "--config", str(file), "--kubeconfig", "k", "--context", "c"]
    given += ["--no-leader-elect", "--log-level", "debug"]
    found = configuration(parser().parse_args(given))
    assert (found.client_connection.kubeconfig, found.client_connection.context) == ("k", "c")
    assert not found.leader_election.leader_elect
    assert found.logging.level == "debug"
    found = configuration(parser().parse_args(["run", "--scheduler-name", "other"]))
    assert [profile.scheduler_name for profile in found.profiles] == ["other"]
    assert found.leader_election.leader_elect


def test_plugins_are_listed_with_their_points(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins"]) == 0
    lines = capfd.readouterr().out.splitlines()
    [taints] = [line for line in lines if line.startswith("TaintToleration ")]
    assert taints.split(maxsplit=2)[1:] == ["built-in", "filter, score"]


def test_the_version_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capfd.readouterr().out == f"podplacement-scheduler {__version__}\n"
