# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/reason-codes.md tells every reason code there is, because it is made from the sources.

python tools/reason_codes.py --check    fail when the page is not what the sources say
python tools/reason_codes.py --write    make the page
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "plugins"
PAGE = ROOT / "docs" / "reason-codes.md"
ROW = re.compile(r"^\| `([^`]+)` \| (.*) \|$", re.MULTILINE)
CODE = re.compile(r"[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*(: %s)?")
# Who makes an error, and which argument is its code; `code=` is one everywhere.
MAKERS = {
    "PlacementError": 0,
    "Step": 2,
    "Unreachable": 1,
    "_error": 0,
    "_failure": 0,
    "_refusal": 0,
    "_reject": 0,
    "failure": 1,
    "refuse": 0,
    "reject": 0,
}
# Fields of a verdict that hold a code.
FIELDS = {"code", "late"}
TABLES = {"CODES", "_CODES", "_HINTS"}


def text_of(node: ast.expr | None) -> str:
    """A literal text; what is filled in at run time is an ellipsis."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return text_of(node.left)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return ""


def calls(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Code and hint of each call that makes an error."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        keywords = {word.arg: word.value for word in node.keywords}
        place = MAKERS.get(name)
        chosen = keywords.get("code")
        if place is not None and len(node.args) > place:
            chosen = chosen or node.args[place]
        codes = [chosen.body, chosen.orelse] if isinstance(chosen, ast.IfExp) else [chosen]
        sentences = [text for text in map(text_of, node.args) if " " in text]
        for code in map(text_of, codes):
            yield code, text_of(keywords.get("hint")) or " ".join(sentences[-1:])


def tables(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Codes that are listed in a table, or that a function returns with a hint."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            code, *rest = map(text_of, node.value.elts)
            if rest and " " in rest[0]:
                yield code, rest[0]
        if isinstance(node, ast.AnnAssign | ast.Assign) and node.value is not None:
            targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
            names = {getattr(target, "id", "") for target in targets}
            if TABLES & names:
                yield from entries(node.value)
            if FIELDS & names:
                yield text_of(node.value), ""
        if isinstance(node, ast.keyword) and node.arg in FIELDS:
            yield text_of(node.value), ""


def entries(table: ast.expr) -> Iterator[tuple[str, str]]:
    """What a table says: {code: text}, {name: code} or ((class named as its code, hint), ...)."""
    if isinstance(table, ast.Dict):
        for key, value in zip(table.keys, table.values, strict=True):
            yield text_of(value) or text_of(key), ""
    for pair in getattr(table, "elts", []):
        yield getattr(pair.elts[0], "id", ""), text_of(pair.elts[1])


def collect() -> dict[str, str]:
    """All codes of the sources, each with a hint if there is one."""
    found: dict[str, str] = {}
    for path in sorted(SOURCES.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for code, hint in (*calls(tree), *tables(tree)):
            if CODE.fullmatch(code):
                name = code.replace("%s", "…")
                found[name] = found.get(name) or re.sub(r"%\.?\d*[a-z]", "…", hint)
    return found


def main(arguments: Sequence[str]) -> int:
    """Compare the page, or bring it up to date."""
    if list(arguments) not in (["--check"], ["--write"]):
        print(__doc__, file=sys.stderr)
        return 2
    found, text = collect(), PAGE.read_text("utf-8")
    known = dict(ROW.findall(text))
    missing, stale = sorted(found.keys() - known.keys()), sorted(known.keys() - found.keys())
    for what, codes in (("not in docs/reason-codes.md", missing), ("only there", stale)):
        if codes:
            print(f"{what}: {', '.join(codes)}")
    if arguments[0] == "--write":
        rows = {code: known.get(code, hint) for code, hint in sorted(found.items())}
        table = "\n".join(f"| `{code}` | {says} |" for code, says in rows.items())
        PAGE.write_text(ROW.sub("", text).rstrip("\n") + f"\n{table}\n", "utf-8")
        return 0
    print(f"docs/reason-codes.md: {len(known)} codes")
    return 1 if missing or stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
