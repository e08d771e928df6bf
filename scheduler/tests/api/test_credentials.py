# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Identity comes from where kubectl has it, is read again when it changes, and is never told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from podplacement_scheduler.api import credentials as module
from podplacement_scheduler.api.client import Client, connect
from podplacement_scheduler.api.identity import look
from podplacement_scheduler.api.reading import Reading
from podplacement_scheduler.config import ClientConnection
from podplacement_scheduler.errors import ApiError, ConfigError, Unknown, Unreached

from ..misbehaving import LIMIT, Exchange, Server, serving
from .authority import Authority, data
from .kubeconfig import Kubeconfig, plugin, runs

# The official client names an entry that lacks something by all that it has.
MISPLACED = """
current-context: x
clusters: [{name: c, cluster: {server: 'http://c'}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
users: [{name: u, token: secret-0}]
"""


@pytest.fixture(autouse=True)
def readings(monkeypatch: pytest.MonkeyPatch) -> list[Reading]:
    """All that was read, in this process, where test_reading has one process for each."""
    found: list[Reading] = []

    def read(path: str, context: str) -> Reading:
        with TemporaryDirectory() as scratch:
            found.append(look(path, context, scratch))
        return found[-1]

    monkeypatch.setattr(module, "read", read)
    return found


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Kubeconfig:
    return Kubeconfig(tmp_path)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def use(
    server: Server,
    settings: Callable[[], ClientConnection],
    what: Callable[[Client], Awaitable[None]],
    tls: Any = None,
) -> None:
    """Run with a server, and a client that is connected to it."""

    async def main() -> None:
        async with serving(server, tls), asyncio.timeout(LIMIT):
            client = connect(settings(), connections=2)
            try:
                await what(client)
            finally:
                await client.close()

    asyncio.run(main())


async def both(client: Client) -> None:
    """One request over each transport."""
    await client.call("GET", "/version")
    await client.call("POST", "/version", b"{}", hot=True)


def tokens(server: Server) -> list[str]:
    return [seen.headers.get("authorization", "") for seen in server.requests]


async def only_new(exchange: Exchange) -> None:
    """A server that knows one token only."""
    if exchange.headers["authorization"] == "Bearer secret-1":
        await exchange.reply()
    else:
        await exchange.refuse(401, "Unauthorized")


def test_embedded_certificates_prove_both_sides(
    kubeconfig: Kubeconfig, authority: Authority
) -> None:
    certificate, key = authority.certificate("me")
    kubeconfig.cluster = {"certificate-authority-data": data(authority.file)}
    kubeconfig.user = {
        "client-certificate-data": data(certificate),
        "client-key-data": data(key),
    }
    server = Server()
    tls = authority.server("127.0.0.1", clients=authority)
    use(server, lambda: kubeconfig.settings(server, "https"), both, tls)
    assert tokens(server) == ["", ""]


def test_without_a_client_certificate_nobody_is_let_in(
    kubeconfig: Kubeconfig, authority: Authority
) -> None:
    kubeconfig.cluster = {"certificate-authority-data": data(authority.file)}
    server = Server()

    async def refused(client: Client) -> None:
        for hot in (False, True):
            # With TLS 1.3 the server refuses after the client may have written.
            with pytest.raises((Unreached, Unknown)):
                await client.call("GET", "/version", hot=hot)

    tls = authority.server("127.0.0.1", clients=authority)
    use(server, lambda: kubeconfig.settings(server, "https"), refused, tls)
    assert server.requests == []


def test_a_server_may_have_another_name(kubeconfig: Kubeconfig, authority: Authority) -> None:
    kubeconfig.cluster = {
        "certificate-authority-data": data(authority.file),
        "tls-server-name": "kubernetes.default",
    }
    server = Server()
    tls = authority.server("kubernetes.default")
    use(server, lambda: kubeconfig.settings(server, "https"), both, tls)
    assert len(server.requests) == 2


@pytest.mark.parametrize("what", ["name", "authority"])
def test_a_server_that_does_not_prove_its_name_gets_nothing(
    kubeconfig: Kubeconfig, authority: Authority, tmp_path: Path, what: str
) -> None:
    trusted = authority if what == "name" else Authority(tmp_path, "another")
    kubeconfig.cluster = {"certificate-authority-data": data(trusted.file)}
    server = Server()

    async def refused(client: Client) -> None:
        for hot in (False, True):
            with pytest.raises(Unreached) as caught:
                await client.call("GET", "/version", hot=hot)
            assert "secret" not in str(caught.value)

    tls = authority.server("127.0.0.1" if what == "authority" else "kubernetes.default")
    use(server, lambda: kubeconfig.settings(server, "https"), refused, tls)
    assert server.requests == []


def test_verification_may_be_switched_off(kubeconfig: Kubeconfig, authority: Authority) -> None:
    kubeconfig.cluster = {"insecure-skip-tls-verify": True}
    server = Server()
    tls = authority.server("kubernetes.default")
    use(server, lambda: kubeconfig.settings(server, "https"), both, tls)
    assert tokens(server) == ["Bearer secret-0"] * 2


@pytest.mark.parametrize("hot", [False, True])
def test_a_refused_token_is_read_again_from_its_file(
    kubeconfig: Kubeconfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hot: bool
) -> None:
    file = tmp_path / "token"
    file.write_text("secret-0\n", encoding="utf-8")
    kubeconfig.user = {"tokenFile": str(file)}
    server = Server()
    server.otherwise = only_new

    async def rotate(client: Client) -> None:
        with pytest.raises(ApiError, match="401"):
            await client.call("GET", "/version", hot=hot)
        file.write_text("secret-1\n", encoding="utf-8")
        await client.call("GET", "/version", hot=hot)

    monkeypatch.setattr(module, "RENEW_SECONDS", 0.0)
    use(server, lambda: kubeconfig.settings(server), rotate)
    assert tokens(server) == ["Bearer secret-0", "Bearer secret-0", "Bearer secret-1"]


def test_a_token_is_read_again_each_minute(
    kubeconfig: Kubeconfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text("secret-0", encoding="utf-8")
    kubeconfig.user = {"tokenFile": str(file)}
    server = Server()

    async def rotate(client: Client) -> None:
        await both(client)
        file.write_text("secret-1", encoding="utf-8")
        await both(client)
        monkeypatch.setattr(module, "REFRESH_SECONDS", 0.0)
        await both(client)
        file.unlink()
        await both(client)

    use(server, lambda: kubeconfig.settings(server), rotate)
    assert tokens(server) == ["Bearer secret-0"] * 4 + ["Bearer secret-1"] * 4


def test_a_pod_is_its_service_account(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text("secret-0\n", encoding="utf-8")
    source = "kubernetes.config.incluster_config"
    monkeypatch.setattr(f"{source}.SERVICE_TOKEN_FILENAME", str(file))
    monkeypatch.setattr(f"{source}.SERVICE_CERT_FILENAME", str(authority.file))
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.0)
    server = Server()

    def settings() -> ClientConnection:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))
        return ClientConnection()

    async def rotate(client: Client) -> None:
        await both(client)
        file.write_text("secret-1\n", encoding="utf-8")
        await both(client)

    use(server, settings, rotate, authority.server("127.0.0.1"))
    assert [token.lower() for token in tokens(server)] == [
        *["bearer secret-0"] * 2,
        *["bearer secret-1"] * 2,
    ]


def test_a_plugin_is_run_again_when_its_token_is_refused(
    kubeconfig: Kubeconfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, count = tmp_path / "token", tmp_path / "runs"
    file.write_text("secret-0", encoding="utf-8")
    kubeconfig.user = runs(plugin(file) + f"open({str(count)!r}, 'a').write('x')\n")
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.0)
    server = Server()

    async def rotate(client: Client) -> None:
        await both(client)
        assert count.read_text(encoding="utf-8") == "x"
        server.otherwise = only_new
        file.write_text("secret-1", encoding="utf-8")
        await asyncio.gather(*(client.call("GET", "/version", hot=True) for _n in range(5)))
        assert count.read_text(encoding="utf-8") == "xx"

    use(server, lambda: kubeconfig.settings(server), rotate)


def test_a_proxy_is_used(kubeconfig: Kubeconfig) -> None:
    server = Server()

    def settings() -> ClientConnection:
        kubeconfig.cluster = {
            "server": "http://cluster.example.com",
            "proxy-url": f"http://127.0.0.1:{server.port}",
        }
        return kubeconfig.settings(server)

    use(server, settings, both)
    assert [seen.headers["host"] for seen in server.requests] == ["cluster.example.com"] * 2


@pytest.mark.parametrize(
    "content",
    [
        "",
        "users: [",
        "users: [{name: u, user: {token: secret-0}}]\n\tx",
        "secret-0",
        MISPLACED,
        None,
    ],
    ids=["empty", "no yaml", "tab", "text", "misplaced", "missing"],
)
def test_what_cannot_be_used_is_one_clear_error(
    tmp_path: Path, content: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with caplog.at_level(logging.DEBUG), pytest.raises(ConfigError) as caught:
        connect(ClientConnection(kubeconfig=str(path)), connections=1)
    assert str(path) in str(caught.value)
    assert "secret" not in str(caught.value) + caplog.text


def test_neither_pod_nor_kubeconfig(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(ConfigError, match="--kubeconfig"):
        connect(ClientConnection(), connections=1)


def test_an_identity_does_not_tell_its_secret(kubeconfig: Kubeconfig) -> None:
    identity = module.credentials(kubeconfig.settings()).current
    assert identity.authorization == "Bearer secret-0"
    assert "secret" not in repr(identity)
