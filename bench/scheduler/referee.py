# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The referee of a trial: a process with a watch of its own says when each pod got its node.

It is the same one for every scheduler, and costs each the same. Times are the system's monotonic
clock, which all processes of a machine share.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.scheduler.stage import NAMESPACE
from tests.cluster.kinds import path_of
from tests.cluster.kube import Kube

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Print `bound` lines: the first, and those at which a number that was asked for is reached."""
    parser = argparse.ArgumentParser(prog="python -m bench.scheduler.referee")
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--at", type=int, action="append", required=True)
    options = parser.parse_args()
    kube = Kube(options.kubeconfig)
    found = kube.request("GET", path_of("Pod", None, NAMESPACE), query={"limit": "1"})
    version = found["metadata"]["resourceVersion"]
    say(event="watching")
    times: dict[str, float] = {}
    while len(times) < max(options.at):
        for event, item in kube.watch("Pod", NAMESPACE, version=version, timeout=300):
            version = item["metadata"]["resourceVersion"]
            name = item["metadata"].get("name", "")
            if event != "MODIFIED" or not item["spec"].get("nodeName") or name in times:
                continue
            times[name] = time.monotonic()
            if len(times) == 1 or len(times) in options.at:
                say(event="bound", count=len(times), time=times[name])
            if len(times) >= max(options.at):
                break
    say(event="all", times=times)
    return 0


def say(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


class Refereeing:
    """The bench's side."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def read(self) -> dict[str, object]:
        """The next line."""
        assert self._process.stdout is not None
        found: dict[str, object] = json.loads(self._process.stdout.readline() or "{}")
        if not found:
            raise SystemExit("the referee ended early")
        return found


@contextmanager
def refereeing(kubeconfig: Path, *counts: int) -> Iterator[Refereeing]:
    """A referee that has begun to watch."""
    command = [sys.executable, "-m", "bench.scheduler.referee", "--kubeconfig", str(kubeconfig)]
    command += [word for count in counts for word in ("--at", str(count))]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        referee = Refereeing(process)
        referee.read()
        yield referee
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
