# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second scheduler is kube-scheduler once more, under another name and without election."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.cluster.second_scheduler import configuration


class SecondScheduler:
    """A kube-scheduler process that outlives us; its folder has configuration, log and pid."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.config = folder / f"{name}.json"
        self.log = folder / f"{name}.log"
        self._pid_file = folder / f"{name}.pid"

    def start(self, cluster: Cluster) -> int:
        """Run it beside the default one; one of an earlier start is ended first."""
        assert cluster.bin_dir is not None
        self.stop()
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(json.dumps(configuration(cluster, self.name)), encoding="utf-8")
        with self.log.open("w", encoding="utf-8") as log:
            # port 0: it serves nothing, so that nothing listens
            process = subprocess.Popen(
                [cluster.bin_dir / "kube-scheduler", f"--config={self.config}", "--secure-port=0"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._pid_file.write_text(str(process.pid), encoding="utf-8")
        return process.pid

    def pid(self) -> int | None:
        """Its process, if that is still the one: the number may belong to somebody else by now."""
        with suppress(OSError, ValueError):
            pid = int(self._pid_file.read_text(encoding="utf-8"))
            shown = subprocess.run(
                ["ps", "-o", "command=", "-p", str(pid)],
                capture_output=True,
                text=True,
                check=False,
            )
            if str(self.config) in shown.stdout:
                return pid
        return None

    def stop(self) -> None:
        """End it if it runs."""
        if pid := self.pid():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            while self.pid() == pid:
                time.sleep(0.02)
        self._pid_file.unlink(missing_ok=True)
