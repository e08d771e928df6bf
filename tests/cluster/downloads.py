# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A downloaded binary is used only when its sha256 is the one that the project publishes for it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import tarfile
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

from tests.cluster.versions import BINARIES, ClusterError, Versions, host, load

CONNECT_TIMEOUT = 2.0  # an offline machine must go on to the next source soon
READ_TIMEOUT = 60.0

# why a host cannot be reached, or nothing; asking it again for the next file would only cost time
_hosts: dict[str, str] = {}


class ChecksumMismatch(ClusterError):
    """The content is not what was published: somebody must look at it, so there is no fallback."""


class NotAvailable(Exception):
    """This source does not have the binary; the next one may."""


@dataclass(frozen=True)
class Release:
    """One released file: where it is, and where its checksum is."""

    binary: str
    url: str
    checksum_url: str


def locate(binary: str, versions: Versions) -> Release:
    """The published file of a binary; NotAvailable when its hosts cannot be reached."""
    release = BINARIES[binary]
    source = load()["downloads"][release]
    base = os.environ.get(f"PODPLACEMENT_{release.upper()}_URL")
    system, arch = host()
    known = {
        "base": (base or source["base"]).rstrip("/"),
        "version": versions.of(binary),
        "os": system,
        "arch": arch,
        "binary": binary,
    }
    url = source["file"].format(**known)
    pattern = source["checksum"]
    if base and not pattern.startswith(("{base}", "{file}")):
        pattern = "{file}.sha256"  # a copy of the release files has its checksums beside them
    found = Release(binary, url, pattern.format(file=url, **known))
    for address in (found.url, found.checksum_url):
        _probe(urllib.parse.urlsplit(address))
    return found


def download(release: Release) -> bytes:
    """The verified content of the binary."""
    url = release.url
    expected = _expected(url, release.checksum_url)
    content = _get(url)
    digest = hashlib.sha256(content).hexdigest()
    if digest != expected:
        raise ChecksumMismatch(
            f"{url} has sha256 {digest}, published is {expected}: it is not used. Find out why; "
            "PODPLACEMENT_DOWNLOAD=0 builds from source instead"
        )
    return _member(content, release.binary) if url.endswith(".tar.gz") else content


def _expected(url: str, checksum_url: str) -> str:
    """The sha256 to compare with: the pin of versions.yml, or what the project publishes."""
    for end, pinned in load()["checksums"].items():
        if url.endswith(f"/{end}"):
            return str(pinned)
    name = url.rsplit("/", 1)[1]
    published = checksum_in(_get(checksum_url).decode(), name)
    if published is None:
        raise NotAvailable(f"{checksum_url} has no checksum of {name}")
    return published


def checksum_in(text: str, name: str) -> str | None:
    """A file's sha256 from a checksum file, a list of checksums or GitHub's view of a release."""
    if text.lstrip().startswith("{"):
        for asset in json.loads(text).get("assets", []):
            kind, _dummy, digest = str(asset.get("digest") or "").partition(":")
            if asset.get("name") == name and kind == "sha256":
                return digest
        return None
    for line in text.splitlines():
        words = line.split()
        if words and len(words[0]) == 64 and (len(words) == 1 or words[1].lstrip("*") == name):
            return words[0].lower()
    return None


def _get(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=READ_TIMEOUT) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        raise NotAvailable(f"{url}: HTTP {error.code}") from error
    except OSError as error:
        raise NotAvailable(f"{url}: {error}") from error


def _probe(where: urllib.parse.SplitResult) -> None:
    """Connect once with a short timeout: urlopen has but one timeout, and reading may take long."""
    if urllib.request.getproxies().get(where.scheme) and not urllib.request.proxy_bypass(
        where.netloc
    ):
        return
    if where.netloc not in _hosts:
        port = where.port or (443 if where.scheme == "https" else 80)
        try:
            socket.create_connection((where.hostname or "", port), timeout=CONNECT_TIMEOUT).close()
            _hosts[where.netloc] = ""
        except OSError as error:
            _hosts[where.netloc] = str(error)
    if problem := _hosts[where.netloc]:
        raise NotAvailable(f"{where.netloc} cannot be reached ({problem})")


def _member(archive: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            if member.isfile() and member.name.rsplit("/", 1)[-1] == name:
                extracted = tar.extractfile(member)
                if extracted is not None:
                    return extracted.read()
    raise NotAvailable(f"the archive has no {name}")
