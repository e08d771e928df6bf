# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two bar charts of a run: pods a second, and CPU a pod."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")  # no screen is needed

from matplotlib import pyplot as plt

PANELS = (("pods_per_second", "pods/s"), ("cpu_ms", "CPU of the scheduler, ms a pod"))


def plot(results: Sequence[Mapping[str, object]], path: Path) -> None:
    """Write an SVG; one group of bars for each number of nodes and classes."""
    groups = sorted({(int(str(r["nodes"])), int(str(r["classes"]))) for r in results})
    labels = list(dict.fromkeys(str(r["contender"]) for r in results))
    figure, axes = plt.subplots(1, len(PANELS), figsize=(14, 5))
    for axis, (key, title) in zip(axes, PANELS, strict=True):
        width = 0.8 / max(1, len(labels))
        for n, label in enumerate(labels):
            values = {
                (int(str(r["nodes"])), int(str(r["classes"]))): float(str(r[key]))
                for r in results
                if r["contender"] == label
            }
            places = [g + n * width for g in range(len(groups))]
            axis.bar(places, [values.get(group, 0) for group in groups], width, label=label)
        axis.set_xticks([g + 0.4 - width / 2 for g in range(len(groups))])
        axis.set_xticklabels([f"{nodes} nodes\n{classes} classes" for nodes, classes in groups])
        axis.set_title(title)
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)
