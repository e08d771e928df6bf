# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Defaults, multiPoint and single points come together as they do in kube-scheduler."""

from __future__ import annotations

from typing import Any

import pytest

from podplacement_scheduler.config import parse
from podplacement_scheduler.errors import ConfigError
from podplacement_scheduler.framework.guard import Guard
from podplacement_scheduler.framework.interface import SUCCESS, Plugin, Status
from podplacement_scheduler.framework.profile import Profile, build_profiles
from podplacement_scheduler.framework.registry import ABSENT, BUILT_IN, DEFAULT_PLUGINS

from ..plugins.here import Here


class Pair(Plugin):
    """A user's plugin with two points."""

    name = "Pair"
    weight = 4

    def filter(self, state: Any, pod: Any, node: Any) -> Status:
        return SUCCESS

    def score(self, state: Any, pod: Any, node: Any) -> int:
        return 1


class Oldest(Plugin):
    """A user's order of the queue."""

    name = "Oldest"

    def less(self, a: Any, b: Any) -> bool:
        if self.args.get("fails"):
            raise LookupError("no order")
        return bool(a.timestamp < b.timestamp)


USERS: dict[str, type[Plugin]] = {"Pair": Pair, "Oldest": Oldest}


def build(*profiles: dict[str, Any]) -> dict[str, Profile]:
    config = parse({"profiles": list(profiles)})
    return build_profiles(config, Here(), USERS, Guard(budget=1.0, max_overruns=3))


def one(config: dict[str, Any] | None = None, **plugins: Any) -> Profile:
    """A profile; `plugins` by point: a pair of what is enabled and what is disabled."""

    def refs(names: list[Any]) -> list[Any]:
        return [name if isinstance(name, dict) else {"name": name} for name in names]

    points = {
        point: {"enabled": refs(enabled), "disabled": refs(disabled)}
        for point, (enabled, disabled) in plugins.items()
    }
    return build({"schedulerName": "ours", "plugins": points, **(config or {})})["ours"]


def names(plugins: Any) -> list[str]:
    return [plugin.name for plugin in plugins]


def weights(profile: Profile) -> dict[str, int]:
    return {plugin.name: weight for plugin, weight in profile.scores}


DEFAULT_FILTERS = names(one().filters)
DEFAULT_SCORES = {
    "TaintToleration": 3,
    "NodeAffinity": 2,
    "NodeResourcesFit": 1,
    "NodeResourcesBalancedAllocation": 1,
    "ImageLocality": 1,
}


def test_the_defaults_are_upstreams() -> None:
    profile = one()
    assert weights(profile) == DEFAULT_SCORES
    assert set(profile.plugins) == set(DEFAULT_PLUGINS)
    assert [name for name in DEFAULT_PLUGINS if name in DEFAULT_FILTERS] == DEFAULT_FILTERS
    assert names([profile.queue_sort]) == ["PrioritySort"]
    assert names(profile.pre_enqueues) == ["SchedulingGates"]
    assert names(profile.pre_filters)[0] == "UnsupportedFeatures"
    assert profile.binds == ()
    assert not ABSENT & BUILT_IN.keys()


def test_a_plugin_of_multi_point_comes_last_at_every_point_that_it_has() -> None:
    profile = one(multiPoint=(["Pair"], []))
    assert names(profile.filters) == [*DEFAULT_FILTERS, "Pair"]
    assert weights(profile) == {**DEFAULT_SCORES, "Pair": 4}


def test_a_default_can_be_reconfigured_in_its_place() -> None:
    profile = one(multiPoint=([{"name": "NodeAffinity", "weight": 9}], []))
    assert names(profile.filters) == DEFAULT_FILTERS
    assert weights(profile) == {**DEFAULT_SCORES, "NodeAffinity": 9}


def test_one_default_can_be_switched_off_everywhere() -> None:
    profile = one(multiPoint=([], ["NodeAffinity"]))
    assert "NodeAffinity" not in profile.plugins


def test_all_defaults_can_be_switched_off() -> None:
    profile = one(multiPoint=(["PrioritySort", "Pair"], ["*"]))
    assert set(profile.plugins) == {"PrioritySort", "Pair"}


def test_a_default_can_be_switched_off_at_one_point() -> None:
    profile = one(score=([], ["NodeAffinity"]))
    assert names(profile.filters) == DEFAULT_FILTERS
    assert "NodeAffinity" not in weights(profile)


def test_all_can_be_switched_off_at_one_point_but_what_that_point_enables() -> None:
    profile = one(score=(["Pair"], ["*"]))
    assert weights(profile) == {"Pair": 4}
    assert names(profile.filters) == DEFAULT_FILTERS


def test_a_point_overrides_multi_point_and_goes_first() -> None:
    profile = one(score=(["Pair", {"name": "ImageLocality", "weight": 7}], []))
    assert names(plugin for plugin, weight in profile.scores) == [
        "ImageLocality",  # overrides a default
        *[name for name in DEFAULT_SCORES if name != "ImageLocality"],
        "Pair",  # is new
    ]
    assert weights(profile) == {**DEFAULT_SCORES, "ImageLocality": 7, "Pair": 4}


def test_what_is_off_and_on_at_one_point_comes_last() -> None:
    profile = one(filter=(["NodeName"], ["NodeName"]))
    rest = [name for name in DEFAULT_FILTERS if name != "NodeName"]
    assert names(profile.filters) == [*rest, "NodeName"]


@pytest.mark.parametrize(
    ("plugins", "problem"),
    [
        ({"filter": (["Nope"], [])}, "filter: there is no plugin 'Nope'; known are ExistingAnti"),
        ({"score": ([], ["Nope"])}, "score: there is no plugin 'Nope'"),
        ({"multiPoint": (["Nope"], [])}, "multiPoint: there is no plugin 'Nope'"),
        ({"filter": (["PodTopologySpread"], [])}, "PodTopologySpread of kube-scheduler is not"),
        ({"filter": (["PrioritySort"], [])}, "filter: PrioritySort has no such extension point"),
        ({"filter": (["Pair", "Pair"], [])}, "filter: Pair is enabled twice"),
        ({"multiPoint": (["Pair", "Pair"], [])}, "filter: Pair is enabled twice"),
        ({"queueSort": ([], ["*"])}, "exactly one plugin orders the queue; there is: none"),
        ({"queueSort": (["Oldest"], [])}, "there is: PrioritySort, Oldest"),
        (
            {"score": ([{"name": "Pair", "weight": 2**30}], [])},
            "the weights are so great",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(plugins: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=f"profile ours: .*{problem}"):
        one(**plugins)


def test_what_kube_scheduler_has_beside_ours_may_be_switched_off() -> None:
    profile = one(multiPoint=([], ["PodTopologySpread"]), bind=(["DefaultBinder"], ["*"]))
    assert set(profile.plugins) == set(DEFAULT_PLUGINS)
    assert profile.binds == ()


@pytest.mark.parametrize(
    ("configs", "problem"),
    [
        ([{"name": "Nope"}], "pluginConfig: there is no plugin 'Nope'"),
        ([{"name": "NodePorts"}, {"name": "NodePorts"}], "NodePorts is there twice"),
        ([{"name": "NodePorts", "args": {"a": 1}}], "unknown field `a`"),
    ],
)
def test_arguments_are_checked(configs: list[Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        one({"pluginConfig": configs})


def test_each_profile_has_plugins_of_its_own() -> None:
    config = {"name": "UnsupportedFeatures", "args": {"ignorePreferred": True}}
    found = build({"schedulerName": "a"}, {"schedulerName": "b", "pluginConfig": [config]})
    assert found["a"].plugins["UnsupportedFeatures"].args == {}
    assert found["b"].plugins["UnsupportedFeatures"].args == {"ignorePreferred": True}
    assert found["b"].scheduler_name == "b"


def sorts(name: str, sort: str, **args: Any) -> dict[str, Any]:
    point = {"enabled": [{"name": sort}], "disabled": [{"name": "*"}]}
    config = [{"name": sort, "args": args}] if args else []
    return {"schedulerName": name, "plugins": {"queueSort": point}, "pluginConfig": config}


def test_all_profiles_share_one_order() -> None:
    build(sorts("a", "Oldest", way=1), sorts("b", "Oldest", way=1))
    for other in (sorts("b", "PrioritySort"), sorts("b", "Oldest", way=2)):
        with pytest.raises(ConfigError, match="queueSort: all profiles must have the same"):
            build(sorts("a", "Oldest", way=1), other)


class Queued:
    """A pod in the queue."""

    def __init__(self, priority: int, timestamp: float) -> None:
        self.pod = type("Ranked", (), {"priority": priority})()
        self.timestamp = timestamp


def test_a_users_order_that_fails_leaves_it_to_the_built_in_one() -> None:
    low, high = Queued(0, 1.0), Queued(9, 2.0)
    mine: Any = build(sorts("a", "Oldest"))["a"].queue_sort
    assert mine.less(low, high)
    failing: Any = build(sorts("a", "Oldest", fails=True))["a"].queue_sort
    assert failing.less(high, low)
    assert not failing.less(low, high)


def test_a_plugin_that_cannot_be_made_is_one_clear_error() -> None:
    class Broken(Pair):
        name = "Broken"

        def __init__(self, args: Any, handle: Any) -> None:
            raise KeyError("pool")

    config = parse(
        {
            "profiles": [
                {
                    "schedulerName": "ours",
                    "plugins": {"multiPoint": {"enabled": [{"name": "Broken"}]}},
                }
            ]
        }
    )
    with pytest.raises(ConfigError, match="plugin Broken cannot be made: KeyError: 'pool'"):
        build_profiles(config, Here(), {"Broken": Broken}, Guard(budget=1.0, max_overruns=3))
