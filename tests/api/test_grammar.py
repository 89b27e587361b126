"""Percent, Duration, Time and placeholders: what is read is written back the same, and nonsense gets a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.api import (
    FULL,
    Percent,
    expand,
    format_duration,
    format_percent,
    format_time,
    parse_duration,
    parse_time,
    placeholders,
)
from tidegate.api.grammar import PLACEHOLDERS, check_placeholders


@given(st.integers(0, 100_000))
def test_a_percent_is_read_back_as_it_was_written(thousandths: int) -> None:
    written = format_percent(thousandths)
    assert Percent.parse(written) == thousandths
    assert format_percent(Percent.parse(written)) == written


@pytest.mark.parametrize(
    ("written", "thousandths"),
    [(0, 0), (10, 10_000), (100, FULL), ("0.1%", 100), ("10%", 10_000), ("33.333%", 33_333), ("100%", FULL)],
)
def test_a_percent_is_a_whole_number_or_has_a_sign(written: object, thousandths: int) -> None:
    assert Percent.parse(written) == thousandths


@pytest.mark.parametrize("written", [101, -1, 10.5, True, None, "10", "0.0001%", "100.001%", "ten%", " 10%", "-1%"])
def test_what_is_no_percent_is_refused_with_what_to_write(written: object) -> None:
    with pytest.raises(ValueError, match="write a percentage from 0 to 100"):
        Percent.parse(written)


def test_a_percent_in_a_sentence_has_a_space() -> None:
    assert Percent.parse("0.1%").text == "0.1 %"
    assert Percent(10_000).text == "10 %"
    assert Percent(10_000).fraction == pytest.approx(0.1)


@given(st.integers(0, 99_999 * 3_600_000))
def test_a_duration_is_read_back_as_it_was_written(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    written = format_duration(seconds)
    assert parse_duration(written) == seconds
    assert format_duration(parse_duration(written)) == written


@pytest.mark.parametrize(
    ("written", "seconds"), [("15m", 900), ("1h30m", 5400), ("500ms", 0.5), ("0s", 0), ("90s", 90), ("24h", 86400)]
)
def test_durations_have_the_form_of_the_gateway_api(written: str, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize("written", ["soon", "", "15", 15, "-1s", "1.5h", "1d", "1 h", None, "1s1s1s1s1s"])
def test_what_is_no_duration_is_refused_with_what_to_write(written: object) -> None:
    with pytest.raises(ValueError, match="write a duration such as 30s, 15m, 1h30m or 500ms"):
        parse_duration(written)


@pytest.mark.parametrize("seconds", [-0.001, -1, 99_999 * 3600 + 1])
def test_a_duration_that_has_no_form_is_not_written(seconds: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 99999 hours"):
        format_duration(seconds)


@given(st.integers(0, 4_102_444_800_000))
def test_an_instant_is_read_back_as_it_was_written(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert parse_time(format_time(seconds)) == seconds


def test_an_instant_is_utc_with_milliseconds_and_any_offset_is_read() -> None:
    assert format_time(parse_time("2026-12-01T14:00:00-08:00")) == "2026-12-01T22:00:00.000Z"
    assert parse_time("2026-12-01T22:00:00Z") == parse_time("2026-12-01T22:00:00.000+00:00")


@pytest.mark.parametrize("written", ["2026-12-01T14:00:00", "yesterday", 5, None])
def test_an_instant_without_an_offset_is_none(written: object) -> None:
    with pytest.raises(ValueError, match="is not an instant"):
        parse_time(written)


def test_placeholders_are_filled_in_and_doubled_ones_are_plain() -> None:
    values = {"version": "v1", "release": "shop"}
    assert expand("a:$(version)-$$(version)-$(release)-$5", values) == "a:v1-$(version)-shop-$5"
    assert placeholders("$(version) $$(release) $(nonsense)") == {"version", "nonsense"}


@given(st.text(alphabet="$()ab", max_size=30))
def test_what_is_checked_can_be_expanded_and_nothing_else_can(text: str) -> None:
    values = {"a": "1", "b": "2"}
    try:
        check_placeholders(text, values)
    except ValueError:
        with pytest.raises(ValueError, match="is not a placeholder here"):
            expand(text, values)
    else:
        expand(text, values)


@pytest.mark.parametrize("text", ["$(versoin)", "$(", "$(version", "$()", "$(a b)"])
def test_an_unknown_placeholder_is_refused_with_those_that_are_known(text: str) -> None:
    with pytest.raises(ValueError, match=r"known are \$\(component\), \$\(release\)"):
        check_placeholders(text, PLACEHOLDERS)
