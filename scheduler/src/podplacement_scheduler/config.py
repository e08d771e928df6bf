# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration has the shape of KubeSchedulerConfiguration; an unknown key is refused.

Names and defaults are those of k8s.io/kube-scheduler/config/v1 (types.go, and pkg/scheduler/apis/
config/v1/defaults.go) wherever that has the same thing; the rest is this daemon's own. A file is
YAML or JSON. Durations are texts as upstream writes them: `15s`, `500ms`, `2m`.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml

from .errors import ConfigError

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
_NAME = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"

Duration = Annotated[str, msgspec.Meta(pattern=r"^(\d+h)?(\d+m)?(\d+(\.\d+)?s)?(\d+ms)?$")]
DnsName = Annotated[str, msgspec.Meta(pattern=_NAME, max_length=253)]
Positive = Annotated[int, msgspec.Meta(ge=1)]


def seconds(duration: str) -> float:
    """`1m30s` -> 90.0; what does not parse is refused when the file is read."""
    found = _DURATION.fullmatch(duration)
    if found is None or not duration:
        raise ConfigError(f"{duration!r} is not a duration such as 15s or 500ms")
    hours, minutes, secs, millis = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + secs + millis / 1000


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A part of the file; attributes are its keys in snake case."""


class ClientConnection(_Section, frozen=True):
    """How the API server is reached; without a kubeconfig: as the pod's service account."""

    kubeconfig: str = ""
    context: str = ""


class LeaderElection(_Section, frozen=True):
    """The Lease that one of several replicas holds. An empty resource name is the name of the first
    profile: never `kube-scheduler`, which is another scheduler's."""

    leader_elect: bool = True
    lease_duration: Duration = "15s"
    renew_deadline: Duration = "10s"
    retry_period: Duration = "2s"
    resource_name: str = ""
    resource_namespace: DnsName = "kube-system"


class PluginRef(_Section, frozen=True):
    """A plugin by name; weight 0 means the plugin's own."""

    name: str
    weight: Annotated[int, msgspec.Meta(ge=0)] = 0


class PluginSet(_Section, frozen=True):
    """What is switched on and off at one extension point; `*` switches all defaults off."""

    enabled: list[PluginRef] = []
    disabled: list[PluginRef] = []


class Plugins(_Section, frozen=True):
    """The extension points, under upstream's names."""

    multi_point: PluginSet = PluginSet()
    pre_enqueue: PluginSet = PluginSet()
    queue_sort: PluginSet = PluginSet()
    pre_filter: PluginSet = PluginSet()
    filter: PluginSet = PluginSet()
    post_filter: PluginSet = PluginSet()
    pre_score: PluginSet = PluginSet()
    score: PluginSet = PluginSet()
    reserve: PluginSet = PluginSet()
    permit: PluginSet = PluginSet()
    pre_bind: PluginSet = PluginSet()
    bind: PluginSet = PluginSet()
    post_bind: PluginSet = PluginSet()


class PluginConfig(_Section, frozen=True):
    """Arguments of one plugin; the plugin refuses what it does not know."""

    name: str
    args: dict[str, Any] = {}


class Profile(_Section, frozen=True):
    """One scheduler name, and how its pods are placed.

    `timestamp_annotation` also writes `Scheduler-Timestamp` (nanoseconds) to each bound pod.
    """

    scheduler_name: DnsName
    plugins: Plugins = Plugins()
    plugin_config: list[PluginConfig] = []
    percentage_of_nodes_to_score: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None
    timestamp_annotation: bool = False


class UserPlugins(_Section, frozen=True):
    """Plugins that are not built in.

    `directory` holds Python files. With `digests` (file name -> sha256 in hex) only those files
    are loaded, and only if they are as pinned; without it, all. `entry_points` loads those that
    installed packages offer in the group `podplacement_scheduler.plugins`. A plugin that takes
    longer than `budget` for one call `max_overruns` times in a row is switched off.
    `state_directory` keeps, over a restart, which plugin blocked the process.
    """

    directory: str = ""
    digests: dict[str, Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]] = {}
    entry_points: bool = False
    budget: Duration = "50ms"
    max_overruns: Positive = 10
    state_directory: str = ""


class Events(_Section, frozen=True):
    """Which events are written, and how many may wait: past that they are dropped and counted."""

    mode: Literal["all", "failures", "off"] = "all"
    queue_length: Positive = 10000


class Server(_Section, frozen=True):
    """Health is served on `health_address`; metrics and the rest on `address`. An `address` other
    than localhost is refused without `authorization` (TokenReview and SubjectAccessReview)."""

    health_address: str = "0.0.0.0:10258"
    address: str = "127.0.0.1:10259"
    authorization: bool = False
    certificate_file: str = ""
    key_file: str = ""


class Logging(_Section, frozen=True):
    """Structured logs on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "json"


class Configuration(_Section, frozen=True):
    """The whole file."""

    profiles: Annotated[list[Profile], msgspec.Meta(min_length=1)]
    api_version: Literal["scheduler.podplacement.io/v1"] = "scheduler.podplacement.io/v1"
    kind: Literal["SchedulerConfiguration"] = "SchedulerConfiguration"
    client_connection: ClientConnection = ClientConnection()
    leader_election: LeaderElection = LeaderElection()
    # Only nodes with these labels are used: a pool of one's own, where no other scheduler races.
    node_selector: dict[str, str] = {}
    # Bindings under way at a time.
    parallel_binds: Annotated[int, msgspec.Meta(ge=1, le=512)] = 32
    percentage_of_nodes_to_score: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    pod_initial_backoff_seconds: Positive = 1
    pod_max_backoff_seconds: Positive = 10
    # How often what is believed is compared with what the server says; 0s: never.
    consistency_interval: Duration = "5m"
    events: Events = Events()
    user_plugins: UserPlugins = UserPlugins()
    server: Server = Server()
    logging: Logging = Logging()


def load(path: Path, *, sha256: str = "") -> Configuration:
    """Read and check a file, of this content where it is pinned; raises ConfigError."""
    try:
        content = path.read_bytes()
        if sha256 and hashlib.sha256(content).hexdigest() != sha256:
            raise ConfigError("its content is not the one that is pinned (--config-sha256)")
        return parse(yaml.safe_load(content))
    except OSError as err:
        raise ConfigError(f"{path} cannot be read: {err.strerror}") from err
    except yaml.YAMLError as err:
        raise ConfigError(f"{path} is not YAML: {err}") from err
    except ConfigError as err:
        raise ConfigError(f"{path}: {err}") from err


def parse(content: object) -> Configuration:
    """Check what a file holds; raises ConfigError with the place of the first mistake."""
    try:
        config = msgspec.convert(content, Configuration)
    except msgspec.ValidationError as err:
        raise ConfigError(str(err)) from err
    _check(config)
    return config


def _check(config: Configuration) -> None:
    """What no type can say."""
    names = [profile.scheduler_name for profile in config.profiles]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"profiles: {', '.join(twice)} is there twice; give each its own name")
    election = config.leader_election
    lease, renew, retry = (
        seconds(text)
        for text in (election.lease_duration, election.renew_deadline, election.retry_period)
    )
    if not lease > renew > 1.2 * retry > 0:
        raise ConfigError(
            "leaderElection: leaseDuration must be greater than renewDeadline, and that greater "
            "than 1.2 times retryPeriod, as kube-scheduler demands"
        )
    if config.pod_max_backoff_seconds < config.pod_initial_backoff_seconds:
        raise ConfigError("podMaxBackoffSeconds is less than podInitialBackoffSeconds")
    _check_server(config.server)
    for text in (config.consistency_interval, config.user_plugins.budget):
        seconds(text)


def _check_server(server: Server) -> None:
    for key, text in (("healthAddress", server.health_address), ("address", server.address)):
        host, _colon, port = text.rpartition(":")
        if not host or not port.isdigit() or not 0 <= int(port) < 65536:
            raise ConfigError(f"server.{key}: {text!r} is not host:port")
    if bool(server.certificate_file) != bool(server.key_file):
        raise ConfigError("server: certificateFile and keyFile belong together; give both or none")
    local = server.address.rpartition(":")[0] in ("127.0.0.1", "localhost", "[::1]")
    if not local and not server.authorization:
        raise ConfigError(
            f"server.address: {server.address} is open to others; set server.authorization to true "
            "(TokenReview and SubjectAccessReview), or keep it on 127.0.0.1"
        )
