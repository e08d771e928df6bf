# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``adopt``: make-before-break for a controller's pod, with the controller's spec untouched
(moves.md, f2).

The replacement R is created without the detach key, so that the ReplicaSet cannot claim it; it
runs, becomes Ready, serves. Then the old pod O is marked as the preferred victim, and one patch
makes R claimable: the controller adopts R, counts one too many, and deletes O. Upstream:
``claimObject`` (pkg/controller/controller_ref_manager.go) and
``ActivePodsWithRanks.Less`` (pkg/controller/controller_utils.go).

What is seen                                   what is done
no R, O serves                                 create R (a recovery stops here and undoes)
no R, O gone, its heir owned                   done: moved
no R, O gone, no heir                          done: gone
R detached, owner gone or another revision     roll back: delete R
R detached, failed or hopeless                 roll back
R detached, not Ready                          wait; roll back at the deadline
R detached, O gone, owner short                hand over: R is the capacity that is left
R detached, O gone, owner complete             roll back: R is one too many
R detached, Ready, a sibling not Ready         wait (it would be deleted in O's place)
R detached, Ready, gates open, O unmarked      mark O
R detached, Ready, gates open, O marked        hand over
R labelled, nobody's                           wait for adoption; undo after a minute
R adopted, O alive, one pod too many           wait for the controller
R adopted, O alive, none too many              O was spared (theft, scale-up): try again
R adopted, O terminating                       wait until it is gone
R adopted, O gone                              finalize: R becomes O's heir
"""

from __future__ import annotations

from ..api import Object
from ..errors import AlreadyExists, Forbidden, Invalid, api_to_placement
from ..resources import POD, label, meta
from ..rules.pod_state import is_terminating
from ..rules.selectors import matches_labels
from .manifest import from_template
from .names import DELETION_COST, GOES_LAST, MOVE_ID, replacement_name
from .scene import DONE, Scene, Step
from .swap import Swap


class Adopt(Swap):
    """One move by adoption."""

    def held(self, scene: Scene, new: Object) -> bool:
        """The detach key is missing, so the owner does not match the replacement."""
        return not matches_labels(self.owner_selector, meta(new).get("labels") or {})

    # ---- acting

    def do_create(self, scene: Scene, _step: Step) -> None:
        """A former try that still terminates, or an earlier move's pod, has the name: take the
        next.
        """
        name = replacement_name(self.entry.owner_name, self.entry.id, self.attempt)
        body = from_template(scene.owner or {}, self.entry, scene.old or {}, name)
        body["metadata"]["ownerReferences"] = [self.lock.owner_reference()]
        try:
            self.api.create(POD, body, self.namespace)
        except AlreadyExists:
            found = self.pod(name)
            if found is None or is_terminating(found) or label(found, MOVE_ID) != self.entry.id:
                self.attempt += 1
        except (Forbidden, Invalid) as err:
            self.failure = Step(DONE, err.message, api_to_placement(err, step="create").code)

    def do_hand_over(self, scene: Scene, _step: Step) -> None:
        """Second half, in one write: claimable by the owner, no longer tied to the Lease."""
        change = {
            "labels": {self.entry.detach_key: self.entry.detach_value},
            "annotations": {DELETION_COST: GOES_LAST},
            "ownerReferences": None,
        }
        self.patch_pod(scene.new, change)
        self.vigil.seen("handed over")

    def do_undo(self, scene: Scene, step: Step) -> None:
        """Nobody adopted it: out of the owner's sight again, and back."""
        self.failure = Step("roll_back", step.why, step.code)
        tie = [self.lock.owner_reference()]
        change = {"labels": {self.entry.detach_key: None}, "ownerReferences": tie}
        self.patch_pod(scene.new, change)

    def do_roll_back(self, scene: Scene, step: Step) -> None:
        """The old pod serves on; the replacement goes."""
        self.failure = step
        self.delete_pod(scene.new)
