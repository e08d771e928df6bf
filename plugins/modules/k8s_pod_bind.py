#!/usr/bin/python
# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_pod_bind
short_description: Bind pending pods to nodes
version_added: 0.1.0
author:
  - podplacement contributors (@podplacement)
description:
  - Give a named pod that waits for a scheduler the node that you name.
  - Or give all pods that wait for a scheduler name, in a namespace or in the whole cluster, nodes
    that fit them, by a simple policy.
  - Before it binds, it checks what the API server does not, and says why a node does not fit.
  - A pod that is bound cannot be bound again. Use M(podplacement.core.k8s_pod_move) for pods that
    have a node.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - podplacement.core._placement
  - podplacement.core._placement.wait
  - podplacement.core._placement.validate
  - podplacement.core._attributes
  - podplacement.core._attributes.actiongroup_placement
attributes:
  check_mode:
    support: full
    details:
      - Every binding is sent to the API server as a dry run. Nothing is written.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - A pod that is bound to the wanted node already, and pods that are no longer pending, are
        left alone.
options:
  namespace:
    description:
      - The namespace of the pod.
      - With O(scheduler_name), the namespace whose pending pods are bound. Without it those of the
        whole cluster are.
    type: str
  name:
    description:
      - The name of the pod to bind to O(node).
    type: str
  node:
    description:
      - The name of the node for the pod O(name).
    type: str
  scheduler_name:
    description:
      - Bind all pending pods whose C(spec.schedulerName) is this, in the order of their priority
        and age.
      - No scheduler of that name should be running. A pod that one binds first is left alone, and
        reported in RV(leftovers) when it went to another node.
    type: str
  label_selectors:
    description:
      - With O(scheduler_name), bind only the pods that match all these label selectors.
    type: list
    elements: str
  policy:
    description:
      - How a node is chosen among those that fit, with O(scheduler_name).
      - V(spread) takes the node with the fewest pods of the same controller, then with the fewest
        pods. Pods without a controller are kept apart from those that this task binds.
      - V(random) takes any with equal chance. The choice is drawn from the uid of the pod, so that
        check mode predicts it.
      - V(least_allocated) takes the node with the largest free share of cpu and memory.
    type: str
    choices: [spread, random, least_allocated]
    default: spread
  nodes:
    description:
      - With O(scheduler_name), choose only among the nodes of these names. All of them must exist.
    type: list
    elements: str
  node_selectors:
    description:
      - With O(scheduler_name), choose only among the nodes that match all these label selectors.
    type: list
    elements: str
notes:
  - The task needs the right to get and list C(pods) and C(nodes), to get C(persistentvolumeclaims)
    and C(persistentvolumes) of pods that have any, to create C(pods/binding), and with O(wait) to
    watch C(pods). Pods are listed in all namespaces, because those of other namespaces take room on
    a node too, except with O(name) and O(validate=none).
  - With the right to create C(events), each binding is told by an event with reason C(Scheduled),
    as a scheduler does. Without it, the task warns.
  - With O(wait), the task goes on until the containers of the pods have started. A pod that the
    kubelet then refuses, or that fails, makes it fail with C(KubeletRefused) or C(PodFailed) and
    the reason.
  - With O(scheduler_name), O(validate=strict) leaves a pod that fits no node pending and reports it
    in RV(leftovers). O(validate=warn) binds it all the same when no node fits. O(validate=none)
    chooses among all nodes.
  - No value of O(validate) lets a pod be bound that is being deleted, that has scheduling gates,
    resource claims or a volume claim that is not bound, or that wants a C(ReadWriteOncePod) volume
    which another pod holds.
  - The time of the binding is written to the annotation C(podplacement.io/scheduled-at) of the pod,
    by the binding itself.
  - For one named pod, not being able to bind it is a failure. For all pods of a scheduler name it
    is not, such pods are listed in RV(leftovers) and a warning gives their number.
seealso:
  - module: podplacement.core.k8s_pod_move
  - module: podplacement.core.k8s_controller_scheduler
"""

EXAMPLES = r"""
- name: Bind a pod to a node
  podplacement.core.k8s_pod_bind:
    namespace: shop
    name: importer
    node: worker-2

- name: See whether the pod would fit there, without changing anything
  podplacement.core.k8s_pod_bind:
    namespace: shop
    name: importer
    node: worker-2
  check_mode: true
  diff: true

- name: Spread all pods of a namespace that wait for a scheduler which nobody runs
  podplacement.core.k8s_pod_bind:
    namespace: shop
    scheduler_name: by-hand
  register: placement

- name: Say what is still pending, and why
  ansible.builtin.debug:
    msg: "{{ item.namespace }}/{{ item.name }}: {{ item.reason }}"
  loop: "{{ placement.leftovers }}"

- name: Fill the emptiest nodes of a zone with whatever waits in the cluster
  podplacement.core.k8s_pod_bind:
    scheduler_name: by-hand
    policy: least_allocated
    node_selectors:
      - topology.kubernetes.io/zone=zone-a
    wait_timeout: 600
"""

RETURN = r"""
bound:
  description: The pods that this task bound, or in check mode would bind.
  returned: always
  type: list
  elements: dict
  contains:
    namespace:
      description: The namespace of the pod.
      returned: always
      type: str
    name:
      description: The name of the pod.
      returned: always
      type: str
    uid:
      description: The uid of the pod.
      returned: always
      type: str
    node:
      description: The node it was bound to.
      returned: always
      type: str
  sample:
    - namespace: shop
      name: importer
      uid: 0a4f7b0e-5f5c-4a0f-9d0e-6f6a3c9f7c11
      node: worker-2
leftovers:
  description: The pending pods of O(scheduler_name) that were not bound.
  returned: always
  type: list
  elements: dict
  contains:
    namespace:
      description: The namespace of the pod.
      returned: always
      type: str
    name:
      description: The name of the pod.
      returned: always
      type: str
    uid:
      description: The uid of the pod.
      returned: always
      type: str
    code:
      description: The reason as one stable word, V(Unschedulable) when no node fits.
      returned: always
      type: str
    reason:
      description: The reason in the words that kube-scheduler uses.
      returned: always
      type: str
  sample:
    - namespace: shop
      name: importer
      uid: 0a4f7b0e-5f5c-4a0f-9d0e-6f6a3c9f7c11
      code: Unschedulable
      reason: "0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu."
cluster:
  description: The cluster that the task talked to.
  returned: always
  type: dict
  contains:
    host:
      description: The URL of the API server.
      returned: when the credentials could be loaded
      type: str
    source:
      description: Where the credentials came from, V(parameters), V(kubeconfig) or V(incluster).
      returned: when the credentials could be loaded
      type: str
  sample:
    host: https://kubernetes.example.org:6443
    source: kubeconfig
error:
  description: What went wrong, for playbooks to branch on.
  returned: on failure
  type: dict
  contains:
    code:
      description: The reason as a stable word, for some followed by a colon and what it is about.
      returned: always
      type: str
    step:
      description: What was being done.
      returned: always
      type: str
    object:
      description: The object that it was done to.
      returned: always
      type: str
    hint:
      description: What to do about it.
      returned: always
      type: str
  sample:
    code: "KubeletRefused: OutOfcpu"
    step: wait for Running
    object: Pod shop/importer
    hint: It cannot be bound again, delete it, and bind its successor to a node that fits.
"""

from typing import Any, Dict

from ansible_collections.podplacement.core.plugins.module_utils._module import (
    argument_spec,
    run,
    validate_spec,
    wait_spec,
)
from ansible_collections.podplacement.core.plugins.module_utils.binding.plan import POLICIES
from ansible_collections.podplacement.core.plugins.module_utils.binding.run import bind_pods


def main() -> None:
    """Say what the options are, and hand over."""
    own: Dict[str, Any] = {
        "namespace": {"type": "str"},
        "name": {"type": "str"},
        "node": {"type": "str"},
        "scheduler_name": {"type": "str"},
        "label_selectors": {"type": "list", "elements": "str"},
        "policy": {"type": "str", "choices": list(POLICIES), "default": "spread"},
        "nodes": {"type": "list", "elements": "str"},
        "node_selectors": {"type": "list", "elements": "str"},
    }
    run(
        argument_spec(**own, **wait_spec(), **validate_spec()),
        bind_pods,
        required_one_of=[("name", "scheduler_name")],
        mutually_exclusive=[("name", "scheduler_name")],
        required_together=[("name", "node")],
        required_by={
            "name": ["namespace"],
            "label_selectors": ["scheduler_name"],
            "nodes": ["scheduler_name"],
            "node_selectors": ["scheduler_name"],
        },
    )


if __name__ == "__main__":
    main()
