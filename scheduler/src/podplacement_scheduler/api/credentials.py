# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who we are towards the API server, and how it proves who it is; both may change while we run.

The official client reads kubeconfigs (exec plugins, token files, certificates, proxies) and the
service account of a pod. What it read is looked at again once a minute and whenever the server
answers 401: tokens of service accounts live an hour, and certificates are replaced in their files.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import yaml
from kubernetes import client, config
from kubernetes.config import ConfigException
from kubernetes.config.kube_config import KubeConfigMerger

from ..config import ClientConnection
from ..errors import ConfigError

REFRESH_SECONDS = 60.0
# After a 401 the source is asked again, but not for each of many requests that fail together.
RENEW_SECONDS = 5.0

# What the official client raises, ConfigException apart, where a file is missing or broken.
_UNREADABLE = (ConfigException, OSError, ValueError, LookupError, TypeError, yaml.YAMLError)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Identity:
    """One reading of the source. `authorization` is the header's value, empty for none."""

    server: str
    server_name: str | None
    proxy: str | None
    authorization: str = field(repr=False)
    tls: ssl.SSLContext | None = field(repr=False)
    material: bytes = field(repr=False)


class Credentials:
    """The identity that is `current`, and when to read it again.

    `costly` sources are not read again each minute: an exec plugin may take seconds, and is run
    when what it gave expires (its own hook says) or when the server refuses it.
    """

    def __init__(self, load: Callable[[], Any], *, costly: bool = False) -> None:
        self._load = load
        self._costly = costly
        self._read_at: float | None = None
        self._renewed_at: float | None = None
        self._lock = asyncio.Lock()
        self._configuration = load()
        self.current = _identity(self._configuration, None)

    def is_due(self, now: float) -> bool:
        """Whether `refresh` has something to do; cheap, for every request."""
        if self._read_at is None:
            self._read_at = now
        return now - self._read_at >= REFRESH_SECONDS

    async def refresh(self) -> None:
        """Read again what may have changed; what cannot be read now stays as it was."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if self.is_due(now):
                # The hook knows tokens only: a plugin that gives certificates is run again.
                whole = not (self._costly and self.current.authorization)
                await self._read(now, whole=whole)

    async def renew(self, refused: Identity) -> bool:
        """The server answered 401: read again; whether there is something new to try."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            lately = self._renewed_at is not None and now - self._renewed_at < RENEW_SECONDS
            if self.current is refused and not lately:
                self._renewed_at = now
                await self._read(now, whole=True)
            return self.current is not refused

    async def _read(self, now: float, *, whole: bool) -> None:
        """In a thread: a plugin or a slow disk must not stop the loop."""
        self._read_at = now
        try:
            self.current = await asyncio.to_thread(self._read_now, whole)
        except _UNREADABLE as err:
            # Its text may quote what it could not read, so only the kind of error is told.
            log.warning("credentials cannot be read, the old ones stay: %s", type(err).__name__)

    def _read_now(self, whole: bool) -> Identity:
        if whole:
            self._configuration = self._load()
        return _identity(self._configuration, self.current)


def credentials(settings: ClientConnection) -> Credentials:
    """Those of the kubeconfig, else of the pod's service account, else of $KUBECONFIG."""
    path = settings.kubeconfig
    if not path and not os.environ.get("KUBERNETES_SERVICE_HOST"):
        path = os.environ.get("KUBECONFIG", "")
        if not path:
            raise ConfigError("not in a cluster and no kubeconfig: give --kubeconfig FILE")

    def load() -> Any:
        configuration = client.Configuration()
        if path:
            config.load_kube_config(
                config_file=path,
                context=settings.context or None,
                client_configuration=configuration,
                persist_config=False,
            )
        else:
            config.load_incluster_config(client_configuration=configuration)
        return configuration

    try:
        return Credentials(load, costly=bool(path) and _runs_a_plugin(path, settings.context))
    except ConfigException as err:
        raise ConfigError(f"no credentials from {path or 'the service account'}: {err}") from err
    except _UNREADABLE as err:
        # Not its text, which may quote the file, nor itself as the cause.
        told = getattr(err, "strerror", None) or type(err).__name__
        raise ConfigError(f"{path or 'the service account'} cannot be read: {told}") from None


def _runs_a_plugin(path: str, context: str) -> bool:
    """Whether the user of this context gets its identity from a program."""
    content = KubeConfigMerger(path).config
    entry = content["contexts"].get_with_name(context or content["current-context"], safe=True)
    name = entry["context"].safe_get("user") if entry else None
    user = content["users"].get_with_name(name, safe=True) if name else None
    return user is not None and any(key in user["user"] for key in ("exec", "auth-provider"))


def _identity(configuration: Any, before: Identity | None) -> Identity:
    """Take what the official client read; the very same object where nothing has changed.

    Asking for the key runs the refresh hook, which plugins and service accounts have.
    """
    key: str | None = configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
    server = configuration.host.rstrip("/")
    material = _material(configuration) if server.startswith("https") else b""
    same_tls = before is not None and before.material == material
    identity = Identity(
        server=server,
        server_name=configuration.tls_server_name or None,
        proxy=_proxy(configuration),
        authorization=" ".join(key.split()) if key else "",
        tls=before.tls if before and same_tls else _tls(configuration, server),
        material=material,
    )
    return before if before is not None and identity == before else identity


def _material(configuration: Any) -> bytes:
    """All bytes that the TLS settings are made of, to see when they change."""
    paths = (configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file)
    parts = [Path(path).read_bytes() if path else b"" for path in paths]
    return b"\0".join((*parts, b"verified" if configuration.verify_ssl else b"any"))


def _tls(configuration: Any, server: str) -> ssl.SSLContext | None:
    if not server.startswith("https"):
        return None
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert or None)
    # The strict checks of Python 3.13 ask for an extension that the CAs of kubeadm lack.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file or None)
    return context


def _proxy(configuration: Any) -> str | None:
    """The proxy to use for this server, if any; NO_PROXY counts where the environment names it."""
    proxy: str | None = configuration.proxy
    host = urlsplit(configuration.host).hostname or ""
    if proxy and proxy in getproxies().values() and proxy_bypass(host):
        return None
    return proxy or None
