# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/rbac.md grants what the modules call and no more, because it is made from their own lists.

    python tools/rights.py --check    fail when the page is not what the lists say
    python tools/rights.py --write    make the page anew below its marker

The integration tests hold those lists against the API server's audit log.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from ansible_collections.podplacement.core.plugins.module_utils.binding import run as binding
from ansible_collections.podplacement.core.plugins.module_utils.evacuation import (
    calls as evacuation,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves import calls as moves
from ansible_collections.podplacement.core.plugins.module_utils.placement import run as placement
from ansible_collections.podplacement.core.plugins.module_utils.scheduler_calls import API_CALLS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "rbac.md"
MARKER = "<!-- below this line: tools/rights.py --write -->"
Call = tuple[str, str, str]  # verb, API group, resource or resource/subresource
VERBS = ("get", "list", "watch", "create", "patch", "update", "delete")
# Everybody who is logged in may ask what he may do.
GRANTED_TO_ALL = "selfsubjectaccessreviews"

MODULES: dict[str, set[Call]] = {
    "k8s_pod_bind": set(binding.API_CALLS),
    "k8s_pod_move, pods of controllers": set(moves.API_CALLS["adopt"]),
    "k8s_pod_move, pods of controllers with strategy: shadow": set(moves.API_CALLS["shadow"]),
    "k8s_pod_move, bare pods": set(moves.API_CALLS["recreate"]),
    "k8s_pod_move, bare pods with strategy: surge": set(moves.API_CALLS["surge"]),
    **{
        "k8s_pod_move, StatefulSets with steer: %s" % way: set(moves.API_CALLS["steer, " + way])
        for way in moves.WAY_RIGHTS
    },
    "k8s_node_evacuate": {call for s in moves.RIGHTS for call in evacuation.API_CALLS[s]},
    "k8s_placement_info": set(placement.API_CALLS),
    **{module: set(calls) for module, calls in API_CALLS.items()},
}


def rules(calls: Iterable[Call]) -> list[str]:
    """The lines of `rules:`; resources of a group with the same verbs share a rule."""
    verbs: dict[tuple[str, str], set[str]] = {}
    for verb, group, resource in calls:
        if resource != GRANTED_TO_ALL:
            verbs.setdefault((group, resource), set()).add(verb)
    shared: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (group, resource), wanted in sorted(verbs.items()):
        ordered = tuple(sorted(wanted, key=VERBS.index))
        shared.setdefault((group, ordered), []).append(resource)
    return [
        '  - {apiGroups: ["%s"], resources: [%s], verbs: [%s]}'
        % (group, ", ".join(resources), ", ".join(wanted))
        for (group, wanted), resources in shared.items()
    ]


def section(title: str, calls: Iterable[Call]) -> str:
    """One module's rules."""
    return "\n".join([f"## {title}", "", "```yaml", "rules:", *rules(calls), "```", ""])


def main(arguments: Sequence[str]) -> int:
    """Make the page, or compare it."""
    if list(arguments) not in (["--check"], ["--write"]):
        print(__doc__, file=sys.stderr)
        return 2
    text = PAGE.read_text("utf-8")
    sections = [section(title, calls) for title, calls in MODULES.items()]
    made = "\n".join([text.split(MARKER)[0] + MARKER, "", *sections])
    if arguments[0] == "--write":
        PAGE.write_text(made, "utf-8")
    elif text != made:
        print("docs/rbac.md is not what the modules call: python tools/rights.py --write")
        return 1
    print(f"docs/rbac.md: {len(MODULES)} sets of rights")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
