# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between a module and its API server: numbers the writes, and does something nasty at one of them.

A write is a POST, PUT, PATCH or DELETE that is neither a dry run nor an access review, nor an
Event, which is no step of a move, nor the mere renewal of a Lease, of which a slow machine sees
more than a fast one. `before` or `after` the server has it, an action runs: it may kill or stop the
module, hold the request until a test lets it go, or answer in the server's place. Everything else
passes unchanged; watches stream.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.cluster.kubeconfig import connection

When = Literal["before", "after"]
HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "host"}
WRITES = {"POST", "PUT", "PATCH", "DELETE"}
HELD_SECONDS = 60.0


@dataclass(frozen=True)
class Write:
    """A write of the module."""

    n: int
    method: str
    path: str
    agent: str
    body: Any

    @property
    def _parts(self) -> list[str]:
        parts = self.path.strip("/").split("/")[2 if self.path.startswith("/api/") else 3 :]
        return parts[2:] if parts[0] == "namespaces" and len(parts) > 2 else parts

    @property
    def resource(self) -> str:
        """For example `pods` or `pods/binding`."""
        return "/".join([self._parts[0], *self._parts[2:]])

    @property
    def name(self) -> str:
        """The object's name, from the path or, for a create, from the body."""
        if len(self._parts) > 1:
            return self._parts[1]
        return str((self.body or {}).get("metadata", {}).get("name", ""))

    def __str__(self) -> str:
        return f"{self.method} {self.resource}"


@dataclass(frozen=True)
class Reply:
    """An answer in the server's place; status 0 closes the connection without one."""

    status: int
    reason: str = ""

    def status_object(self) -> bytes:
        """A v1 Status, as the API server's own errors are."""
        fault = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "metadata": {}}
        message = f"fault injected by a test: {self.reason}"
        return json.dumps(
            fault | {"code": self.status, "reason": self.reason, "message": message}
        ).encode()


NO_ANSWER = Reply(0)
Action = Callable[[Write], "Reply | None"]
Match = Callable[[Write], bool]


class Hold:
    """An action that keeps a request back until the test lets it go."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.released = threading.Event()

    def __call__(self, write: Write) -> None:
        self.reached.set()
        self.released.wait(HELD_SECONDS)

    def wait(self) -> None:
        """Until the module has come to this write."""
        assert self.reached.wait(HELD_SECONDS), "the module did not come to the write that is held"

    def release(self) -> None:
        """Let the request, and the module, go on."""
        self.released.set()


@dataclass
class _Fault:
    match: Match
    when: When
    action: Action
    times: int = 1


@dataclass
class Proxy:
    """One proxy for one run of one module, on a free port of the loopback interface."""

    upstream: Path | str
    folder: Path
    writes: list[Write] = field(default_factory=list)
    outcomes: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._server = connection(Path(self.upstream))
        self.waiting = threading.Event()  # the module has opened a watch
        self._faults: list[_Fault] = []
        self._holds: list[Hold] = []
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._listener = _Listener(("127.0.0.1", 0), handler)
        self.host = f"http://127.0.0.1:{self._listener.server_port}"
        self.kubeconfig = self.folder / f"proxy-{self._listener.server_port}.yml"
        self.kubeconfig.write_text(yaml.safe_dump(_kubeconfig(self.host)))
        threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True).start()

    def at(self, match: int | Match, when: When, action: Action, *, times: int = 1) -> None:
        """At the write of that number, or at the first `times` that match, do `action`."""
        chosen: Match = (lambda write: write.n == match) if isinstance(match, int) else match
        self._faults.append(_Fault(chosen, when, action, times))

    def hold(self, match: int | Match, when: When = "before") -> Hold:
        """Keep that write (or its answer) back until `release` is called on what this returns."""
        held = self.new_hold()
        self.at(match, when, held)
        return held

    def new_hold(self) -> Hold:
        """A hold that ends with this proxy at the latest."""
        self._holds.append(Hold())
        return self._holds[-1]

    def close(self) -> None:
        """Stop listening; connections that are open end with their requests."""
        for held in self._holds:
            held.release()
        self._listener.shutdown()
        self._listener.server_close()

    # ---- for the handler

    @property
    def credentials(self) -> dict[str, str]:
        """The admin's headers, such as a token; a certificate is in the connection."""
        return {k: v for k, v in self._server[2].items() if k == "Authorization"}

    def connect(self) -> http.client.HTTPConnection:
        """A connection to the API server itself."""
        url, tls, _dummy = self._server
        parts = urlsplit(url)
        return http.client.HTTPSConnection(str(parts.hostname), parts.port, context=tls)

    def number(self, method: str, path: str, agent: str, body: bytes) -> Write:
        """Register a write."""
        with self._lock:
            write = Write(len(self.writes) + 1, method, path, agent, json.loads(body or b"null"))
            self.writes.append(write)
            return write

    def fault(self, write: Write, when: When) -> Reply | None:
        """Do what was asked for at this write."""
        with self._lock:
            due = [f for f in self._faults if f.times and f.when == when and f.match(write)]
            for fault in due:
                fault.times -= 1
        replies = [fault.action(write) for fault in due]
        return next((reply for reply in replies if reply is not None), None)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A module that was killed breaks its connections: that is what this is for."""


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.upstream = self.proxy.connect()

    def finish(self) -> None:
        self.upstream.close()
        with suppress(OSError):
            super().finish()

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if "watch" in query:
            self.proxy.waiting.set()
        if not _is_write(self.command, url.path, query, body) or _is_renewal(url.path, body):
            self._answer(self._forward(body), streamed="watch" in query)
            return
        agent = self.headers.get("User-Agent", "")
        write = self.proxy.number(self.command, url.path, agent, body)
        if reply := self.proxy.fault(write, "before"):
            self._instead(reply)
            return
        response = self._forward(body)
        data = response.read()
        self.proxy.outcomes[write.n] = response.status
        if reply := self.proxy.fault(write, "after"):
            self._instead(reply)
        else:
            self._answer(response, data=data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass  # noqa: N815

    def _forward(self, body: bytes) -> http.client.HTTPResponse:
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
        headers |= self.proxy.credentials
        self.upstream.request(self.command, self.path, body or None, headers)
        return self.upstream.getresponse()

    def _answer(
        self,
        response: http.client.HTTPResponse,
        *,
        data: bytes | None = None,
        streamed: bool = False,
    ) -> None:
        self.send_response(response.status)
        for key, value in response.getheaders():
            if key.lower() not in HOP_BY_HOP:
                self.send_header(key, value)
        if streamed and response.status == 200:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while chunk := response.read1(65536):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.write(b"0\r\n\r\n")
            return
        payload = response.read() if data is None else data
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def _instead(self, reply: Reply) -> None:
        if reply.status == 0:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        payload = reply.status_object()
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        if reply.status == 429:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: a test that fails prints the writes instead."""


def _is_write(method: str, path: str, query: dict[str, list[str]], body: bytes) -> bool:
    uncounted = path.endswith(("accessreviews", "rulesreviews", "tokenreviews", "/events"))
    # a deletion is a dry run by its body
    options = json.loads(body) if method == "DELETE" and body else query
    return method in WRITES and not uncounted and options.get("dryRun") != ["All"]


def _is_renewal(path: str, body: bytes) -> bool:
    if "/leases/" not in path:
        return False
    patch = json.loads(body or b"null") or {}
    return list(patch.get("spec", {})) == ["renewTime"] and "annotations" not in patch["metadata"]


def _kubeconfig(host: str) -> dict[str, Any]:
    """No credentials: the proxy has them."""
    context = {"cluster": "proxy", "user": "module"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "proxy", "cluster": {"server": host}}],
        "users": [{"name": "module", "user": {}}],
        "contexts": [{"name": "proxy", "context": context}],
        "current-context": "proxy",
    }
