# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The house rules: each finds what breaks it in one file, and brings a sample that does.

The samples are why the words that must stand nowhere else in the tree stand here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

FILE_LINES = 400
FUNCTION_LINES = 60
HEADER_LINES = 8
# In two pieces, since a licence checker takes the whole for the licence of this file.
TAG = "# SPDX-License-" + "Identifier:"

Finder = Callable[[Path, str], Iterator[str]]


@dataclass(frozen=True)
class Rule:
    """One habit of the house; `suffixes` are the files that it is about, none for all."""

    name: str
    find: Finder
    sample: str
    suffixes: tuple[str, ...] = ()
    sample_path: Path = Path("plugins/module_utils/sample.py")
    # Where the rule itself is written down, or kept by other means.
    exempt: tuple[str, ...] = ()

    def concerns(self, path: Path) -> bool:
        named = not self.suffixes or path.suffix in self.suffixes
        return named and str(path) not in self.exempt


def long_file(path: Path, text: str) -> Iterator[str]:
    count = len(text.splitlines())
    if count > FILE_LINES:
        yield f"{count} lines, more than {FILE_LINES}"


def long_function(path: Path, text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            count = (node.end_lineno or node.lineno) - node.lineno + 1
            if count > FUNCTION_LINES:
                yield f"{node.lineno}: {node.name} has {count} lines, more than {FUNCTION_LINES}"


def sleeps(path: Path, text: str) -> Iterator[str]:
    """Waiting goes through the clock, which a test can hold; nothing else in plugins sleeps."""
    if not path.is_relative_to("plugins"):
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "time.sleep":
            yield f"{node.lineno}: time.sleep"
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            if any(name.name == "sleep" for name in node.names):
                yield f"{node.lineno}: from time import sleep"


def unlicensed(path: Path, text: str) -> Iterator[str]:
    head = text.splitlines()[:HEADER_LINES]
    rules = path.is_relative_to("plugins/module_utils/rules")
    licence = "BSD-2-Clause" if rules else "GPL-3.0-or-later"
    if text and f"{TAG} {licence}" not in head:
        yield f"its first {HEADER_LINES} lines do not say {TAG} {licence}"


def matching(pattern: str) -> Finder:
    """A rule about words: every line that the pattern finds breaks it."""
    compiled = re.compile(pattern)

    def find(path: Path, text: str) -> Iterator[str]:
        for number, line in enumerate(text.splitlines(), 1):
            if compiled.search(line):
                yield f"{number}: {line.strip()[:100]}"

    return find


CODE = (".py", ".sh", ".yml", ".yaml", ".toml")
HERE = "tests/tidy/house.py"

RULES = [
    Rule("a file fits in 400 lines", long_file, "x = 1\n" * (FILE_LINES + 1), CODE),
    Rule(
        "a function fits on a screen",
        long_function,
        "def f():\n" + "    x = 1\n" * FUNCTION_LINES,
        (".py",),
    ),
    Rule(
        "plugins wait by the clock",
        sleeps,
        "import time\ntime.sleep(1)\n",
        (".py",),
        exempt=("plugins/module_utils/clock.py",),
    ),
    Rule("a file says its licence", unlicensed, "x = 1\n", CODE),
    Rule(
        "nothing is left for later",
        matching(r"\b(TODO|FIXME|XXX)\b|NotImplementedError|\bassert True\b"),
        "# TODO: later\n",
        exempt=(HERE,),
    ),
    Rule(
        "no path of one machine",
        matching(r"(?<![\w.$}/-])/(work|root|home/\w+)/|/tmp/[a-z]"),
        "path = '/root/thing'\n",
        exempt=(HERE,),
    ),
    Rule(
        "no host of a package registry",
        matching(
            r"pypi\.org|pythonhosted\.org|proxy\.golang\.org|sum\.golang\.org|registry\.npmjs|"
            r"crates\.io|deb\.debian\.org|galaxy\.ansible\.com"
        ),
        "index = 'https://pypi.org/simple'\n",
        exempt=(HERE,),
    ),
]
