# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""First hit wins: a folder of your own, the cache, a verified download, a build from source."""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster import downloads, gobuild
from tests.cluster.progress import say, step
from tests.cluster.versions import BINARIES, ClusterError, Versions, cache_dir, host


def cached(binary: str, versions: Versions) -> Path:
    """The place of a binary in the cache; a version's binaries never change there."""
    return cache_dir() / "bin" / f"{BINARIES[binary]}-{versions.of(binary)}" / binary


def find(binary: str, versions: Versions) -> Path | None:
    """The binary where it is at hand: in PODPLACEMENT_BIN_DIR, then in the cache."""
    if folder := os.environ.get("PODPLACEMENT_BIN_DIR"):
        mine = Path(folder).absolute() / binary
        if _executable(mine):
            _check_own(mine, binary, versions)
            return mine
    kept = cached(binary, versions)
    return kept if _executable(kept) else None


def ensure(versions: Versions) -> dict[str, Path]:
    """All binaries of a cluster: those that are missing are downloaded or built into the cache."""
    found = {binary: find(binary, versions) for binary in BINARIES}
    missing = [binary for binary, path in found.items() if path is None]
    if missing:
        say(
            f"{len(missing)} of {len(BINARIES)} control plane binaries are to be got, once; where "
            "they cannot be downloaded, building them takes some five minutes on two cores"
        )
        with locked(cache_dir() / "bin.lock", "another process is getting the binaries"):
            for number, binary in enumerate(missing, 1):
                # another process may have brought it while this one waited for the lock
                found[binary] = find(binary, versions) or _obtain(
                    binary, versions, f"({number} of {len(missing)})"
                )
    return {binary: path for binary, path in found.items() if path is not None}


def _obtain(binary: str, versions: Versions, place: str) -> Path:
    target = cached(binary, versions)
    what = f"{binary} {versions.of(binary)} {place}"
    if os.environ.get("PODPLACEMENT_DOWNLOAD") != "0":
        try:
            release = downloads.locate(binary, versions)
            with step(f"downloading {what}"), _new_file(target) as new:
                new.write_bytes(downloads.download(release))
            return target
        except downloads.NotAvailable as reason:
            say(f"no download of {binary}: {reason}")
    with step(f"building {what}"), _new_file(target) as new:
        gobuild.build(binary, versions, new)
    return target


@contextmanager
def _new_file(target: Path) -> Iterator[Path]:
    """A temporary name that becomes `target` when the block succeeds, and leaves nothing if not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as folder:
        new = Path(folder) / target.name
        yield new
        new.chmod(0o755)
        new.replace(target)


@contextmanager
def locked(path: Path, why: str) -> Iterator[None]:
    """Hold an advisory lock on `path`, which ends with its process; say so if there is a wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{why}: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _check_own(path: Path, binary: str, versions: Versions) -> None:
    """A folder of the user's own may hold another version than the one that was asked for."""
    if binary != "kube-apiserver":
        return
    said = subprocess.run(
        [path, "--version"], capture_output=True, text=True, check=False
    ).stdout.strip()
    if not said.startswith(f"Kubernetes v{versions.minor}."):
        system = "/".join(host())
        raise ClusterError(
            f"{path} says {said!r}, wanted is Kubernetes {versions.minor} for {system}"
        )
