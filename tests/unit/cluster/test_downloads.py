# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads against a file server of the official layout: only what is verified is kept."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.cluster import binaries, downloads
from tests.cluster.downloads import ChecksumMismatch, NotAvailable, checksum_in
from tests.cluster.versions import BINARIES, load

from .conftest import VERSIONS, Mirror, Toolchain

SCRIPT = b"#!/bin/sh\necho downloaded\n"
# one for each way in which a project publishes its checksums
ONE_OF_EACH = ("kubectl", "etcd", "kwokctl")


def kept(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "bin").rglob("*") if path.is_file())


@pytest.mark.parametrize("binary", ONE_OF_EACH)
def test_a_good_checksum_is_used(
    binary: str, mirror: Mirror, cache: Path, toolchain: Toolchain
) -> None:
    mirror.publish(binary, SCRIPT)
    path = binaries._obtain(binary, VERSIONS, "")
    assert path.read_bytes() == SCRIPT
    assert path.stat().st_mode & 0o111
    assert (kept(cache), toolchain.built()) == ([binary], [])


@pytest.mark.parametrize("binary", ONE_OF_EACH)
def test_a_wrong_checksum_is_refused_loudly_and_nothing_kept(
    binary: str, mirror: Mirror, cache: Path, toolchain: Toolchain
) -> None:
    mirror.publish(binary, SCRIPT, checksum_of=b"something else")
    with pytest.raises(ChecksumMismatch, match="it is not used"):
        binaries._obtain(binary, VERSIONS, "")
    assert (kept(cache), toolchain.built()) == ([], [])


@pytest.mark.parametrize("binary", ONE_OF_EACH)
def test_a_missing_file_means_the_next_source(
    binary: str, mirror: Mirror, cache: Path, toolchain: Toolchain
) -> None:
    mirror.publish(binary, SCRIPT).unlink()
    path = binaries._obtain(binary, VERSIONS, "")
    assert "built" in path.read_text(encoding="utf-8")
    assert len(toolchain.built()) == 1


@pytest.mark.parametrize("binary", ONE_OF_EACH)
def test_without_a_published_checksum_nothing_is_downloaded(
    binary: str, mirror: Mirror, cache: Path, toolchain: Toolchain
) -> None:
    file = mirror.publish(binary, SCRIPT)
    beside = file.with_name(f"{file.name}.sha256")
    (beside if beside.exists() else file.with_name("SHA256SUMS")).unlink()
    assert "built" in binaries._obtain(binary, VERSIONS, "").read_text(encoding="utf-8")


def test_an_archive_without_the_binary_means_the_next_source(
    mirror: Mirror, cache: Path, toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.publish("etcd", SCRIPT)
    release = downloads.locate("etcd", VERSIONS)
    with pytest.raises(NotAvailable, match="no other"):
        downloads.download(downloads.Release("other", release.url, release.checksum_url))


def test_an_unreachable_host_is_asked_once(
    cache: Path,
    toolchain: Toolchain,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("PODPLACEMENT_KUBERNETES_URL", f"http://127.0.0.1:{port}")
    downloads._hosts.clear()
    for binary in ("kubectl", "kube-scheduler"):
        assert binaries._obtain(binary, VERSIONS, "").is_file()
    assert list(downloads._hosts) == [f"127.0.0.1:{port}"]
    said = capfd.readouterr().err
    assert said.count("cannot be reached") == 2
    assert "downloading" not in said
    assert len(toolchain.built()) == 2


def test_a_pin_of_ones_own_goes_before_the_published_checksum(
    mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = mirror.publish("kubectl", SCRIPT)
    end = file.relative_to(mirror.root / "kubernetes").as_posix()
    pinned = load() | {"checksums": {end: "0" * 64}}
    monkeypatch.setattr(downloads, "load", lambda: pinned)
    with pytest.raises(ChecksumMismatch, match=f"published is {'0' * 64}"):
        binaries._obtain("kubectl", VERSIONS, "")


def test_checksums_are_found_in_each_form() -> None:
    good, other = "a" * 64, "b" * 64
    assert checksum_in(f"{good}\n", "kwok") == good
    assert checksum_in(f"{other}  kwokctl\n{good} *kwok\n", "kwok") == good
    assert checksum_in(f"{other}  kwokctl\n", "kwok") is None
    assets = f'{{"assets": [{{"name": "kwokctl", "digest": "sha256:{other}"}},'
    assert checksum_in(f'{assets} {{"name": "kwok", "digest": "sha256:{good}"}}]}}', "kwok") == good
    assert checksum_in(f'{assets} {{"name": "kwok", "digest": null}}]}}', "kwok") is None
    assert checksum_in("<html>not found</html>", "kwok") is None


def test_the_official_places_are_where_the_projects_publish(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(downloads, "_probe", lambda where: None)
    for release in set(BINARIES.values()):
        monkeypatch.delenv(f"PODPLACEMENT_{release.upper()}_URL", raising=False)
    monkeypatch.setattr(downloads, "host", lambda: ("linux", "amd64"))
    found = {binary: downloads.locate(binary, VERSIONS) for binary in ONE_OF_EACH}
    kubernetes = f"https://dl.k8s.io/release/{VERSIONS.kubernetes}/bin/linux/amd64/kubectl"
    etcd = f"https://github.com/etcd-io/etcd/releases/download/{VERSIONS.etcd}"
    kwok = f"kubernetes-sigs/kwok/releases/download/{VERSIONS.kwok}/kwokctl-linux-amd64"
    assert found["kubectl"].url == kubernetes
    assert found["kubectl"].checksum_url == f"{kubernetes}.sha256"
    assert found["etcd"].url == f"{etcd}/etcd-{VERSIONS.etcd}-linux-amd64.tar.gz"
    assert found["etcd"].checksum_url == f"{etcd}/SHA256SUMS"
    assert found["kwokctl"].url == f"https://github.com/{kwok}"
    assert found["kwokctl"].checksum_url.endswith(f"/kwok/releases/tags/{VERSIONS.kwok}")
