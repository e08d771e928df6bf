# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python that the daemon and the bare loop run on, with what the daemon's image installs.

That of the tools, or another that is named. One that was compiled without optimisations, as version
managers do, takes a tenth more CPU than that of an image or of a distribution: where the tools have
such a one, the system's own stands for the image's.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DAEMON = ROOT / "scheduler"
REQUIREMENTS = DAEMON / "requirements.txt"
SYSTEM = Path("/usr/bin/python3")
OLDEST = (3, 11)  # as `requires-python` of the daemon


def chosen(python: str | None = None) -> Path:
    """The tools' interpreter, or that of an environment made for the named or the system's one."""
    if python is None and not is_optimised() and version(str(SYSTEM)) >= OLDEST:
        python = str(SYSTEM)
    if python is None:
        return Path(sys.executable)
    told = f"{python} {version(python)}".encode() + REQUIREMENTS.read_bytes()
    folder = ROOT / ".ansible" / f"bench-{hashlib.sha256(told).hexdigest()[:12]}"
    found = folder / "bin" / "python"
    if not (folder / ".complete").is_file():
        _run(python, "-m", "venv", "--clear", "--without-pip", str(folder))
        pip = (sys.executable, "-m", "pip", "--python", str(found), "install", "--quiet")
        _run(*pip, "--require-hashes", "--requirement", str(REQUIREMENTS))
        (folder / ".complete").touch()
    return found


def is_optimised() -> bool:
    """Whether the tools' interpreter is compiled like that of an image, or is the system's."""
    told = str(sysconfig.get_config_var("CONFIG_ARGS"))
    return "--enable-optimizations" in told or SYSTEM.resolve() == Path(sys.executable).resolve()


def environment() -> dict[str, str]:
    """Where it finds the daemon."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (DAEMON / "src", ROOT)))}


def version(python: str) -> tuple[int, ...]:
    """Of an interpreter; nothing where there is none."""
    code = "import sys; print('.'.join(map(str, sys.version_info[:3])))"
    try:
        told = subprocess.run([python, "-c", code], text=True, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ()
    return _numbers(told.stdout)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.strip().split("."))


def _run(*command: str) -> None:
    try:
        subprocess.run(command, text=True, capture_output=True, check=True)
    except OSError as err:
        raise SystemExit(f"{command[0]}: {err.strerror}") from None
    except subprocess.CalledProcessError as err:
        raise SystemExit(f"{' '.join(command)}: {err.stderr}") from None
