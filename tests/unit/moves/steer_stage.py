# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles of a steered move: O and N of the name db-1, a StatefulSet of three, and its tools."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.podplacement.core.plugins.module_utils.moves.journal import Entry
from ansible_collections.podplacement.core.plugins.module_utils.moves.names import MOVE_ID, move_id
from ansible_collections.podplacement.core.plugins.module_utils.moves.scene import Step
from ansible_collections.podplacement.core.plugins.module_utils.moves.steer import Steer
from ansible_collections.podplacement.core.plugins.module_utils.moves.steering import HOSTNAME
from ansible_collections.podplacement.core.plugins.module_utils.moves.toolbox import tools
from ansible_collections.podplacement.core.plugins.module_utils.resources import Kind
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import (
    IMAGE,
    NS,
    Object,
    held_lock,
    holder,
    node,
    pod,
    settings,
)

LABELS = {"app": "db"}
NEW, OLD = "db-new", "db-old"  # revisions
SERVER_TIME = "2026-01-01T00:00:00Z"


def stateful_set(**spec: Any) -> Object:
    """A StatefulSet of three, whose rollout is complete; `status` goes into its status."""
    status = spec.pop("status", {})
    container = {"name": "app", "image": IMAGE}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": NS, "uid": "uid-db", "generation": 1},
        "spec": {
            "replicas": 3,
            "serviceName": "db",
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": {"containers": [container]}},
            **spec,
        },
        "status": {
            "observedGeneration": 1,
            "currentRevision": NEW,
            "updateRevision": NEW,
            **status,
        },
    }


SET = stateful_set()


def member(
    name: str = "db-1", *, revision: str = NEW, marks: Mapping[str, str] | None = None, **more: Any
) -> Object:
    """A pod of the set; with `uid` another one of that name."""
    uid = more.pop("uid", f"uid-{name}")
    owner = more.pop("owner", SET)
    labels = {**LABELS, "controller-revision-hash": revision, **(marks or {})}
    found = pod(name, owner=owner, labels=labels, **more)
    found["metadata"]["uid"] = uid
    return found


def steered(way: str = "static", **more: Any) -> Entry:
    """The move of db-1 from node a to node b."""
    values: dict[str, Any] = {
        "id": move_id("uid-db-1", "b"),
        "strategy": "steer",
        "pod": "db-1",
        "pod_uid": "uid-db-1",
        "from_node": "a",
        "node": "b",
        "placement": "schedule",
        "owner_kind": "StatefulSet",
        "owner_name": "db",
        "owner_uid": "uid-db",
        "owner_api": "apps/v1",
        "revision": NEW,
        "way": way,
    }
    return Entry(**(values | more))


def arrived(way: str = "static", **more: Any) -> Object:
    """N, on node b."""
    marks = {MOVE_ID: steered(way).id} if way in ("block", "hold") else {}
    return member(uid="uid-new", on=more.pop("on", "b"), marks=marks, **more)


class Server(FakeApi):
    """Tells the time in dry runs, and steers or blocks pods where it is told to."""

    obeys = True

    def create(
        self,
        kind: Kind,
        body: Mapping[str, Any],
        namespace: str | None = None,
        *,
        dry_run: bool = False,
    ) -> Object:
        made = super().create(kind, body, namespace, dry_run=dry_run)
        if dry_run:
            made["metadata"]["creationTimestamp"] = SERVER_TIME
            if self.obeys and kind.kind == "Pod":
                made["spec"]["nodeSelector"] = {
                    HOSTNAME: "host-b",
                    **(made["spec"].get("nodeSelector") or {}),
                }
        return made


class Stage:
    """A machine before a world, with its lock held; `tooled`: its tools are in place."""

    def __init__(self, folder: Path, *objects: Object, **how: Any) -> None:
        way = how.pop("way", "static")
        resume, tooled = how.pop("resume", False), how.pop("tooled", False)
        owner = how.pop("owner", SET)
        self.move: Entry = how.pop("move", None) or steered(way)
        nodes = [node("a"), how.pop("target", node("b"))]
        nodes[1]["metadata"]["labels"] = {HOSTNAME: "host-b"}
        self.api = Server(*nodes, *objects, *([owner] if owner else []))
        self.api.put(revision())
        self.who = holder(folder)
        self.lock = held_lock(self.api, self.who, self.move)
        options = settings(self.api.clock, self.who, **how)
        if tooled:
            for tool in tools(self.move, self.lock, "host-b", SERVER_TIME):
                self.api.put(tool[1])
        self.machine = Steer(self.api, self.lock, self.move, options, owner or SET, resume=resume)
        self.machine.tools.lapses = self.api.clock.now + 3600

    def step(self) -> Step:
        return self.machine.decide(self.machine.look())

    def act(self, verb: str, step: Step | None = None) -> None:
        self.machine.act(verb, self.machine.look(), step or Step(verb))

    def to_the_end(self) -> tuple[list[str], Step]:
        """Do every step up to a wait or the end: their verbs, and the last one."""
        verbs: list[str] = []
        while True:
            scene = self.machine.look()
            step = self.machine.decide(scene)
            if step.verb in ("wait", "done"):
                return verbs, step
            verbs.append(step.verb)
            self.machine.act(step.verb, scene, step)


def revision(name: str = NEW) -> Object:
    """The ControllerRevision of that name: the template as it was then."""
    template = {**SET["spec"]["template"], "$patch": "replace"}
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": name, "namespace": NS},
        "data": {"spec": {"template": template}},
    }
