#!/usr/bin/python
# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_node_evacuate
short_description: Empty a node without downtime, and bring back what was there
version_added: 0.1.0
author:
  - podplacement contributors (@podplacement)
description:
  - Cordon a node and move its pods away, many at a time, each in the way that suits its owner. See
    M(podplacement.core.k8s_pod_move).
  - What was on the node is written into a ConfigMap before the first move. O(state=returned) brings it back from there,
    also when the node was reinstalled in between, and uncordons the node.
  - Run the task again, from any host, when it was killed or stopped. It finishes or undoes what was in progress and
    goes on.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - podplacement.core._placement
  - podplacement.core._placement.moving
  - podplacement.core._placement.wait
  - podplacement.core._placement.validate
  - podplacement.core._attributes
  - podplacement.core._attributes.actiongroup_placement
attributes:
  check_mode:
    support: full
    details:
      - The plan of the check is the plan of the run. Each pod that would be created is sent to the API server as a dry
        run, once a workload. Nothing is written.
      - What only the moment decides cannot be foretold, see M(podplacement.core.k8s_pod_move).
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - RV(ignore:changed=false) when the node is cordoned and nothing is left on it that can be moved, or with
        O(state=returned) when there is neither a record nor a cordon of ours.
options:
  node:
    description:
      - The node to empty, or with O(state=returned) to fill again.
    type: str
    required: true
  state:
    description:
      - V(evacuated) cordons the node and moves its pods away.
      - V(planned) returns the plan and changes nothing, nor does it fail for what cannot be moved.
      - V(returned) uncordons the node and moves as many pods of each controller to it as were there before, and the
        bare pods that were there. Then it deletes the record.
    type: str
    choices: [evacuated, planned, returned]
    default: evacuated
  target_nodes:
    description:
      - The nodes that take the pods. Room on each is reserved as the plan gives it away, and replicas are spread over
        them. A pod that fits none of them waits for room until O(wait_timeout).
      - Without it the scheduler chooses.
    type: list
    elements: str
  target:
    description:
      - V(any) lets the scheduler choose, and leaves no pin in the new pods. It is the default without O(target_nodes).
        The plan tells with RV(plan[].room) whether there is room now. A new pod for which there is none waits for it
        until O(wait_timeout), so that an autoscaler may make some.
    type: str
    choices: [any]
  cordon:
    description:
      - Whether to cordon the node. Without a cordon new pods may come while the old ones go, and the scheduler may
        choose the node again, which undoes that move. Name O(target_nodes) then.
    type: bool
    default: true
  on_stop:
    description:
      - What becomes of the task's own cordon when it is stopped or fails, so that pods are left.
      - V(stay) leaves the node cordoned.
      - V(uncordon) takes the cordon back.
    type: str
    choices: [stay, uncordon]
    default: stay
  on_leftovers:
    description:
      - What pods mean that could not be moved. Pods of a DaemonSet, static pods and pods that have ended do not count.
      - V(fail) fails the task, after everything else was moved.
      - V(report) returns them in RV(leftovers).
    type: str
    choices: [fail, report]
    default: fail
  label_selectors:
    description:
      - Only pods that match all of these label selectors are moved and told of.
    type: list
    elements: str
  surge:
    description:
      - How many replacements of one workload may be alive at a time. V(0) means all that capacity, quota and the API
        server allow. The old pods of a workload go one by one in any case.
    type: int
    default: 0
  forks:
    description:
      - How many moves may be in progress at a time. V(0) means no limit.
    type: int
    default: 0
  max_failures:
    description:
      - Begin nothing more after so many failed moves. V(0) means to try them all.
    type: int
    default: 0
  deadline:
    description:
      - The maintenance window, in seconds from the start of the task. No move is begun that would not be finished
        within it, judged by how long the pod once took to become Ready and may take to stop.
    type: int
  requests_per_second:
    description:
      - How many requests the task sends to the API server at most, on average. More is no use, less spares a small
        control plane.
    type: int
    default: 400
  jobs:
    description:
      - What to do with pods of a Job. V(leave) leaves them, V(wait) waits until they have finished, V(evict) evicts
        them.
    type: str
    choices: [leave, wait, evict]
    default: leave
  max_downtime:
    description:
      - How many seconds a pod may be away. V(0) refuses strategies that stop the pod first. When a measured downtime is
        longer the task warns.
    type: float
  record_namespace:
    description:
      - The namespace of the ConfigMap that remembers what was on the node.
    type: str
    default: default
notes:
  - "Rights, in the cluster: nodes get list watch patch; pods list watch; leases list. In O(record_namespace): configmaps
    get create patch delete. And in the namespaces of the pods those of M(podplacement.core.k8s_pod_move), where
    deployments, replicasets, replicationcontrollers, statefulsets, daemonsets, jobs, services, networkpolicies,
    poddisruptionbudgets and endpointslices are listed and watched."
  - Affinity between pods and topology spread are judged by the plan where O(target_nodes) is given, elsewhere by the
    scheduler alone. Terms with a C(namespaceSelector) need the right to list namespaces; without it the task warns of
    what it did not judge.
seealso:
  - module: podplacement.core.k8s_pod_move
  - module: kubernetes.core.k8s_drain
"""

EXAMPLES = r"""
- name: Empty a node
  podplacement.core.k8s_node_evacuate:
    node: worker-1
    wait_timeout: 1800

- name: See how that would be done, and what would be left
  podplacement.core.k8s_node_evacuate:
    node: worker-1
    state: planned
  register: evacuation

- name: Empty a node onto two others, within a window of an hour
  podplacement.core.k8s_node_evacuate:
    node: worker-1
    target_nodes: [worker-2, worker-3]
    deadline: 3600
    wait_timeout: 3600
    max_failures: 5
    on_stop: uncordon

- name: Bring everything back
  podplacement.core.k8s_node_evacuate:
    node: worker-1
    state: returned
"""

RETURN = r"""
cluster:
  description: The cluster that was talked to.
  returned: always
  type: dict
  contains:
    host:
      description: URL of the API server.
      type: str
      returned: always
      sample: https://192.0.2.10:6443
    source:
      description: Where the credentials came from, one of V(parameters), V(kubeconfig) and V(incluster).
      type: str
      returned: always
      sample: kubeconfig
moved:
  description: What was moved, or in check mode would be. As C(moved) of M(podplacement.core.k8s_pod_move), with
    C(victim_mismatch) where the controller deleted another pod on the way and the move was done again.
  returned: always
  type: list
  elements: dict
  sample:
    - namespace: shop
      pod: web-5d9c8b7f6-x2x7k
      uid: 0b0ff41c-58d5-4b8e-a5ab-3c2a7a3a6a52
      new_pod: web-5d9c8b7f6-m1f3a9
      new_uid: 9c1b6a20-6d1d-4d9e-8f42-2d0c0e0b3d11
      from_node: worker-1
      to_node: worker-2
      strategy: adopt
      victim_mismatch: false
      downtime: 0.0
      timings: {created: 0.0, scheduled: 0.02, ready: 2.1, handed_over: 2.2, adopted: 2.25, terminating: 2.25, gone: 3.0}
plan:
  description: How each pod is moved, and who loses availability for how long. Those whose service is not interrupted
    come first.
  returned: always
  type: list
  elements: dict
  sample:
    - namespace: shop
      pod: web-5d9c8b7f6-x2x7k
      uid: 0b0ff41c-58d5-4b8e-a5ab-3c2a7a3a6a52
      from_node: worker-1
      to_node: worker-2
      strategy: adopt
      placement: schedule
      new_pod: web-5d9c8b7f6-m1f3a9
      owner: ReplicaSet/web-5d9c8b7f6
      pinned: true
      loses_availability: false
      expected_downtime: 0.0
      room: true
  contains:
    namespace: {description: The namespace., type: str, returned: always}
    pod: {description: The name., type: str, returned: always}
    uid: {description: The uid., type: str, returned: always}
    from_node: {description: Where the pod is., type: str, returned: always}
    to_node: {description: Where it goes. Empty where the scheduler chooses., type: str, returned: always}
    strategy: {description: How it is moved., type: str, returned: always}
    placement: {description: How the new pod gets its node., type: str, returned: always}
    new_pod: {description: The name of the new pod. Empty where only its controller knows., type: str, returned: always}
    owner: {description: The owner of the pod. Empty for a bare one., type: str, returned: always}
    pinned: {description: Whether the new pod is pinned to its node., type: bool, returned: always}
    loses_availability: {description: Whether the pod stops before the new one is Ready., type: bool, returned: always}
    expected_downtime: {description: For how many seconds at most., type: float, returned: always}
    room: {description: Whether there is room for it now., type: bool, returned: always}
leftovers:
  description: The pods that stay on the node, or with O(state=returned) what could not be brought back.
  returned: always
  type: list
  elements: dict
  sample:
    - namespace: shop
      name: batch-7xk2p
      owner: Job/batch
      code: "OwnerUnsupported: Job"
      reason: a Job counts its pods, and the work of this one would be lost
      hint: "Let the Job finish, or evict its pods: jobs: evict."
  contains:
    namespace: {description: The namespace., type: str, returned: always}
    name: {description: The name., type: str, returned: always}
    owner: {description: The owner. Empty for a bare pod., type: str, returned: always}
    code: {description: "Stable reason code, for conditions.", type: str, returned: always}
    reason: {description: Why., type: str, returned: always}
    hint: {description: What to do., type: str, returned: always}
recovered:
  description: Moves of an interrupted run that this one finished or undid.
  returned: always
  type: list
  elements: dict
  sample: []
cordoned:
  description: Whether the node is cordoned by an evacuation.
  returned: always
  type: bool
record:
  description: The ConfigMap that remembers what was on the node. Empty when there is none.
  returned: always
  type: dict
  sample: {namespace: default, name: podplacement-evacuation-1f3a9c02de}
summary:
  description: The counts.
  returned: always
  type: dict
  sample: {total: 12, moved: 11, failed: 0, refused: 1, not_started: 0, seconds: 8.4}
  contains:
    total: {description: "Pods that were to be moved, less those that stay by their nature.", type: int, returned: always}
    moved: {description: Pods that were moved., type: int, returned: always}
    failed: {description: Pods whose move failed., type: int, returned: always}
    refused: {description: Pods that cannot be moved., type: int, returned: always}
    not_started: {description: Pods whose move was not begun., type: int, returned: always}
    seconds: {description: How long it took., type: float, returned: always}
error:
  description: Why the task failed.
  returned: on failure
  type: dict
  contains:
    code: {description: "Stable reason code, for conditions.", type: str, returned: always, sample: NotEvacuated}
    step: {description: What was being done., type: str, returned: always, sample: evacuate}
    object: {description: The object., type: str, returned: always, sample: Node worker-1}
    hint: {description: What to do., type: str, returned: always, sample: See the reason of each in leftovers.}
"""

from ansible_collections.podplacement.core.plugins.module_utils._module import (
    argument_spec,
    moving_spec,
    run,
    validate_spec,
    wait_spec,
)
from ansible_collections.podplacement.core.plugins.module_utils.evacuation.run import (
    node_evacuate,
)


def main() -> None:
    spec = argument_spec(
        node={"type": "str", "required": True},
        state={
            "type": "str",
            "choices": ["evacuated", "planned", "returned"],
            "default": "evacuated",
        },
        target_nodes={"type": "list", "elements": "str"},
        target={"type": "str", "choices": ["any"]},
        cordon={"type": "bool", "default": True},
        on_stop={"type": "str", "choices": ["stay", "uncordon"], "default": "stay"},
        on_leftovers={"type": "str", "choices": ["fail", "report"], "default": "fail"},
        label_selectors={"type": "list", "elements": "str"},
        surge={"type": "int", "default": 0},
        forks={"type": "int", "default": 0},
        max_failures={"type": "int", "default": 0},
        deadline={"type": "int"},
        requests_per_second={"type": "int", "default": 400},
        jobs={"type": "str", "choices": ["leave", "wait", "evict"], "default": "leave"},
        max_downtime={"type": "float"},
        record_namespace={"type": "str", "default": "default"},
        **moving_spec(),
        **wait_spec(),
        **validate_spec(),
    )
    run(spec, node_evacuate, mutually_exclusive=[("target", "target_nodes")])


if __name__ == "__main__":
    main()
