# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node holds is the sum over its pods, however they came and went."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podplacement.core.plugins.module_utils.rules import NodeUsage


def pod(name: str, *, cpu: str = "100m", port: int = 0, phase: str = "Running") -> dict[str, Any]:
    ports = [{"containerPort": 80, "hostPort": port}] if port else []
    return {
        "metadata": {"name": name, "uid": f"uid-{name}"},
        "spec": {"containers": [{"resources": {"requests": {"cpu": cpu}}, "ports": ports}]},
        "status": {"phase": phase},
    }


def facts(usage: NodeUsage) -> tuple[Any, ...]:
    held = {name: units for name, units in usage.requested.items() if units}
    return (
        held,
        usage.nonzero_cpu,
        usage.nonzero_memory,
        usage.pod_count,
        sorted(usage.host_ports),
    )


def test_a_pod_that_was_added_and_removed_leaves_nothing() -> None:
    usage = NodeUsage()
    usage.add(pod("a", port=80))
    usage.remove(pod("a", port=80))
    assert facts(usage) == facts(NodeUsage())


def test_a_pod_that_is_added_again_counts_once_with_what_it_is_now() -> None:
    usage = NodeUsage([pod("a", cpu="100m")])
    usage.add(pod("a", cpu="300m"))
    assert facts(usage) == facts(NodeUsage([pod("a", cpu="300m")]))


def test_a_pod_that_has_ended_meanwhile_is_taken_off() -> None:
    usage = NodeUsage([pod("a")])
    usage.add(pod("a", phase="Succeeded"))
    assert facts(usage) == facts(NodeUsage())


def test_a_port_that_two_pods_hold_is_free_when_both_are_gone() -> None:
    usage = NodeUsage([pod("a", port=80), pod("b", port=80)])
    usage.remove(pod("a"))
    assert [str(port) for port in usage.host_ports] == ["0.0.0.0:80/TCP"]
    usage.remove(pod("b"))
    assert usage.host_ports == []


def test_removing_a_pod_that_never_was_there_changes_nothing() -> None:
    usage = NodeUsage([pod("a")])
    usage.remove(pod("b"))
    assert facts(usage) == facts(NodeUsage([pod("a")]))


def test_a_usage_without_a_pod_leaves_the_first_one_as_it_was() -> None:
    usage = NodeUsage([pod("a", port=80), pod("b")])
    assert facts(usage.without(pod("a"))) == facts(NodeUsage([pod("b")]))
    assert facts(usage) == facts(NodeUsage([pod("a", port=80), pod("b")]))


NAMES = st.sampled_from("abcd")
STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "remove"]), NAMES, st.integers(0, 3)), max_size=30
)


@given(STEPS)
def test_any_history_ends_in_the_sum_over_those_who_stayed(
    steps: list[tuple[str, str, int]],
) -> None:
    usage, alive = NodeUsage(), dict[str, dict[str, Any]]()
    for action, name, size in steps:
        if action == "add":
            alive[name] = pod(name, cpu=f"{size * 100}m", port=size)
            usage.add(alive[name])
        else:
            alive.pop(name, None)
            usage.remove(pod(name))
    assert facts(usage) == facts(NodeUsage(alive.values()))
