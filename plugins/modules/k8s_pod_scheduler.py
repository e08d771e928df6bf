#!/usr/bin/python
# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_pod_scheduler
short_description: Run a pod under another scheduler
version_added: 0.1.0
author:
  - podplacement contributors (@podplacement)
description:
  - Give a running pod another scheduler, and prove by its C(Scheduled) event who placed it. The scheduler name of a
    pod cannot be changed, so the pod is replaced.
  - A bare pod is recreated under the same name. Its manifest is saved in the cluster before it is deleted, so that
    it is never lost, and it runs under its former scheduler again when the new one does not place it in time.
  - For an owned pod the name is set in the template of its controller, the topmost one, as
    M(podplacement.core.k8s_controller_scheduler) does. Of a ReplicationController or bare ReplicaSet only this
    pod is then replaced, with its replacement Ready before it goes. A Deployment, StatefulSet or DaemonSet
    replaces all of its pods by its own rollout; a warning says so.
  - Before anything is changed, a probe pod proves that a scheduler of that name is alive. It is removed again.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - podplacement.core._placement
  - podplacement.core._placement.wait
  - podplacement.core._attributes
  - podplacement.core._attributes.actiongroup_placement
attributes:
  check_mode:
    support: full
    details:
      - Every write is sent to the API server as a dry run. Whether the scheduler is alive cannot be proven that way; a
        warning says so.
  diff_mode:
    support: full
    details:
      - The diff has the scheduler name of the pod and of its controller, and nothing else.
  idempotent:
    support: full
    details:
      - A pod that has the scheduler is left alone.
      - When the replacement has another name, the pod of the former name is found by what it left on its
        replacement, or by the record on its controller, as long as that exists.
options:
  namespace:
    description:
      - The namespace of the pod.
    type: str
    required: true
  name:
    description:
      - The name of the pod.
    type: str
    required: true
  scheduler_name:
    description:
      - The name of the scheduler, V(default-scheduler) for the cluster's own.
    type: str
    required: true
  delete_emptydir_data:
    description:
      - Replace the pod although it has C(emptyDir) volumes, whose data is lost.
    type: bool
    default: false
  accept_differences:
    description:
      - Replace a pod of a ReplicationController or ReplicaSet although its template would make another pod by now, with
        other containers, images or resources.
    type: bool
    default: false
  force:
    description:
      - Replace the pod although it or its controller opts out of moves, although it is critical for the system, or
        although another party may put back the scheduler name of its controller.
    type: bool
    default: false
  lock_duration:
    description:
      - For how many seconds the lock of a move holds without being renewed. Another host takes over the move of a
        dead task after that time; on the same host it does so at once.
    type: float
    default: 30.0
  wait:
    description:
      - Wait for the rollout of a Deployment, StatefulSet or DaemonSet, until the replacement has a node, and
        for its event.
      - A bare pod, and one of a ReplicationController or ReplicaSet, is waited for in any case, because the work is
        not done before.
notes:
  - The task needs the right to get, list, watch, create and delete C(pods), to list and watch C(events), to get the
    controllers of the pod and to list and patch the topmost one, to list C(replicationcontrollers),
    C(replicasets), C(daemonsets) and C(deployments) when the pod is gone, and what M(podplacement.core.k8s_pod_move)
    needs for its strategies C(recreate) and C(adopt).
  - For pods of a Deployment, M(podplacement.core.k8s_controller_scheduler) says better what happens.
  - Pods of a Job, of a controller that this collection does not know, of a paused Deployment, of an update strategy
    C(OnDelete), and those that a StatefulSet's C(partition) keeps at their revision are refused.
seealso:
  - module: podplacement.core.k8s_controller_scheduler
  - module: podplacement.core.k8s_pod_move
"""

EXAMPLES = r"""
- name: Run a bare pod under another scheduler
  podplacement.core.k8s_pod_scheduler:
    namespace: shop
    name: importer
    scheduler_name: by-cost
  register: importer

- name: Make sure that it was that scheduler which placed it
  ansible.builtin.assert:
    that: importer.scheduled_by == "by-cost"

- name: See what would happen to a pod of a ReplicationController
  podplacement.core.k8s_pod_scheduler:
    namespace: shop
    name: cart-x7k2p
    scheduler_name: by-cost
  check_mode: true
  diff: true
"""

RETURN = r"""
pod:
  description: The name of the pod that was asked for.
  returned: always
  type: str
  sample: cart-x7k2p
new_pod:
  description:
    - The pod that has its place now. A bare pod, and one of a StatefulSet, keeps its name.
    - For a Deployment, a pod of it under that scheduler. C(null) in check mode, and where nobody waited for it.
  returned: always
  type: str
  sample: cart-m4e1a0
scheduled_by:
  description:
    - Who placed that pod, according to its C(Scheduled) event. C(null) when there is none, they are kept for an hour.
  returned: always
  type: str
  sample: by-cost
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
    code: SchedulerNotAlive
    step: verify the scheduler
    object: Pod shop/podplacement-probe-4f2a9c81d0
    hint: Start a scheduler of that name, or correct scheduler_name.
"""

from ansible_collections.podplacement.core.plugins.module_utils._module import (
    argument_spec,
    run,
    wait_spec,
)
from ansible_collections.podplacement.core.plugins.module_utils.scheduler_tasks import pod_scheduler


def main() -> None:
    """Say what the options are, and hand over."""
    own = {
        "namespace": {"type": "str", "required": True},
        "name": {"type": "str", "required": True},
        "scheduler_name": {"type": "str", "required": True},
        "delete_emptydir_data": {"type": "bool", "default": False},
        "accept_differences": {"type": "bool", "default": False},
        "force": {"type": "bool", "default": False},
        "lock_duration": {"type": "float", "default": 30.0},
    }
    run(argument_spec(**own, **wait_spec()), pod_scheduler)


if __name__ == "__main__":
    main()
