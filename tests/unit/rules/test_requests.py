# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pod takes from a node: the sums themselves, and the defaults that only scores use."""

from __future__ import annotations

from typing import Any

from ansible_collections.podplacement.core.plugins.module_utils.rules.requests import (
    nonzero_requests,
    pod_requests,
)

MI = 2**20


def container(**requests: str) -> dict[str, Any]:
    return {"name": "app", "resources": {"requests": requests}}


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "pod"}, "spec": {"containers": list(containers), **spec}}


def test_containers_are_added_up_exactly_before_rounding() -> None:
    assert pod_requests(pod(container(cpu="100u"), container(cpu="100u"))) == {"cpu": 1}


def test_a_fraction_of_a_byte_is_rounded_up() -> None:
    assert pod_requests(pod(container(memory="1500m"))) == {"memory": 2}


def test_a_sidecar_between_init_containers_counts_for_those_after_it_only() -> None:
    init = [
        container(cpu="5"),
        {**container(cpu="2"), "restartPolicy": "Always"},
        container(cpu="4"),
    ]
    assert pod_requests(pod(container(cpu="1"), initContainers=init)) == {"cpu": 6000}


def test_limits_are_no_requests() -> None:
    assert pod_requests(pod({"resources": {"limits": {"cpu": "1"}}})) == {}


def test_a_resource_that_the_scheduler_does_not_know_does_not_count() -> None:
    known = {"example.com/gpu": "1", "hugepages-2Mi": "1", "attachable-volumes-csi-x": "1"}
    asked = pod(container(storage="1Gi", **{"requests.example.com/gpu": "1"}, **known))
    assert pod_requests(asked) == dict.fromkeys(known, 1)


def test_what_the_kubelet_has_granted_counts_only_for_a_running_pod() -> None:
    running = pod(container(cpu="1"))
    granted = {
        "name": "app",
        "resources": {"requests": {"cpu": "2"}},
        "allocatedResources": {"cpu": "3"},
    }
    running["status"] = {"containerStatuses": [granted]}
    assert pod_requests(running) == {"cpu": 1000}
    assert pod_requests(running, running=True) == {"cpu": 3000}


def test_what_the_kubelet_has_granted_the_pod_as_a_whole_counts_only_while_it_runs() -> None:
    running = pod(resources={"requests": {"cpu": "1"}})
    running["status"] = {"resources": {"requests": {"cpu": "2"}}}
    assert pod_requests(running) == {"cpu": 1000}
    assert pod_requests(running, running=True) == {"cpu": 2000}
    assert nonzero_requests(running)[0] == 1000
    assert nonzero_requests(running, running=True)[0] == 2000


def test_a_pod_whose_resize_can_never_be_granted_counts_what_is_in_force() -> None:
    running = pod(resources={"requests": {"cpu": "1"}})
    condition = {"type": "PodResizePending", "status": "True", "reason": "Infeasible"}
    running["status"] = {"resources": {"requests": {}}, "conditions": [condition]}
    assert pod_requests(running, running=True) == {"cpu": 0}


def test_huge_pages_may_be_asked_for_at_the_level_of_the_pod() -> None:
    stated = pod(
        container(**{"hugepages-2Mi": "2Mi"}), resources={"requests": {"hugepages-2Mi": "8Mi"}}
    )
    assert pod_requests(stated) == {"hugepages-2Mi": 8 * MI}


def test_what_only_containers_may_ask_for_is_ignored_at_the_level_of_the_pod() -> None:
    assert pod_requests(pod(resources={"requests": {"example.com/gpu": "1"}})) == {}


def test_an_allocation_without_a_report_of_what_is_in_force_does_not_count() -> None:
    running = pod(container(cpu="1"), resources={"requests": {"memory": "1"}})
    allocated = {"name": "app", "allocatedResources": {"cpu": "3"}}
    running["status"] = {"containerStatuses": [allocated], "allocatedResources": {"memory": "3"}}
    assert pod_requests(running, running=True) == {"cpu": 1000, "memory": 1}


def test_a_sidecar_that_is_resized_counts_what_it_was_granted() -> None:
    sidecar = {**container(cpu="1"), "name": "proxy", "restartPolicy": "Always"}
    running = pod(initContainers=[sidecar])
    granted = {"name": "proxy", "resources": {"requests": {"cpu": "2"}}}
    running["status"] = {"initContainerStatuses": [granted]}
    assert pod_requests(running, running=True) == {"cpu": 2000}


def test_each_container_without_requests_scores_with_the_defaults() -> None:
    assert nonzero_requests(pod(container(), container(cpu="1"))) == (1100, 400 * MI)


def test_a_request_of_zero_is_not_a_missing_one() -> None:
    assert nonzero_requests(pod(container(cpu="0", memory="0"))) == (0, 0)


def test_a_request_at_the_level_of_the_pod_leaves_no_container_without() -> None:
    stated = pod(container(), container(), resources={"requests": {"cpu": "300m"}})
    assert nonzero_requests(stated) == (300, 400 * MI)


def test_one_container_that_asks_is_enough_where_the_pod_level_asks_for_something_else() -> None:
    stated = pod(container(memory="1Gi"), container(), resources={"requests": {"cpu": "300m"}})
    assert nonzero_requests(stated) == (300, 1024 * MI)


def test_a_pod_without_containers_scores_with_nothing() -> None:
    assert nonzero_requests(pod()) == (0, 0)


def test_overhead_is_part_of_what_scores() -> None:
    assert nonzero_requests(pod(container(), overhead={"cpu": "50m"})) == (150, 200 * MI)
