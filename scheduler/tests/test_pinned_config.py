# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that is pinned is used as it was when it was pinned, or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from podplacement_scheduler.cli import main


def test_a_pinned_file_is_used_and_another_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(b"profiles: [{schedulerName: a}]\n")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    command = ["plugins", "--config", str(file), "--config-sha256", digest]
    assert main(command) == 0
    file.write_bytes(b"profiles: [{schedulerName: b}]\n")
    assert main(command) == 2
    assert "not the one that is pinned" in capsys.readouterr().err
