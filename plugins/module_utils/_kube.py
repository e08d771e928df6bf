# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one door to kubernetes.core and to the API server: credentials, requests, watches, error
mapping.

From kubernetes.core come the authentication options and what they mean (every ``K8S_AUTH_*``
variable, kubeconfig, in-cluster); the requests are plain JSON over the connection pool that the
``kubernetes`` client makes, because its models raise on a successful bind and discovery costs four
requests a run.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

import json
import os
import ssl
import threading
from typing import Any, Dict, Generator, Iterator, Mapping, Optional, Tuple, Type

from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import (
    _create_auth_spec,
    _create_configuration,
    _create_headers,
)
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule

from .client import READ_SECONDS, KubeApi
from .clock import Clock
from .errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    OutcomeUnknown,
    PlacementError,
    TooManyRequests,
    Unreachable,
)

try:
    import urllib3
    import yaml
    from kubernetes.client.rest import RESTClientObject
    from kubernetes.config.config_exception import ConfigException
    from urllib3 import exceptions as http_errors
    from urllib3._collections import HTTPHeaderDict
except ImportError:
    # AnsibleK8SModule reports the missing library before anything here is used.
    BROKEN_CREDENTIALS: Tuple[Type[Exception], ...] = ()
else:
    BROKEN_CREDENTIALS = (
        ConfigException,
        yaml.YAMLError,
        AttributeError,
        KeyError,
        OSError,
        TypeError,
        ValueError,
    )

__all__ = ["AUTH_ARG_SPEC", "AnsibleK8SModule", "KubeApi", "connect"]

VERSION = "0.1.0"
CONNECT_SECONDS = 10.0
CONNECTIONS = 64  # kept open: as many as requests can be under way at a time


class HttpTransport:
    """``client.Transport`` over the connection pool of the ``kubernetes`` client."""

    def __init__(self, configuration: Any, headers: Mapping[str, Any], agent: str) -> None:
        self.configuration = configuration
        self.host: str = configuration.host.rstrip("/")
        self.answered = False
        self._headers = dict(headers)
        self._agent = "podplacement/%s (%s)" % (VERSION, agent)
        self._asking = threading.Lock()
        configuration.connection_pool_maxsize = CONNECTIONS
        self._pool = RESTClientObject(configuration).pool_manager

    def send(
        self, method: str, url: str, payload: Optional[bytes], content_type: str, what: str
    ) -> bytes:
        """See ``client.Transport.send``."""
        response = self._request(method, url, payload, content_type, READ_SECONDS, stream=False)
        _raise_for(response, what)
        data: bytes = response.data
        return data

    def events(self, url: str, seconds: float) -> Generator[Mapping[str, Any], None, None]:
        """See ``client.Transport.events``; a watch that expired raises Gone."""
        response = self._request("GET", url, None, "", seconds, stream=True)
        try:
            _raise_for(response, "watch")
            for line in _lines(response):
                event: Mapping[str, Any] = json.loads(line)
                if event["type"] == "ERROR":
                    raise _expired(event.get("object") or {})
                yield event
        finally:
            response.close()

    def _request(
        self,
        method: str,
        url: str,
        payload: Optional[bytes],
        content_type: str,
        seconds: float,
        *,
        stream: bool,
    ) -> Any:
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=max(0.05, seconds))
        try:
            response = self._pool.request(
                method,
                url,
                body=payload,
                headers=self._all_headers(content_type if payload is not None else ""),
                retries=False,
                redirect=False,
                timeout=timeout,
                preload_content=not stream,
            )
        except (http_errors.HTTPError, OSError) as err:
            raise _connection_error(err, method, self.host) from err
        self.answered = True
        return response

    def _all_headers(self, content_type: str) -> Any:
        """Asked for at each request: a token may have been refreshed."""
        with self._asking:  # a plugin that gets tokens is not for threads
            return self._made_headers(content_type)

    def _made_headers(self, content_type: str) -> Any:
        headers = HTTPHeaderDict({"Accept": "application/json", "User-Agent": self._agent})
        if content_type:
            headers["Content-Type"] = content_type
        for key, value in self._headers.items():
            for one in value if isinstance(value, list) else [value]:
                headers.add(key, one)
        for setting in self.configuration.auth_settings().values():
            if setting.get("in") == "header" and setting.get("value"):
                headers[setting["key"]] = setting["value"]
        if self.configuration.username and "authorization" not in headers:
            headers["authorization"] = self.configuration.get_basic_auth_token()
        return headers


def _raise_for(response: Any, what: str) -> None:
    """ApiError for any answer but success; the Status object in it says more than the code."""
    if response.status < 300:
        return
    text = response.data.decode("utf-8", "replace")
    try:
        body = json.loads(text)
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    reason = str(body.get("reason", ""))
    message = str(body.get("message") or text[:300] or "HTTP %s" % response.status)
    after = response.headers.get("Retry-After", "")
    raise _error_class(response.status, reason)(
        response.status,
        reason,
        message,
        request=what,
        body=body,
        retry_after=float(after) if after.isdigit() else None,
    )


def _lines(response: Any) -> Iterator[bytes]:
    """The lines of a streamed answer until it ends, breaks or is silent for too long."""
    buffer = b""
    try:
        for chunk in response.stream(65536, decode_content=True):
            buffer += chunk
            while b"\n" in buffer:
                line, buffer = buffer.split(b"\n", 1)
                yield line
    except http_errors.HTTPError:
        return


def _expired(status: Mapping[str, Any]) -> Gone:
    return Gone(
        int(status.get("code", 410)), str(status.get("reason", "")), str(status.get("message", ""))
    )


def _error_class(status: int, reason: str) -> type[ApiError]:
    if status == 409:
        return AlreadyExists if reason == "AlreadyExists" else Conflict
    known = {
        400: Invalid,
        403: Forbidden,
        404: NotFound,
        410: Gone,
        422: Invalid,
        429: TooManyRequests,
    }
    ambiguous = {502: OutcomeUnknown, 503: OutcomeUnknown, 504: OutcomeUnknown}
    return known.get(status) or ambiguous.get(status) or ApiError


def _connection_error(err: Exception, method: str, host: str) -> ApiError:
    """Tell "never sent" (Unreachable) from "sent, no answer" (OutcomeUnknown)."""
    cause = getattr(err, "reason", None) or err
    cut_short = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
    broke = isinstance(cause, http_errors.SSLError) and isinstance(cause.args[0], cut_short)
    if isinstance(cause, (http_errors.SSLError, OSError)) and not broke:  # OSError: its file
        text = "TLS with %s failed, a certificate does not verify or load: %s" % (host, cause)
        return Unreachable(0, "CertificateError", text)
    never_sent = (
        http_errors.NewConnectionError,
        http_errors.ConnectTimeoutError,
        http_errors.ProxyError,
        http_errors.LocationValueError,
    )
    if isinstance(cause, never_sent):
        return Unreachable(0, "ApiUnreachable", "no connection to %s: %s" % (host, cause))
    return OutcomeUnknown(
        0, "OutcomeUnknown", "the connection to %s broke during a %s: %s" % (host, method, cause)
    )


# ---- credentials


def connect(module: AnsibleK8SModule, clock: Clock) -> Tuple[KubeApi, Dict[str, str]]:
    """The API of this task, and the ``cluster`` key of its result: host and where the credentials
    came from.

    Raises PlacementError ``BadCredentials`` when the options do not make a usable configuration.
    """
    auth = _create_auth_spec(module)
    try:
        configuration = _create_configuration(auth)
        transport = HttpTransport(configuration, _create_headers(module), str(module._name))
    except BROKEN_CREDENTIALS as err:  # only its type is told: some carry the file's text
        raise PlacementError(
            "BadCredentials",
            "the credentials of this task cannot be loaded (%s)" % type(err).__name__,
            step="connect",
            hint="Check kubeconfig, context, host and api_key, and the K8S_AUTH_ variables.",
        ) from None
    api = KubeApi(transport, clock)
    return api, {"host": api.host, "source": _source(auth)}


def _source(auth: Mapping[str, Any]) -> str:
    """``parameters``, ``kubeconfig`` or ``incluster``, decided as kubernetes.core does."""
    if auth.get("host") and any(auth.get(k) for k in ("api_key", "username", "cert_file")):
        return "parameters"
    if auth.get("kubeconfig") or auth.get("context"):
        return "kubeconfig"
    return "incluster" if os.environ.get("KUBERNETES_SERVICE_HOST") else "kubeconfig"
