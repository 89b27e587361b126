"""How much counters grew, against a counter that was watched while it counted."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.stats import Sample, Tally, advance, begin
from tidegate.stats.counters import Labels

SINCE = 1000.0
A: Labels = (("pod", "a"),)
B: Labels = (("pod", "b"),)


def tally(*series: tuple[Labels, list[tuple[float, float]]], through: float = 2000.0) -> Tally:
    answer = [(labels, [Sample(at, value) for at, value in samples]) for labels, samples in series]
    return advance(begin(SINCE, 300.0), answer, through)


@pytest.mark.parametrize(
    ("samples", "growth"),
    [
        # from the first sample inside the window: what straddles its opening may belong to the time before
        ([(990, 50), (1005, 60), (1020, 75)], 15),
        # a reset: the process began again at zero
        ([(990, 50), (1005, 60), (1020, 5), (1035, 9)], 9),
        # born inside the window: from zero
        ([(1050, 7), (1065, 9)], 9),
        # born, but with the first scrape after the opening: left out, like everybody's in that scrape
        ([(1010, 7), (1025, 9)], 2),
        # one sample inside, or none: nothing is seen to grow
        ([(990, 50), (1005, 60)], 0),
        ([(975, 40), (990, 50)], 0),
        ([], 0),
    ],
)
def test_growth_is_counted_from_what_was_there(samples: list[tuple[float, float]], growth: float) -> None:
    assert tally((A, samples)).growth() == growth


def test_several_series_are_each_followed_by_themselves_and_summed() -> None:
    both = tally((A, [(990, 5), (1005, 10), (1020, 20)]), (B, [(1050, 3), (1065, 4)]))
    assert both.growth() == 10 + 4
    assert both.growth_by(lambda labels: labels[0][1]) == {"a": 10, "b": 4}


def test_errors_of_a_scrape_do_not_count_where_its_requests_do_not() -> None:
    """A pod that failed from its first request on: the error counter is born with the first scrape after the move."""
    requests = tally((A, [(985, 0), (1000.0, 0), (1015, 100), (1030, 200)]))
    errors = tally((A, [(1015, 100), (1030, 200)]))
    assert errors.growth(requests.interval) == requests.growth() == 100


def test_the_interval_between_scrapes_is_seen_and_one_scrape_that_was_missed_changes_nothing() -> None:
    assert tally((A, [(990, 1), (1005, 2), (1035, 3)])).interval == 15
    assert tally((A, [(990, 1)])).interval is None


def test_freshness_is_three_intervals_and_at_least_half_a_minute() -> None:
    assert tally((A, [(1000, 1), (1001, 2)])).fresh_until() == 1001 + 30
    assert tally((A, [(1000, 1), (1060, 2)])).fresh_until() == 1060 + 180


def test_a_sample_that_is_no_number_is_remembered_and_the_count_goes_on_after_it() -> None:
    broken = tally((A, [(990, 5), (1005, 10), (1020, math.nan)]))
    assert broken.unreadable_at == 1020
    mended = advance(broken, [(A, [Sample(1035, 30)])], 2100.0)
    assert mended.growth() == 20


def test_how_long_growth_could_have_been_seen() -> None:
    assert tally((A, [(980, 1), (995, 1)])).observed == 0
    assert tally((A, [(990, 1), (1005, 1)])).observed == 0
    assert tally((A, [(990, 1), (1005, 1), (1020, 1)]), (B, [(1050, 1)])).observed == 45


# ---- against a reference

pods = st.lists(
    st.tuples(
        st.integers(0, 40),  # the scrape at which the pod is first seen
        st.lists(st.one_of(st.integers(0, 50), st.just(None)), min_size=1, max_size=40),  # growth a scrape; None: reset
    ),
    min_size=1,
    max_size=4,
)


def histories(fleet: list[tuple[int, list[int | None]]]) -> tuple[list[tuple[Labels, list[Sample]]], int]:
    """Scrapes every 10 s from 700 on (the window opens at 1000), and what a counter would say that watched."""
    series: list[tuple[Labels, list[Sample]]] = []
    true = 0
    for number, (first, growths) in enumerate(fleet):
        value, samples = 0, []
        for index, growth in enumerate(growths):
            at = 705 + 10 * (first + index)
            value = 0 if growth is None else value + growth
            samples.append(Sample(at, value))
            if at > SINCE + 10:  # what the first scrape inside brings may be older than the window
                true += growth or 0
        labels: Labels = (("pod", str(number)),)
        series.append((labels, samples))
    return series, true


@given(pods)
def test_the_same_integers_as_a_counter_that_watched(fleet: list[tuple[int, list[int | None]]]) -> None:
    series, true = histories(fleet)
    assert advance(begin(SINCE, 300.0), series, 2000.0).growth(10.0) == true


@given(pods, st.lists(st.integers(690, 1600), max_size=8), st.integers(0, 40))
def test_reading_in_pieces_that_overlap_or_repeat_gives_the_same(
    fleet: list[tuple[int, list[int | None]]], cuts: list[int], overlap: int
) -> None:
    series, _ = histories(fleet)
    whole = advance(begin(SINCE, 300.0), series, 2000.0)
    pieces = begin(SINCE, 300.0)
    borders = [690, *sorted(cuts), 2000]
    for start, end in pairwise(borders):
        piece = [(labels, [s for s in samples if start - overlap < s.at <= end]) for labels, samples in series]
        pieces = advance(pieces, [each for each in piece if each[1]], end)
    assert pieces.growth(10.0) == whole.growth(10.0)
    assert pieces.series == whole.series
