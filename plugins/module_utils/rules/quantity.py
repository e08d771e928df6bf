# Copyright (c) 2026 podplacement contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A quantity is an exact whole number of billionths: nothing is lost until it is compared.

Grammar, rounding and caps are those of `Quantity` in k8s.io/apimachinery/pkg/api/resource
(quantity.go, suffix.go): finer than a billionth rounds away from zero, more than 2^63-1 is capped.
"""

from __future__ import annotations

import re
from functools import lru_cache

from .model import Field, QuantityError

NANO = 10**9
MILLI = 10**6  # billionths in a thousandth
_CAP = (2**63 - 1) * NANO

_SYNTAX = re.compile(
    r"(?P<sign>[+-]?)(?P<whole>[0-9]*)(?:\.(?P<part>[0-9]*))?"
    r"(?P<suffix>[KMGTPE]i|[numkMGTPE]?|[eE](?P<exponent>[+-]?[0-9]+))"
)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}

# No number that an API server stores is longer; the bound keeps garbage from costing time.
_MAX_LENGTH = 64


def quantity(field: Field) -> int:
    """The value of a quantity field in billionths of its unit; 0 where it is absent."""
    value = field.value
    if value is None:
        return 0
    if isinstance(value, bool):
        raise _error(field)
    # JSON numbers are quantities too: the API server reads `cpu: 1` as "1".
    if isinstance(value, float):
        text = repr(value)
    elif isinstance(value, int):
        text = str(value) if abs(value) < 10**_MAX_LENGTH else ""
    elif isinstance(value, str):
        text = value
    else:
        raise _error(field)
    parsed = _parse(text)
    if parsed is None:
        raise _error(field)
    return parsed


def _error(field: Field) -> QuantityError:
    return QuantityError(field.path, field.value, "a quantity such as 500m or 1Gi")


@lru_cache(maxsize=4096)
def _parse(text: str) -> int | None:
    if len(text) > _MAX_LENGTH:
        return None
    match = _SYNTAX.fullmatch(text)
    if match is None:
        return None
    digits = match["whole"] + (match["part"] or "")
    if not digits:
        return None
    scale = 9 - len(match["part"] or "")
    suffix = match["suffix"]
    mantissa = int(digits)
    if suffix in _BINARY:
        mantissa <<= _BINARY[suffix]
    else:
        scale += int(match["exponent"]) if match["exponent"] else _DECIMAL[suffix]
    amount = _scaled(mantissa, scale)
    return -amount if match["sign"] == "-" else amount


def _scaled(mantissa: int, scale: int) -> int:
    """mantissa * 10**scale, rounded up and capped, without building an enormous power."""
    if mantissa == 0:
        return 0
    if scale > 40:
        return _CAP
    if scale >= 0:
        return min(mantissa * int(10**scale), _CAP)
    if -scale > 2 * _MAX_LENGTH:
        return 1
    return min(round_up(mantissa, int(10**-scale)), _CAP)


def round_up(amount: int, unit: int) -> int:
    """How many units hold the amount, rounded away from zero as Quantity.ScaledValue does."""
    units = -(-abs(amount) // unit)
    return units if amount >= 0 else -units


def format_units(resource: str, units: int) -> str:
    """Units of a resource as people write them: 500m cpu, 2Gi memory, 3 gpus."""
    if resource == "cpu":
        return str(units // 1000) if units % 1000 == 0 else f"{units}m"
    if resource not in ("memory", "ephemeral-storage") and not resource.startswith("hugepages-"):
        return str(units)
    for suffix, shift in reversed(_BINARY.items()):
        if units and units % (1 << shift) == 0:
            return f"{units >> shift}{suffix}"
    return f"{units >> 20}Mi" if abs(units) >= 1 << 20 else str(units)
