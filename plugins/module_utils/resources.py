# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds that this collection reads and writes, and their REST paths, known without discovery.

Knowing them saves four requests a run and a cache file in /tmp that goes stale (collection design,
section 6, item 8).

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional
from urllib.parse import quote


@dataclass(frozen=True)
class Kind:
    """A resource: ``kind`` and ``api_version`` as in manifests, ``plural`` as in paths."""

    kind: str
    api_version: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    def path(
        self,
        namespace: Optional[str] = None,
        name: Optional[str] = None,
        subresource: Optional[str] = None,
    ) -> str:
        """The request path; without ``namespace`` a namespaced kind is listed over the whole
        cluster.
        """
        parts = ["apis" if "/" in self.api_version else "api", self.api_version]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name is not None:
            parts.append(quote(name, safe=""))
        if subresource:
            parts.append(subresource)
        return "/" + "/".join(parts)


POD = Kind("Pod", "v1", "pods")
NODE = Kind("Node", "v1", "nodes", namespaced=False)
NAMESPACE = Kind("Namespace", "v1", "namespaces", namespaced=False)
SECRET = Kind("Secret", "v1", "secrets")
EVENT = Kind("Event", "v1", "events")
CONFIG_MAP = Kind("ConfigMap", "v1", "configmaps")
RESOURCE_QUOTA = Kind("ResourceQuota", "v1", "resourcequotas")
SERVICE = Kind("Service", "v1", "services")
PVC = Kind("PersistentVolumeClaim", "v1", "persistentvolumeclaims")
PV = Kind("PersistentVolume", "v1", "persistentvolumes", namespaced=False)
REPLICATION_CONTROLLER = Kind("ReplicationController", "v1", "replicationcontrollers")
REPLICA_SET = Kind("ReplicaSet", "apps/v1", "replicasets")
DEPLOYMENT = Kind("Deployment", "apps/v1", "deployments")
STATEFUL_SET = Kind("StatefulSet", "apps/v1", "statefulsets")
DAEMON_SET = Kind("DaemonSet", "apps/v1", "daemonsets")
JOB = Kind("Job", "batch/v1", "jobs")
CRON_JOB = Kind("CronJob", "batch/v1", "cronjobs")
CONTROLLER_REVISION = Kind("ControllerRevision", "apps/v1", "controllerrevisions")
HPA = Kind("HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers")
VOLUME_ATTACHMENT = Kind(
    "VolumeAttachment", "storage.k8s.io/v1", "volumeattachments", namespaced=False
)
PDB = Kind("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets")
NETWORK_POLICY = Kind("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies")
LEASE = Kind("Lease", "coordination.k8s.io/v1", "leases")
ENDPOINT_SLICE = Kind("EndpointSlice", "discovery.k8s.io/v1", "endpointslices")
_ADMISSION = "admissionregistration.k8s.io/v1"
MUTATING_POLICY = Kind(
    "MutatingAdmissionPolicy", _ADMISSION, "mutatingadmissionpolicies", namespaced=False
)
MUTATING_POLICY_BINDING = Kind(
    "MutatingAdmissionPolicyBinding",
    _ADMISSION,
    "mutatingadmissionpolicybindings",
    namespaced=False,
)
VALIDATING_POLICY = Kind(
    "ValidatingAdmissionPolicy", _ADMISSION, "validatingadmissionpolicies", namespaced=False
)
VALIDATING_POLICY_BINDING = Kind(
    "ValidatingAdmissionPolicyBinding",
    _ADMISSION,
    "validatingadmissionpolicybindings",
    namespaced=False,
)
ACCESS_REVIEW = Kind(
    "SelfSubjectAccessReview",
    "authorization.k8s.io/v1",
    "selfsubjectaccessreviews",
    namespaced=False,
)

CONTROLLERS: Dict[str, Kind] = {
    k.kind: k
    for k in (
        REPLICATION_CONTROLLER,
        REPLICA_SET,
        DEPLOYMENT,
        STATEFUL_SET,
        DAEMON_SET,
        JOB,
        CRON_JOB,
    )
}


def meta(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object's metadata."""
    found: Mapping[str, Any] = obj.get("metadata") or {}
    return found


def uid(obj: Mapping[str, Any]) -> str:
    """The object's uid."""
    return str(meta(obj).get("uid", ""))


def label(obj: Mapping[str, Any], key: str) -> Optional[str]:
    """The value of a label, or None."""
    return (meta(obj).get("labels") or {}).get(key)


def annotation(obj: Mapping[str, Any], key: str) -> Optional[str]:
    """The value of an annotation, or None."""
    return (meta(obj).get("annotations") or {}).get(key)


def describe(kind: str, obj: Mapping[str, Any]) -> str:
    """``Kind namespace/name``: how messages and errors name an object."""
    found = meta(obj)
    return "%s %s%s" % (
        kind,
        found["namespace"] + "/" if found.get("namespace") else "",
        found.get("name", "?"),
    )
