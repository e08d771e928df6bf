# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials are read again when something changed, and only then."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from podplacement_scheduler.api import credentials as module
from podplacement_scheduler.api.credentials import Credentials
from podplacement_scheduler.api.identity import look
from podplacement_scheduler.api.reading import EARLY_SECONDS, Reading, Unreadable
from podplacement_scheduler.config import ClientConnection

from .authority import Authority
from .kubeconfig import Kubeconfig


class Source:
    """Reads in this process, and counts how often."""

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read
        self.readings = 0

    def __call__(self) -> Reading:
        self.readings += 1
        return self._read()


def reading(settings: ClientConnection) -> Reading:
    with TemporaryDirectory() as scratch:
        return look(settings.kubeconfig, settings.context, scratch)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.0)


def refreshed(credentials: Credentials, *, times: int = 1) -> None:
    async def main() -> None:
        for _time in range(times):
            await credentials.refresh()

    asyncio.run(main())


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """What an identity of files is made of."""
    authority = Authority(tmp_path)
    certificate, key = authority.certificate("me")
    token = tmp_path / "token"
    token.write_text("secret-0", encoding="utf-8")
    return {
        "authority": authority.file,
        "certificate": certificate,
        "key": key,
        "token": token,
        "kubeconfig": tmp_path / "kubeconfig",
        "second": tmp_path / "kubeconfig-2",
    }


@pytest.fixture
def source(files: dict[str, Path], tmp_path: Path) -> Source:
    """All of these files; paths in a kubeconfig are relative to it."""
    kubeconfig = Kubeconfig(tmp_path)
    kubeconfig.cluster = {"certificate-authority": files["authority"].name}
    kubeconfig.user = {
        "client-certificate": files["certificate"].name,
        "client-key": files["key"].name,
        "tokenFile": files["token"].name,
    }
    settings = kubeconfig.settings(scheme="https")
    both = ClientConnection(f"{settings.kubeconfig}:{files['second']}", settings.context)
    return Source(lambda: reading(both))


def test_what_has_not_changed_is_not_read_again(source: Source) -> None:
    credentials = Credentials(source)
    refreshed(credentials, times=3)
    assert source.readings == 1


@pytest.mark.parametrize(
    "name", ["authority", "certificate", "key", "token", "kubeconfig", "second"]
)
def test_each_file_counts(source: Source, files: dict[str, Path], name: str) -> None:
    """Also one of the kubeconfigs that was not there."""
    credentials = Credentials(source)
    before = credentials.current
    with files[name].open("a", encoding="utf-8") as file:
        file.write("kind: Config\n" if name == "second" else "\n")
    refreshed(credentials, times=3)
    assert source.readings == 2
    assert credentials.current.authorization == "Bearer secret-0"
    # Connections go on where nothing changed that they were made with.
    remade = name in ("authority", "certificate", "key")
    assert (credentials.current.tls is not before.tls) is remade
    assert (credentials.current is not before) is remade


def test_a_folder_that_takes_the_place_of_another_is_noticed(tmp_path: Path) -> None:
    """As Kubernetes mounts secrets and tokens; size and time of writing may be the same."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(f"secret-{name}", encoding="utf-8")
        os.utime(tmp_path / name / "token", (1, 1))
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "token").symlink_to("..data/token")
    kubeconfig = Kubeconfig(tmp_path)
    kubeconfig.user = {"tokenFile": "token"}
    settings = kubeconfig.settings()
    credentials = Credentials(lambda: reading(settings))
    (tmp_path / "..new").symlink_to("two")
    (tmp_path / "..new").rename(tmp_path / "..data")
    refreshed(credentials)
    assert credentials.current.authorization == "Bearer secret-two"


def given(source: list[Reading]) -> Source:
    """A plugin that gives these, one after the other."""
    return Source(lambda: source.pop(0))


def test_what_expires_is_replaced_before() -> None:
    def token(name: str, seconds: float) -> Reading:
        expires = time.time() + EARLY_SECONDS + seconds
        return Reading(server="http://s", authorization=name, costly=True, expires=expires)

    source = given([token("one", -1), token("two", 3600), token("three", 3600)])
    credentials = Credentials(source)
    refreshed(credentials, times=3)
    assert (source.readings, credentials.current.authorization) == (2, "two")


@pytest.mark.parametrize(("authorization", "readings"), [("", 3), ("Bearer secret", 1)])
def test_a_plugins_certificate_without_a_date_is_not_trusted_to_last(
    authorization: str, readings: int
) -> None:
    source = given([Reading(server="http://s", authorization=authorization, costly=True)] * 3)
    refreshed(Credentials(source), times=2)
    assert source.readings == readings


def test_what_cannot_be_read_now_stays_and_is_tried_again(
    source: Source, files: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    credentials = Credentials(source)
    before = credentials.current
    key = files["key"].read_bytes()
    files["key"].write_text("secret-1", encoding="utf-8")
    refreshed(credentials, times=2)
    files["kubeconfig"].rename(files["second"])
    files["second"].write_text("secret-2: [", encoding="utf-8")
    refreshed(credentials)
    assert credentials.current is before
    told = "credentials cannot be read, the old ones stay"
    assert [record.getMessage() for record in caplog.records] == [
        *[f"{told}: SSLError"] * 2,
        f"{told}: ParserError",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert "secret" not in caplog.text
    files["second"].unlink()
    files["key"].write_bytes(key)
    refreshed(credentials)
    assert (source.readings, credentials.current) == (5, before)


def test_an_empty_authority_is_not_the_systems(source: Source, files: dict[str, Path]) -> None:
    files["authority"].write_text("", encoding="utf-8")
    with pytest.raises(Unreadable, match="certificates"):
        Credentials(source)


def test_comments_of_an_authority_may_be_in_any_language(
    source: Source, files: dict[str, Path]
) -> None:
    text = files["authority"].read_text(encoding="utf-8")
    files["authority"].write_text(f"# F\u0151tan\u00fas\u00edtv\u00e1ny\n{text}", encoding="utf-8")
    tls = Credentials(source).current.tls
    assert tls is not None
    assert len(tls.get_ca_certs()) == 1
