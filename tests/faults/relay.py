# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wire that a test can cut or hold: bytes pass between a client and the API server, unread.

TLS goes through untouched, so that what breaks is what a switch or a firewall breaks: `kill` resets
all connections; `stall` keeps them open and passes nothing more, as a firewall that has forgotten
them does; new connections work again unless `refuse` is on.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import socket
import struct
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

CHUNK = 65536
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset


class Relay:
    """One relay on a free port of the loopback interface, in a thread of its own."""

    def __init__(self, upstream: Path, folder: Path) -> None:
        content: Any = yaml.safe_load(Path(upstream).read_text(encoding="utf-8"))
        url = urlsplit(content["clusters"][0]["cluster"]["server"])
        self._target = (str(url.hostname), int(url.port or 443))
        self._loop = asyncio.new_event_loop()
        self._pairs: dict[asyncio.StreamWriter, asyncio.StreamWriter] = {}
        self._held: set[asyncio.StreamWriter] = set()
        self.refuse = False
        self.accepted = 0
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._server = self._do(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        changed = copy.deepcopy(content)
        changed["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self.port}"
        self.kubeconfig = folder / f"relay-{self.port}.yml"
        self.kubeconfig.write_text(yaml.safe_dump(changed), encoding="utf-8")

    def _do(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def kill(self) -> int:
        """Reset every connection; how many there were."""

        async def kill() -> int:
            for client, server in list(self._pairs.items()):
                for side in (client, server):
                    raw: socket.socket = side.get_extra_info("socket")
                    with contextlib.suppress(OSError):
                        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    side.transport.abort()
            return len(self._pairs)

        found: int = self._do(kill())
        return found

    def stall(self) -> int:
        """Pass nothing more on the connections that are open now; how many there are."""

        async def stall() -> int:
            self._held |= set(self._pairs)
            return len(self._held)

        found: int = self._do(stall())
        return found

    def close(self) -> None:
        """Stop listening and cut all."""
        self.refuse = True
        self.kill()
        self._loop.call_soon_threadsafe(self._server.close)

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if self.refuse:
            client.transport.abort()
            return
        try:
            back, server = await asyncio.open_connection(*self._target)
        except OSError:
            client.transport.abort()
            return
        self.accepted += 1
        self._pairs[client] = server
        try:
            await asyncio.gather(
                self._pump(reader, server, client), self._pump(back, client, client)
            )
        finally:
            self._pairs.pop(client, None)
            self._held.discard(client)
            for side in (client, server):
                side.transport.abort()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, pair: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(CHUNK):
                if pair in self._held:
                    continue  # swallowed, and nobody is told
                sink.write(data)
                await sink.drain()
        if pair not in self._held and sink.can_write_eof():
            with contextlib.suppress(OSError, RuntimeError):
                sink.write_eof()
