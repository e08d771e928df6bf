# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A link in the documentation leads to a file or a heading that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.tidy import tree

LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+\s+(.*?)\s*$", re.MULTILINE)
ANCHOR = re.compile(r"<a (?:id|name)=\"([^\"]+)\"")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The names by which a page's headings can be linked."""
    plain = FENCE.sub("", text)
    slugs = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in HEADING.findall(plain)
    }
    return slugs | set(ANCHOR.findall(plain))


def dead(page: Path, text: str) -> list[str]:
    """The links of a page that lead nowhere in the tree; other sites are not asked."""
    found = []
    for link in LINK.findall(FENCE.sub("", text)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _hash, anchor = link.partition("#")
        target = tree.ROOT / page.parent / name
        if name and not target.exists():
            found.append(link)
        elif anchor and (not name or target.suffix == ".md"):
            there = target.read_text(encoding="utf-8") if name else text
            found += [] if anchor in anchors(there) else [link]
    return found


def test_links_are_alive() -> None:
    found = [
        f"{page}: {link}" for page in tree.files(".md") for link in dead(page, tree.text(page))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("[a](missing.md)", ["missing.md"]),
        ("# One two\n[a](#one-two) [b](#three)", ["#three"]),
        ("[a](galaxy.yml) [b](https://example.org/missing)", []),
    ],
)
def test_a_dead_link_is_found(text: str, lost: list[str]) -> None:
    assert dead(Path("README.md"), text) == lost
