# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantities are read as the API server reads them, and anything else is a QuantityError."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podplacement.core.plugins.module_utils.rules.model import (
    Field,
    MalformedObject,
    QuantityError,
)
from ansible_collections.podplacement.core.plugins.module_utils.rules.quantity import (
    NANO,
    format_units,
    quantity,
    round_up,
)

MAX = 2**63 - 1


def read(value: Any) -> int:
    return quantity(Field(value, "requests.cpu"))


@pytest.mark.parametrize(
    ("text", "billionths"),
    [
        ("0", 0),
        ("1", NANO),
        ("+1", NANO),
        ("-1", -NANO),
        ("1n", 1),
        ("1u", 10**3),
        ("1m", 10**6),
        ("1k", 10**3 * NANO),
        ("1M", 10**6 * NANO),
        ("1G", 10**9 * NANO),
        ("1T", 10**12 * NANO),
        ("1P", 10**15 * NANO),
        ("1E", 10**18 * NANO),
        ("1Ki", 2**10 * NANO),
        ("1Mi", 2**20 * NANO),
        ("1Gi", 2**30 * NANO),
        ("1Ti", 2**40 * NANO),
        ("1Pi", 2**50 * NANO),
        ("1Ei", 2**60 * NANO),
        ("1e3", 10**3 * NANO),
        ("1E3", 10**3 * NANO),
        ("1e+3", 10**3 * NANO),
        ("12e-3", 12 * 10**6),
        ("0.5", NANO // 2),
        (".5", NANO // 2),
        ("5.", 5 * NANO),
        ("1.5Gi", 3 * 2**29 * NANO),
        ("007", 7 * NANO),
        (1, NANO),
        (0.5, NANO // 2),
        (None, 0),
    ],
)
def test_every_way_to_write_a_quantity_is_read(text: Any, billionths: int) -> None:
    assert read(text) == billionths


@pytest.mark.parametrize(
    ("text", "billionths"),
    [
        ("0.1n", 1),
        ("-0.1n", -1),
        ("1e-300", 1),
        ("0e999999999", 0),
        ("1e999999999", MAX * NANO),
        ("-1e999999999", -MAX * NANO),
        ("9223372036854775808", MAX * NANO),
        ("8Ei", MAX * NANO),
    ],
)
def test_too_fine_is_rounded_away_from_zero_and_too_great_is_capped(
    text: str, billionths: int
) -> None:
    assert read(text) == billionths


@pytest.mark.parametrize(
    "garbage",
    [
        "", " ", "1 ", " 1", "one", "1x", "1mm", "1KiB", "1ki", "1K", "--1", "1.2.3", ".", "m", "+",
        "1e", "1e1.5", "1_000", "0x10", "\u0661", "NaN", "Infinity", "1,5", "1" * 65,
        True, float("nan"), float("inf"), 10**400, [], {}, b"1",
    ],
)  # fmt: skip
def test_garbage_is_an_error_that_names_value_and_field(garbage: Any) -> None:
    with pytest.raises(QuantityError) as caught:
        read(garbage)
    assert caught.value.path == "requests.cpu"
    assert caught.value.value is garbage
    assert str(caught.value).startswith(
        "requests.cpu: expected a quantity such as 500m or 1Gi, got"
    )


@given(st.one_of(st.text(), st.from_regex(r"[+-]?[0-9.]{0,9}[eEinumkKMGTP]{0,3}[+-]?[0-9]{0,9}")))
def test_no_text_does_anything_but_parse_or_raise(text: str) -> None:
    try:
        amount = read(text)
    except MalformedObject:
        return
    assert abs(amount) <= MAX * NANO


@given(
    st.integers(min_value=-(10**18), max_value=10**18), st.integers(min_value=1, max_value=10**9)
)
def test_rounding_up_loses_less_than_one_unit(amount: int, unit: int) -> None:
    units = round_up(amount, unit)
    assert abs(units) * unit >= abs(amount) > (abs(units) - 1) * unit


@pytest.mark.parametrize(
    ("resource", "units", "text"),
    [
        ("cpu", 2000, "2"),
        ("cpu", 250, "250m"),
        ("cpu", 0, "0"),
        ("cpu", -200, "-200m"),
        ("memory", 2**31, "2Gi"),
        ("memory", 3 * 2**29, "1536Mi"),
        ("memory", 10**9, "953Mi"),
        ("hugepages-2Mi", 2**22, "4Mi"),
        ("memory", 1000, "1000"),
        ("memory", -(2**30), "-1Gi"),
        ("example.com/gpu", 3, "3"),
        ("example.com/gpu", 2048, "2048"),
    ],
)
def test_units_are_written_as_people_write_them(resource: str, units: int, text: str) -> None:
    assert format_units(resource, units) == text
