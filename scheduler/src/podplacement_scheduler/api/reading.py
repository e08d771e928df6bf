# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The official client reads credentials in a process of its own, which ends when it has told them.

Imported into the daemon it would cost 17 MiB for the daemon's whole life. What it found crosses a
pipe: nothing of it is on a command line, in the environment, in a log or on a disk.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from contextlib import nullcontext, suppress
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired
from tempfile import TemporaryDirectory

import msgspec

from ..errors import ConfigError

# -P: nothing is imported from the folder that the daemon happens to be started in.
COMMAND = (sys.executable, "-P", "-m", "podplacement_scheduler.api.identity")
# How long a plugin may take, unless someone sits at a terminal and may have to log in there.
PATIENCE_SECONDS = 60.0
# As the official client has it: what expires is replaced this long before.
EARLY_SECONDS = 300.0

Stamp = tuple[int, int, int, int]

log = logging.getLogger(__name__)


class Unreadable(ConfigError):
    """There are no credentials; `kind` names the error and, unlike its text, quotes nothing."""

    def __init__(self, text: str, kind: str) -> None:
        super().__init__(text)
        self.kind = kind


class Reading(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What one look at the source found.

    `authorization` is the header's value, empty for none. `files` are all that it was made of, as
    they were just before they were read. `costly` is what a program gave, until it `expires`.
    """

    server: str
    server_name: str | None = None
    proxy: str | None = None
    authorization: str = ""
    ca: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = None
    verify: bool = True
    files: dict[str, Stamp | None] = {}
    costly: bool = False
    expires: float | None = None
    said: list[str] = []

    def __repr__(self) -> str:
        return f"Reading({', '.join(self.files)})"

    def is_stale(self, now: float) -> bool:
        """Whether another look would find something else; `now` is the time of the wall clock."""
        if self.expires is not None:
            if now >= self.expires - EARLY_SECONDS:
                return True
        elif self.costly and not self.authorization:
            return True  # a certificate without a date: not every server says 401 when it is over
        return any(stamp(file) != before for file, before in self.files.items())


class Failure(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Why there is no `Reading`; the text may be shown."""

    kind: str
    text: str
    said: list[str] = []


def stamp(file: str) -> Stamp | None:
    """What changes when a file is written or, as Kubernetes does it, another takes its place."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def read(path: str, context: str) -> Reading:
    """From a kubeconfig, or without a path from the service account; raises Unreadable.

    Blocks for half a second, and for as long as a plugin takes.
    """
    source = path or "the service account"
    code, answer = _run(source, path, context)
    try:
        found = msgspec.json.decode(answer, type=Reading | Failure)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        # Not its text, which may quote the answer, nor itself as the cause.
        raise Unreadable(
            f"{source} cannot be read: the reading process ended with {code} and no answer",
            "NoAnswer",
        ) from None
    for line in found.said:
        log.warning("credentials: %s", line)
    if isinstance(found, Failure):
        raise Unreadable(found.text, found.kind)
    return found


def _run(source: str, path: str, context: str) -> tuple[int, bytes]:
    """The exit code of the child and what it wrote."""
    attended = sys.stderr is not None and sys.stderr.isatty()
    try:
        with (
            # Made here, as the child may be killed: the official client puts embedded keys there.
            TemporaryDirectory() if path else nullcontext("") as scratch,
            Popen(
                [*COMMAND, path, context, scratch],
                stdin=None if attended else DEVNULL,
                stdout=PIPE,
                # A group of its own can be killed with all that a plugin has started.
                process_group=None if attended else 0,
            ) as child,
        ):
            try:
                answer = child.communicate(timeout=None if attended else PATIENCE_SECONDS)[0]
            except TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                _bury(child.pid)
                raise
    except TimeoutExpired:
        told = f"no answer within {PATIENCE_SECONDS:g} seconds, what was run for it is killed"
        raise Unreadable(f"{source} cannot be read: {told}", "TimeoutExpired") from None
    except OSError as err:
        raise Unreadable(f"{source} cannot be read: {err.strerror}", type(err).__name__) from None
    return child.returncode, answer


def _bury(group: int) -> None:
    """What the child had started goes to the first process of the container: perhaps this one."""
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-group, 0)
