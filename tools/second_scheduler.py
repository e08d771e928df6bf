# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second scheduler is kube-scheduler once more, under another name and without election."""

from __future__ import annotations

import json

from tests.cluster.background import Background
from tests.cluster.cluster import Cluster
from tests.cluster.second_scheduler import configuration


class SecondScheduler(Background):
    """A kube-scheduler process that outlives us."""

    def start(self, cluster: Cluster) -> int:
        """Run it beside the default one; one of an earlier start is ended first."""
        assert cluster.bin_dir is not None
        self.stop()
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(json.dumps(configuration(cluster, self.name)), encoding="utf-8")
        # port 0: it serves nothing, so that nothing listens
        return self.run(
            [cluster.bin_dir / "kube-scheduler", f"--config={self.config}", "--secure-port=0"]
        )
