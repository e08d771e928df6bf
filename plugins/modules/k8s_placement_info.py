#!/usr/bin/python
# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_placement_info
short_description: Tell where pods run, who placed them, and whether they can be moved
version_added: 0.1.0
author:
  - podplacement contributors (@podplacement)
description:
  - For each pod of a namespace, a node, a label selector or the cluster, tell its node and owners, which scheduler it
    has, who placed it and when, its volumes, and the strategy by which M(podplacement.core.k8s_pod_move) would move it,
    or the reason why it cannot.
  - For each node, tell what it offers, what its pods request, its taints, and whether it is cordoned.
  - For a pod and some nodes, explain the verdict of each rule that decides whether the pod would run there.
  - Objects are listed in pages and once, however many pods there are.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - podplacement.core._placement
  - podplacement.core._attributes
  - podplacement.core._attributes.actiongroup_placement
attributes:
  check_mode:
    support: full
    details:
      - The module only reads.
  diff_mode:
    support: none
    details:
      - The module changes nothing.
  idempotent:
    support: full
options:
  namespace:
    description:
      - Only pods of this namespace.
    type: str
  name:
    description:
      - Only the pod of this name. Needs O(namespace).
    type: str
  node:
    description:
      - Only pods of this node, and of the nodes only this one.
    type: str
  label_selectors:
    description:
      - Only pods that match all these selectors.
    type: list
    elements: str
    default: []
  gather:
    description:
      - What to return. An empty list returns neither, for instance to ask for O(explain) alone.
    type: list
    elements: str
    choices: [pods, nodes]
    default: [pods]
  explain:
    description:
      - Ask whether a pod would run on nodes.
    type: dict
    suboptions:
      pod:
        description:
          - The pod, as C(namespace/name), or its name in O(namespace).
        type: str
        required: true
      nodes:
        description:
          - The nodes. All when this is not given.
        type: list
        elements: str
  delete_emptydir_data:
    description:
      - Judge moves as if M(podplacement.core.k8s_pod_move) had this option.
    type: bool
    default: false
  force:
    description:
      - Judge moves as if M(podplacement.core.k8s_pod_move) had this option.
    type: bool
    default: false
  system_pods:
    description:
      - Judge moves as if M(podplacement.core.k8s_pod_move) had this option.
    type: bool
    default: false
notes:
  - "Rights, in the namespaces of the pods: pods get list; events, services, persistentvolumeclaims,
    poddisruptionbudgets, networkpolicies, replicasets, replicationcontrollers, deployments, statefulsets, daemonsets,
    jobs and cronjobs list, of which only those are used that a pod calls for. In the cluster: nodes get list, pods and
    persistentvolumes list. Without the right to list events there is a warning."
  - Whether the user of the task may move a pod is not part of the verdict, and neither is what needs a target or a look
    at the whole workload, such as room on a node, a quota or a rollout under way. The check mode of
    M(podplacement.core.k8s_pod_move) tells these.
seealso:
  - module: podplacement.core.k8s_pod_move
  - module: kubernetes.core.k8s_info
"""

EXAMPLES = r"""
- name: Find out which pods of a node cannot be moved, and why
  podplacement.core.k8s_placement_info:
    node: worker-1
  register: placement

- name: Show them
  ansible.builtin.debug:
    msg: "{{ item.namespace }}/{{ item.name }}: {{ item.move.code }}, {{ item.move.reason }}"
  loop: "{{ placement.pods | selectattr('move.code') }}"
  loop_control:
    label: "{{ item.name }}"

- name: Read how full the nodes are
  podplacement.core.k8s_placement_info:
    gather: [nodes]

- name: Ask why a pod would not run on a node
  podplacement.core.k8s_placement_info:
    gather: []
    explain:
      pod: shop/web-5d9c8b7f6-x2x7k
      nodes: [worker-2]
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
pods:
  description: The pods by namespace and name, when O(gather) has V(pods).
  returned: on success
  type: list
  elements: dict
  sample:
    - namespace: shop
      name: web-5d9c8b7f6-x2x7k
      uid: 0b0ff41c-58d5-4b8e-a5ab-3c2a7a3a6a52
      node: worker-1
      phase: Running
      ready: true
      scheduler: default-scheduler
      owners: [{kind: ReplicaSet, name: web-5d9c8b7f6}, {kind: Deployment, name: web}]
      placed: {by: default-scheduler, at: "2026-01-01T00:00:00.000000Z", source: event}
      move: {strategy: adopt, code: "", reason: "", hint: "", loses_availability: false, expected_downtime: 0.0}
      volumes: []
      opt_outs: []
      moved_from: []
  contains:
    namespace: {description: The namespace., type: str, returned: always}
    name: {description: The name., type: str, returned: always}
    uid: {description: The uid., type: str, returned: always}
    node: {description: Where it is. Empty for a pod that waits., type: str, returned: always}
    phase: {description: "Its phase, or V(Terminating).", type: str, returned: always}
    ready: {description: Whether it is Ready., type: bool, returned: always}
    scheduler: {description: The scheduler that it asks for., type: str, returned: always}
    owners: {description: "Kind and name of its controller, of that one's controller, and so on.", type: list, elements: dict, returned: always}
    placed:
      description:
        - Who gave it its node, and when. The C(source) is V(event), as long as there is one, else V(annotation) of
          M(podplacement.core.k8s_pod_bind), V(static) of a static pod, or V(condition), which does not tell who.
      type: dict
      returned: always
    move:
      description:
        - The strategy of a move, or the code and the reason of its refusal and what to do about it, and whether and for
          how many seconds the pod would be away.
      type: dict
      returned: always
    volumes:
      description:
        - "The volumes that hold data: C(name), C(kind), C(claim), C(access_modes), C(persistent_volume), C(attaches)
          (V(shared), V(one_node) or V(one_pod)), and C(node_bound), whether only this node or some nodes can reach it."
      type: list
      elements: dict
      returned: always
    opt_outs: {description: The annotations that forbid a move., type: list, elements: dict, returned: always}
    moved_from: {description: "The names that it had before it was moved, oldest first.", type: list, elements: str, returned: always}
nodes:
  description: The nodes, when O(gather) has V(nodes).
  returned: on success
  type: list
  elements: dict
  sample:
    - name: worker-1
      ready: true
      cordoned: false
      zone: zone-a
      taints: []
      pods: 12
      allocatable: {cpu: "8", memory: 16Gi, pods: "110"}
      requested: {cpu: 1200m, memory: 2Gi, pods: "12"}
      free: {cpu: 6800m, memory: 14Gi, pods: "98"}
      requested_percent: {cpu: 15.0, memory: 12.5, pods: 10.9}
  contains:
    name: {description: The name., type: str, returned: always}
    ready: {description: Whether its kubelet reports Ready., type: bool, returned: always}
    cordoned: {description: Whether it is cordoned., type: bool, returned: always}
    zone: {description: Its zone. Empty without one., type: str, returned: always}
    taints: {description: "Key, value and effect of its taints.", type: list, elements: dict, returned: always}
    pods: {description: How many pods it has., type: int, returned: always}
    allocatable: {description: What it offers to pods., type: dict, returned: always}
    requested: {description: What its pods request., type: dict, returned: always}
    free: {description: What is left., type: dict, returned: always}
    requested_percent: {description: How much of it is requested., type: dict, returned: always}
explain:
  description: The verdicts for each node, when O(explain) is given.
  returned: on success
  type: list
  elements: dict
  sample:
    - namespace: shop
      pod: web-5d9c8b7f6-x2x7k
      judged: replacement
      node: worker-2
      here: false
      fits: false
      rules:
        - {rule: NodeReady, verdict: passed, rejections: []}
        - rule: NodeUnschedulable
          verdict: rejected
          rejections: [{code: NodeUnschedulable, reason: node(s) were unschedulable, detail: the node is cordoned}]
        - {rule: DynamicResources, verdict: not_judged, rejections: []}
  contains:
    namespace: {description: The namespace of the pod., type: str, returned: always}
    pod: {description: The pod., type: str, returned: always}
    judged: {description: "Which pod was judged, the V(replacement) of a move or, where there is none, the V(pod) itself.", type: str, returned: always}
    node: {description: The node., type: str, returned: always}
    here: {description: Whether the pod is there now., type: bool, returned: always}
    fits: {description: Whether no rule rejects the node., type: bool, returned: always}
    rules:
      description:
        - "Each rule by the name of kube-scheduler's plugin, with its C(verdict) (V(passed), V(rejected) or V(not_judged))
          and the code, reason and detail of each of its C(rejections)."
      type: list
      elements: dict
      returned: always
error:
  description: Why the task failed.
  returned: on failure
  type: dict
  contains:
    code: {description: "Stable reason code, for conditions.", type: str, returned: always, sample: NodeNotFound}
    step: {description: What was being done., type: str, returned: always, sample: preflight}
    object: {description: The object., type: str, returned: always, sample: Node worker-9}
    hint: {description: What to do., type: str, returned: always, sample: "Check the name with: kubectl get nodes"}
"""

from ansible_collections.podplacement.core.plugins.module_utils._module import argument_spec, run
from ansible_collections.podplacement.core.plugins.module_utils.placement.run import placement_info


def main() -> None:
    permission = {"type": "bool", "default": False}
    spec = argument_spec(
        namespace={"type": "str"},
        name={"type": "str"},
        node={"type": "str"},
        label_selectors={"type": "list", "elements": "str", "default": []},
        gather={
            "type": "list",
            "elements": "str",
            "choices": ["pods", "nodes"],
            "default": ["pods"],
        },
        explain={
            "type": "dict",
            "options": {
                "pod": {"type": "str", "required": True},
                "nodes": {"type": "list", "elements": "str"},
            },
        },
        delete_emptydir_data=permission,
        force=permission,
        system_pods=permission,
    )
    run(spec, placement_info, required_by={"name": ("namespace",)})


if __name__ == "__main__":
    main()
