# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who we are towards the API server, and how it proves who it is; both may change while we run.

A process of its own reads both (see `reading`). It runs again when the server answers 401, when
what a plugin gave is about to expire, and when a file has changed, which is looked at once a
minute: tokens of service accounts live an hour, and certificates are replaced in their files.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from tempfile import NamedTemporaryFile

from ..config import ClientConnection
from ..errors import ConfigError
from .reading import Reading, Unreadable, read

REFRESH_SECONDS = 60.0
# After a 401 the source is asked again, but not for each of many requests that fail together.
RENEW_SECONDS = 5.0

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
    """The identity that is `current`, and when to read it again."""

    def __init__(self, read: Callable[[], Reading]) -> None:
        """`read` blocks, and raises Unreadable."""
        self._read = read
        self._looked_at: float | None = None
        self._renewed_at: float | None = None
        self._lock = asyncio.Lock()
        self._reading = read()
        self.current = _identity(self._reading, None)

    def is_due(self, now: float) -> bool:
        """Whether `refresh` has something to look at; cheap, for every request."""
        if self._looked_at is None:
            self._looked_at = now
        return now - self._looked_at >= REFRESH_SECONDS

    async def refresh(self) -> None:
        """Read again where something changed; what cannot be read now stays as it was."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if not self.is_due(now):
                return
            self._looked_at = now
            if await asyncio.to_thread(self._reading.is_stale, time.time()):
                await self._read_again()

    async def renew(self, refused: Identity) -> bool:
        """The server answered 401: read again; whether there is something new to try."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            lately = self._renewed_at is not None and now - self._renewed_at < RENEW_SECONDS
            if self.current is refused and not lately:
                self._looked_at = self._renewed_at = now
                await self._read_again()
            return self.current is not refused

    async def _read_again(self) -> None:
        """In a thread: a plugin or a slow disk must not stop the loop."""
        try:
            self._reading, self.current = await asyncio.to_thread(self._read_now)
        except Unreadable as err:
            # Its text may quote what it could not read, so only the kind of error is told.
            log.warning("credentials cannot be read, the old ones stay: %s", err.kind)

    def _read_now(self) -> tuple[Reading, Identity]:
        reading = self._read()
        return reading, _identity(reading, self.current)


def credentials(settings: ClientConnection) -> Credentials:
    """Those of the kubeconfig, else of the pod's service account, else of $KUBECONFIG."""
    path = settings.kubeconfig
    if not path and not os.environ.get("KUBERNETES_SERVICE_HOST"):
        path = os.environ.get("KUBECONFIG", "")
        if not path:
            raise ConfigError("not in a cluster and no kubeconfig: give --kubeconfig FILE")
    return Credentials(lambda: read(path, settings.context))


def _identity(reading: Reading, before: Identity | None) -> Identity:
    """What a reading amounts to; the very same object where nothing has changed."""
    material = _material(reading)
    same_tls = before is not None and before.material == material
    identity = Identity(
        server=reading.server,
        server_name=reading.server_name,
        proxy=reading.proxy,
        authorization=reading.authorization,
        tls=before.tls if before and same_tls else _tls(reading),
        material=material,
    )
    return before if before is not None and identity == before else identity


def _material(reading: Reading) -> bytes:
    """All bytes that the TLS settings are made of, to see when they change."""
    if not reading.server.startswith("https"):
        return b""
    parts = [part or b"" for part in (reading.ca, reading.certificate, reading.key)]
    return b"\0".join((*parts, b"verified" if reading.verify else b"any"))


def _tls(reading: Reading) -> ssl.SSLContext | None:
    if not reading.server.startswith("https"):
        return None
    try:
        # Comments in a bundle may be in any language; an empty one must not mean the system's.
        ca = None if reading.ca is None else reading.ca.decode("ascii", "ignore") or "empty"
        context = ssl.create_default_context(cadata=ca)
        # The strict checks of Python 3.13 ask for an extension that the CAs of kubeadm lack.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not reading.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if reading.certificate is not None:
            _prove(context, reading.certificate, reading.key or b"")
    except (OSError, ValueError) as err:
        kind = type(err).__name__
        raise Unreadable(
            f"certificates for {reading.server} cannot be used: {kind}", kind
        ) from None
    return context


def _prove(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """The library takes certificates from files only; nobody else can read this one."""
    with NamedTemporaryFile(prefix="podplacement-") as file:
        file.write(certificate + b"\n" + key)
        file.flush()
        context.load_cert_chain(file.name)
