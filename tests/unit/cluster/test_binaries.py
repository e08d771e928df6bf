# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Binaries come from the first source that has them, once, whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import binaries
from tests.cluster.versions import BINARIES, REPOSITORY, ClusterError

from .conftest import VERSIONS, Mirror, Toolchain


def script(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {says}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_first_a_folder_then_the_cache_then_a_download_then_a_build(
    tmp_path: Path,
    mirror: Mirror,
    cache: Path,
    toolchain: Toolchain,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine = tmp_path / "mine"
    monkeypatch.setenv("PODPLACEMENT_BIN_DIR", str(mine))
    script(mine / "kubectl", "mine")
    for binary in ("kubectl", "etcd"):
        script(binaries.cached(binary, VERSIONS), "cached")
    for binary in ("kubectl", "etcd", "kwok"):
        mirror.publish(binary, b"#!/bin/sh\necho downloaded\n")
    found = binaries.ensure(VERSIONS)
    said = {
        binary: subprocess.run([path], capture_output=True, text=True, check=True).stdout.strip()
        for binary, path in found.items()
    }
    expected = dict.fromkeys(BINARIES, "built")
    assert said == expected | {"kubectl": "mine", "etcd": "cached", "kwok": "downloaded"}
    assert len(toolchain.built()) == len(BINARIES) - 3


def test_the_second_time_everything_is_at_hand(
    cache: Path, toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PODPLACEMENT_DOWNLOAD", "0")
    first = binaries.ensure(VERSIONS)
    assert binaries.ensure(VERSIONS) == first
    assert len(toolchain.built()) == len(BINARIES)


def test_versions_do_not_mix_in_the_cache() -> None:
    old, new = VERSIONS.select("1.34"), VERSIONS.select("1.36")
    assert binaries.cached("kubectl", old) != binaries.cached("kubectl", new)
    assert binaries.cached("etcd", old) == binaries.cached("etcd", new)


def test_a_folder_with_another_version_is_refused(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path / "mine" / "kube-apiserver", "Kubernetes v1.20.1")
    monkeypatch.setenv("PODPLACEMENT_BIN_DIR", str(tmp_path / "mine"))
    with pytest.raises(ClusterError, match=r"says 'Kubernetes v1\.20\.1', wanted is .*1\.36"):
        binaries.find("kube-apiserver", VERSIONS)


def test_a_failed_build_says_why_and_leaves_nothing(
    cache: Path, toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PODPLACEMENT_DOWNLOAD", "0")
    monkeypatch.setenv("TOOLCHAIN_FAILS", "1")
    with pytest.raises(ClusterError, match="no such package"):
        binaries.ensure(VERSIONS)
    assert [path for path in (cache / "bin").rglob("*") if path.is_file()] == []


def test_without_any_source_the_error_says_what_to_do(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PODPLACEMENT_DOWNLOAD", "0")
    monkeypatch.setenv("PATH", str(cache / "nowhere"))
    monkeypatch.delenv("GO", raising=False)
    with pytest.raises(ClusterError, match="Install Go, or point PODPLACEMENT_BIN_DIR"):
        binaries.ensure(VERSIONS)


def test_two_processes_at_once_build_each_binary_once(cache: Path, toolchain: Toolchain) -> None:
    environment = os.environ | {"PODPLACEMENT_DOWNLOAD": "0"}
    command = [sys.executable, "-m", "tests.cluster", "ensure-binaries"]
    both = [
        subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for dummy in range(2)
    ]
    outputs = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert sorted(outputs[0][0].split()[::2]) == sorted(BINARIES)
    assert len(toolchain.built()) == len(BINARIES)


def test_a_long_build_says_what_it_does_and_how_far_it_is(
    cache: Path,
    toolchain: Toolchain,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PODPLACEMENT_DOWNLOAD", "0")
    binaries.ensure(VERSIONS)
    said = capfd.readouterr().err
    assert "7 of 7 control plane binaries are to be got" in said
    assert f"building kube-apiserver {VERSIONS.kubernetes} (5 of 7): done in " in said
