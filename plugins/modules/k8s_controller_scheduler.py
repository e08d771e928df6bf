#!/usr/bin/python
# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_controller_scheduler
short_description: Set which scheduler serves the pods of a controller
version_added: 0.1.0
author:
  - podplacement contributors (@podplacement)
description:
  - Set C(schedulerName) in the pod template of a controller, by name, or of all that match label selectors.
  - The name from before the first change is recorded on the controller, and O(state=restored) puts exactly that
    name back.
  - A Deployment, StatefulSet or DaemonSet then replaces its running pods by itself, according to its own update
    strategy, whatever O(roll) says. A ReplicationController or ReplicaSet does not; O(roll) does it for them.
  - Everything is checked before anything is written. When one of several controllers is refused, none is touched.
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
      - Patches, and the moves of O(roll), are sent to the API server as dry runs. Nothing is written.
      - With O(verify_scheduler), only a dry run of the probe pod is possible, which proves nothing about the
        scheduler. A warning says so.
  diff_mode:
    support: full
    details:
      - The diff has the scheduler name of each controller that is changed, and nothing else.
  idempotent:
    support: full
    details:
      - A controller that has the name, and with O(roll) no running pod under another one, is left alone.
      - An interrupted O(roll) goes on at the next run with the pods that are left.
options:
  kind:
    description:
      - The kind of the controller.
    type: str
    required: true
    choices: [ReplicationController, ReplicaSet, Deployment, StatefulSet, DaemonSet, CronJob]
  namespace:
    description:
      - The namespace of the controller.
    type: str
    required: true
  name:
    description:
      - The name of the controller. None of that name is a failure, C(ControllerNotFound).
    type: str
  label_selectors:
    description:
      - Change all controllers of O(kind) in O(namespace) that match all these label selectors.
      - When none matches, nothing is changed and a warning says so.
    type: list
    elements: str
  scheduler_name:
    description:
      - The name of the scheduler, V(default-scheduler) for the cluster's own.
      - Needed with O(state=present), not used with O(state=restored).
    type: str
  state:
    description:
      - V(present) sets O(scheduler_name), and records the name that was there before the first change.
      - V(restored) puts the recorded name back and forgets it. Without a record nothing is changed.
    type: str
    choices: [present, restored]
    default: present
  roll:
    description:
      - Replace the running pods of a ReplicationController or ReplicaSet that have another scheduler, one by one.
        The replacement is Ready before the old pod goes, so that there are never fewer Ready pods than
        before. A pod that is not Ready is deleted, and its controller makes a new one.
      - A new pod is made from the template as it is, whatever else has changed there since the old pod was made.
      - Without it such pods keep their scheduler until they are replaced for another reason.
      - Of no effect for the other kinds. A CronJob has no running pods of its own, its next Jobs get the new name.
    type: bool
    default: false
  verify_scheduler:
    description:
      - Before anything is changed, prove that a scheduler of that name is alive. A pod that needs next to nothing is
        created in O(namespace) under that name, and removed again in any case. A scheduler must judge it, by
        placing it or by saying that it cannot, within 30 seconds or what is left of O(wait_timeout), else the
        task fails with C(SchedulerNotAlive).
      - Nothing to change means nothing to verify.
    type: bool
    default: false
  delete_emptydir_data:
    description:
      - Let O(roll) replace pods with C(emptyDir) volumes, whose data is lost.
    type: bool
    default: false
  force:
    description:
      - Change the name although the annotation C(podplacement.io/do-not-move) on the controller forbids it, or although
        another party may put its own back, either a controller that owns it or a field manager that applied
        the field on the server's side, such as Argo CD, Flux or Helm.
      - With O(roll), also replace pods that opt out of moves or that are critical for the system.
      - A ReplicaSet of a Deployment is refused all the same.
    type: bool
    default: false
  wait:
    description:
      - For a Deployment, StatefulSet or DaemonSet, wait until its rollout is complete, and with O(roll) until the
        controller has its desired number of Ready pods again. A Deployment that gives up fails the task with
        C(RolloutFailed).
      - The pods of O(roll) are replaced one after the other in any case.
notes:
  - The task needs the right to get and patch the controllers of O(kind), to list them with O(label_selectors), to list
    and watch them with O(wait), and to list C(pods) with O(wait) or O(roll).
  - O(verify_scheduler) needs the right to create, get, list, watch and delete C(pods).
  - O(roll) needs what M(podplacement.core.k8s_pod_move) needs for its strategy C(adopt), and to delete C(pods).
  - A Deployment that is paused gets the name, but does not replace its pods. That is a warning and
    RV(controllers[].pending_unpause), and is not waited for.
  - A paused Deployment, an update strategy of C(OnDelete) and a StatefulSet's C(partition) are left as they are.
seealso:
  - module: podplacement.core.k8s_pod_scheduler
  - module: podplacement.core.k8s_pod_move
"""

EXAMPLES = r"""
- name: Let another scheduler place the pods of a Deployment, and wait until it has
  podplacement.core.k8s_controller_scheduler:
    kind: Deployment
    namespace: shop
    name: web
    scheduler_name: by-cost

- name: Change a ReplicationController and replace its pods one by one, if that scheduler is alive
  podplacement.core.k8s_controller_scheduler:
    kind: ReplicationController
    namespace: shop
    name: cart
    scheduler_name: by-cost
    roll: true
    verify_scheduler: true

- name: See what would change for all StatefulSets of a team
  podplacement.core.k8s_controller_scheduler:
    kind: StatefulSet
    namespace: shop
    label_selectors:
      - team=data
    scheduler_name: by-cost
  check_mode: true
  diff: true

- name: Go back to the scheduler from before
  podplacement.core.k8s_controller_scheduler:
    kind: Deployment
    namespace: shop
    name: web
    state: restored
"""

RETURN = r"""
controllers:
  description: The controllers that were meant, changed or not.
  returned: always
  type: list
  elements: dict
  contains:
    kind:
      description: The kind of the controller.
      returned: always
      type: str
    namespace:
      description: The namespace of the controller.
      returned: always
      type: str
    name:
      description: The name of the controller.
      returned: always
      type: str
    before:
      description: The scheduler name in its template before this task.
      returned: always
      type: str
    after:
      description: The scheduler name in its template after this task.
      returned: always
      type: str
    rolled:
      description:
        - Whether its running pods were replaced, or in check mode would be, because of this task.
        - V(false) where nobody waited for it.
      returned: always
      type: bool
    pending:
      description: Whether its update strategy (C(OnDelete), or a C(partition)) keeps running pods as they are.
      returned: always
      type: bool
    pending_unpause:
      description: Whether it is a paused Deployment whose pods keep their scheduler until it is resumed.
      returned: always
      type: bool
  sample:
    - kind: Deployment
      namespace: shop
      name: web
      before: default-scheduler
      after: by-cost
      rolled: true
      pending: false
      pending_unpause: false
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
    code: OwnedByDeployment
    step: preflight
    object: ReplicaSet shop/web-7f9c5d8b6
    hint: Change Deployment shop/web instead.
"""

from typing import Any, Dict

from ansible_collections.podplacement.core.plugins.module_utils._module import (
    argument_spec,
    run,
    wait_spec,
)
from ansible_collections.podplacement.core.plugins.module_utils.scheduler_name import KINDS
from ansible_collections.podplacement.core.plugins.module_utils.scheduler_tasks import (
    controller_scheduler,
)


def main() -> None:
    """Say what the options are, and hand over."""
    own: Dict[str, Any] = {
        "kind": {"type": "str", "required": True, "choices": list(KINDS)},
        "namespace": {"type": "str", "required": True},
        "name": {"type": "str"},
        "label_selectors": {"type": "list", "elements": "str"},
        "scheduler_name": {"type": "str"},
        "state": {"type": "str", "choices": ["present", "restored"], "default": "present"},
        "roll": {"type": "bool", "default": False},
        "verify_scheduler": {"type": "bool", "default": False},
        "delete_emptydir_data": {"type": "bool", "default": False},
        "force": {"type": "bool", "default": False},
    }
    run(
        argument_spec(**own, **wait_spec()),
        controller_scheduler,
        required_one_of=[("name", "label_selectors")],
        mutually_exclusive=[("name", "label_selectors")],
        required_if=[("state", "present", ["scheduler_name"])],
    )


if __name__ == "__main__":
    main()
