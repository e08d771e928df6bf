# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A profile is what one scheduler name means: which plugins run at which point, in which order.

The rules by which defaults, `multiPoint` and single points come together are those of
kube-scheduler (mergePluginSet in pkg/scheduler/apis/config/v1/default_plugins.go, and
expandMultiPointPlugins in pkg/scheduler/framework/runtime/framework.go).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..config import Configuration, PluginRef, PluginSet
from ..config import Profile as Settings
from ..errors import ConfigError
from ..plugins.queue import PrioritySort
from .guard import Guard, PluginFailed
from .interface import Handle, Plugin, QueuedPod
from .registry import ABSENT, BUILT_IN, DEFAULT_BINDER, DEFAULT_PLUGINS, is_built_in

# Extension point, as in the configuration's attributes -> methods of which a plugin of it has one.
POINTS: Mapping[str, tuple[str, ...]] = {
    "pre_enqueue": ("pre_enqueue",),
    "queue_sort": ("less",),
    "pre_filter": ("pre_filter", "pre_filter_nodes"),
    "filter": ("filter", "filter_rows"),
    "post_filter": ("post_filter",),
    "pre_score": ("pre_score",),
    "score": ("score", "score_rows"),
    "reserve": ("reserve", "unreserve"),
    "permit": ("permit",),
    "pre_bind": ("pre_bind",),
    "bind": ("bind",),
    "post_bind": ("post_bind",),
}
ALL_PLUGINS = "*"
_MOST_WEIGHT = (2**31 - 1) // 100

Known = Mapping[str, type[Plugin]]


@dataclass(frozen=True)
class Profile:
    """The plugins of one scheduler name, by extension point, and in order."""

    scheduler_name: str
    timestamp_annotation: bool
    percentage_of_nodes_to_score: int | None
    plugins: Mapping[str, Plugin]  # all that are in use
    queue_sort: Plugin
    pre_enqueues: tuple[Plugin, ...]
    pre_filters: tuple[Plugin, ...]
    filters: tuple[Plugin, ...]
    post_filters: tuple[Plugin, ...]
    pre_scores: tuple[Plugin, ...]
    scores: tuple[tuple[Plugin, int], ...]
    reserves: tuple[Plugin, ...]
    permits: tuple[Plugin, ...]
    pre_binds: tuple[Plugin, ...]
    binds: tuple[Plugin, ...]
    post_binds: tuple[Plugin, ...]
    guard: Guard


def build_profiles(
    config: Configuration, handle: Handle, user_plugins: Known, guard: Guard
) -> dict[str, Profile]:
    """Each profile by its scheduler name; raises ConfigError."""
    known = {**BUILT_IN, **user_plugins}
    found = {}
    for settings in config.profiles:
        try:
            found[settings.scheduler_name] = _build(settings, handle, known, guard)
        except ConfigError as err:
            raise ConfigError(f"profile {settings.scheduler_name}: {err}") from err
    _check_one_order(config.profiles, found)
    return found


def _build(settings: Settings, handle: Handle, known: Known, guard: Guard) -> Profile:
    args = _args(settings, known)
    default = PluginSet(enabled=[PluginRef(name) for name in DEFAULT_PLUGINS])
    multi_point = _merged(default, _named(settings.plugins.multi_point, known, "multiPoint"))
    points = {
        point: _expanded(
            point,
            _named(getattr(settings.plugins, point), known, _camel(point)),
            multi_point,
            known,
        )
        for point in POINTS
    }
    if len(points["queue_sort"]) != 1:
        there = ", ".join(ref.name for ref in points["queue_sort"]) or "none"
        raise ConfigError(f"queueSort: exactly one plugin orders the queue; there is: {there}")
    names = dict.fromkeys(ref.name for refs in points.values() for ref in refs)
    plugins = {name: _made(known[name], args.get(name, {}), handle) for name in names}

    def of(point: str) -> tuple[Plugin, ...]:
        return tuple(plugins[ref.name] for ref in points[point])

    return Profile(
        scheduler_name=settings.scheduler_name,
        timestamp_annotation=settings.timestamp_annotation,
        percentage_of_nodes_to_score=settings.percentage_of_nodes_to_score,
        plugins=plugins,
        queue_sort=_guarded(of("queue_sort")[0], handle, guard),
        pre_enqueues=of("pre_enqueue"),
        pre_filters=of("pre_filter"),
        filters=of("filter"),
        post_filters=of("post_filter"),
        pre_scores=of("pre_score"),
        scores=_weighed([(plugins[ref.name], ref.weight) for ref in points["score"]]),
        reserves=of("reserve"),
        permits=of("permit"),
        pre_binds=of("pre_bind"),
        binds=of("bind"),
        post_binds=of("post_bind"),
        guard=guard,
    )


def _args(settings: Settings, known: Known) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for config in settings.plugin_config:
        _check_known(config.name, known, "pluginConfig")
        if config.name in found:
            raise ConfigError(f"pluginConfig: {config.name} is there twice")
        found[config.name] = config.args
    return found


def _named(plugins: PluginSet, known: Known, point: str) -> PluginSet:
    """The same set, every name of it known; what the engine does by itself is left out."""
    for ref in plugins.enabled:
        _check_known(ref.name, known, point)
    for ref in plugins.disabled:
        if ref.name != ALL_PLUGINS and ref.name not in ABSENT:
            _check_known(ref.name, known, point)
    kept = [ref for ref in plugins.enabled if ref.name != DEFAULT_BINDER]
    return PluginSet(enabled=kept, disabled=plugins.disabled)


def _check_known(name: str, known: Known, place: str) -> None:
    if name in known or name == DEFAULT_BINDER:
        return
    if name in ABSENT:
        raise ConfigError(f"{place}: {name} of kube-scheduler is not there yet; leave it out")
    raise ConfigError(f"{place}: there is no plugin {name!r}; known are {', '.join(sorted(known))}")


def _merged(default: PluginSet, custom: PluginSet) -> PluginSet:
    """The defaults that are not disabled, as the profile has reconfigured them, then the others."""
    disabled = {ref.name for ref in custom.disabled}
    reconfigured = {ref.name: ref for ref in custom.enabled}
    kept = [
        reconfigured.get(ref.name, ref)
        for ref in default.enabled
        if ref.name not in disabled and ALL_PLUGINS not in disabled
    ]
    # By identity: a plugin that is named twice is there twice, and refused later.
    added = [ref for ref in custom.enabled if not any(ref is other for other in kept)]
    return PluginSet(enabled=kept + added, disabled=custom.disabled)


def _expanded(point: str, own: PluginSet, multi_point: PluginSet, known: Known) -> list[PluginRef]:
    """The plugins of one point: those of `multiPoint` that have it, and what the point says."""
    place = _camel(point)
    for ref in own.enabled:
        if not _has(known[ref.name], point):
            raise ConfigError(f"{place}: {ref.name} has no such extension point")
    explicit = _unique(own.enabled, place)
    disabled = {ref.name for ref in own.disabled}
    if ALL_PLUGINS in disabled:
        return list(explicit.values())
    offered = [ref for ref in multi_point.enabled if _has(known[ref.name], point)]
    wanted = [ref for ref in offered if ref.name not in disabled and ref.name not in explicit]
    inherited = _unique(wanted, place)
    named = {ref.name for ref in offered if ref.name not in disabled}
    # First those that override a default, then the defaults, then the rest.
    overriding = [ref for ref in explicit.values() if ref.name in named]
    others = [ref for ref in explicit.values() if ref.name not in named]
    return [*overriding, *inherited.values(), *others]


def _unique(refs: Sequence[PluginRef], place: str) -> dict[str, PluginRef]:
    found: dict[str, PluginRef] = {}
    for ref in refs:
        if ref.name in found:
            raise ConfigError(f"{place}: {ref.name} is enabled twice")
        found[ref.name] = ref
    return found


def _has(plugin: type[Plugin], point: str) -> bool:
    return any(hasattr(plugin, method) for method in POINTS[point])


def _made(plugin: type[Plugin], args: Mapping[str, Any], handle: Handle) -> Plugin:
    try:
        return plugin(args, handle)
    except ConfigError:
        raise
    except Exception as err:
        cause = f"{type(err).__name__}: {err}"
        raise ConfigError(f"plugin {plugin.name} cannot be made: {cause}") from err


def _weighed(scores: Sequence[tuple[Plugin, int]]) -> tuple[tuple[Plugin, int], ...]:
    found = tuple((plugin, weight or plugin.weight) for plugin, weight in scores)
    if sum(weight for plugin, weight in found) > _MOST_WEIGHT:
        raise ConfigError("score: the weights are so great that the total could overflow")
    return found


class _GuardedSort(Plugin):
    """A user's order of the queue; where it fails, the built-in one decides: no pod is stuck."""

    name = "GuardedSort"

    def __init__(self, inner: Plugin, handle: Handle, guard: Guard) -> None:
        super().__init__({}, handle)
        self.inner: Any = inner
        self._guard = guard
        self._fallback = PrioritySort({}, handle)

    def less(self, a: QueuedPod, b: QueuedPod) -> bool:
        """As the plugin says, if it says anything."""
        if self._guard.is_off(self.inner.name):
            return self._fallback.less(a, b)
        try:
            answer: bool = self._guard.call(self.inner, "less", self.inner.less, a, b)
        except PluginFailed:
            return self._fallback.less(a, b)
        return answer


def _guarded(sort: Plugin, handle: Handle, guard: Guard) -> Plugin:
    return sort if is_built_in(sort) else _GuardedSort(sort, handle, guard)


def _check_one_order(profiles: Sequence[Settings], found: Mapping[str, Profile]) -> None:
    """All profiles share one queue, so they must agree on its order."""
    orders = []
    for settings in profiles:
        sort = found[settings.scheduler_name].queue_sort
        sort = sort.inner if isinstance(sort, _GuardedSort) else sort
        orders.append((sort.name, sort.args))
    if any(order != orders[0] for order in orders):
        raise ConfigError("queueSort: all profiles must have the same plugin with the same args")


def _camel(point: str) -> str:
    first, *rest = point.split("_")
    return first + "".join(word.capitalize() for word in rest)
