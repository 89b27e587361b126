"""Limits of guards, and which of them fit what."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.api.documents import changed
from tidegate.api import Direction, Limit, LimitKind, parse_release
from tidegate.errors import Invalid

ABOVE, BELOW = Direction.ABOVE, Direction.BELOW

RATIO = {"ratio": {"bad": "errors", "total": "all"}}
GOOD = {"ratio": {"good": "fine", "total": "all"}}
QUANTILE = {"quantile": {"percentile": 95, "histogram": "seconds"}}
VALUE = {"value": {"query": "max(queue)"}}


@pytest.mark.parametrize(
    ("written", "kind", "direction", "value"),
    [
        ("+0.5pp", LimitKind.POINTS, ABOVE, 0.005),
        ("-0.5pp", LimitKind.POINTS, BELOW, 0.005),
        ("+25%", LimitKind.RELATIVE, ABOVE, 0.25),
        ("-10%", LimitKind.RELATIVE, BELOW, 0.1),
        ("1%", LimitKind.SHARE, ABOVE, 0.01),
        ("800ms", LimitKind.SECONDS, ABOVE, 0.8),
        ("2s", LimitKind.SECONDS, ABOVE, 2.0),
        (80, LimitKind.NUMBER, ABOVE, 80.0),
        ("0.8", LimitKind.NUMBER, ABOVE, 0.8),
        ("<10", LimitKind.NUMBER, BELOW, 10.0),
        ("-3", LimitKind.NUMBER, ABOVE, -3.0),
    ],
)
def test_a_limit_says_its_kind_and_side(
    written: int | str, kind: LimitKind, direction: Direction, value: float
) -> None:
    limit = Limit.parse(written)
    assert (limit.kind, limit.direction) == (kind, direction)
    assert limit.value == pytest.approx(value)
    assert limit.written == written
    assert str(limit) == str(written)
    assert limit.against_stable == (kind in (LimitKind.POINTS, LimitKind.RELATIVE))


@pytest.mark.parametrize("written", ["never", "", "+5", "0.5pp", "101%", 0.8, True, None, ">10", "< 10", "1 %", "+-1%"])
def test_what_is_no_limit_is_refused_with_what_to_write(written: object) -> None:
    with pytest.raises(ValueError, match=r"write a limit: \+0\.5pp"):
        Limit.parse(written)


@given(st.text(max_size=12))
def test_any_text_is_a_limit_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert Limit.parse(text).written == text


@pytest.mark.parametrize(
    ("member", "fits", "does_not_fit"),
    [
        (RATIO, ["+0.5pp", "-0.5pp", "+25%", "-10%", "1%"], ["800ms", 80, "0.8", "<10"]),
        (GOOD, ["-0.5pp", "-10%"], ["1%", "2s", 80]),
        (QUANTILE, ["+25%", "-10%", "800ms", "2s", "1h"], ["+0.5pp", "1%", 80, "<10"]),
        (VALUE, ["+25%", "-10%", 80, "0.8", "<10"], ["+0.5pp", "1%", "800ms"]),
    ],
)
def test_each_kind_of_limit_fits_what_the_table_says(
    member: dict[str, Any], fits: list[Any], does_not_fit: list[Any]
) -> None:
    for limit in fits:
        for field in ("hold", "revert"):
            parse_release(with_guard({**member, field: limit}))
    for limit in does_not_fit:
        for field in ("hold", "revert"):
            with pytest.raises(Invalid, match=f"{field}: .*write"):
                parse_release(with_guard({**member, field: limit}))


@pytest.mark.parametrize(
    ("guard", "sentence"),
    [
        ({**RATIO, **VALUE, "hold": "+10%"}, "write exactly one of ratio, quantile and value"),
        ({"hold": "+10%"}, "write exactly one of ratio, quantile and value"),
        (RATIO, "write hold .stop climbing., revert .go back., or both"),
        ({**VALUE, "hold": 80, "minSamples": 5}, "leave minSamples out"),
        ({"ratio": {"total": "all"}, "hold": "1%"}, "write either bad or good"),
        ({"ratio": {"bad": "x", "good": "y", "total": "all"}, "hold": "1%"}, "write either bad or good"),
        ({"quantile": {"percentile": 100, "histogram": "x"}, "hold": "2s"}, "a percentile above 0 and below 100"),
        ({"quantile": {"percentile": 0, "histogram": "x"}, "hold": "2s"}, "a percentile above 0 and below 100"),
        ({"ratio": {"bad": "$(window)", "total": "x"}, "hold": "1%"}, "is not a placeholder here"),
        ({**RATIO, "hold": "1%", "component": "nobody"}, "'nobody' is none of spec.components"),
    ],
)
def test_a_guard_that_contradicts_itself_is_refused(guard: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        parse_release(with_guard(guard))


def with_guard(guard: dict[str, Any]) -> dict[str, Any]:
    return changed("Release", lambda spec: spec.update(guards=[{"name": "guard", "connection": "prometheus", **guard}]))
