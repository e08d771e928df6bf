# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this fragment is PRIVATE to the collection. It can change at any time.

from __future__ import annotations


class ModuleDocFragment:
    """What every module states about itself; each says its `support` in its own documentation."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description:
      - Can run in C(check_mode) and tell what a real run would do, refuse or change, without
        changing anything.
  diff_mode:
    description:
      - Returns what it changed, or in check mode would change, when in diff mode.
  idempotent:
    description:
      - A second run with the same options reports RV(ignore:changed=false) and changes nothing,
        provided that nothing else changed the cluster in between.
  platform:
    description:
      - Where the module itself can run. The cluster can run on anything.
    platforms: posix
    support: full
"""

    ACTIONGROUP_PLACEMENT = r"""
options: {}
attributes:
  action_group:
    description:
      - Use C(group/podplacement.core.placement) in C(module_defaults) to set defaults for this
        module.
    support: full
    membership:
      - podplacement.core.placement
"""
