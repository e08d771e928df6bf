# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole daemon against a hostile cluster, hundreds of times; see `testing/sim.py`.

A seed that fails says how to run it again, alone and with the daemon's log. More of them, or
others: `PODPLACEMENT_SIMULATION_SEEDS=1000-2000`.
"""

from __future__ import annotations

import os

import pytest

from podplacement_scheduler.testing.sim import simulate

BLOCK = 10


def blocks() -> list[range]:
    """The seeds, in blocks that workers share."""
    first, _dash, last = os.environ.get("PODPLACEMENT_SIMULATION_SEEDS", "0-300").partition("-")
    return [
        range(start, min(start + BLOCK, int(last))) for start in range(int(first), int(last), BLOCK)
    ]


@pytest.mark.parametrize("seeds", blocks(), ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_the_daemon_survives(seeds: range) -> None:
    placed = 0
    for seed in seeds:
        placed += simulate(seed).bound
    assert placed  # a block in which nothing happened proves nothing


def test_a_seed_is_one_run() -> None:
    assert simulate(7).digest == simulate(7).digest
    assert simulate(7).digest != simulate(8).digest
