# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health answers everybody, the rest only who may; slow and many clients do no harm."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from podplacement_scheduler.clock import LoopClock
from podplacement_scheduler.config import Server as Settings
from podplacement_scheduler.observe import server as module
from podplacement_scheduler.observe.access import Access
from podplacement_scheduler.observe.server import Answer, Server
from podplacement_scheduler.testing.loop import run

from .test_access import Reviewer

LOCAL = Settings(health_address="127.0.0.1:0", address="127.0.0.1:0")


async def metrics(_query: Mapping[str, str]) -> Answer:
    return Answer(b"up 1\n", "text/plain; version=0.0.4")


async def explain(query: Mapping[str, str]) -> Answer:
    return Answer(query.get("pod", "").encode(), "text/plain")


def serve(
    test: Callable[[Server, aiohttp.ClientSession], Awaitable[None]],
    settings: Settings = LOCAL,
    **more: Any,
) -> None:
    async def main() -> None:
        ready: Mapping[str, str] = more.pop("ready", {})
        pages = {"/metrics": metrics, "/explain": explain}
        server = Server(settings, ready=lambda: ready, pages=pages, **more)
        await server.start()
        try:
            async with aiohttp.ClientSession() as session:
                await test(server, session)
        finally:
            await server.close()

    asyncio.run(main())


async def get(session: aiohttp.ClientSession, url: str, **more: Any) -> tuple[int, str]:
    async with session.get(url, **more) as answer:
        return answer.status, await answer.text()


def test_health_is_open() -> None:
    async def test(server: Server, session: aiohttp.ClientSession) -> None:
        at = f"http://{server.health_address}"
        assert await get(session, f"{at}/healthz") == (200, "ok")
        assert await get(session, f"{at}/livez") == (200, "ok")
        assert await get(session, f"{at}/readyz") == (200, "ok")
        assert (await get(session, f"{at}/metrics"))[0] == 404

    serve(test, access=Access(Reviewer(), LoopClock()))


def test_readiness_says_what_is_missing() -> None:
    async def test(server: Server, session: aiohttp.ClientSession) -> None:
        at = f"http://{server.health_address}"
        assert await get(session, f"{at}/healthz") == (200, "ok")
        status, text = await get(session, f"{at}/readyz")
        assert status == 500
        assert text == "[+]leader ok\n[-]synced failed: pods\nreadyz check failed\n"
        checks["synced"] = ""
        _status, text = await get(session, f"{at}/readyz?verbose")
        assert text == "[+]leader ok\n[+]synced ok\nreadyz check passed\n"

    checks = {"leader": "", "synced": "pods"}
    serve(test, ready=checks)


def test_pages_are_served_where_nobody_else_is() -> None:
    async def test(server: Server, session: aiohttp.ClientSession) -> None:
        at = f"http://{server.address}"
        assert await get(session, f"{at}/metrics") == (200, "up 1\n")
        assert await get(session, f"{at}/explain?pod=a/b") == (200, "a/b")
        assert (await get(session, f"{at}/nothing"))[0] == 404

    serve(test)


def test_with_authorization_only_who_may_gets_in() -> None:
    async def test(server: Server, session: aiohttp.ClientSession) -> None:
        at = f"http://{server.address}"
        for header, status in (("good", 200), ("other", 403), ("wrong", 401)):
            told = {"Authorization": f"Bearer {header}"}
            assert (await get(session, f"{at}/metrics", headers=told))[0] == status
        assert await get(session, f"{at}/metrics") == (401, "unauthenticated\n")
        assert (await get(session, f"{at}/nothing"))[0] == 401

    serve(test, access=Access(Reviewer(), LoopClock()))


class Handler(asyncio.Protocol):
    """One connection that does nothing by itself."""

    def __init__(self) -> None:
        self.transport: Handler | None = self

    def abort(self) -> None:
        self.transport = None


def test_too_many_connections_push_the_oldest_out_and_none_lives_for_ever() -> None:
    async def main() -> None:
        made: list[Handler] = []

        def make() -> Handler:
            made.append(Handler())
            return made[-1]

        bounded = module._Bounded(cast(Any, make))
        for _connection in range(150):
            bounded.connect()
        assert [handler.transport is None for handler in made] == [True] * 50 + [False] * 100
        await asyncio.sleep(59)
        bounded.connect()
        bounded.purge()
        assert made[51].transport is not None
        await asyncio.sleep(2)
        bounded.purge()
        assert [handler for handler in made if handler.transport is not None] == [made[150]]
        assert len(bounded._open) == 1

    run(main())


def test_silent_connections_do_not_keep_others_out() -> None:
    async def test(server: Server, session: aiohttp.ClientSession) -> None:
        host, _colon, port = server.health_address.rpartition(":")
        silent = [await asyncio.open_connection(host, int(port)) for _n in range(150)]
        assert await get(session, f"http://{server.health_address}/healthz") == (200, "ok")
        for _reader, writer in silent:
            writer.transport.abort()

    serve(test)


def test_who_is_gone_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(server: Server, session: aiohttp.ClientSession) -> None:
        for _n in range(20):
            async with aiohttp.ClientSession() as other:
                await get(other, f"http://{server.address}/metrics")
        await asyncio.sleep(0)
        for bounded in made:
            bounded.purge()
        assert sum(len(bounded._open) for bounded in made) <= 1

    made: list[module._Bounded] = []
    build = module._Bounded.__init__

    def remember(self: module._Bounded, server: Any) -> None:
        build(self, server)
        made.append(self)

    monkeypatch.setattr(module._Bounded, "__init__", remember)
    serve(test)


def test_a_large_request_is_refused() -> None:
    async def test(server: Server, session: aiohttp.ClientSession) -> None:
        told = {"X-Large": "a" * 100_000}
        assert (await get(session, f"http://{server.address}/metrics", headers=told))[0] == 400

    serve(test)


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A new one in the same files."""
    files = (folder / "tls.crt", folder / "tls.key")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 "
        f"-subj /CN={name} -addext subjectAltName=IP:127.0.0.1 -out {files[0]} -keyout {files[1]}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    return files


async def served_certificate(address: str) -> bytes:
    host, _colon, port = address.rpartition(":")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await reader.read()
    return bytes(found)


def test_a_new_certificate_is_used_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(server: Server, session: aiohttp.ClientSession) -> None:
        trusted = ssl.create_default_context(cafile=str(files[0]))
        assert await get(session, f"https://{server.address}/metrics", ssl=trusted) == (
            200,
            "up 1\n",
        )
        before = await served_certificate(server.address)
        certificate(tmp_path, "second")
        async with asyncio.timeout(20):
            while await served_certificate(server.address) == before:
                await asyncio.sleep(0.05)

    monkeypatch.setattr(module, "_PURGE_SECONDS", 0.05)
    files = certificate(tmp_path, "first")
    settings = Settings(
        health_address="127.0.0.1:0",
        address="127.0.0.1:0",
        certificate_file=str(files[0]),
        key_file=str(files[1]),
    )
    serve(test, settings)


def test_a_port_that_is_taken_is_an_error_at_the_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(
            health_address=f"127.0.0.1:{taken.getsockname()[1]}", address="127.0.0.1:0"
        )
        with pytest.raises(OSError, match="in use"):
            serve(lambda _server, _session: asyncio.sleep(0), settings)
