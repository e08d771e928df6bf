# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m bench`: every measurement of this folder, or those that are named."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from bench import module_start, moves, plan
from bench.scheduler import run as scheduler

BENCHES: dict[str, Callable[..., dict[str, object]]] = {
    "module_start": module_start.measure,
    "moves": moves.measure,
    "plan": plan.measure,
    "scheduler": scheduler.measure,
}
RESULTS = Path(__file__).resolve().parents[1] / ".artifacts" / "bench"
# Go's defaults: the tests' own settings for the servers are not what users run.
GO_DEFAULTS = {"GOGC": "100", "GOMEMLIMIT": "off"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    options, rest = parser.parse_known_args()
    names = options.names or list(BENCHES)
    unknown = sorted(set(names) - set(BENCHES))
    if unknown:
        parser.error(f"no such bench: {', '.join(unknown)}")
    if rest and names not in (["moves"], ["scheduler"]):
        parser.error(f"options are for one bench that has some: {' '.join(rest)}")
    for setting, value in GO_DEFAULTS.items():
        os.environ.setdefault(setting, value)
    RESULTS.mkdir(parents=True, exist_ok=True)
    met = True
    for name in names:
        result = BENCHES[name](rest) if rest else BENCHES[name]()
        met = met and bool(result["met"])
        path = RESULTS / f"{name}.json"
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        print(f"{name}: written to {path.relative_to(RESULTS.parents[1])}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
