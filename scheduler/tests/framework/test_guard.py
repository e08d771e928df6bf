# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin that misbehaves costs its own pod, and in the end its own place."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from podplacement_scheduler.framework.guard import Guard, PluginFailed
from podplacement_scheduler.framework.interface import SUCCESS, CycleState, Plugin, Status
from podplacement_scheduler.framework.registry import BUILT_IN
from podplacement_scheduler.testing.loop import run

from ..plugins.here import Here


class Counts:
    """Metrics that are only counted."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.measured: list[tuple[str, str, str, float]] = []

    def plugin_failed(self, plugin: str, point: str, reason: str) -> None:
        self.seen[f"{plugin} {point} {reason}"] += 1

    def plugin_off(self, plugin: str) -> None:
        self.seen[f"{plugin} off"] += 1

    def plugin_execution(self, plugin: str, point: str, status: str, seconds: float) -> None:
        self.measured.append((plugin, point, status, seconds))


class Timed:
    """A timer that goes forward by what the plugin says it took."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Mine(Plugin):
    """Takes a time, then does something."""

    name = "Mine"

    def __init__(self, timer: Timed) -> None:
        super().__init__({}, Here())
        self.timer = timer

    def filter(self, state: CycleState, seconds: float) -> Status:
        self.timer.now += seconds
        return SUCCESS

    def does(self, what: Callable[[], Any]) -> Any:
        return what()

    async def pre_bind(self, state: CycleState, *steps: float) -> Status:
        for seconds in steps:
            self.timer.now += seconds
            await asyncio.sleep(1)
        return SUCCESS


class Stage:
    """A guard with a budget of 1 s and three overruns, and a plugin."""

    def __init__(self, **options: Any) -> None:
        self.timer, self.counts = Timed(), Counts()
        self.plugin = Mine(self.timer)
        self.guard = Guard(
            budget=1.0, max_overruns=3, metrics=self.counts, timer=self.timer, **options
        )

    def filter(self, *seconds: float) -> None:
        """One pod, one call for each node."""
        state = CycleState()
        for taken in seconds:
            self.guard.call(self.plugin, "filter", self.plugin.filter, state, taken)

    def does(self, point: str, what: Callable[[], Any]) -> Any:
        return self.guard.call(self.plugin, point, self.plugin.does, what)


def test_an_answer_comes_through() -> None:
    assert Stage().does("score", lambda: 7) == 7


def test_what_a_plugin_raises_names_it_and_rejects_its_pod(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = Stage()
    with pytest.raises(PluginFailed, match=r"plugin Mine failed in score: ZeroDiv.*: ") as caught:
        stage.does("score", lambda: 1 // 0)
    assert (caught.value.plugin, caught.value.point) == ("Mine", "score")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert stage.counts.seen == {"Mine score ZeroDivisionError": 1}
    assert "ZeroDivisionError" in caplog.text  # with its stack
    assert stage.guard.running is None
    assert stage.does("score", lambda: 7) == 7  # it is not off


@pytest.mark.parametrize(
    ("point", "answer", "problem"),
    [
        ("filter", True, "it answered True, and not a Status"),
        ("score", "high", "it answered 'high'"),
        ("score", None, "it answered None"),
        ("less", None, "it answered None"),
        ("permit", SUCCESS, "and not a tuple"),
    ],
)
def test_an_answer_of_another_kind_is_a_failure(point: str, answer: Any, problem: str) -> None:
    with pytest.raises(PluginFailed, match=problem):
        Stage().does(point, lambda: answer)


def test_no_answer_is_success_as_nil_is_upstream() -> None:
    assert Stage().does("filter", lambda: None) == SUCCESS
    assert Stage().does("permit", lambda: None) == (SUCCESS, 0.0)


def test_overruns_in_a_row_switch_a_plugin_off() -> None:
    stage = Stage()
    stage.filter(1.1)
    stage.filter(1.1)
    assert not stage.guard.is_off("Mine")
    stage.filter(1.1)
    assert stage.guard.is_off("Mine")
    assert "3 overruns in a row in filter" in stage.guard.off["Mine"]
    assert stage.counts.seen == {"Mine filter overrun": 3, "Mine off": 1}
    with pytest.raises(PluginFailed, match="it is switched off: 3 overruns"):
        stage.filter(0.0)


def test_a_pod_within_the_budget_ends_the_row() -> None:
    stage = Stage()
    for _dummy in range(4):
        stage.filter(1.1)
        stage.filter(1.1)
        stage.filter(0.9)
    assert not stage.guard.is_off("Mine")


def test_the_budget_is_for_a_pod_however_many_calls_it_takes() -> None:
    stage = Stage()
    stage.filter(0.4, 0.4, 0.4, 0.4)
    assert stage.counts.seen == {"Mine filter overrun": 1}
    stage.filter(0.4, 0.4)
    assert stage.counts.seen == {"Mine filter overrun": 1}


def test_each_point_has_a_row_of_its_own() -> None:
    stage = Stage()
    for _dummy in range(2):
        stage.filter(1.1)
        stage.does("score", lambda: 7)
    stage.filter(1.1)
    assert stage.guard.is_off("Mine")


def test_every_tenth_call_is_measured() -> None:
    stage = Stage()
    for _dummy in range(9):
        stage.filter(0.1)
    assert stage.counts.measured == []
    stage.filter(0.25)
    for _dummy in range(9):
        stage.filter(0.1)
    with pytest.raises(PluginFailed):
        stage.does("score", lambda: 1 // 0)
    assert stage.counts.measured == [
        ("Mine", "filter", "Success", pytest.approx(0.25)),
        ("Mine", "score", "Error", 0.0),
    ]


def test_the_watchdog_can_see_who_holds_the_loop() -> None:
    stage = Stage()
    assert stage.does("filter", lambda: None) == SUCCESS
    seen: list[Any] = []
    stage.does("reserve", lambda: seen.append(stage.guard.running))
    assert seen == [("Mine", "reserve")]
    assert stage.guard.running is None


def test_a_plugin_that_causes_a_call_of_another_is_still_the_one_that_runs() -> None:
    stage = Stage()
    seen: list[Any] = []

    def outer() -> None:
        stage.does("less", lambda: True)
        seen.append(stage.guard.running)

    stage.does("post_filter", outer)
    assert seen == [("Mine", "post_filter")]


def test_a_built_in_plugin_has_no_budget_and_fails_alike() -> None:
    stage = Stage()
    gates = BUILT_IN["SchedulingGates"]({}, Here())

    def slow() -> str:
        stage.timer.now += 100
        return "done"

    for _dummy in range(9):
        assert stage.guard.call(gates, "filter", slow) == "done"
    assert not stage.guard.off
    with pytest.raises(PluginFailed, match="SchedulingGates failed in filter: ZeroDivisionError"):
        stage.guard.call(gates, "filter", lambda: 1 // 0)


def test_what_a_user_derives_from_a_built_in_plugin_is_the_users() -> None:
    derived = type("Derived", (BUILT_IN["SchedulingGates"],), {"name": "Derived"})({}, Here())
    stage = Stage()
    for _dummy in range(3):
        stage.guard.call(
            derived, "filter", lambda: setattr(stage.timer, "now", stage.timer.now + 2)
        )
    assert stage.guard.is_off("Derived")


def test_a_plugin_that_blocked_the_last_process_is_off_from_the_start() -> None:
    stage = Stage(blocked={"Mine": "it blocked the process"})
    assert stage.counts.seen == {"Mine off": 1}
    with pytest.raises(PluginFailed, match="it blocked the process"):
        stage.filter(0.0)


def pre_bind(stage: Stage, *steps: float) -> Any:
    return run(
        stage.guard.acall(stage.plugin, "pre_bind", stage.plugin.pre_bind, CycleState(), *steps)
    )


def test_only_time_on_the_loop_counts_while_a_plugin_waits() -> None:
    stage = Stage()
    # Twenty seconds of waiting, a tenth of a second of work.
    assert pre_bind(stage, *[0.005] * 20) == SUCCESS
    assert not stage.counts.seen
    assert pre_bind(stage, 0.6, 0.6) == SUCCESS
    assert stage.counts.seen == {"Mine pre_bind overrun": 1}


def test_what_an_async_point_raises_names_it() -> None:
    async def raising() -> Status:
        await asyncio.sleep(1)
        raise LookupError("no lease")

    stage = Stage()
    with pytest.raises(PluginFailed, match="Mine failed in pre_bind: LookupError: no lease"):
        run(stage.guard.acall(stage.plugin, "pre_bind", raising))
    assert stage.guard.running is None


def test_a_point_that_never_ends_is_given_up() -> None:
    async def never() -> Status:
        await asyncio.Event().wait()
        return SUCCESS

    stage = Stage(patience=600.0)
    with pytest.raises(PluginFailed, match="it did not end"):
        run(stage.guard.acall(stage.plugin, "pre_bind", never))


def test_a_cancelled_point_is_cancelled_inside() -> None:
    seen: list[str] = []

    async def waiting() -> Status:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        return SUCCESS

    async def cancelled() -> None:
        stage = Stage()
        task = asyncio.ensure_future(stage.guard.acall(stage.plugin, "pre_bind", waiting))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(cancelled())
    assert seen == ["cancelled"]


def test_a_failure_within_a_failure_keeps_its_name(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()

    def inner() -> None:
        raise PluginFailed("Other", "filter", "it is switched off")

    with caplog.at_level(logging.ERROR), pytest.raises(PluginFailed, match=r"^plugin Other failed"):
        stage.does("score", inner)
