# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place where the official client is imported; it runs as a process and prints a `Reading`.

The client reads kubeconfigs (exec plugins, token files, certificates, proxies) and the service
account of a pod. Arguments are a kubeconfig's path, a context and an empty folder; the first two
may be empty. `reading.read` starts it.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import msgspec
from kubernetes import client, config
from kubernetes.config import ConfigException, incluster_config
from kubernetes.config.kube_config import (
    ENV_KUBECONFIG_PATH_SEPARATOR,
    KubeConfigLoader,
    KubeConfigMerger,
)

from .reading import Failure, Reading, Stamp, Unreadable, stamp

Stamps = dict[str, Stamp | None]


def main(arguments: list[str]) -> int:
    """The exit code; one line of JSON on stdout, and nothing of ours on stderr."""
    said = _Said()
    logging.getLogger().addHandler(said)
    found: Reading | Failure
    try:
        # A plugin may talk with who sits at a terminal; the official client looks at sys.stdout.
        with redirect_stdout(sys.stderr):
            found = look(*arguments)
        found = msgspec.structs.replace(found, said=said.lines)
    except Unreadable as err:
        found = Failure(kind=err.kind, text=str(err), said=said.lines)
    sys.stdout.buffer.write(msgspec.json.encode(found))
    return 1 if isinstance(found, Failure) else 0


def look(path: str, context: str, scratch: str) -> Reading:
    """Read the source now; raises Unreadable, with a text that may be shown."""
    source = path or "the service account"
    try:
        return _kubeconfig(path, context, scratch) if path else _service_account()
    except ConfigException as err:
        text = f"no credentials from {source}: {_cut(str(err))}"
        raise Unreadable(text, type(err).__name__) from err
    except Exception as err:
        # A broken file raises anything in the official client, in texts that may quote the file.
        told = getattr(err, "strerror", None) or type(err).__name__
        raise Unreadable(f"{source} cannot be read: {told}", type(err).__name__) from err


class _Said(logging.Handler):
    """What the official client logs: why a plugin failed, above all."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(_cut(record.getMessage()))


def _cut(text: str) -> str:
    """The official client names an entry by its whole content, secrets included, in braces."""
    return text.partition("{")[0]


def _service_account() -> Reading:
    names = incluster_config.SERVICE_TOKEN_FILENAME, incluster_config.SERVICE_CERT_FILENAME
    stamps = {name: stamp(name) for name in names}
    configuration = client.Configuration()
    config.load_incluster_config(client_configuration=configuration)
    return _reading(configuration, stamps)


def _kubeconfig(path: str, context: str, scratch: str) -> Reading:
    paths = [os.path.expanduser(one) for one in path.split(ENV_KUBECONFIG_PATH_SEPARATOR) if one]
    stamps = {one: stamp(one) for one in paths}
    content = KubeConfigMerger(path).config
    if content is None:
        raise ConfigException("there is no configuration")
    loader = KubeConfigLoader(
        content, active_context=context or None, config_base_path=None, temp_file_path=scratch
    )
    user = _user(content, context)
    if user is not None and user.safe_get("tokenFile"):
        folder = os.path.dirname(os.path.abspath(user.path))
        file = os.path.join(folder, user["tokenFile"])
        stamps[file] = stamp(file)
    configuration = client.Configuration()
    loader.load_and_set(configuration)
    expiry = getattr(loader, "expiry", None)
    reading = _reading(
        configuration,
        stamps,
        costly=user is not None and any(key in user for key in ("exec", "auth-provider")),
        expires=expiry.timestamp() if expiry else None,
    )
    # The official client logs why a plugin failed, and goes on as nobody.
    if reading.costly and not (reading.authorization or reading.certificate):
        raise ConfigException("the plugin of this user gave neither a token nor a certificate")
    # What was embedded is in a file that will not be there.
    kept = {one: seen for one, seen in reading.files.items() if not _is_in(scratch, one)}
    return msgspec.structs.replace(reading, files=kept)


def _user(content: Any, context: str) -> Any:
    """The user of this context, if it has one."""
    entry = content["contexts"].get_with_name(context or content["current-context"])
    name = entry["context"].safe_get("user")
    user = content["users"].get_with_name(name, safe=True) if name else None
    return user["user"] if user is not None else None


def _is_in(folder: str, file: str) -> bool:
    return Path(file).is_relative_to(folder)


def _reading(configuration: Any, stamps: Stamps, **more: Any) -> Reading:
    """Take what the official client found."""
    # It would run a plugin again whose token expires soon.
    configuration.refresh_api_key_hook = None
    key = configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
    server = configuration.host.rstrip("/")
    secure = server.startswith("https")

    def content(file: str | None) -> bytes | None:
        if not (secure and file):
            return None
        stamps[file] = stamp(file)
        return Path(file).read_bytes()

    return Reading(
        server=server,
        server_name=configuration.tls_server_name or None,
        proxy=_proxy(configuration),
        authorization=" ".join(key.split()) if key else "",
        ca=content(configuration.ssl_ca_cert),
        certificate=content(configuration.cert_file),
        key=content(configuration.key_file),
        verify=bool(configuration.verify_ssl),
        files=stamps,
        **more,
    )


def _proxy(configuration: Any) -> str | None:
    """The proxy to use for this server, if any; NO_PROXY counts where the environment names it."""
    proxy: str | None = configuration.proxy
    host = urlsplit(configuration.host).hostname or ""
    if proxy and proxy in getproxies().values() and proxy_bypass(host):
        return None
    return proxy or None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
