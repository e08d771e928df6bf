# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this fragment is PRIVATE to the collection. It can change at any time.

from __future__ import annotations


class ModuleDocFragment:
    """Options and return values that the modules have in common."""

    # For every module.
    DOCUMENTATION = r"""
options:
  expected_cluster:
    description:
      - The cluster that this task is meant for, either as the C(uid) of its namespace
        C(kube-system) or as the URL of its API server.
      - When the credentials lead to another cluster, the task fails with C(WrongCluster) before it
        changes anything. This guards against in-cluster credentials, which win over the default
        kubeconfig.
    type: str
requirements:
  - python >= 3.9
  - kubernetes >= 28.1.0, but neither 36.0.0 nor 36.0.1, which lose the bearer token
  - PyYAML >= 3.11
notes:
  - Authentication is that of the collection C(kubernetes.core), with all its options and
    C(K8S_AUTH_*) environment variables.
  - A controller-side C(kubeconfig) is not copied to a remote host. Run the task on C(localhost), or
    with C(delegate_to).
"""

    # For modules that wait.
    WAIT = r"""
options:
  wait:
    description:
      - Whether to wait until the outcome is there.
    type: bool
    default: true
  wait_timeout:
    description:
      - How long the task may take in all, in seconds. When the time is up the task fails and says
        at which step.
    type: int
    default: 300
"""

    # For modules that are given a target node.
    VALIDATE = r"""
options:
  validate:
    description:
      - What it means when a node does not fit a pod. Judged are readiness and cordon of the node,
        taints, node selector and affinity, resources, host ports, number of pods, and node affinity
        and zone of volumes. Not judged are affinity between pods and topology spread, of which a
        warning tells.
      - V(strict) refuses, and gives every reason.
      - V(warn) goes on, with every reason as a warning.
      - V(none) does not look.
    type: str
    choices: [strict, warn, none]
    default: strict
"""

    # For modules that move pods.
    MOVING = r"""
options:
  placement:
    description:
      - V(schedule) pins the new pod to the node and lets its scheduler agree. The pin stays as long
        as the pod does.
      - V(prefer) asks the scheduler to prefer the node, and rolls back when it chooses another one.
        No pin stays.
      - V(bind) gives the pod its node without asking the scheduler, after the checks of
        O(validate). No pin stays.
    type: str
    choices: [schedule, prefer, bind]
    default: schedule
  steer:
    description:
      - How the next pod of a StatefulSet is brought to the node.
      - V(auto) takes V(static), else V(block), as the cluster and the rights of the task allow.
      - V(static) uses the mutating policy that the role
        C(podplacement.core.placement_policies) has installed, for Kubernetes 1.36 and later.
      - V(block) makes a validating policy that keeps the controller from creating the pod until the
        task has created it. The policy lapses by itself.
      - V(policy) makes a mutating policy for this one move, which takes the rights of a cluster
        admin. Never chosen by V(auto).
      - V(hold) needs no rights in the cluster. A finalizer keeps the name of the old pod taken
        until the new pod is created right after it. The controller may win that race, so it is
        never chosen by V(auto).
    type: str
    choices: [auto, static, block, policy, hold]
    default: auto
  fallback:
    description:
      - What to do with pods that no lossless strategy can move, such as those of an owner that is
        unknown here.
      - V(refuse) leaves them.
      - V(evict) evicts them. Their budgets are heeded, and RV(ignore:plan[].loses_availability)
        tells who is away for how long.
    type: str
    choices: [refuse, evict]
    default: refuse
  soak:
    description:
      - How long, in seconds, the new pod must have been Ready before the old one goes.
    type: float
    default: 0
  terminate_grace_period:
    description:
      - How many seconds a pod gets to stop, where the task deletes or evicts it. The pod's own
        value is used when this is not set.
    type: int
  delete_emptydir_data:
    description:
      - Move pods with C(emptyDir) or generic ephemeral volumes, and lose what is in them.
    type: bool
    default: false
  accept_differences:
    description:
      - Move a pod even when its controller's template makes a pod with other containers, images or
        resources.
    type: bool
    default: false
  force:
    description:
      - Move pods that are opted out by an annotation (C(podplacement.io/do-not-move),
        C(karpenter.sh/do-not-disrupt), C(cluster-autoscaler.kubernetes.io/safe-to-evict)).
    type: bool
    default: false
  system_pods:
    description:
      - Move pods of C(kube-system) and of the system priority classes too.
    type: bool
    default: false
  lock_duration:
    description:
      - How long, in seconds, the lock of a run that does not answer is respected. The lock of a
        process that died on this host is taken over at once.
    type: float
    default: 30
"""
