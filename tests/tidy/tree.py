# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that the house rules are about: tracked, or new and not ignored."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import worktree

ROOT = worktree.ROOT
KUBERNETES = worktree.KUBERNETES


@cache
def text(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def syntax(path: Path) -> ast.Module:
    return ast.parse(text(path), filename=str(path))


@cache
def files(*suffixes: str) -> list[Path]:
    """Text files with one of these suffixes (none: every text file), relative to the root."""
    chosen = [path for path in worktree.files() if not suffixes or path.suffix in suffixes]
    return [path for path in chosen if b"\0" not in (ROOT / path).read_bytes()]


def below(folder: str, *suffixes: str) -> list[Path]:
    return [path for path in files(*suffixes) if path.is_relative_to(folder)]
