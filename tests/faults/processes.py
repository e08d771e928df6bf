# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process tree is struck as a whole: found, then frozen, then killed, so no child slips away."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path


def tree(root: int) -> list[int]:
    """A process and all its descendants, also those that left its session."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def signal_tree(root: int, number: signal.Signals) -> None:
    """Send a signal to the whole tree."""
    for pid in tree(root):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def kill_tree(root: int) -> None:
    """SIGKILL to the whole tree, which is stopped first: a running parent could fork once more."""
    signal_tree(root, signal.SIGSTOP)
    signal_tree(root, signal.SIGKILL)
