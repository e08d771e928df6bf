# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long work tells how far it is, to whoever listens, and never waits for a listener.

The callback ``podplacement.core.progress`` makes a FIFO and names it in the environment variable
``PODPLACEMENT_PROGRESS``; a task on the same host inherits that and writes one line of JSON for
each event. Without the variable, without a reader, or with one that is too slow, nothing is written
and nobody notices. A plain file that exists may be named too.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

import json
import os
import stat
from typing import Any, Callable, Mapping, Optional

VARIABLE = "PODPLACEMENT_PROGRESS"
# Up to here a write into a FIFO is all or nothing, also among many writers.
LINE_BYTES = 4096

Say = Callable[[Mapping[str, Any]], None]


def sink(path: Optional[str] = None) -> Say:
    """A function that writes events to ``path``, or to the FIFO that the environment names.

    Events have ``event`` (planned, started, moved, failed, refused, waiting, stopped), the numbers
    of pods ``total``, ``done`` and, of these, ``failed``, the seconds ``left`` (or None), and what
    else is known of the pod.
    """
    descriptor = _opened(os.environ.get(VARIABLE, "") if path is None else path)
    return _nothing if descriptor is None else _Sink(descriptor)


def _nothing(event: Mapping[str, Any]) -> None:
    """Nobody listens."""


class _Sink:
    """Open until the process ends: that is how the reader knows that there is no more to come."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: Optional[int] = descriptor
        self._run = str(os.getpid())

    def __call__(self, event: Mapping[str, Any]) -> None:
        if self._descriptor is None:
            return
        line = json.dumps(dict(event, run=self._run), default=str).encode() + b"\n"
        if len(line) > LINE_BYTES:
            return
        try:
            os.write(self._descriptor, line)
        except BlockingIOError:
            return  # the next event tells the new totals
        except OSError:
            self._descriptor = None  # the reader is gone


def _opened(path: str) -> Optional[int]:
    """The descriptor of a FIFO that has a reader, or of a plain file; None for all else."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError):
        return None
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    return None
