# Copyright (c) 2026 podplacement contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The vocabulary of pod states: every predicate lists its exact conditions.

No other file looks into phases, deletion timestamps or conditions of a pod.
"""

from __future__ import annotations

from .model import Field, Object, pod_field


def phase(pod: Object) -> str:
    """`status.phase`; Pending where the server has not said yet."""
    return pod_field(pod)["status"]["phase"].text() or "Pending"


def is_terminal(pod: Object) -> bool:
    """The pod will never run again and holds nothing of its node:

    - phase is Succeeded or Failed.
    """
    return phase(pod) in ("Succeeded", "Failed")


def is_terminating(pod: Object) -> bool:
    """The pod is being deleted; until it is gone its containers may run:

    - metadata.deletionTimestamp is set.
    """
    return pod_field(pod)["metadata"]["deletionTimestamp"].exists


def is_pending(pod: Object) -> bool:
    """The pod's containers have not all started:

    - phase is Pending.
    """
    return phase(pod) == "Pending"


def is_running(pod: Object) -> bool:
    """The pod runs and nobody has asked it to stop:

    - phase is Running;
    - it is not terminating.
    """
    return phase(pod) == "Running" and not is_terminating(pod)


def is_scheduled(pod: Object) -> bool:
    """The pod has a node:

    - spec.nodeName is not empty.
    """
    return bool(pod_field(pod)["spec"]["nodeName"].text())


def is_ready(pod: Object) -> bool:
    """The pod counts as serving:

    - it is running (so: not terminating);
    - its condition Ready is True, which includes all readiness gates.
    """
    return is_running(pod) and ready_since(pod) is not None


def ready_since(pod: Object) -> str | None:
    """When the pod became ready, as the server wrote it ("" where it did not say):

    - lastTransitionTime of the condition Ready while that is True;
    - None in any other case.
    """
    ready = _condition(pod, "Ready")
    if ready is None or ready["status"].text() != "True":
        return None
    return ready["lastTransitionTime"].text()


def is_unschedulable(pod: Object) -> bool:
    """A scheduler has tried and found no node:

    - the pod has no node;
    - its condition PodScheduled is False with the reason Unschedulable.
    """
    scheduled = _condition(pod, "PodScheduled")
    if scheduled is None or is_scheduled(pod):
        return False
    return scheduled["status"].text() == "False" and scheduled["reason"].text() == "Unschedulable"


def has_scheduling_gates(pod: Object) -> bool:
    """No scheduler may place the pod yet, and a Binding is answered with a conflict:

    - spec.schedulingGates is not empty.
    """
    return any(True for dummy in pod_field(pod)["spec"]["schedulingGates"].elements())


def has_resource_claims(pod: Object) -> bool:
    """The pod needs devices that only a scheduler can allocate:

    - spec.resourceClaims is not empty.
    """
    return any(True for dummy in pod_field(pod)["spec"]["resourceClaims"].elements())


def is_mirror(pod: Object) -> bool:
    """The pod mirrors a file on its node; deleting it through the API stops nothing:

    - it has the annotation kubernetes.io/config.mirror, or
    - its controller is a Node.
    """
    field = pod_field(pod)
    if field["metadata"]["annotations"]["kubernetes.io/config.mirror"].exists:
        return True
    owners = field["metadata"]["ownerReferences"].elements()
    return any(o["controller"].flag() and o["kind"].text() == "Node" for o in owners)


def is_system_critical(pod: Object) -> bool:
    """The cluster may not work without the pod:

    - its priority class is system-cluster-critical or system-node-critical, or
    - its namespace is kube-system.
    """
    field = pod_field(pod)
    critical = ("system-cluster-critical", "system-node-critical")
    if field["spec"]["priorityClassName"].text() in critical:
        return True
    return field["metadata"]["namespace"].text() == "kube-system"


def failure(pod: Object) -> str:
    """Why the pod failed, e.g. OutOfcpu where the kubelet refused it; "" unless it failed:

    - phase is Failed: status.reason, or "Failed" where there is none.
    """
    if phase(pod) != "Failed":
        return ""
    return pod_field(pod)["status"]["reason"].text() or "Failed"


def _condition(pod: Object, kind: str) -> Field | None:
    for condition in pod_field(pod)["status"]["conditions"].elements():
        if condition["type"].text() == kind:
            return condition
    return None
