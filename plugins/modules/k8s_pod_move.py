#!/usr/bin/python
# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_pod_move
short_description: Move running pods to other nodes without downtime
version_added: 0.1.0
author:
  - podplacement contributors (@podplacement)
description:
  - Move a running pod, or several, to a node that you name, or have so many pods of a controller on a node.
  - A pod of a Deployment, ReplicaSet or ReplicationController is moved make-before-break. The replacement runs on the
    target and is Ready before its controller takes it over and deletes the old pod. The controller's spec is not
    touched.
  - Where two pods cannot share a volume, the old pod is evicted when the new one has a node. A pod of a StatefulSet is
    evicted and its controller's next one is steered to the node. Both say how long the pod was away.
  - A bare pod is journaled, deleted and created again under its name, or with O(strategy=surge) created first under a
    new one.
  - A task that was killed at any point leaves the capacity that it found. The next run of the same task finishes or
    undoes what it left, and so does O(state=recovered).
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
      - The plan of the check is the plan of the run. The replacement is sent to the API server as a dry run. Nothing
        is written.
      - What only the moment decides cannot be foretold. A check refuses C(RolloutInProgress) at once, where a run waits.
        C(WorkloadNotReady), C(NotReady), C(Unschedulable), C(NotScheduled), C(PdbBlocked), C(EndpointMissing),
        C(KubeletRefused), C(LockedBy), C(PodGone) and C(OwnerGone) come from a run only.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - A moved pod of a controller has a new name. The task that names the old one finds it by the annotation
        C(podplacement.io/moved-from-name) and reports RV(ignore:changed=false) when it is on the node.
options:
  namespace:
    description:
      - The namespace of the pod.
      - With O(state=recovered), the namespace to recover. Without it the whole cluster is.
    type: str
  name:
    description:
      - The name of the pod to move, or the name that it had before it was moved.
    type: str
  node:
    description:
      - The node to move the pod O(name) to, or to have pods of O(controller) on.
    type: str
  controller:
    description:
      - Instead of pods, a controller that is to have O(count) pods on O(node). As many as are missing there are moved, from
        the nodes that have most of its pods; of a StatefulSet the highest ordinals.
    type: dict
    suboptions:
      kind:
        description:
          - The kind of the controller.
        type: str
        required: true
        choices: [Deployment, ReplicaSet, ReplicationController, StatefulSet]
      name:
        description:
          - Its name, in O(namespace).
        type: str
        required: true
  count:
    description:
      - How many Ready pods of O(controller) are to be on O(node). More are no fault.
    type: int
  moves:
    description:
      - Several moves. All are checked before the first is begun, and then done O(forks) at a time.
    type: list
    elements: dict
    suboptions:
      namespace:
        description:
          - The namespace of the pod. Defaults to O(namespace).
        type: str
      name:
        description:
          - The name of the pod.
        type: str
        required: true
      node:
        description:
          - The node to move it to.
        type: str
        required: true
  strategy:
    description:
      - V(auto) chooses by owner and volumes. V(adopt), or V(shadow) or V(replace) where it must be, for a pod of a
        ReplicaSet or ReplicationController, V(steer) for one of a StatefulSet and V(recreate) for a bare one.
      - V(adopt) runs the replacement beside the old pod and lets the controller adopt it. No downtime.
      - V(recreate) deletes a bare pod and creates it again under the same name. Its manifest is kept in a Secret until
        the new one is Ready.
      - V(surge) creates a bare pod under a new name and deletes the old one when the new one is Ready. No downtime.
      - V(shadow) is V(adopt) with a temporary ReplicaSet around the replacement, for controllers that have no label to
        spare, and where admission depends on who creates a pod. No downtime.
      - V(replace) is for volumes that attach to one node or pod at a time. The replacement gets its node, the old pod is
        evicted, and the new one starts when the volume is free.
      - V(steer) evicts the pod of a StatefulSet and brings its successor to the node in the way that O(steer) names.
      - V(evict) evicts the pod and waits until its controller has another one Ready, anywhere.
    type: str
    choices: [auto, adopt, shadow, replace, steer, recreate, surge, evict]
    default: auto
  forks:
    description:
      - How many of O(moves), or of the pods of O(controller), are moved at a time. V(0) means no limit.
    type: int
    default: 1
  max_downtime:
    description:
      - How many seconds the pod may be away. V(0) refuses strategies that stop the pod first. When the measured
        downtime is longer the task fails, after the move.
    type: float
  state:
    description:
      - V(present) moves pods.
      - V(recovered) finishes or undoes every interrupted move of O(namespace), or of the cluster.
    type: str
    choices: [present, recovered]
    default: present
notes:
  - "Rights, in the namespace of the pod: pods get list watch create patch delete; pods/eviction create; events create;
    leases get list watch create patch delete; replicasets, replicationcontrollers, deployments, statefulsets,
    daemonsets and jobs get list watch; services, networkpolicies, endpointslices, poddisruptionbudgets and
    persistentvolumeclaims get list watch. In the cluster: nodes get, pods list, persistentvolumes get."
  - "More for some strategies: for V(recreate) secrets get list create patch delete; for V(shadow) replicasets create
    patch delete; for V(replace) volumeattachments list watch, in the cluster; for V(steer) namespaces get, in the
    cluster, and by O(steer): V(static) configmaps get create delete, V(block) controllerrevisions get and
    validatingadmissionpolicies and their bindings get list create patch delete, V(policy)
    mutatingadmissionpolicies and their bindings get list create delete, V(hold) controllerrevisions get."
  - A budget may emit the warning event C(UnmanagedPods) while a replacement without controller matches it.
seealso:
  - module: podplacement.core.k8s_pod_bind
  - module: podplacement.core.k8s_pod_scheduler
  - module: kubernetes.core.k8s_drain
"""

EXAMPLES = r"""
- name: Move a pod of a Deployment
  podplacement.core.k8s_pod_move:
    namespace: shop
    name: web-5d9c8b7f6-x2x7k
    node: worker-2

- name: Move a bare pod under a new name, without a gap, when it has been Ready for five seconds
  podplacement.core.k8s_pod_move:
    namespace: shop
    name: cache
    node: worker-2
    strategy: surge
    soak: 5

- name: Move several pods, after all of them were checked
  podplacement.core.k8s_pod_move:
    namespace: shop
    moves:
      - name: web-5d9c8b7f6-x2x7k
        node: worker-2
      - name: api-66c9d5f4b-9qzqm
        node: worker-3

- name: Have two pods of a Deployment on a node
  podplacement.core.k8s_pod_move:
    namespace: shop
    controller:
      kind: Deployment
      name: web
    node: worker-2
    count: 2

- name: Finish or undo what killed runs have left in the whole cluster
  podplacement.core.k8s_pod_move:
    state: recovered
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
  description: What was moved, or in check mode would be.
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
  contains:
    namespace: {description: The namespace., type: str, returned: always}
    pod: {description: The old name., type: str, returned: always}
    uid: {description: The old uid., type: str, returned: always}
    new_pod: {description: The new name., type: str, returned: always}
    new_uid: {description: The new uid. Empty in check mode., type: str, returned: always}
    from_node: {description: Where the pod was., type: str, returned: always}
    to_node: {description: Where the pod is., type: str, returned: always}
    strategy: {description: How it was moved., type: str, returned: always}
    victim_mismatch:
      description: Whether the controller deleted another pod of the workload than the old one on the way, which no client can
        exclude. The move was done again and no capacity was lost.
      type: bool
      returned: always
    downtime: {description: "Seconds from the old pod's end to the new one being Ready, as seen by the task.", type: float, returned: always}
    timings: {description: Seconds from the first event of the move to each of the others., type: dict, returned: always}
plan:
  description: How each pod is moved, and whether it loses availability.
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
leftovers:
  description: Moves of a list that were refused, and moves in progress elsewhere, with the code and the reason of each.
  returned: always
  type: list
  elements: dict
  sample: []
recovered:
  description: Interrupted moves that this run finished or undid.
  returned: always
  type: list
  elements: dict
  sample:
    - namespace: shop
      move_id: 1f3a9c02de
      strategy: adopt
      pod: web-5d9c8b7f6-x2x7k
      uid: 0b0ff41c-58d5-4b8e-a5ab-3c2a7a3a6a52
      to_node: worker-2
      workload: ReplicaSet/web-5d9c8b7f6
      outcome: finished
      code: ""
rolled_back:
  description: Whether a failed move was undone.
  returned: on failure after the first write
  type: bool
error:
  description: Why the task failed.
  returned: on failure
  type: dict
  contains:
    code: {description: "Stable reason code, for conditions.", type: str, returned: always, sample: NodeUnschedulable}
    step: {description: What was being done., type: str, returned: always, sample: preflight}
    object: {description: The object., type: str, returned: always, sample: Pod shop/web-5d9c8b7f6-x2x7k}
    hint: {description: What to do., type: str, returned: always, sample: "Choose another node, or uncordon this one."}
"""

from ansible_collections.podplacement.core.plugins.module_utils._module import (
    argument_spec,
    moving_spec,
    run,
    validate_spec,
    wait_spec,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.request import pod_move

STRATEGIES = ["auto", "adopt", "shadow", "replace", "steer", "recreate", "surge", "evict"]
KINDS = ["Deployment", "ReplicaSet", "ReplicationController", "StatefulSet"]


def main() -> None:
    spec = argument_spec(
        namespace={"type": "str"},
        name={"type": "str"},
        node={"type": "str"},
        moves={
            "type": "list",
            "elements": "dict",
            "options": {
                "namespace": {"type": "str"},
                "name": {"type": "str", "required": True},
                "node": {"type": "str", "required": True},
            },
        },
        controller={
            "type": "dict",
            "options": {
                "kind": {"type": "str", "required": True, "choices": KINDS},
                "name": {"type": "str", "required": True},
            },
        },
        count={"type": "int"},
        strategy={"type": "str", "choices": STRATEGIES, "default": "auto"},
        forks={"type": "int", "default": 1},
        max_downtime={"type": "float"},
        state={"type": "str", "choices": ["present", "recovered"], "default": "present"},
        **moving_spec(),
        **wait_spec(),
        **validate_spec(),
    )
    run(
        spec,
        pod_move,
        mutually_exclusive=[("name", "moves", "controller")],
        required_together=[("controller", "count")],
        required_by={"name": ["node"], "controller": ["node"]},
    )


if __name__ == "__main__":
    main()
