# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit log is read while the API server writes to it."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from tests.cluster.audit import written

LINES = 60


def line(number: int) -> bytes:
    event = {
        "verb": "get",
        "requestURI": f"/api/v1/pods/{number}",
        "user": {},
        "requestReceivedTimestamp": "2026-11-23T00:00:00.000000Z",
    }
    return json.dumps(event).encode() + b"\n"


def test_an_entry_that_is_being_written_is_left_for_the_next_time(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(b"")
    found = 0

    def write() -> None:
        with log.open("ab", buffering=0) as file:
            for number in range(LINES):
                for byte in line(number):
                    file.write(bytes([byte]))

    writer = threading.Thread(target=write)
    writer.start()
    while found < LINES:
        entries = list(written(log, 0))
        assert len(entries) >= found
        assert [entry.uri for entry in entries] == [
            f"/api/v1/pods/{number}" for number in range(len(entries))
        ]
        found = len(entries)
    writer.join()
