# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API calls of k8s_controller_scheduler and k8s_pod_scheduler: verb, API group, resource.

Their documentation grants these and no more; a test compares them with the audit log.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from typing import Dict, Tuple

from .moves.calls import API_CALLS as MOVE_CALLS
from .moves.calls import Call
from .resources import (
    CRON_JOB,
    DAEMON_SET,
    DEPLOYMENT,
    EVENT,
    JOB,
    LEASE,
    POD,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    STATEFUL_SET,
    Kind,
)


def _calls(verbs: str, *kinds: Kind) -> Tuple[Call, ...]:
    return tuple((verb, kind.group, kind.plural) for kind in kinds for verb in verbs.split())


def _union(*parts: Tuple[Call, ...]) -> Tuple[Call, ...]:
    return tuple(sorted({call for part in parts for call in part}))


# The name in the template, the wait for the rollout, and which pods are under another scheduler.
SET_CALLS = _union(
    _calls("get list patch watch", DEPLOYMENT, STATEFUL_SET, DAEMON_SET),
    _calls("get list patch", REPLICATION_CONTROLLER, REPLICA_SET, CRON_JOB),
    _calls("list", POD),
)
PROBE_CALLS = _calls("create delete get list watch", POD)
ROLL_CALLS = _union(MOVE_CALLS["adopt"], _calls("list", LEASE), _calls("delete list watch", POD))
API_CALLS: Dict[str, Tuple[Call, ...]] = {
    "k8s_controller_scheduler": _union(SET_CALLS, PROBE_CALLS, ROLL_CALLS),
    "k8s_pod_scheduler": _union(
        SET_CALLS,
        PROBE_CALLS,
        ROLL_CALLS,
        MOVE_CALLS["recreate"],
        _calls("list watch", EVENT),
        _calls("get", JOB),
    ),
}
