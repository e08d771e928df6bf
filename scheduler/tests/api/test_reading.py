# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials are read by a process of its own, which ends, hangs or fails without harm."""

from __future__ import annotations

import io
import json
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from podplacement_scheduler.api import reading
from podplacement_scheduler.api.credentials import credentials
from podplacement_scheduler.api.reading import Unreadable, read
from podplacement_scheduler.config import ClientConnection

from ..misbehaving import LIMIT
from .authority import Authority, data
from .kubeconfig import Kubeconfig, plugin, runs

# It inherits what its children leave, as the first process of a container does.
HEIR = """
import ctypes, os, sys
from podplacement_scheduler.api import reading

PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
reading.PATIENCE_SECONDS = 3.0
try:
    reading.read(*sys.argv[1:])
except reading.Unreadable as err:
    print(err.kind)
try:
    print(os.waitpid(-1, os.WNOHANG))
except ChildProcessError:
    print("nothing")
"""
DAEMON = """
import json, sys
import podplacement_scheduler.cli, podplacement_scheduler.process
from podplacement_scheduler.api.credentials import credentials
from podplacement_scheduler.config import ClientConnection
found = credentials(ClientConnection(*sys.argv[1:])).current
certificates = len(found.tls.get_ca_certs())
heavy = [name for name in ("kubernetes", "oauthlib", "pydantic", "requests", "urllib3")
         if name in sys.modules]
print(json.dumps([found.server, found.server_name, certificates, heavy]))
"""
IN_A_POD = """
import sys
from kubernetes.config import incluster_config
incluster_config.SERVICE_TOKEN_FILENAME = {token!r}
incluster_config.SERVICE_CERT_FILENAME = {authority!r}
from podplacement_scheduler.api.identity import main
sys.exit(main(sys.argv[1:]))
"""
# Who reads the pipe is told when the last of those who have it open is gone.
HANGS = """
import signal
pipe = open({pipe!r}, "w")
signal.pause()
"""


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Kubeconfig:
    return Kubeconfig(tmp_path)


def instead(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Run this and not the reader."""
    monkeypatch.setattr(reading, "COMMAND", (sys.executable, "-c", program))


def test_the_daemon_never_imports_the_official_client(
    kubeconfig: Kubeconfig, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.certificate("me")
    kubeconfig.cluster = {
        "certificate-authority-data": data(authority.file),
        "tls-server-name": "kubernetes.default",
    }
    kubeconfig.user = {"client-certificate-data": data(certificate), "client-key-data": data(key)}
    settings = kubeconfig.settings(scheme="https")
    done = subprocess.run(
        [sys.executable, "-c", DAEMON, settings.kubeconfig, settings.context],
        check=True,
        capture_output=True,
        timeout=LIMIT,
    )
    assert json.loads(done.stdout) == ["https://127.0.0.1:6443", "kubernetes.default", 1, []]
    assert done.stderr == b""


def test_embedded_keys_leave_no_file_and_are_not_watched(
    kubeconfig: Kubeconfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = Authority(tmp_path).certificate("me")
    kubeconfig.user = {"client-certificate-data": data(certificate), "client-key-data": data(key)}
    settings = kubeconfig.settings(scheme="https")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    found = read(settings.kubeconfig, settings.context)
    assert (found.certificate, found.key) == (certificate.read_bytes(), key.read_bytes())
    assert list(found.files) == [settings.kubeconfig]
    assert not list(scratch.iterdir())
    assert "PRIVATE" not in repr(found)


def test_a_pod_is_its_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, token = Authority(tmp_path).file, tmp_path / "token"
    token.write_text("secret-0", encoding="utf-8")
    instead(monkeypatch, IN_A_POD.format(token=str(token), authority=str(authority)))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setenv("KUBECONFIG", "not this one")
    found = credentials(ClientConnection()).current
    assert (found.server, found.authorization) == ("https://[fd00::1]:443", "bearer secret-0")
    again = read("", "")
    assert set(again.files) == {str(token), str(authority)}
    assert not again.is_stale(0)
    token.write_text("secret-01", encoding="utf-8")
    assert again.is_stale(0)


def test_a_plugin_has_our_environment_and_says_how_long_its_token_is_good(
    kubeconfig: Kubeconfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("secret-0", encoding="utf-8")
    program = plugin(tmp_path / "token", expirationTimestamp="2033-05-18T03:33:20Z")
    kubeconfig.user = runs(f"import os\nassert os.environ['MINE'] == 'here'\n{program}")
    settings = kubeconfig.settings()
    monkeypatch.setenv("MINE", "here")
    found = read(settings.kubeconfig, settings.context)
    assert (found.authorization, found.costly) == ("Bearer secret-0", True)
    assert found.expires == 2_000_000_000
    assert found.is_stale(2_000_000_000)
    assert not found.is_stale(1_999_000_000)


def test_a_plugin_that_fails_is_told(
    kubeconfig: Kubeconfig, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    kubeconfig.user = runs("import sys\nsys.exit('log in first')")
    with pytest.raises(Unreadable, match="neither a token nor a certificate"):
        credentials(kubeconfig.settings())
    assert "log in first" in caplog.text
    assert capfd.readouterr() == ("", "")


def test_a_plugin_that_hangs_is_killed(
    kubeconfig: Kubeconfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    kubeconfig.user = runs(HANGS.format(pipe=str(pipe)))
    monkeypatch.setattr(reading, "PATIENCE_SECONDS", 3.0)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with pytest.raises(Unreadable, match="within 3 seconds") as caught:
        credentials(kubeconfig.settings())
    assert caught.value.kind == "TimeoutExpired"
    assert select.select([end], [], [], LIMIT)[0]
    assert os.read(end, 1) == b""
    os.close(end)


def test_as_first_process_of_a_container_nothing_is_left_of_it(kubeconfig: Kubeconfig) -> None:
    kubeconfig.user = runs("import time; time.sleep(3600)")
    settings = kubeconfig.settings()
    command = [sys.executable, "-c", HEIR, settings.kubeconfig, settings.context]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.stdout.split() == ["TimeoutExpired", "nothing"], told.stderr


@pytest.mark.parametrize(
    "program",
    [
        "",
        "print('secret-0')",
        "import os; os.write(1, b'\\xffsecret-0')",
        """print('{"type": "Reading", "server": 0, "authorization": "secret-0"}')""",
        "raise SystemExit(3)",
    ],
    ids=["nothing", "no JSON", "no text", "another shape", "an error"],
)
def test_an_answer_that_makes_no_sense_is_one_clear_error(
    kubeconfig: Kubeconfig, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    instead(monkeypatch, program)
    settings = kubeconfig.settings()
    with pytest.raises(Unreadable, match="no answer") as caught:
        credentials(settings)
    assert settings.kubeconfig in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_process_that_cannot_be_started_is_one_clear_error(
    kubeconfig: Kubeconfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(reading, "COMMAND", (str(tmp_path / "nothing"),))
    with pytest.raises(Unreadable, match="No such file"):
        credentials(kubeconfig.settings())
