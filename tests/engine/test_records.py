"""Stable's record: what stable was like during the climb, for the time when it has no traffic of its own."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.measured import (
    DOWN,
    GONE,
    RATIO,
    ask,
    counts,
    guard,
)
from tidegate.api import Guard
from tidegate.engine.guards import judge
from tidegate.engine.records import LARGEST, Record
from tidegate.engine.values import FULL, Verdict
from tidegate.stats import Counts, Data, Histogram, Measurement, Value


def climbed(of: Guard, stable: Measurement) -> Record:
    record = judge(ask(of, 50_000), counts(1, 1000), stable).record
    assert record is not None
    return record


def test_at_full_weight_the_baseline_is_stables_record_and_the_sentence_says_so() -> None:
    errors = guard(revert="+0.5pp", ratio=RATIO)
    record = climbed(errors, counts(10, 10_000))
    judged = judge(ask(errors, FULL), counts(20, 1000), GONE, record)
    assert judged.verdict is Verdict.BREACH
    assert judged.sentence == (
        "g of v2 is 1.9 pp above v1 (2 % against 0.1 %, 1 000 requests) (v1 as it was during the climb); limit +0.5 pp"
    )
    assert judged.record == record, "it stays as it was"
    assert (judged.stable, judged.samples) == ("0.1 %", (1000, 10_000))


def test_below_full_weight_stable_is_what_it_is_now_and_its_record_is_renewed() -> None:
    errors = guard(revert="+0.5pp", ratio=RATIO)
    judged = judge(ask(errors, 50_000), counts(20, 1000), counts(200, 10_000), climbed(errors, counts(0, 10_000)))
    assert judged.verdict is Verdict.PASS
    assert judged.record is not None
    assert judged.record.shape == Counts(200, 10_000)


def test_a_bad_look_at_stable_does_not_cost_its_record() -> None:
    errors = guard(revert="+0.5pp", ratio=RATIO)
    record = climbed(errors, counts(1, 1000))
    for look in (GONE, DOWN, counts(0, 5), None):
        assert judge(ask(errors, 50_000), counts(1, 1000), look, record).record == record


def test_the_record_of_another_stable_version_is_none() -> None:
    errors = guard(revert="+0.5pp", ratio=RATIO)
    foreign = Record("another content", 0.0, 60.0, Counts(0, 10_000))
    judged = judge(ask(errors, FULL), counts(900, 1000), GONE, foreign)
    assert (judged.verdict, judged.data, judged.record) == (Verdict.INCONCLUSIVE, Data.NO_BASELINE, None)


shares = st.floats(0, 1e12)
SHAPES = st.one_of(
    st.builds(Counts, part=shares, total=shares),
    st.builds(Value, st.floats(allow_nan=False, allow_infinity=False)),
    st.lists(st.tuples(st.floats(0, 1e9), st.integers(0, 10**12).map(float)), max_size=60).map(
        lambda rows: Histogram((*sorted(rows), (math.inf, 1e12)))
    ),
)


@given(SHAPES)
def test_a_record_is_read_back_as_it_was_and_fits_into_a_status(shape: Counts | Value | Histogram) -> None:
    record = Record("0" * 64, 1_795_000_000.0, 1_795_000_900.0, shape)
    assert len(record.encode()) <= LARGEST
    read = Record.decode(record.encode())
    assert read is not None
    if isinstance(shape, Histogram):
        assert isinstance(read.shape, Histogram)
        assert set(read.shape.buckets) <= set(shape.buckets), "edges may be given up, what is left is exact"
        assert read.shape.samples == shape.samples
    else:
        assert read == record


@pytest.mark.parametrize("text", ["", "2:[]", "1:", "1:[]", '1:["x",0,0,"c",1]', '1:["x",0,0,"h",1]', "1:{", "1:7"])
def test_a_record_that_cannot_be_read_is_none(text: str) -> None:
    assert Record.decode(text) is None
