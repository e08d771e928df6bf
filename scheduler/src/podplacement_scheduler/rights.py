# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that the daemon asks of the API server: its ClusterRole grants this and nothing more.

A fourth item says when a call is made that an ordinary run does not make.
"""

from __future__ import annotations

API_CALLS: tuple[tuple[str, ...], ...] = (
    ("list", "", "pods"),
    ("watch", "", "pods"),
    ("get", "", "pods", "the answer to a binding was lost, or a conflict"),
    ("create", "", "pods/binding"),
    ("patch", "", "pods/status", "a pod cannot be placed"),
    ("list", "", "nodes"),
    ("watch", "", "nodes"),
    ("list", "", "persistentvolumeclaims"),
    ("watch", "", "persistentvolumeclaims"),
    ("list", "", "persistentvolumes"),
    ("watch", "", "persistentvolumes"),
    ("list", "storage.k8s.io", "csinodes"),
    ("watch", "storage.k8s.io", "csinodes"),
    ("list", "storage.k8s.io", "storageclasses"),
    ("watch", "storage.k8s.io", "storageclasses"),
    ("list", "storage.k8s.io", "volumeattachments"),
    ("watch", "storage.k8s.io", "volumeattachments"),
    ("create", "events.k8s.io", "events"),
    ("patch", "events.k8s.io", "events", "a pod cannot be placed for the same reason again"),
    ("get", "coordination.k8s.io", "leases", "with leader election"),
    ("create", "coordination.k8s.io", "leases", "with leader election, for the first time"),
    ("update", "coordination.k8s.io", "leases", "with leader election"),
    ("create", "authentication.k8s.io", "tokenreviews", "with server.authorization"),
    ("create", "authorization.k8s.io", "subjectaccessreviews", "with server.authorization"),
)
