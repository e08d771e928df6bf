# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster is what tests need to know of it: the same few facts wherever it comes from."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from tests.cluster.versions import ClusterError, cache_dir

PROVIDERS = ("kwok", "kind", "existing")
DEFAULT_IMAGE = "registry.k8s.io/pause:3.10"  # never pulled by a simulated kubelet


@dataclass(frozen=True)
class Cluster:
    """A running cluster."""

    name: str
    provider: str
    kubeconfig: Path
    nodes: tuple[str, ...]  # the workers, in order
    image: str  # what test pods run
    audit_log: Path | None = None
    bin_dir: Path | None = None  # has kubectl, when known
    kubernetes: str = ""  # v1.36.3

    def environment(self) -> dict[str, str]:
        """The variables by which kubectl, kubernetes.core and this collection find the cluster."""
        found = {"KUBECONFIG": str(self.kubeconfig), "K8S_AUTH_KUBECONFIG": str(self.kubeconfig)}
        if self.bin_dir:
            found["PATH"] = f"{self.bin_dir}{os.pathsep}{os.environ.get('PATH', '')}"
        return found

    def save(self, path: Path) -> None:
        """Write the facts for other processes."""
        facts = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(self).items()}
        new = path.with_suffix(".new")
        new.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        new.replace(path)

    @classmethod
    def load(cls, path: Path) -> Cluster:
        """Read what `save` wrote."""
        facts = json.loads(path.read_text(encoding="utf-8"))
        for name in ("kubeconfig", "audit_log", "bin_dir"):
            facts[name] = Path(facts[name]) if facts[name] else None
        facts["nodes"] = tuple(facts["nodes"])
        return cls(**{field.name: facts[field.name] for field in fields(cls)})


def provider_name() -> str:
    """Which kind of cluster was asked for."""
    chosen = os.environ.get("PODPLACEMENT_TEST_CLUSTER") or "kwok"
    if chosen not in PROVIDERS:
        raise ClusterError(
            f"PODPLACEMENT_TEST_CLUSTER is {chosen!r}, must be one of {', '.join(PROVIDERS)}"
        )
    return chosen


def clusters_dir() -> Path:
    """The folder in which each cluster has its own."""
    chosen = os.environ.get("PODPLACEMENT_CLUSTERS_DIR")
    return Path(chosen).absolute() if chosen else cache_dir() / "clusters"


def default_name() -> str:
    """The name of the cluster that tests use."""
    return os.environ.get("PODPLACEMENT_CLUSTER_NAME") or "test"
