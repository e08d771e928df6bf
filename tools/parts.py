# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of a check run side by side, and none of them ends unseen.

Each part is one command with a log of its own in `.artifacts/`. A line tells when it starts, how
far it is and when it ends; the end of a failed part's log is shown at once; a table of what each
part took closes the run, with everything that was skipped and why.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ARTIFACTS = ROOT / ".artifacts"
TIMINGS = ARTIFACTS / "timings.tsv"

SIDE_BY_SIDE = 2
HEARTBEAT = 30.0
GRACE = 30.0
TAIL = 80
# What a test runner says last: this is the evidence that it ran something.
CLOSING = re.compile(
    r"^(=+ .*\b(passed|failed|error|errors)\b.* in .*=+|.*\d+ passed in [\d.]+s.*)$"
)
SKIPPED_TEST = re.compile(r"^SKIPPED \[\d+\] .*")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Part:
    """One command of a run; those it comes `after` stand before it in the list of parts."""

    name: str
    command: Sequence[str | Path]
    after: tuple[str, ...] = ()
    cwd: Path = ROOT
    env: Mapping[str, str] = field(default_factory=dict)
    # Why it is not for this machine; empty when it is.
    skip: str = ""

    @property
    def log(self) -> Path:
        return ARTIFACTS / f"{self.name}.log"


@dataclass(frozen=True)
class Outcome:
    part: Part
    result: str
    seconds: float = 0.0
    why: str = ""

    def lines(self, pattern: re.Pattern[str]) -> list[str]:
        """The lines of the part's log that the pattern finds."""
        if self.result not in ("ok", "FAILED"):
            return []
        text = COLOUR.sub("", self.part.log.read_text(errors="replace"))
        return [line for line in text.splitlines() if pattern.match(line)]


class Runner:
    """Runs parts in their order, a few side by side, and remembers how each ended.

    A part that failed holds back those that come after it, and no others.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts
        self.begun = time.monotonic()
        self.outcomes: list[Outcome] = []
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.guard = threading.Lock()
        self.stopping = False

    def run(self) -> list[Outcome]:
        """All parts to their end; an interrupt ends what runs before it goes on its way."""
        ARTIFACTS.mkdir(exist_ok=True)
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool, self._ended_by_signal():
            waiting = list(self.parts)
            running: dict[Future[Outcome], Part] = {}
            while True:
                for part in self._startable(waiting, slots=SIDE_BY_SIDE - len(running)):
                    waiting.remove(part)
                    self._say(part, "start")
                    running[pool.submit(self._execute, part)] = part
                if not running:
                    break
                done = wait(running, timeout=HEARTBEAT, return_when=FIRST_COMPLETED).done
                for future in done:
                    del running[future]
                    self._ended(future.result())
                if not done:
                    for part in running.values():
                        self._say(part, "...", last_line(part.log))
        order = [part.name for part in self.parts]
        return sorted(self.outcomes, key=lambda outcome: order.index(outcome.part.name))

    def _startable(self, waiting: list[Part], *, slots: int) -> list[Part]:
        """The next parts to start; parts that can no longer start are told and dropped."""
        ready: list[Part] = []
        for part in list(waiting):
            ended = {o.part.name for o in self.outcomes}
            good = {o.part.name for o in self.outcomes if o.result == "ok"}
            missed = [name for name in part.after if name in ended - good]
            why = "interrupted" if self.stopping else part.skip or needs(missed)
            if why:
                waiting.remove(part)
                self._ended(Outcome(part, "skipped", why=why))
            elif ended.issuperset(part.after) and len(ready) < slots:
                ready.append(part)
        return ready

    def _execute(self, part: Part) -> Outcome:
        begun = time.monotonic()
        with part.log.open("wb") as log:
            # A session of its own, so that its whole tree can be ended at once.
            process = subprocess.Popen(
                [str(word) for word in part.command],
                cwd=part.cwd,
                env={**os.environ, **part.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            with self.guard:
                self.processes[part.name] = process
            status = process.wait()
            with self.guard:
                del self.processes[part.name]
        seconds = time.monotonic() - begun
        return Outcome(
            part, "FAILED" if status else "ok", seconds, f"exit {status}" if status else ""
        )

    def _ended(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        part = outcome.part
        self._say(part, outcome.result, outcome.why or f"{outcome.seconds:.1f} s")
        if outcome.result == "FAILED":
            text = part.log.read_text(errors="replace").splitlines()
            print(
                f"----- the end of {os.path.relpath(part.log, ROOT)} -----", *text[-TAIL:], sep="\n"
            )
            print(f"----- {part.name}: {outcome.why} -----", flush=True)
        for line in outcome.lines(CLOSING):
            print(line, flush=True)

    def _say(self, part: Part, what: str, more: str = "") -> None:
        minutes, seconds = divmod(int(time.monotonic() - self.begun), 60)
        print(f"[{minutes:2}:{seconds:02}] {what:8} {part.name:14} {more}".rstrip(), flush=True)

    @contextlib.contextmanager
    def _ended_by_signal(self) -> Iterator[None]:
        """Pass an interrupt on to every part, and give each time to put things back."""

        def end(number: int, frame: object) -> None:
            self.stopping = True
            with self.guard:
                left = list(self.processes.values())
            deadline = time.monotonic() + GRACE
            for sign in (signal.SIGINT, signal.SIGKILL):
                for process in left:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, sign)
                for process in left:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(max(0.1, deadline - time.monotonic()))

        before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def needs(missed: Sequence[str]) -> str:
    """Why a part cannot start: what it comes after did not pass."""
    more = f" and {len(missed) - 3} more" if len(missed) > 3 else ""
    return f"needs {', '.join(missed[:3])}{more}" if missed else ""


def last_line(log: Path) -> str:
    """How far a part is, by what it said last."""
    with contextlib.suppress(OSError):
        text = COLOUR.sub("", log.read_text(errors="replace")).strip()
        return text.rpartition("\n")[2][-100:]
    return ""


def record(outcomes: Sequence[Outcome]) -> None:
    """Keep what each part took, for the table that closes a whole CI run."""
    with TIMINGS.open("a") as file:
        for o in outcomes:
            file.write(f"{o.part.name}\t{o.result}\t{o.seconds:.1f}\t{o.why}\n")


def recorded() -> list[list[str]]:
    """The parts kept by `record`, oldest first."""
    lines = TIMINGS.read_text().splitlines() if TIMINGS.is_file() else []
    return [line.split("\t") for line in lines]


def table(rows: Sequence[Sequence[str]]) -> str:
    """Name, result and seconds of each part, in columns."""
    lines = [f"{'part':16} {'result':8} {'seconds':>8}"]
    lines += [
        f"{name:16} {result:8} {seconds:>8}  {why}".rstrip() for name, result, seconds, why in rows
    ]
    return "\n".join(lines)


def report(outcomes: Sequence[Outcome], *, elapsed: float) -> bool:
    """Print how the run ended, and say whether it passed."""
    rows = [(o.part.name, o.result, f"{o.seconds:.1f}", o.why) for o in outcomes]
    print("", table([*rows, ("wall clock", "", f"{elapsed:.1f}", "")]), "", sep="\n")
    skipped = [f"{o.part.name}: {o.why}" for o in outcomes if o.result == "skipped"]
    skipped += [f"{o.part.name}: {line}" for o in outcomes for line in o.lines(SKIPPED_TEST)]
    print("skipped:" if skipped else "skipped: nothing", *skipped, sep="\n  ")
    for o in outcomes:
        for line in o.lines(CLOSING):
            print(f"{o.part.name}: {line.strip('= ')}")
    count = [sum(o.result == result for o in outcomes) for result in ("ok", "FAILED", "skipped")]
    print("parts: {} ok, {} failed, {} skipped".format(*count), flush=True)
    return not count[1]
