# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is checked, by which command, and in which order: read this to know what a green run means.

check.py lint       all gates
check.py test       all gates, unit, integration and fault tests, and the scenarios
check.py molecule   the scenarios alone
check.py kind       the scenarios that want a real kubelet, on kind
check.py docs       render the reference of modules and roles
check.py table      what each part of the runs since the last CI run took
check.py GATE ...   these gates alone, in the foreground
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import parts
import worktree
from parts import ROOT, Part

BIN = ROOT / ".venv" / "bin"
PYTHON = BIN / "python"
COLLECTION = "podplacement.core"
PLUGINS = "ansible_collections.podplacement.core.plugins"
TYPED_TESTS = ("cluster", "faults", "tidy", "unit/tools")
DAEMON = ("src", "examples", "tests")
TYPED = ("doc_fragments", "module_utils", "modules")
# Scenarios for real kubelets; those of KIND_ALONE would say nothing where containers are simulated.
KIND_ALONE = ("served_moves",)
KIND = ("pod_bind", "pod_move", "pod_move_strategies", "role_scheduler", *KIND_ALONE)
KIND_FOLDER = ROOT.parent / "shared" / "kind"


def pytest(*arguments: str) -> list[str | Path]:
    return [PYTHON, "-m", "pytest", *arguments]


def in_copy(name: str, *command: str) -> list[str | Path]:
    """A command in a clean copy of the collection, at the path that Ansible's tools want."""
    return [PYTHON, "tools/worktree.py", name, *command]


def shell_scripts() -> list[Path]:
    """Scripts by what they are, since some have no suffix."""
    script = re.compile(rb"#!.*\b(ba)?sh\b")
    return [path for path in worktree.files() if script.match((ROOT / path).read_bytes()[:80])]


def gates() -> list[Part]:
    """Everything that judges the tree without a cluster; the quick and the picky come first."""
    docs = ["antsibull-docs", "lint-collection-docs", "--plugin-docs"]
    lint = ["ansible-lint", "--offline", "--nocolor", "--profile", "production"]
    return [
        Part("ruff", [BIN / "ruff", "check"]),
        Part("format", [BIN / "ruff", "format", "--check"]),
        Part("tidy", pytest("tests/tidy")),
        Part("yamllint", [BIN / "yamllint", "--strict", "."]),
        Part("shellcheck", [BIN / "shellcheck", *shell_scripts()]),
        Part("reuse", in_copy("reuse", "reuse", "lint")),
        Part("changelog", [BIN / "antsibull-changelog", "lint"]),
        Part("mypy", [BIN / "mypy", *(f"--package={PLUGINS}.{name}" for name in TYPED)]),
        Part("mypy-daemon", [BIN / "mypy", *(f"scheduler/{name}" for name in DAEMON)]),
        Part("mypy-tools", [BIN / "mypy", "tools", *(f"tests/{name}" for name in TYPED_TESTS)]),
        Part("docs-lint", in_copy("docs-lint", *docs, "--validate-collection-refs", "self", ".")),
        Part("ansible-lint", in_copy("ansible-lint", *lint)),
        Part("sanity", [PYTHON, "tools/sanity.py"]),
        Part("importer", [PYTHON, "tools/importer.py"]),
    ]


def tests() -> list[Part]:
    """The control plane is built while the gates run; what needs it starts when all of them passed.

    Tests that use it run one after the other: each has workers of its own, and fills the machine.
    """
    workers = os.environ.get("PODPLACEMENT_TEST_WORKERS")
    early = [
        Part("cluster", [PYTHON, "-m", "tests.cluster", "ensure-binaries"]),
        Part("unit", pytest("tests/unit", "tests/rules", "scheduler/tests")),
        *gates(),
    ]
    ready = tuple(part.name for part in early)
    return [
        *early,
        Part("integration", pytest("-n", workers or "4", "tests/integration"), after=ready),
        # They wait for a third of their time: until a lock is over, or a pod has stopped.
        Part("faults", pytest("-n", workers or "6", "tests/faults"), after=("integration",)),
        *scenarios(after=("faults",)),
    ]


def scenarios(*, after: tuple[str, ...] = ()) -> list[Part]:
    """Two halves side by side: each is one Ansible after the other, on a cluster of its own."""
    files = (ROOT / "extensions" / "molecule").glob("*/molecule.yml")
    names = sorted({file.parent.name for file in files} - {"default", *KIND_ALONE})
    halves: dict[str, list[str]] = {"molecule": [], "molecule-roles": []}
    for name in names:
        halves["molecule-roles" if name.startswith("role_") else "molecule"].append(name)
    return [
        Part(half, molecule(*chosen), after=after, env=separate(half))
        for half, chosen in halves.items()
    ]


def molecule(*names: str) -> list[str | Path]:
    return [BIN / "molecule", "test", "--report", *(f"--scenario-name={name}" for name in names)]


def separate(name: str) -> dict[str, str]:
    """What two runs of Molecule must not share: the cluster, and where they keep their state."""
    state = ROOT / ".ansible" / name
    return {"PODPLACEMENT_CLUSTER_NAME": name, "MOLECULE_EPHEMERAL_DIRECTORY": str(state)}


def kind() -> list[Part]:
    """The same scenarios where a real kubelet starts pods and refuses them."""
    why = ""
    named = ("PODPLACEMENT_KIND_NODE_IMAGE", "PODPLACEMENT_KIND_FOLDER")
    if os.geteuid() != 0:
        why = "needs root"
    elif not (any(map(os.environ.get, named)) or (KIND_FOLDER / "up.sh").is_file()):
        why = f"no node image: set {named[0]}"
    return [
        Part(
            "kind",
            molecule(*KIND),
            env={"PODPLACEMENT_TEST_CLUSTER": "kind"},
            skip=why,
        )
    ]


def docs() -> list[Part]:
    target = ROOT / ".artifacts" / "docs"
    target.mkdir(parents=True, exist_ok=True)
    render = ("antsibull-docs", "collection", "--use-current", "--squash-hierarchy")
    return [Part("docs", in_copy("docs", *render, "--dest-dir", str(target), COLLECTION))]


def run(chosen: Sequence[Part]) -> bool:
    begun = time.monotonic()
    outcomes = parts.Runner(chosen).run()
    parts.record(outcomes)
    return parts.report(outcomes, elapsed=time.monotonic() - begun)


def foreground(names: Sequence[str]) -> bool:
    """Gates by name, with their output where it can be seen."""
    known = {part.name: part for part in gates()}
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"check: no such gate: {', '.join(unknown)}; there are {', '.join(known)}")
    for part in (known[name] for name in names):
        if subprocess.run(part.command, cwd=part.cwd, check=False).returncode:
            return False
    return True


def kind_is_optional(chosen: Sequence[Part]) -> bool:
    """Where kind is known to work, a run without it has proved too little."""
    missed = any(part.skip for part in chosen)
    if missed and os.environ.get("PODPLACEMENT_REQUIRE_KIND") == "1":
        print("PODPLACEMENT_REQUIRE_KIND=1: a kind run that is skipped is a failure")
        return False
    return True


def main() -> int:
    names = sys.argv[1:] or ["lint"]
    runs = {"lint": gates, "test": tests, "molecule": scenarios, "kind": kind, "docs": docs}
    if names == ["table"]:
        print(parts.table(parts.recorded()))
        return 0
    if len(names) > 1 or names[0] not in runs:
        return 0 if foreground(names) else 1
    chosen = runs[names[0]]()
    passed = run(chosen) and kind_is_optional(chosen)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
