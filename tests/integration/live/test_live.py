# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch caches against a real API server: they show what is there, also after a break."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from typing import Any

import pytest
from kubernetes.client import Configuration
from kubernetes.config import load_kube_config

from ansible_collections.podplacement.core.plugins.module_utils._kube import HttpTransport
from ansible_collections.podplacement.core.plugins.module_utils.client import KubeApi
from ansible_collections.podplacement.core.plugins.module_utils.clock import Clock
from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    Conflict,
    NotFound,
    OutcomeUnknown,
)
from ansible_collections.podplacement.core.plugins.module_utils.live import LiveApi
from ansible_collections.podplacement.core.plugins.module_utils.resources import (
    POD,
    Kind,
    label,
    meta,
    uid,
)
from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube, Object
from tests.integration.manifests import pod

pytestmark = pytest.mark.cluster
SCHEDULER = "nobody-runs-this"
WORKERS = 4
ROUNDS = 12


def connect(cluster: Cluster) -> KubeApi:
    configuration = Configuration()
    load_kube_config(str(cluster.kubeconfig), client_configuration=configuration)
    return KubeApi(HttpTransport(configuration, {}, "tests"), Clock())


class Brittle(KubeApi):
    """A client whose watches break when a test says, and may then be told another version."""

    version = ""

    def __init__(self, api: KubeApi) -> None:
        super().__init__(api.transport, api.clock)
        self.broken = threading.Event()
        self.begun = 0

    def events(
        self, kind: Kind, namespace: str | None, *, resource_version: str, seconds: int
    ) -> Generator[Mapping[str, Any], None, None]:
        self.begun += 1
        wanted, self.version = self.version or resource_version, ""
        for event in super().events(kind, namespace, resource_version=wanted, seconds=seconds):
            if self.broken.is_set():
                self.broken.clear()
                raise OutcomeUnknown(0, "OutcomeUnknown", "the connection broke")
            yield event


@pytest.fixture
def api(cluster: Cluster) -> Brittle:
    return Brittle(connect(cluster))


@pytest.fixture
def live(api: Brittle) -> Iterator[LiveApi]:
    found = LiveApi(api, Clock())
    yield found
    found.close()


def pending(name: str) -> Object:
    return pod(name, SCHEDULER)


def shown(pods: list[Object]) -> dict[str, str]:
    return {meta(p)["name"]: meta(p)["resourceVersion"] for p in pods}


def agrees(live: LiveApi, api: KubeApi, namespace: str) -> None:
    """Wait by the watch until the cache shows what a list does."""
    for _look in range(50):
        cached, version = live.list(POD, namespace)
        if shown(cached) == shown(api.list(POD, namespace)[0]):
            return
        live.wait_change(POD, namespace, resource_version=version, timeout=1.0)
    assert shown(live.list(POD, namespace)[0]) == shown(api.list(POD, namespace)[0])


def busy(live: LiveApi, namespace: str, worker: int) -> None:
    """Make, change and delete pods of this worker, and see each at once."""
    for round_number in range(ROUNDS):
        name = f"w{worker}-{round_number}"
        made = live.create(POD, pending(name), namespace)
        assert uid(live.get(POD, name, namespace)) == uid(made)
        live.patch(POD, name, {"metadata": {"labels": {"round": name}}}, namespace)
        found = live.list(POD, namespace, label_selector=f"round={name}")[0]
        assert [meta(p)["name"] for p in found] == [name]
        if round_number % 3:
            live.delete(POD, name, namespace, uid=uid(made), grace_period=0)
            with pytest.raises(NotFound):
                live.get(POD, name, namespace)


def in_threads(work: Callable[[int], None]) -> None:
    problems: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as err:
            problems.append(err)
            raise

    threads = [threading.Thread(target=run, args=(n,)) for n in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_many_writers_see_their_own_writes_and_the_cache_ends_right(
    live: LiveApi, api: Brittle, namespace: str
) -> None:
    live.watch([POD], [namespace])
    in_threads(lambda number: busy(live, namespace, number))
    agrees(live, api, namespace)
    assert len(live.list(POD, namespace)[0]) == WORKERS * len(range(0, ROUNDS, 3))


def test_a_watch_that_breaks_goes_on_without_a_gap(
    live: LiveApi, api: Brittle, kube: Kube, namespace: str
) -> None:
    live.watch([POD], [namespace])
    for number in range(3):
        api.broken.set()
        kube.create(pending(f"a{number}"), namespace)
        kube.create(pending(f"b{number}"), namespace)
        agrees(live, api, namespace)
    assert api.begun >= 3


def test_a_forgotten_version_is_listed_anew_and_the_dead_do_not_return(
    live: LiveApi, api: Brittle, kube: Kube, namespace: str
) -> None:
    """The watch is resumed from version 1, which the server has compacted: a real 410."""
    for name in ("stays", "goes"):
        kube.create(pending(name), namespace)
    live.watch([POD], [namespace])
    api.version = "1"
    api.broken.set()
    kube.create(pending("comes"), namespace)
    kube.delete("Pod", "goes", namespace, grace=0)
    agrees(live, api, namespace)
    assert set(shown(live.list(POD, namespace)[0])) == {"stays", "comes"}


def test_a_lost_race_is_known_at_once(live: LiveApi, kube: Kube, namespace: str) -> None:
    kube.create(pending("p"), namespace)
    old = live.get(POD, "p", namespace)
    guard = {"metadata": {"resourceVersion": meta(old)["resourceVersion"]}}
    for number in range(20):
        kube.patch("Pod", "p", {"metadata": {"labels": {"n": str(number)}}}, namespace)
        with suppress(Conflict):
            live.patch(POD, "p", guard, namespace)
        assert label(live.get(POD, "p", namespace), "n") == str(number)
