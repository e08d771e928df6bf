# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody waits before a silent screen: a long step says what it does and that it lives."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

INTERVAL = 10.0  # seconds between signs of life where there is no terminal to rewrite a line on


def say(text: str) -> None:
    """One line for the user; on stderr, because stdout belongs to what a command was asked for."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Show `text` with the seconds so far until the block ends."""
    begin, over = time.monotonic(), threading.Event()
    terminal = sys.stderr.isatty()

    def show() -> None:
        while not over.wait(1.0 if terminal else INTERVAL):
            seconds = f"{text} … {time.monotonic() - begin:.0f} s"
            print(f"\r{seconds}", end="", file=sys.stderr, flush=True) if terminal else say(seconds)

    say(text)
    ticker = threading.Thread(target=show, daemon=True)
    ticker.start()
    outcome = "stopped after"
    try:
        yield
        outcome = "done in"
    finally:
        over.set()
        ticker.join()
        start = "\r" if terminal else ""
        say(f"{start}{text}: {outcome} {time.monotonic() - begin:.1f} s")
