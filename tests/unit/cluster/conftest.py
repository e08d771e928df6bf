# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mirror of the release files on this machine, and a stand-in for the Go toolchain."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cluster import downloads
from tests.cluster.versions import BINARIES, Versions, host

VERSIONS = Versions.select("1.36")


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@dataclass
class Mirror:
    """A file server with the layout of the official release places."""

    root: Path
    url: str

    def publish(self, binary: str, content: bytes, *, checksum_of: bytes | None = None) -> Path:
        """Put a binary where its project publishes it, with the checksum of the given content."""
        release, version = BINARIES[binary], VERSIONS.of(binary)
        system, arch = host()
        folder = self.root / release / version
        if release == "kubernetes":
            file = folder / "bin" / system / arch / binary
        elif release == "etcd":
            file = folder / f"etcd-{version}-{system}-{arch}.tar.gz"
            content = packed(f"etcd-{version}-{system}-{arch}/{binary}", content)
        else:
            file = folder / f"{binary}-{system}-{arch}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        digest = hashlib.sha256(content if checksum_of is None else checksum_of).hexdigest()
        if release == "etcd":
            other = f"{'0' * 64}  etcd-{version}-other-arch.tar.gz\n"
            (folder / "SHA256SUMS").write_text(f"{other}{digest}  {file.name}\n", encoding="utf-8")
        else:
            file.with_name(f"{file.name}.sha256").write_text(digest, encoding="utf-8")
        return file


def packed(name: str, content: bytes) -> bytes:
    """A gzipped tar archive with one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """A mirror that the downloads use instead of the official places."""
    root = tmp_path / "mirror"
    root.mkdir()
    handler = partial(QuietHandler, directory=str(root))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        for release in set(BINARIES.values()):
            monkeypatch.setenv(f"PODPLACEMENT_{release.upper()}_URL", f"{url}/{release}")
        downloads._hosts.clear()
        yield Mirror(root, url)
        server.shutdown()
        thread.join()
    downloads._hosts.clear()


@dataclass
class Toolchain:
    """A program in the place of `go` that notes what it is asked to build, and writes that much."""

    program: Path
    log: Path

    def built(self) -> list[str]:
        """The packages that were built."""
        return self.log.read_text(encoding="utf-8").split() if self.log.exists() else []


@pytest.fixture
def toolchain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toolchain:
    """The real toolchain takes minutes; that it builds is proved by every cluster that runs."""
    log, program = tmp_path / "built", tmp_path / "go"
    program.write_text(
        "#!/bin/sh\n"
        'while [ $# -gt 0 ]; do [ "$1" = -o ] && target=$2; package=$1; shift; done\n'
        f'printf "%s\\n" "$package" >>"{log}"\n'
        '[ -z "$TOOLCHAIN_FAILS" ] || { echo half >"$target"; echo no such package >&2; exit 1; }\n'
        'printf "#!/bin/sh\\necho built\\n" >"$target"\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setenv("GO", str(program))
    return Toolchain(program, log)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no folder of the user's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("PODPLACEMENT_CACHE", str(folder))
    for name in ("PODPLACEMENT_BIN_DIR", "PODPLACEMENT_DOWNLOAD", "KUBERNETES_VERSION"):
        monkeypatch.delenv(name, raising=False)
    return folder
