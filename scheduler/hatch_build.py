# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon carries the collection's rules: linked in a checkout, copied into what is built."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "src/podplacement_scheduler"
RULES = Path("plugins", "module_utils", "rules")


class SharedRules(BuildHookInterface[Any]):
    """Puts `rules/` of the collection into the package as `_rules`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before each build; `version` is "editable" for an editable install."""
        inside = Path(self.root, PACKAGE, "_rules")
        if inside.is_dir() and not inside.is_symlink():
            return  # an unpacked source distribution has them already
        source = Path(self.root).resolve().parent / RULES
        if version == "editable":
            if not inside.is_symlink():
                inside.symlink_to(os.path.relpath(source, inside.parent), target_is_directory=True)
            return
        prefix = "src/" if self.target_name == "sdist" else ""
        build_data["force_include"][str(source)] = prefix + "podplacement_scheduler/_rules"
