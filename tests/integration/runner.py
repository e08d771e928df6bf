# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module under test is the real module in a process of its own, in a clean environment.

`start_module` starts the module's file as Ansible does on a target, but without Ansible's own
start-up, which would be most of the time. `run_module` also saves the imports, which would be most
of what is left: see `nursery`. `run_ansible` goes through the `ansible` command line and shows what
a user sees.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from tests.integration import nursery
from tests.integration.surroundings import ROOT, environment

SECONDS = 180.0

Result = dict[str, Any]


class HasKubeconfig(Protocol):
    """The `cluster` fixture, or anything else that knows where the API server is."""

    @property
    def kubeconfig(self) -> str | Path:
        """The path of an admin kubeconfig."""


def start_module(
    cluster: HasKubeconfig | None,
    module: str,
    args: Mapping[str, Any],
    *,
    check: bool = False,
    diff: bool = True,
    env: Mapping[str, str] | None = None,
    python: str = sys.executable,
) -> subprocess.Popen[str]:
    """Start a module of this collection, by its short name, as the leader of its own process group.

    The cluster's kubeconfig is handed over unless `cluster` is None or `args` name another.
    """
    given = _arguments(cluster, module, args, check=check, diff=diff)
    process = subprocess.Popen(
        [python, "-m", f"ansible_collections.podplacement.core.plugins.modules.{module}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(env),
        start_new_session=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": given}))
    process.stdin.close()
    process.stdin = None  # communicate() would flush it
    return process


def _arguments(
    cluster: HasKubeconfig | None, module: str, args: Mapping[str, Any], *, check: bool, diff: bool
) -> dict[str, Any]:
    given: dict[str, Any] = dict(args)
    if cluster is not None and not given.keys() & {"host", "kubeconfig"}:
        given["kubeconfig"] = str(cluster.kubeconfig)
    return given | {
        "_ansible_check_mode": check,
        "_ansible_diff": diff,
        "_ansible_module_name": f"podplacement.core.{module}",
    }


def kill_group(process: subprocess.Popen[str]) -> None:
    """SIGKILL the module and everything it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def finish(process: subprocess.Popen[str], *, timeout: float = SECONDS) -> Result:
    """Wait for a started module and return its result; without a result the test fails."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        kill_group(process)
        out, err = process.communicate()
        raise AssertionError(f"the module did not end in {timeout} s\n{out}\n{err}") from None
    return _read(out, err, process.returncode)


def _read(out: str, err: str, status: int | None) -> Result:
    try:
        result: Result = json.loads(out)
    except ValueError:
        raise AssertionError(f"the module gave no result (status {status})\n{out}\n{err}") from None
    assert bool(result.get("failed")) == (status != 0), (status, result)
    return result


def run_module(
    cluster: HasKubeconfig | None,
    module: str,
    args: Mapping[str, Any],
    *,
    check: bool = False,
    diff: bool = True,
    env: Mapping[str, str] | None = None,
    timeout: float = SECONDS,
) -> Result:
    """Run a module to its end. One that fails is a result with `failed: true`, no exception."""
    given = _arguments(cluster, module, args, check=check, diff=diff)
    child = nursery.Child(module, given, environment(env))
    out, err = child.communicate(timeout)
    return _read(out, err, child.returncode)


def run_ansible(
    cluster: HasKubeconfig | None,
    module: str,
    args: Mapping[str, Any],
    *flags: str,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """`ansible localhost -m podplacement.core.<module>`: the whole way that a user's task goes."""
    given = dict(args)
    if cluster is not None and not given.keys() & {"host", "kubeconfig"}:
        given["kubeconfig"] = str(cluster.kubeconfig)
    task = ("-m", f"podplacement.core.{module}", "-a", json.dumps(given))
    return _run("ansible", "localhost", *task, *flags, env=env)


def run_playbook(
    cluster: HasKubeconfig | None,
    playbook: str | Path,
    *flags: str,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """`ansible-playbook` on a file or a playbook's full name, with the cluster as a user has it."""
    found = {} if cluster is None else {"K8S_AUTH_KUBECONFIG": str(cluster.kubeconfig)}
    return _run("ansible-playbook", str(playbook), *flags, env=found | dict(env or {}))


def _run(
    program: str, *words: str, env: Mapping[str, str] | None
) -> subprocess.CompletedProcess[str]:
    here = ("-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}")
    command: Sequence[str] = [str(Path(sys.executable).with_name(program)), *here, *words]
    return subprocess.run(
        command,
        text=True,
        capture_output=True,
        cwd=ROOT,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        timeout=SECONDS,
        check=False,
    )
