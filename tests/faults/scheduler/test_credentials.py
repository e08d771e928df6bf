# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server stops believing the daemon, until there is another token in its file."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import yaml

from podplacement_scheduler.rights import API_CALLS
from tests.cluster.daemon import daemon
from tests.cluster.kube import ApiError, Kube
from tests.faults.scheduler.arena import PATIENCE, Arena, until
from tests.integration.accounts import account, with_token

REFUSED = 'podplacement_scheduler_bind_outcomes_total{outcome="refused"}'


def test_a_revoked_token_is_replaced_by_the_next_one_in_its_file(
    arena: Arena, tmp_path: Path, recovered: Callable[[str, float], None]
) -> None:
    """What it could not bind meanwhile is neither lost nor given up."""
    arena.add_nodes(2)
    calls = [(call[0], call[1], call[2]) for call in API_CALLS]
    file, kubeconfig = tmp_path / "token", tmp_path / "kubeconfig"
    with account(arena.kube, arena.namespace, tmp_path, calls):
        first = token(arena, "first")
        file.write_text(first, encoding="utf-8")
        kubeconfig.write_text(yaml.safe_dump(with_token_file(arena, file)), encoding="utf-8")
        with (
            arena.audit() as audited,
            daemon(arena.cluster, config=arena.config(), kubeconfig=kubeconfig) as ours,
        ):
            arena.burst(10, prefix="before")
            arena.wait_placed()
            arena.kube.delete("Secret", "first", arena.namespace)
            wait_disbelieved(arena, first, tmp_path)
            arena.burst(10, prefix="meanwhile")
            until(ours, REFUSED, lambda count: count >= 10)
            assert len(arena.waiting()) == 10
            file.write_text(token(arena, "second"), encoding="utf-8")
            recovered("revoked token", arena.wait_placed())
            arena.settle()
            drops = arena.drops(ours)
    assert audited.check(drops=drops).bound == 20


def with_token_file(arena: Arena, file: Path) -> dict[str, object]:
    """The cluster's kubeconfig with its user's token in a file."""
    config = with_token(arena.kube.kubeconfig, "")
    return config | {
        "users": [
            {"name": user["name"], "user": {"tokenFile": str(file)}} for user in config["users"]
        ]
    }


def token(arena: Arena, name: str) -> str:
    """One of the account that is good as long as a Secret is there."""
    secret = arena.kube.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}, arena.namespace
    )
    bound = {"kind": "Secret", "apiVersion": "v1", "name": name, "uid": secret["metadata"]["uid"]}
    path = f"api/v1/namespaces/{arena.namespace}/serviceaccounts/user/token"
    answer = arena.kube.request("POST", path, {"spec": {"boundObjectRef": bound}})
    return str(answer["status"]["token"])


def wait_disbelieved(arena: Arena, revoked: str, folder: Path) -> None:
    """The server remembers for some seconds that it believed a token, whoever comes with it."""
    kubeconfig = folder / "revoked.kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(with_token(arena.kube.kubeconfig, revoked)), "utf-8")
    asker, deadline = Kube(kubeconfig), time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            asker.list("Pod", arena.namespace)
        except ApiError as refused:
            if refused.code == 401:
                return
            raise
        time.sleep(0.1)
    raise AssertionError("the token is still good")
