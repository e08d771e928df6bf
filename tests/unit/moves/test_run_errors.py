# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One move while the API server fails: turned round, or left whole to the next run."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    ApiError,
    OutcomeUnknown,
    Unreachable,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import (
    LEASE,
)
from tests.unit.moves.objects import (
    NS,
)
from tests.unit.moves.run_stage import (
    STRATEGIES,
    failure,
    order_for,
    problem,
    run,
    world,
)
from tests.unit.moves.world import World, leftovers


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("verb", ["create", "patch", "delete"])
def test_an_error_of_the_server_turns_the_move_round(
    strategy: str, verb: str, tmp_path: Path
) -> None:
    """Or it goes on, where going on is the only way to make it good; nothing is left either way."""
    api = world(strategy)
    plan = 1 if verb == "create" else 0
    for _dry_run in range(plan):
        api.before(verb, "pods", lambda: None)
    api.before(verb, "pods", ApiError(500, "InternalError", "broken", request=f"pods {verb}"))
    err = problem(api, tmp_path, order_for(strategy))
    assert err is None or (err.code, err.result["rolled_back"]) == ("ApiError", True)
    api.settle()
    assert leftovers(api) == []
    assert api.ready() == (2 if strategy == "adopt" else 1)


def test_a_server_that_stays_away_leaves_it_to_the_next_run(tmp_path: Path) -> None:
    api = world()
    down = Unreachable(0, "ApiUnreachable", "no connection")

    def goes_down() -> None:
        for _drive in range(2):
            api.before("list", "pods", down)

    api.before("create", "leases", goes_down)
    assert failure(api, tmp_path).code == "ApiUnreachable"
    assert len(api.list(LEASE, NS)[0]) == 1
    assert run(api, tmp_path).changed
    assert leftovers(api) == []


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_lost_reply_of_any_write_costs_nothing(
    strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(1, 8):
        api = world(strategy)
        lose_reply(api, n, monkeypatch)
        assert run(api, tmp_path, order_for(strategy)).changed, f"reply {n} lost"
        api.settle()
        assert leftovers(api) == []


def lose_reply(api: World, number: int, patcher: pytest.MonkeyPatch) -> None:
    """The write happens, and its answer does not come."""
    point = api._point

    def lossy(when: str, *, dry_run: bool) -> None:
        point(when, dry_run=dry_run)
        if not dry_run and when == "after" and api._writes == number:
            raise OutcomeUnknown(0, "OutcomeUnknown", "the connection broke")

    patcher.setattr(api, "_point", lossy)
