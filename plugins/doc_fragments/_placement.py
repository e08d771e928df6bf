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
