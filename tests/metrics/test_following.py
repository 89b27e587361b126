"""Looking again and again: each look reads only what is new, and what nobody asks for is let go."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.metrics.stub import (
    NOW,
    RATIO,
    SINCE,
    VALUES,
    Stub,
    measure,
    scrapes,
    source,
    unreachable,
)
from tidegate.metrics import Window, following
from tidegate.metrics import prometheus as module
from tidegate.metrics.following import Followed, Tallies
from tidegate.stats import Counts, Data, Measurement, Tally, begin


async def test_a_second_look_reads_only_what_is_new_and_counts_the_same() -> None:
    stub = Stub()
    stub.requests_of(scrapes(90, end=10_600), scrapes(10, end=10_600))
    opened, lengths = source(stub), []
    for until in range(10_010, 10_600, 7):
        measured = await opened.measure(RATIO, VALUES, Window(SINCE, float(until)))
        fresh = await measure(stub, RATIO, until=float(until))
        assert measured.shape == fresh.shape
        lengths.append(int(stub.queries[-4].split("[")[1].removesuffix("ms]")))
    assert max(lengths[1:]) <= (7 + module.OVERLAP) * 1000, "but the first, each asks for seconds"
    await opened.close()


async def test_a_long_window_is_read_in_pieces_and_goes_on_where_it_was_cut_short() -> None:
    day = 86_400.0
    stub = Stub()
    stub.requests_of(scrapes(1, start=SINCE - 295, end=SINCE + day, every=15))
    opened = source(stub)
    whole = await opened.measure(RATIO, VALUES, Window(SINCE, SINCE + day))
    assert whole.samples == day / 15 - 1
    assert len(stub.requests) < 110
    await opened.close()

    calls = 0

    def cut_short(request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        if calls % 20 == 0:
            raise httpx.ReadTimeout("slow", request=request)
        stub.answer = None
        try:
            return stub(request)
        finally:
            stub.answer = cut_short

    opened, stub.answer, looks = source(stub), cut_short, 0
    measured = Measurement(Data.AWAITED)
    while measured.data is not Data.OK:
        measured = await opened.measure(RATIO, VALUES, Window(SINCE, SINCE + day))
        looks += 1
    assert 2 < looks < 12
    assert measured.samples == whole.samples
    await opened.close()


async def test_another_window_begins_anew() -> None:
    stub = Stub()
    stub.requests_of(scrapes(10))
    opened = source(stub)
    await opened.measure(RATIO, VALUES, Window(SINCE, NOW))
    later = await opened.measure(RATIO, VALUES, Window(SINCE + 30, NOW))
    assert later.shape == Counts(0, 50)
    await opened.close()


async def test_after_an_outage_the_count_is_as_if_there_had_been_none() -> None:
    stub = Stub()
    stub.requests_of(scrapes(10, end=10_600))
    opened = source(stub)
    await opened.measure(RATIO, VALUES, Window(SINCE, NOW))
    stub.answer = unreachable
    assert (await opened.measure(RATIO, VALUES, Window(SINCE, NOW + 200))).data is Data.PROVIDER_ERROR
    stub.answer = None
    after = await opened.measure(RATIO, VALUES, Window(SINCE, NOW + 400))
    assert after.shape == (await measure(stub, RATIO, until=NOW + 400)).shape
    await opened.close()


async def test_two_guards_may_follow_one_selector_at_once() -> None:
    stub = Stub()
    stub.requests_of(scrapes(90), scrapes(10))
    opened = source(stub)
    both = await asyncio.gather(*(opened.measure(RATIO, VALUES, Window(SINCE, NOW)) for _ in range(5)))
    assert {measured.shape for measured in both} == {Counts(part=110, total=1100)}
    await opened.close()


# ---- what is kept


def tally(since: float) -> Tally:
    return begin(since, 300.0)


def test_what_nobody_asks_for_is_forgotten_after_ten_minutes() -> None:
    now = 0.0
    tallies = Tallies(lambda: now)
    for step in range(100):  # a step an hour, as in a life of years
        now = 3600.0 * step
        tallies.keep(Followed("r", now), tally(now))
        assert len(tallies) == 1


def test_what_is_asked_for_is_kept_however_old_it_is() -> None:
    now = 0.0
    tallies = Tallies(lambda: now)
    day = Followed("r", 0.0)
    tallies.keep(day, tally(0.0))
    for minute in range(60 * 24):
        now = 60.0 * minute
        assert tallies.get(day) is not None
        tallies.keep(Followed(f"other{minute}", now), tally(now))
    assert len(tallies) == 1 + 1 + following.FORGOTTEN_AFTER / 60


def test_no_more_than_so_many_are_kept_and_the_longest_unasked_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "AT_MOST", 10)
    tallies = Tallies(lambda: 0.0)
    for index in range(50):
        tallies.keep(Followed("r", index), tally(index))
        tallies.get(Followed("r", 0))
    assert len(tallies) == 10
    assert tallies.get(Followed("r", 0)) is not None
    assert tallies.get(Followed("r", 40)) is None


async def test_a_source_lets_go_of_steps_that_are_over() -> None:
    now, stub = 0.0, Stub()
    stub.requests_of(scrapes(10))
    opened = source(stub, clock=lambda: now)
    for step in range(5):
        now = 3600.0 * step
        await opened.measure(RATIO, VALUES, Window(SINCE + step, NOW))
        assert len(opened._tallies) == 2, "errors and requests of this step"
    await opened.close()
