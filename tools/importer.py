# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection builds, and Galaxy's importer takes it without a word of warning.

The importer ends well even when its own lint finds something, so its log is read: a WARNING or an
ERROR there fails this gate.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import worktree

TREE = worktree.ROOT / ".ansible" / "importer"
IMPORTER = worktree.ROOT / ".venv-importer" / "bin"
CONFIG = """\
[galaxy-importer]
CHECK_REQUIRED_TAGS=True
RUN_ANSIBLE_TEST=False
"""
TROUBLE = re.compile(r"^(WARNING|ERROR)")


def run(*command: str | Path, cwd: Path, env: dict[str, str]) -> tuple[int, str]:
    """A command's status and all of its output, which is also shown."""
    done = subprocess.run(command, cwd=cwd, env=env, text=True, check=False, capture_output=True)
    output = done.stdout + done.stderr
    print(output, flush=True)
    return done.returncode, output


def offer_kubernetes_core() -> None:
    """The importer looks nowhere but beside its own packages for what documentation refers to."""
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(IMPORTER.parent)}))
    namespace = packages / "ansible_collections" / "kubernetes"
    namespace.parent.mkdir(exist_ok=True)
    if not namespace.exists():
        namespace.symlink_to(worktree.KUBERNETES)


def main() -> int:
    subprocess.run([worktree.ROOT / "tools" / "bootstrap", "importer"], check=True)
    offer_kubernetes_core()
    shutil.rmtree(TREE, ignore_errors=True)
    collection = worktree.copy(TREE)
    config = TREE / "galaxy-importer.cfg"
    config.write_text(CONFIG)
    environment = {
        **os.environ,
        "PATH": f"{IMPORTER}:/usr/bin:/bin",
        "GALAXY_IMPORTER_CONFIG": str(config),
        "HOME": str(TREE / "home"),
        "ANSIBLE_HOME": str(TREE / "home"),
        "ANSIBLE_COLLECTIONS_PATH": str(TREE),
    }
    environment.pop("PYTHONPATH", None)
    build = ("ansible-galaxy", "collection", "build", "--force", "--output-path", TREE)
    status, log = run(*build, cwd=collection, env=environment)
    if status:
        return status
    (artifact,) = TREE.glob("podplacement-core-*.tar.gz")
    command = (IMPORTER / "python", "-m", "galaxy_importer.main", artifact)
    status, log = run(*command, cwd=TREE, env=environment)
    found = [line for line in log.splitlines() if TROUBLE.match(line)]
    print(f"importer: {len(found)} warnings and errors", *found, sep="\n")
    return status or bool(found)


if __name__ == "__main__":
    sys.exit(main())
