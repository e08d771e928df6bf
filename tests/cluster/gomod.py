# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each release that is built from source has a Go module of ours that pins all that goes into it.

`python -m tests.cluster.gomod [NAME…]` writes them after a change of versions.yml; it needs the
module proxy. k8s.io/kubernetes cannot be required alone, because its go.mod replaces its staging
modules by folders that its published module does not have: each needs a replace line of ours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cluster.gobuild import PACKAGES, go
from tests.cluster.progress import step
from tests.cluster.versions import BINARIES, HERE, load

HEADER = """\
// Copyright (c) 2026 podplacement contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
"""
ROOTS = {
    "kubernetes": "k8s.io/kubernetes",
    "etcd": "go.etcd.io/etcd/server/v3",
    "kwok": "sigs.k8s.io/kwok",
}
ETCD_MAIN = """
// Package main is etcd's server alone: its own main package is in a module that nobody can require.
package main

import (
\t"os"

\t"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
"""


def modules() -> dict[str, tuple[str, str]]:
    """Folder below gomod/ -> (release, version), from the pins."""
    pins = load()
    found = {
        f"kubernetes-{minor}": ("kubernetes", tag) for minor, tag in pins["kubernetes"].items()
    }
    return found | {"etcd": ("etcd", pins["etcd"]), "kwok": ("kwok", pins["kwok"])}


def go_mod(name: str, version: str, upstream: dict[str, Any]) -> str:
    """The go.mod before `go mod tidy`, from what `go mod edit -json` says of the upstream's."""
    release = name.split("-")[0]
    lines = [
        HEADER + f"\nmodule podplacement.test/{name}",
        f"go {upstream['Go']}",
        f"require {ROOTS[release]} {version}",
    ]
    for module in staging(upstream):
        lines.append(f"replace {module} => {module} {staged(version)}")
    return "\n\n".join(lines) + "\n"


def staging(upstream: dict[str, Any]) -> list[str]:
    """The modules that the upstream replaces by folders of its own repository."""
    replaced = upstream.get("Replace") or []
    return sorted(r["Old"]["Path"] for r in replaced if r["New"]["Path"].startswith("./staging/"))


def staged(version: str) -> str:
    """v1.36.3 of Kubernetes is v0.36.3 of its staging modules."""
    return version.replace("v1.", "v0.", 1)


def sources(release: str) -> dict[str, str]:
    """The one Go file that makes the module need the packages that are built."""
    if release == "etcd":
        return {"main.go": HEADER + ETCD_MAIN}
    imports = sorted(PACKAGES[binary] for binary, owner in BINARIES.items() if owner == release)
    lines = "".join(f'\t_ "{package}"\n' for package in imports)
    package = "// Package tools keeps the programs in go.mod.\npackage tools"
    return {
        "tools.go": f"//go:build tools\n\n{HEADER}\n{package}\n\nimport (\n{lines})\n",
    }


def write(name: str) -> None:
    """Write one module and let Go resolve it."""
    release, version = modules()[name]
    folder = HERE / "gomod" / name
    folder.mkdir(parents=True, exist_ok=True)
    downloaded = json.loads(
        _go("mod", "download", "-json", f"{ROOTS[release]}@{version}", folder=Path("/"))
    )
    upstream = json.loads(_go("mod", "edit", "-json", downloaded["GoMod"], folder=Path("/")))
    (folder / "go.mod").write_text(go_mod(name, version, upstream), encoding="utf-8")
    for file, text in sources(release).items():
        (folder / file).write_text(text, encoding="utf-8")
    _go("mod", "tidy", folder=folder)


def _go(*arguments: str, folder: Path) -> str:
    environment = os.environ | {"GOFLAGS": "-mod=mod", "GOWORK": "off"}
    done = subprocess.run(
        [go(), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"go {' '.join(arguments)} in {folder} failed:\n{done.stderr[-3000:]}")
    return done.stdout


if __name__ == "__main__":
    for chosen in sys.argv[1:] or modules():
        with step(f"resolving {chosen}"):
            write(chosen)
