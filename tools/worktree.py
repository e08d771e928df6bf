# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of the collection at the path that Ansible's own tools insist on.

They want to stand in a real `ansible_collections/podplacement/core`, and read every file below it:
virtual environments and caches of a checkout are not for them. The copy holds what git tracks and
what is new but not ignored, so that a gate judges a change before it is committed.

    worktree.py NAME COMMAND ...    lay a copy out under `.ansible/NAME` and run a command in it
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KUBERNETES = ROOT / ".ansible" / "collections" / "ansible_collections" / "kubernetes"


def files() -> list[Path]:
    """The collection's own files, relative to its root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    names = {Path(name) for name in listed.split("\0") if name}
    return sorted(name for name in names if (ROOT / name).is_file())


def copy(tree: Path) -> Path:
    """Lay the collection out anew under `tree`, with kubernetes.core beside it."""
    collections = tree / "ansible_collections"
    shutil.rmtree(collections, ignore_errors=True)
    target = collections / "podplacement" / "core"
    for name in files():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name, follow_symlinks=False)
    (collections / "kubernetes").symlink_to(KUBERNETES)
    # Otherwise ansible-test asks the checkout's git, to which all of this is ignored.
    subprocess.run(["git", "init", "--quiet", target], check=True)
    return target


def main() -> int:
    name, *command = sys.argv[1:]
    tree = ROOT / ".ansible" / name
    target = copy(tree)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(tree),
        # For antsibull-docs, which else takes kubernetes.core for a part of this checkout.
        "GIT_CEILING_DIRECTORIES": str(ROOT / ".ansible" / "collections"),
    }
    command[0] = str(Path(sys.executable).parent / command[0])
    return subprocess.run(command, cwd=target, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
