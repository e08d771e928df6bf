# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Only those other pods are read that a pod's spread and affinity can be about.

Most pods ask for nothing of the kind: they cost no request. The others cost a list of the nodes,
and one of the pods of each namespace that they are about. What the pods of other namespaces demand
is known of the nodes that are looked at, and left to the scheduler elsewhere.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from typing import Dict, Iterable, List, Mapping, Optional, Set

from .api import Api
from .errors import Forbidden, NotFound
from .preflight import NOT_TERMINAL
from .resources import NAMESPACE, NODE, POD, meta, uid
from .rules.cluster import Cluster
from .rules.model import Field, Object
from .rules.pod_affinity import required_terms
from .rules.selectors import matches_labels
from .rules.spread import hard_constraints

Labels = Mapping[str, str]


def demanding(pod: Object) -> bool:
    """Its place depends on where other pods are."""
    return bool(hard_constraints(pod)) or bool(_terms(pod))


def keeps_others_away(pod: Object) -> bool:
    """The place of other pods depends on where it is."""
    return bool(required_terms(pod, "podAntiAffinity"))


def selects_namespaces(pod: Object) -> bool:
    """Whom it is about depends on the labels of namespaces."""
    return any(term["namespaceSelector"].exists for term in _terms(pod))


def neighbours(
    api: Api, pod: Object, here: Iterable[Object], nodes: Mapping[str, Object]
) -> Optional[Cluster]:
    """What the rules that judge by others see: ``here`` are pods that are known already, ``nodes``
    are theirs. None where this user may not see what is needed.
    """
    guards = [p for p in here if keeps_others_away(p)]
    if not demanding(pod):
        mine = _own_labels(api, pod) if guards else {}
        return Cluster(nodes, guards, mine)
    try:
        every: Dict[str, Object] = {str(meta(n)["name"]): n for n in api.list(NODE)[0]}
        namespaces = _namespaces(api, pod)
        pods = {uid(p): p for p in guards}
        for name in sorted(_concerned(pod, namespaces)):
            found = api.list(POD, name, field_selector=NOT_TERMINAL)[0]
            pods.update({uid(p): p for p in found})
    except Forbidden:
        return None
    every.update(nodes)
    return Cluster(every, list(pods.values()), namespaces or _own_labels(api, pod))


def _terms(pod: Object) -> List[Field]:
    return [t for kind in ("podAffinity", "podAntiAffinity") for t in required_terms(pod, kind)]


def _namespaces(api: Api, pod: Object) -> Dict[str, Labels]:
    """The labels of all namespaces, if a term selects by them."""
    if not selects_namespaces(pod):
        return {}
    return {str(meta(n)["name"]): meta(n).get("labels") or {} for n in api.list(NAMESPACE)[0]}


def _own_labels(api: Api, pod: Object) -> Dict[str, Labels]:
    """Of the pod's namespace: others may select by them. Without the right they are not known."""
    name = str(meta(pod)["namespace"])
    try:
        return {name: meta(api.get(NAMESPACE, name)).get("labels") or {}}
    except (Forbidden, NotFound):
        return {}


def _concerned(pod: Object, namespaces: Mapping[str, Labels]) -> Set[str]:
    """The namespaces whose pods can matter."""
    found = {str(meta(pod)["namespace"])}
    for term in _terms(pod):
        found.update(term["namespaces"].texts())
        selector = term["namespaceSelector"]
        if selector.exists:
            of = (n for n, labels in namespaces.items() if matches_labels(selector.value, labels))
            found.update(of)
    return found
