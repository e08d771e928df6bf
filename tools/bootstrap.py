# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything Python that the targets of the Makefile need is made here, inside the tree.

`.venv/` holds the tools and what the tests import; `.venv-importer/` holds galaxy-importer, which
cannot share an environment with them; `.ansible/collections/` is the one place where Ansible and
Python find `podplacement.core` (a link to this checkout) and `kubernetes.core`. All versions are
pinned in `tools/requirements/`. A second run sees that nothing changed and returns at once.

Only the standard library is used, since this is what installs everything else.
"""

from __future__ import annotations

import ast
import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "tools" / "requirements"
COLLECTIONS = ROOT / ".ansible" / "collections" / "ansible_collections"
# The older set is for machines that have nothing newer: ansible-core 2.20 wants Python 3.12.
SERIES = "py312" if sys.version_info >= (3, 12) else "py311"

# What pip is configured with (file or environment) holds for uv too, under uv's own names.
UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}


def cache_directory() -> Path:
    """The project's own cache, shared by all checkouts of this user."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("PODPLACEMENT_CACHE") or Path(home) / "podplacement")


def say(text: str) -> None:
    print(f"bootstrap: {text}", flush=True)


def run(*command: str | Path, env: dict[str, str] | None = None) -> str:
    """Run a command and return its output; on failure show all of it and stop."""
    done = subprocess.run(command, env=env, text=True, capture_output=True, check=False)
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        sys.exit(f"bootstrap: {' '.join(map(str, command))} failed ({done.returncode})")
    return done.stdout


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two targets started side by side must not make the same environment twice."""
    lock = ROOT / ".ansible" / "bootstrap.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def digest(*files: Path) -> str:
    """Names one state of the inputs: the interpreter, the place, and what the files say."""
    told = hashlib.sha256(f"{sys.executable} {sys.version} {ROOT}".encode())
    for file in (Path(__file__), *files):
        told.update(file.read_bytes())
    return told.hexdigest()


def pip_settings(python: Path) -> dict[str, str]:
    """The machine's pip configuration as plain option names and values."""
    settings = {}
    for line in run(python, "-m", "pip", "config", "list").splitlines():
        name, value = line.split("=", 1)
        settings[name.rpartition(".")[2]] = str(ast.literal_eval(value))
    return settings


def uv_environment(python: Path) -> dict[str, str]:
    environment = {"UV_CACHE_DIR": str(cache_directory() / "uv"), **os.environ}
    for option, value in pip_settings(python).items():
        if option in UV_NAMES:
            environment.setdefault(UV_NAMES[option], value)
    return environment


def make_environment(folder: Path, requirements: Path, *editable: Path) -> None:
    """A virtual environment of exactly these requirements, anew whenever they change.

    The projects `editable` are installed from where they are, without what they depend on: that
    is among the requirements.
    """
    stamp = folder / ".bootstrap"
    wanted = digest(requirements, *(project / "pyproject.toml" for project in editable))
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    begun = time.monotonic()
    say(f"{folder.name}: installing {requirements.name} with Python {sys.version.split()[0]} ...")
    shutil.rmtree(folder, ignore_errors=True)
    run(sys.executable, "-m", "venv", folder)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--requirement", REQUIREMENTS / "uv.txt")
    uv = (folder / "bin" / "uv", "pip", "install", "--quiet", "--python", python)
    run(*uv, "--requirement", requirements, env=uv_environment(python))
    for project in editable:
        # Its build backend is one of the requirements: nothing is fetched to build it.
        flags = ("--no-deps", "--no-build-isolation", "--editable")
        run(*uv, *flags, project, env=uv_environment(python))
    stamp.write_text(wanted)
    say(f"{folder.name}: ready after {time.monotonic() - begun:.0f} s")


def unpack_kubernetes_core(wheel: Path, target: Path) -> None:
    """Take one collection out of the wheel: all of it would be 300 MB of which 1 is used."""
    prefix = "ansible_collections/kubernetes/core/"
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            if member.startswith(prefix):
                archive.extract(member, target)


def make_collections() -> None:
    """Where Ansible finds this collection and the one it depends on.

    kubernetes.core is taken from the `ansible` wheel, because a package index is needed for the
    environments anyway, while Galaxy is often not reachable from where tests run.
    """
    pins = REQUIREMENTS / f"kubernetes-core-{SERIES}.txt"
    stamp, wanted = COLLECTIONS / ".bootstrap", digest(pins)
    link = COLLECTIONS / "podplacement" / "core"
    if stamp.is_file() and stamp.read_text() == wanted and link.is_symlink():
        return
    say("collections: fetching kubernetes.core ...")
    shutil.rmtree(COLLECTIONS, ignore_errors=True)
    link.parent.mkdir(parents=True)
    link.symlink_to(os.path.relpath(ROOT, link.parent), target_is_directory=True)
    with tempfile.TemporaryDirectory() as scratch:
        pip = (ROOT / ".venv" / "bin" / "python", "-m", "pip")
        run(*pip, "download", "--quiet", "--no-deps", "--dest", scratch, "--requirement", pins)
        (wheel,) = Path(scratch).glob("ansible-*.whl")
        unpack_kubernetes_core(wheel, COLLECTIONS.parent)
    stamp.write_text(wanted)
    say("collections: ready")


def main() -> None:
    with one_at_a_time():
        make_environment(ROOT / ".venv", REQUIREMENTS / f"tools-{SERIES}.txt", ROOT / "scheduler")
        make_collections()
        if "importer" in sys.argv[1:]:
            make_environment(ROOT / ".venv-importer", REQUIREMENTS / f"importer-{SERIES}.txt")


if __name__ == "__main__":
    main()
