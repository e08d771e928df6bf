# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo` and `make demo-down`: demo.py up and demo.py down; tour.py tells the story."""

from __future__ import annotations

import sys
from pathlib import Path

# The demo runs on the cluster that the tests run on: the package tests.cluster of this checkout.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

if __name__ == "__main__":
    from tour import main

    sys.exit(main(sys.argv[1:]))
