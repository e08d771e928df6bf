# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The baseline of a reset is an empty cluster that is complete, not one that is still furnished."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from tests.cluster import etcd

SYSTEM = ("default", "kube-node-lease", "kube-public", "kube-system")
NAMESPACES = {f"/registry/namespaces/{name}": "" for name in SYSTEM}
FURNITURE = {
    f"/registry/{kind}": ""
    for name in SYSTEM
    for kind in (f"serviceaccounts/{name}/default", f"configmaps/{name}/kube-root-ca.crt")
}


class Growing:
    """A cluster that its controllers furnish while it is looked at."""

    def __init__(self, *states: dict[str, str]) -> None:
        self._states = list(states)

    def all(self) -> dict[str, str]:
        return self._states.pop(0) if len(self._states) > 1 else self._states[0]


def test_the_baseline_waits_for_what_the_controllers_make(tmp_path: Path) -> None:
    complete = NAMESPACES | FURNITURE | {"/registry/clusterroles/admin": "aggregated"}
    growing = Growing(NAMESPACES, NAMESPACES, NAMESPACES | FURNITURE, complete)
    path = tmp_path / "baseline.json"
    etcd.save(cast(etcd.Etcd, growing), path)
    assert json.loads(path.read_text(encoding="utf-8")) == complete
