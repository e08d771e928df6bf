# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A binary is built from pinned Go modules whose go.sum is committed: every build is the same."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.cluster.versions import BINARIES, HERE, ClusterError, Versions

# binary -> package in the module below gomod/
PACKAGES = {
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
    "kwokctl": "sigs.k8s.io/kwok/cmd/kwokctl",
    "etcd": ".",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
}


def module_dir(binary: str, versions: Versions) -> Path:
    """The Go module that pins what a binary is built from."""
    release = BINARIES[binary]
    name = f"kubernetes-{versions.minor}" if release == "kubernetes" else release
    return HERE / "gomod" / name


def ldflags(binary: str, versions: Versions) -> str:
    """Strip symbols; Kubernetes takes the version that it reports from the linker."""
    flags = "-s -w"
    if BINARIES[binary] == "kubernetes":
        package = "k8s.io/component-base/version"
        minor = versions.minor.split(".")[1]
        flags += f" -X {package}.gitVersion={versions.kubernetes} -X {package}.gitMajor=1"
        flags += f" -X {package}.gitMinor={minor} -X {package}.gitTreeState=clean"
    return flags


def go() -> str:
    """The Go toolchain, or why there is none."""
    found = os.environ.get("GO") or shutil.which("go")
    if not found:
        raise ClusterError(
            "no source for the control plane's binaries: no download succeeded and there is no Go "
            "on PATH. Install Go, or point PODPLACEMENT_BIN_DIR to a folder that has them"
        )
    return found


def build(binary: str, versions: Versions, target: Path) -> None:
    """Compile one binary into `target`; the module proxy and go.sum vouch for the sources."""
    module = module_dir(binary, versions)
    if not (module / "go.mod").is_file():
        raise ClusterError(f"{module} has no go.mod: run python -m tests.cluster.gomod")
    environment = os.environ | {"CGO_ENABLED": "0", "GOWORK": "off"}
    flags = f"{os.environ.get('GOFLAGS', '')} -buildvcs=false -mod=readonly".strip()
    command = [go(), "build", "-trimpath", "-ldflags", ldflags(binary, versions)]
    command += ["-o", str(target), PACKAGES[binary]]
    done = subprocess.run(
        command,
        cwd=module,
        env=environment | {"GOFLAGS": flags},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        tail = "\n".join(done.stderr.strip().splitlines()[-15:])
        raise ClusterError(f"go build of {binary} {versions.of(binary)} failed:\n{tail}")
