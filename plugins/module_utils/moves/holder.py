# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds a lock, told apart across hosts, containers and reused process ids."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import List, Optional


class Holder:
    """This process, as a Lease's ``holderIdentity``: run, boot, pid namespace, pid, start time
    (corrections, item 1).
    """

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = Path(proc)
        pid = os.getpid()
        parts = [
            uuid.uuid4().hex[:12],
            self._boot(),
            self._namespace(),
            str(pid),
            self._started(pid) or "",
        ]
        self.identity = "/".join(parts)

    def is_gone(self, identity: str) -> bool:
        """True when ``identity`` was a process of this boot and pid namespace that no longer runs.

        False means "still there, or not ours to judge": then only an unrenewed Lease tells.
        """
        parts: List[str] = identity.split("/")
        if len(parts) != 5 or not parts[4] or not parts[3].isdigit():
            return False
        if (parts[1], parts[2]) != (self._boot(), self._namespace()) or not parts[1]:
            return False
        return self._started(int(parts[3])) != parts[4]

    def _boot(self) -> str:
        return self._read("sys/kernel/random/boot_id").replace("-", "")[:12]

    def _namespace(self) -> str:
        try:
            return os.readlink(self._proc / "self/ns/pid").strip("pid:[]")
        except OSError:
            return ""

    def _started(self, pid: int) -> Optional[str]:
        """Field 22 of /proc/<pid>/stat; None when there is no such process, or only its unreaped
        remains.
        """
        fields = self._read("%d/stat" % pid).rpartition(")")[2].split()
        if len(fields) < 20 or fields[0] in ("Z", "X"):
            return None
        return fields[19]

    def _read(self, path: str) -> str:
        try:
            return (self._proc / path).read_text(encoding="ascii", errors="replace").strip()
        except OSError:
            return ""
