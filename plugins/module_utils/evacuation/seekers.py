# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod that has to leave its node, and the pod that will take its place."""

from __future__ import annotations

from dataclasses import dataclass

from ..api import Object
from ..resources import meta, uid
from ..rules.volumes import claim_names
from ..workloads import controller_ref


@dataclass(frozen=True)
class Seeker:
    """``body`` is the new pod, which is scheduled while the ``old`` one is there if it is
    ``beside`` that.
    """

    uid: str
    body: Object
    old: Object
    beside: bool = True

    @property
    def workload(self) -> str:
        """The replicas of one controller fit a node or do not, all alike; but not where each has a
        volume of its own.
        """
        owner = controller_ref(self.body)
        alike = owner is not None and not claim_names(self.body)
        return str(owner["uid"]) if owner is not None and alike else self.uid


def seeker(pod: Object, body: Object, *, beside: bool = True) -> Seeker:
    """The new pod counts as a replica of the old one's controller, and is on no node yet."""
    identity = {"uid": uid(pod), "ownerReferences": meta(pod).get("ownerReferences") or []}
    spec = {k: v for k, v in body["spec"].items() if k != "nodeName"}
    made = dict(body, metadata=dict(meta(body), **identity), spec=spec)
    return Seeker(uid(pod), made, pod, beside)
