# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module starts in milliseconds when it is forked from a process that has Ansible imported.

The tests run modules some thousand times, and a start from nothing is a second of imports. The
module's own file is still executed, with real arguments on its standard input and a clean
environment, in a process and a session of its own. That the start from nothing does the same is
what those tests see that use `start_module`, a playbook or Molecule.
"""

from __future__ import annotations

import functools
import io
import json
import multiprocessing
import os
import runpy
import shutil
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from tests.integration.surroundings import COLLECTIONS, ROOT, environment

PACKAGE = "ansible_collections.podplacement.core.plugins.modules"
MODULES = (
    "k8s_pod_move",
    "k8s_pod_bind",
    "k8s_pod_scheduler",
    "k8s_controller_scheduler",
    "k8s_node_evacuate",
    "k8s_placement_info",
)

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([f"{PACKAGE}.{module}" for module in MODULES])


@functools.cache
def _open() -> None:
    """Start the nursery, once. It knows no path but the environment's when it imports."""
    kept = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(COLLECTIONS), str(ROOT)])
    try:
        forkserver.ensure_running()
    finally:
        os.environ.pop("PYTHONPATH")
        if kept is not None:
            os.environ["PYTHONPATH"] = kept


class Child:
    """A running module, with the part of `subprocess.Popen` that the tests use."""

    def __init__(
        self, module: str, arguments: Mapping[str, Any], env: Mapping[str, str] | None = None
    ) -> None:
        self._folder = Path(tempfile.mkdtemp())
        self._files = [self._folder / name for name in ("out", "err")]
        _open()
        given = json.dumps({"ANSIBLE_MODULE_ARGS": arguments})
        files = [str(path) for path in self._files]
        self._process = _context.Process(
            target=_live, args=(module, given, *files, env or environment())
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same."""
        return self._process.exitcode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for the end; what it printed."""
        self._process.join(timeout)
        out, err = (path.read_text("utf-8") if path.exists() else "" for path in self._files)
        assert not self._process.is_alive(), f"still running after {timeout} s\n{out}{err}"
        shutil.rmtree(self._folder, ignore_errors=True)
        return out, err


def start(cluster: Any, module: str, args: Mapping[str, Any]) -> Child:
    """Start a module of this collection, by its short name, in a session of its own."""
    own = {
        "kubeconfig": str(cluster.kubeconfig),
        "_ansible_check_mode": False,
        "_ansible_diff": True,
        "_ansible_module_name": f"podplacement.core.{module}",
    }
    return Child(module, {**args, **own})


def _live(module: str, given: str, out: str, err: str, env: Mapping[str, str]) -> None:
    """Become a process as Ansible would have started it, then run the module's file."""
    os.setsid()
    os.chdir(ROOT)
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), number)
    sys.stdin = io.TextIOWrapper(io.BytesIO(given.encode()), encoding="utf-8")
    os.environ.clear()
    os.environ.update(env)
    name = f"{PACKAGE}.{module}"
    sys.argv = [name]
    sys.modules.pop(name, None)
    runpy.run_module(name, run_name="__main__")
