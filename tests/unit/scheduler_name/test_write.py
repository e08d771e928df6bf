# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one guarded patch: what others do to the object meanwhile, and what is told when it fails."""

from __future__ import annotations

from functools import partial

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    Forbidden,
    OutcomeUnknown,
    PlacementError,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import CRON_JOB
from ansible_collections.podplacement.core.plugins.module_utils.scheduler_name import (
    PREVIOUS,
    Request,
    set_scheduler,
)
from tests.unit.fake_api import FakeApi
from tests.unit.scheduler_name.objects import NAMESPACE, controller, settings

SET = Request(CRON_JOB, NAMESPACE, name="web", scheduler_name="new")


def name_in(api: FakeApi) -> str:
    template = api.get(CRON_JOB, "web", NAMESPACE)["spec"]["jobTemplate"]["spec"]["template"]
    return str(template["spec"]["schedulerName"])


def touch(api: FakeApi, annotations: dict[str, str], scheduler: str | None = None) -> None:
    template = {"spec": {"schedulerName": scheduler} if scheduler else {}}
    patch = {
        "metadata": {"annotations": annotations},
        "spec": {"jobTemplate": {"spec": {"template": template}}},
    }
    api.change(CRON_JOB, "web", NAMESPACE, patch)


def test_name_and_record_go_in_one_patch() -> None:
    api = FakeApi(controller("CronJob", scheduler="own"))
    assert set_scheduler(api, SET, settings(api)).changed
    assert [(c.verb, c.resource) for c in api.writes()] == [("patch", "cronjobs")]
    found = api.get(CRON_JOB, "web", NAMESPACE)
    assert (name_in(api), found["metadata"]["annotations"]) == ("new", {PREVIOUS: "own"})


def test_a_change_by_someone_else_is_kept_and_the_patch_sent_again() -> None:
    api = FakeApi(controller("CronJob", scheduler="own"))
    api.before("patch", "cronjobs", lambda: touch(api, {"theirs": "kept"}))
    assert set_scheduler(api, SET, settings(api)).changed
    found = api.get(CRON_JOB, "web", NAMESPACE)["metadata"]["annotations"]
    assert found == {"theirs": "kept", PREVIOUS: "own"}
    assert len(api.writes()) == 2


def test_an_opt_out_that_comes_in_between_is_respected() -> None:
    api = FakeApi(controller("CronJob", scheduler="own"))
    stop = {"podplacement.io/do-not-move": "true"}
    api.before("patch", "cronjobs", lambda: touch(api, stop))
    with pytest.raises(PlacementError) as raised:
        set_scheduler(api, SET, settings(api))
    assert (raised.value.code, raised.value.changed, name_in(api)) == ("OptedOut", False, "own")


def test_somebody_who_sets_the_same_name_first_leaves_nothing_to_do() -> None:
    api = FakeApi(controller("CronJob", scheduler="own"))
    api.before("patch", "cronjobs", lambda: touch(api, {}, "new"))
    set_scheduler(api, SET, settings(api))
    assert (name_in(api), len(api.writes())) == ("new", 1)


def test_a_lost_reply_is_looked_into() -> None:
    """Whether the patch came through or not, it is done once in the end."""
    for arrived in (False, True):
        api = FakeApi(controller("CronJob", scheduler="own"))

        def lose(api: FakeApi = api, arrived: bool = arrived) -> None:
            if arrived:
                touch(api, {PREVIOUS: "own"}, "new")
            raise OutcomeUnknown(0, "OutcomeUnknown", "the connection broke")

        api.before("patch", "cronjobs", lose)
        assert set_scheduler(api, SET, settings(api)).changed
        found = api.get(CRON_JOB, "web", NAMESPACE)["metadata"]["annotations"]
        assert (name_in(api), found) == ("new", {PREVIOUS: "own"})


def test_an_object_that_never_rests_is_given_up() -> None:
    api = FakeApi(controller("CronJob", scheduler="own"))
    for count in range(20):
        api.before("patch", "cronjobs", partial(touch, api, {"count": str(count)}))
    with pytest.raises(PlacementError) as raised:
        set_scheduler(api, SET, settings(api))
    assert (raised.value.code, name_in(api)) == ("Conflict", "own")


def test_an_object_that_was_replaced_is_not_the_one_that_was_meant() -> None:
    api = FakeApi(controller("CronJob", scheduler="own"))

    def replace() -> None:
        api.put(controller("CronJob", scheduler="own", metadata={"uid": "another"}))

    api.before("patch", "cronjobs", replace)
    with pytest.raises(PlacementError) as raised:
        set_scheduler(api, SET, settings(api))
    assert (raised.value.code, name_in(api)) == ("Conflict", "own")


def test_a_failure_halfway_tells_what_had_been_done() -> None:
    """The second of two controllers is forbidden: the first is reported as changed."""
    labels = {"labels": {"team": "data"}}
    first = controller("CronJob", metadata=labels)
    second = controller("CronJob", metadata={**labels, "name": "zoo", "uid": "zoo-uid"})
    api = FakeApi(first, second)
    request = Request(CRON_JOB, NAMESPACE, label_selectors=("team=data",), scheduler_name="new")
    refused = Forbidden(403, "Forbidden", "no", request="cronjobs patch")
    api.before("patch", "cronjobs", lambda: api.before("patch", "cronjobs", refused))
    with pytest.raises(PlacementError) as raised:
        set_scheduler(api, request, settings(api))
    assert (raised.value.code, raised.value.changed) == ("RbacDenied: cronjobs patch", True)
    assert [c["name"] for c in raised.value.result["controllers"]] == ["web"]
    assert list(raised.value.result["diff"]["after"]) == ["CronJob shop/web"]


def test_check_mode_sends_the_same_patch_as_a_dry_run() -> None:
    api = FakeApi(controller("CronJob", scheduler="own"))
    outcome = set_scheduler(api, SET, settings(api, check=True))
    assert outcome.changed
    assert api.writes() == []
    assert [c for c in api.calls if c.dry_run and c.verb == "patch"]
    assert name_in(api) == "own"
