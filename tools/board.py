# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs where is seen best as a board: one column a node, one line a pod."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

Object = dict[str, Any]
MOVED_FROM = "podplacement.io/moved-from-uid"
COLOURS = {"bold": "1", "green": "32", "red": "31", "dim": "2"}
WIDEST = 100


def colourful() -> bool:
    """Colours are for people who look at a terminal and did not ask for none."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def paint(text: str, colour: str) -> str:
    """The text in a colour, where there are any."""
    return f"\033[{COLOURS[colour]}m{text}\033[0m" if colour and colourful() else text


def width() -> int:
    """The columns that may be used."""
    return min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST)


def heading(text: str) -> None:
    """Begin a new part of the story."""
    print(f"\n{paint(f'== {text} '.ljust(width(), '='), 'bold')}", flush=True)


def fit(text: str, columns: int) -> str:
    """Exactly so many columns."""
    return (text if len(text) <= columns else text[: columns - 1] + "~").ljust(columns)


def node_of(pod: Object) -> str:
    """The node of a pod, or nothing."""
    return str(pod["spec"].get("nodeName", ""))


def board(
    pods: Sequence[Object], nodes: Sequence[str], new: Mapping[str, str] | None = None
) -> list[str]:
    """The lines of a board; pods whose uid is a key of `new` are marked with its value."""
    columns = (width() - 2 * len(nodes)) // len(nodes)
    stacks = [
        sorted(
            (pod for pod in pods if node_of(pod) == node), key=lambda pod: pod["metadata"]["name"]
        )
        for node in nodes
    ]
    lines = [
        "  ".join(
            paint(fit(f"{node} ({len(stack)})", columns), "bold")
            for node, stack in zip(nodes, stacks, strict=True)
        ),
        "  ".join(["-" * columns] * len(nodes)),
    ]
    lines += [
        "  ".join(_cell(pod, columns, new or {}) for pod in row).rstrip()
        for row in zip_longest(*stacks)
    ]
    waiting = sorted(pod["metadata"]["name"] for pod in pods if not node_of(pod))
    if waiting:
        lines.append(paint(f"no node yet: {', '.join(waiting)}", "red"))
    return lines


def _cell(pod: Object | None, columns: int, new: Mapping[str, str]) -> str:
    if pod is None:
        return " " * columns
    mark = new.get(pod["metadata"]["uid"], "")
    return paint(fit(f"{mark or ' '} {pod['metadata']['name']}", columns), "green" if mark else "")


def table(rows: Sequence[Sequence[str]], titles: Sequence[str]) -> list[str]:
    """Columns as wide as they need to be."""
    widths = [max(len(cell) for cell in column) for column in zip(titles, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip()
        for row in [titles, *rows]
    ]
    return [paint(lines[0], "bold"), *lines[1:]]


def moved(
    before: Sequence[Object], after: Sequence[Object], events: Sequence[Object]
) -> list[list[str]]:
    """Pod, from, to, its name now, and who placed it, as the cluster tells it."""
    old = {pod["metadata"]["uid"]: pod for pod in before}
    rows = []
    for pod in sorted(after, key=lambda pod: pod["metadata"]["name"]):
        uid, name = pod["metadata"]["uid"], pod["metadata"]["name"]
        source = old.get(pod["metadata"].get("labels", {}).get(MOVED_FROM, ""))
        if source is None and uid in old and node_of(old[uid]) != node_of(pod):
            source = old[uid]  # it had no node and was bound
        if source is not None:
            now = "the same" if name == source["metadata"]["name"] else name
            rows.append(
                [
                    source["metadata"]["name"],
                    node_of(source) or "-",
                    node_of(pod),
                    now,
                    placed_by(pod, events),
                ]
            )
    return rows


def placed_by(pod: Object, events: Sequence[Object]) -> str:
    """The component whose event says that it scheduled the pod."""
    for event in events:
        if (
            event["reason"] == "Scheduled"
            and event["involvedObject"].get("uid") == pod["metadata"]["uid"]
        ):
            return str(
                event.get("reportingComponent") or event.get("source", {}).get("component", "")
            )
    return "podplacement"
