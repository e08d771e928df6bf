# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`ansible-test sanity` passes with a package index alone, and without a single ignore file.

Its one need from elsewhere is a script that installs pip; a stand-in does the same with what
Python itself brings. Its caches go into the tree: a home of its own keeps the user's untouched.
"""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import bootstrap
import worktree

HOME = worktree.ROOT / ".ansible" / "sanity-home"
GET_PIP = """\
import ensurepip
import sys

ensurepip.bootstrap(default_pip=True)
from pip._internal.cli.main import main
sys.exit(main(["install", "--quiet", "pip=={version}"]))
"""


def pip_version() -> str:
    """The pip that this ansible-core puts into its environments; its script is named after it."""
    spec = find_spec("ansible_test")
    for package in (spec and spec.submodule_search_locations) or ():
        source = (Path(package) / "_internal" / "python_requirements.py").read_text()
        if found := re.search(r"pip='([\d.]+)'", source):
            return found.group(1)
    sys.exit("sanity: cannot tell which pip this ansible-test wants")


def make_home() -> None:
    """A home folder with the stand-in, and with the machine's pip configuration.

    ansible-test hands no PIP_* variable on, so what they say has to stand in a file.
    """
    version = pip_version()
    script = HOME / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(GET_PIP.format(version=version))
    settings = configparser.RawConfigParser()
    settings["global"] = {
        "cache-dir": str(bootstrap.cache_directory() / "pip"),
        "disable-pip-version-check": "true",
        **bootstrap.pip_settings(Path(sys.executable)),
    }
    (HOME / ".pip").mkdir(exist_ok=True)
    with (HOME / ".pip" / "pip.conf").open("w") as file:
        settings.write(file)


def main() -> int:
    make_home()
    collection = worktree.copy(worktree.ROOT / ".ansible" / "sanity")
    ignored = sorted(collection.glob("tests/sanity/ignore-*.txt"))
    if ignored:
        sys.exit(f"sanity: no ignore files here: {ignored}")
    # Only real interpreters on PATH: the shims of a version manager make ansible-test fail.
    binaries = Path(sys.executable).parent
    environment = {
        **os.environ,
        "HOME": str(HOME),
        "PATH": f"{binaries}:/usr/bin:/bin",
    }
    for name in ("PYTHONPATH", "ANSIBLE_COLLECTIONS_PATH"):
        environment.pop(name, None)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = ["ansible-test", "sanity", "--python", version, "--color", "no", *sys.argv[1:]]
    done = subprocess.run(command, cwd=collection, env=environment, check=False)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
