# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples are loaded as a user's files are, and decide about real pods."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from podplacement_scheduler.config import UserPlugins, parse
from podplacement_scheduler.engine.decide import Decider, Decision
from podplacement_scheduler.errors import ConfigError
from podplacement_scheduler.framework.guard import Guard
from podplacement_scheduler.framework.interface import FitError
from podplacement_scheduler.framework.loader import load
from podplacement_scheduler.framework.profile import POINTS, Profile, build_profiles

from ..plugins.here import Here

EXAMPLES = Path(__file__).parents[2] / "examples"
LOADED = load(UserPlugins(directory=str(EXAMPLES)))


class Stage:
    """A decider with one profile, on three nodes."""

    def __init__(self, **profile: Any) -> None:
        self.here = Here()
        for name in ("n1", "n2", "n3"):
            self.here.add_node(name)
        config = parse({"profiles": [{"schedulerName": "ours", **profile}]})
        guard = Guard(budget=1.0, max_overruns=3)
        self.profile: Profile = build_profiles(config, self.here, LOADED, guard)["ours"]
        self.decider = Decider(self.here, {"ours": self.profile}, percentage=0, rng=Random(1))

    def place(self, name: str, **pod: Any) -> str:
        """Decide, and count the pod where it is to go; "" where no node fits."""
        mine = self.here.add_pod(name, **pod)
        decision = self.decider.decide(mine)
        if isinstance(decision, Decision):
            self.here.assume(mine, decision.node)
            return decision.node
        return ""

    def refusal(self, name: str, **pod: Any) -> FitError:
        decision = self.decider.decide(self.here.add_pod(name, **pod))
        if not isinstance(decision, FitError):
            raise TypeError(decision)
        return decision


def team(**args: Any) -> Stage:
    plugins = {"multiPoint": {"enabled": [{"name": "TeamSpread", "weight": 50}]}}
    config = [{"name": "TeamSpread", "args": args}]
    return Stage(plugins=plugins, pluginConfig=config)


def test_the_examples_are_plugins() -> None:
    assert sorted(LOADED) == ["CoinAndDice", "ShortestName", "TeamSpread"]


def test_the_annotated_example_shows_every_extension_point() -> None:
    text = (EXAMPLES / "annotated_plugin.py").read_text(encoding="utf-8")
    missing = [m for methods in POINTS.values() for m in methods if f"{m}(" not in text]
    # Rows are for those who write numpy: docs/scheduler-plugins.md.
    assert missing == ["filter_rows", "score_rows"]


def test_the_pods_of_a_team_go_apart() -> None:
    stage = team()
    nodes = [stage.place(f"p{n}", labels={"team": "red"}) for n in range(6)]
    assert Counter(nodes) == {"n1": 2, "n2": 2, "n3": 2}


def test_a_node_takes_so_many_pods_of_a_team() -> None:
    stage = team(mostPerNode=1)
    assert all(stage.place(f"p{n}", labels={"team": "red"}) for n in range(3))
    refused = stage.refusal("p3", labels={"team": "red"})
    assert refused.message() == ("0/3 nodes are available: 3 node(s) had enough pods of the team.")
    assert refused.plugins == {"TeamSpread"}
    assert stage.place("blue", labels={"team": "blue"})
    assert stage.place("none")


def test_a_pod_without_a_team_can_be_kept_waiting() -> None:
    stage = team(required=True)
    plugin: Any = stage.profile.plugins["TeamSpread"]
    assert not plugin.pre_enqueue(stage.here.add_pod("none")).ok
    assert plugin.pre_enqueue(stage.here.add_pod("red", labels={"team": "red"})).ok


def test_an_argument_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="args of TeamSpread: unknown: mostPerHost"):
        team(mostPerHost=1)


def test_the_other_plugin_of_the_file_orders_the_queue() -> None:
    sort = {"enabled": [{"name": "ShortestName"}], "disabled": [{"name": "*"}]}
    stage = Stage(plugins={"queueSort": sort})

    def queued(name: str) -> Any:
        return type("Queued", (), {"pod": stage.here.add_pod(name), "timestamp": 1.0})()

    order: Any = stage.profile.queue_sort
    assert order.less(queued("a"), queued("long-name"))
    assert not order.less(queued("long-name"), queued("a"))


@pytest.mark.parametrize("name", ["CoinAndDice", "RandomScore"])
def test_the_random_policy_places_pods_and_says_how(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    only = {"enabled": [{"name": name}], "disabled": [{"name": "*"}]}
    stage = Stage(plugins={"multiPoint": {"enabled": [{"name": name}]}, "score": only})
    for number in range(4, 40):
        stage.here.add_node(f"n{number}")
    with caplog.at_level(logging.INFO):
        nodes = [stage.place(f"p{n}") for n in range(30)]
    assert len(set(nodes)) > 5
    assert "calculated priorities" in caplog.text
    policy: Any = stage.profile.plugins[name]
    drawn = {policy.score({}, None, None) for _dummy in range(2000)}
    assert drawn == set(range(100))
