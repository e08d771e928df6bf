# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pins of versions.yml say what runs: one file, selected by KUBERNETES_VERSION."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
VERSIONS_FILE = HERE / "versions.yml"

# binary -> the release that it belongs to; in the order in which a build is quickest, because each
# finds most of its packages compiled by the one before
BINARIES = {
    "kwokctl": "kwok",
    "kwok": "kwok",
    "etcd": "etcd",
    "kubectl": "kubernetes",
    "kube-apiserver": "kubernetes",
    "kube-controller-manager": "kubernetes",
    "kube-scheduler": "kubernetes",
}


class ClusterError(Exception):
    """Something that the user of the tool has to know, in one sentence."""


@cache
def load(path: Path = VERSIONS_FILE) -> dict[str, Any]:
    """The content of versions.yml."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


@dataclass(frozen=True)
class Versions:
    """The versions of one cluster: minor is `1.36`, the others are release tags like `v1.36.3`."""

    minor: str
    kubernetes: str
    etcd: str
    kwok: str

    @classmethod
    def select(cls, wanted: str | None = None) -> Versions:
        """The pins for a minor (`1.34`) or for the patch release that is pinned (`v1.34.4`)."""
        pins = load()
        wanted = (wanted or os.environ.get("KUBERNETES_VERSION") or pins["default"]).lstrip("v")
        minor = ".".join(wanted.split(".")[:2])
        kubernetes = pins["kubernetes"].get(minor)
        if kubernetes is None or wanted not in (minor, kubernetes[1:]):
            known = ", ".join(f"{k} ({v})" for k, v in pins["kubernetes"].items())
            raise ClusterError(
                f"KUBERNETES_VERSION {wanted!r} has no pin in {VERSIONS_FILE}: {known}"
            )
        return cls(minor, kubernetes, pins["etcd"], pins["kwok"])

    def of(self, binary: str) -> str:
        """The release tag of a binary."""
        return str(getattr(self, BINARIES[binary]))


def cache_dir() -> Path:
    """Where everything that can be made again is kept."""
    if chosen := os.environ.get("PODPLACEMENT_CACHE"):
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).absolute() / "podplacement"


def host() -> tuple[str, str]:
    """Operating system and architecture as Go and the release files name them."""
    machine = platform.machine().lower()
    return platform.system().lower(), {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
