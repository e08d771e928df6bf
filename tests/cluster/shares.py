# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pod takes from its node, computed once more: by a referee that trusts no other code."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

Object = dict[str, Any]

SUFFIXES = {
    "m": Decimal("0.001"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
}


def amount(text: str) -> Decimal:
    """A quantity, as far as tests use them."""
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if text.endswith(suffix):
            return Decimal(text[: -len(suffix)]) * SUFFIXES[suffix]
    return Decimal(text)


def _sum(containers: list[Object]) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for container in containers:
        for name, text in container.get("resources", {}).get("requests", {}).items():
            total[name] = total.get(name, Decimal(0)) + amount(text)
    return total


def requests(pod: Object) -> dict[str, Decimal]:
    """What a pod takes from its node (KEP-753, KEP-2837), and one of `pods`."""
    spec = pod["spec"]
    sidecars: list[Object] = []
    starting: dict[str, Decimal] = {}
    for container in spec.get("initContainers", []):
        if container.get("restartPolicy") == "Always":
            sidecars.append(container)
            peak = _sum(sidecars)
        else:
            peak = _sum([container, *sidecars])
        starting |= {n: max(starting.get(n, Decimal(0)), v) for n, v in peak.items()}
    running = _sum([*spec.get("containers", []), *sidecars])
    zero = Decimal(0)
    names = {*running, *starting}
    total = {n: max(running.get(n, zero), starting.get(n, zero)) for n in names}
    for name, text in spec.get("resources", {}).get("requests", {}).items():
        total[name] = amount(text)
    for name, text in spec.get("overhead", {}).items():
        total[name] = total.get(name, zero) + amount(text)
    return total | {"pods": Decimal(1)}


def host_ports(pod: Object) -> set[tuple[str, str, int]]:
    """Address, protocol and port of each host port."""
    found = set()
    containers = [
        *pod["spec"].get("containers", []),
        *(c for c in pod["spec"].get("initContainers", []) if c.get("restartPolicy") == "Always"),
    ]
    for container in containers:
        for port in container.get("ports", []):
            if port.get("hostPort"):
                address = port.get("hostIP") or "0.0.0.0"
                found.add((address, port.get("protocol", "TCP"), port["hostPort"]))
    return found


def clash(one: tuple[str, str, int], other: tuple[str, str, int]) -> bool:
    """The same port of addresses that overlap."""
    return one[1:] == other[1:] and (one[0] == other[0] or "0.0.0.0" in (one[0], other[0]))
