"""What a guard says of what was measured: one table a rule."""

import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.api import Guard, OwnedGuard
from tidegate.engine.guards import Arm, Ask, Judgement, Side, asks, blindness, judge, strongest
from tidegate.engine.records import LARGEST, Record
from tidegate.engine.values import FULL, Verdict
from tidegate.stats import Counts, Data, Histogram, Measurement, Value

RATIO = {"bad": 'r{version="$(version)",code=~"5.."}', "total": 'r{version="$(version)"}'}
LATENCY = {"percentile": 95, "histogram": 'd{version="$(version)"}'}
VALUE = {"query": 'max(q{version="$(version)"})'}


def guard(**fields: Any) -> Guard:
    return Guard.model_validate({"name": "g", "connection": "prometheus", **fields})


def arm(name: str) -> Arm:
    return Arm(name, f"content-of-{name}", (("version", name), ("revision", name[-3:]), ("release", "shop")))


def ask(of: Guard, promised: int = 10_000, *, stable: str | None = "v1") -> Ask:
    return Ask(of, "", Side("", arm("v2"), arm(stable) if stable else None, promised, since=0.0))


def counts(part: float, total: float) -> Measurement:
    return Measurement(Data.OK if total else Data.NO_TRAFFIC, "", Counts(part, total), through=60.0)


def latencies(*rows: tuple[float, float]) -> Measurement:
    return Measurement(Data.OK, "", Histogram(rows), through=60.0)


def value(number: float) -> Measurement:
    return Measurement(Data.OK, "", Value(number), through=60.0)


def nothing(data: Data) -> Measurement:
    return Measurement(data, "the reason why", through=60.0)


FAST = latencies((0.1, 500), (0.2, 990), (0.5, 1000), (math.inf, 1000))
SLOW = latencies((0.1, 100), (0.2, 500), (0.5, 1000), (math.inf, 1000))
SLOWEST = latencies((0.1, 100), (0.2, 500), (0.5, 600), (math.inf, 1000))


@pytest.mark.parametrize(
    ("fields", "candidate", "stable", "verdict", "sentence"),
    [
        # points
        ({"revert": "+0.5pp", "ratio": RATIO}, counts(10, 1000), counts(1, 10_000), Verdict.BREACH,
         "g of v2 is 0.99 pp above v1 (1 % against 0.01 %, 1 000 requests); limit +0.5 pp"),
        ({"revert": "+0.5pp", "ratio": RATIO}, counts(5, 1000), counts(0, 10_000), Verdict.PASS,
         "g of v2 is 0.5 pp above v1 (0.5 % against 0 %, 1 000 requests); limit +0.5 pp"),
        ({"revert": "-0.5pp", "ratio": RATIO}, counts(0, 1000), counts(100, 10_000), Verdict.BREACH,
         "g of v2 is 1 pp below v1 (0 % against 1 %, 1 000 requests); limit -0.5 pp"),
        # relative
        ({"revert": "-10%", "ratio": {"good": RATIO["bad"], "total": RATIO["total"]}}, counts(50, 1000),
         counts(1000, 10_000), Verdict.BREACH,
         "g of v2 is 50 % below v1 (5 % against 10 %, 1 000 requests); limit -10 %"),
        ({"revert": "-10%", "ratio": {"good": RATIO["bad"], "total": RATIO["total"]}}, counts(95, 1000),
         counts(1000, 10_000), Verdict.PASS,
         "g of v2 is 5 % below v1 (9.5 % against 10 %, 1 000 requests); limit -10 %"),
        ({"revert": "+25%", "ratio": RATIO}, counts(0, 1000), counts(0, 10_000), Verdict.PASS,
         "g of v2 is as v1 (0 % against 0 %, 1 000 requests); limit +25 %"),
        ({"revert": "+25%", "ratio": RATIO}, counts(1, 1000), counts(0, 10_000), Verdict.BREACH,
         "g of v2 is above v1 (0.1 % against 0 %, 1 000 requests); limit +25 %"),
        # its own
        ({"revert": "1%", "ratio": RATIO}, counts(11, 1000), counts(500, 1000), Verdict.BREACH,
         "g of v2 is 1.1 % (1 000 requests); limit 1 %"),
        # hold and revert
        ({"hold": "+0.1pp", "revert": "+0.5pp", "ratio": RATIO}, counts(3, 1000), counts(0, 10_000), Verdict.HOLD,
         "g of v2 is 0.3 pp above v1 (0.3 % against 0 %, 1 000 requests); hold limit +0.1 pp"),
        ({"hold": "+0.1pp", "revert": "+0.5pp", "ratio": RATIO}, counts(30, 1000), counts(0, 10_000), Verdict.BREACH,
         "g of v2 is 3 pp above v1 (3 % against 0 %, 1 000 requests); limit +0.5 pp"),
        ({"hold": "+0.1pp", "ratio": RATIO}, counts(30, 1000), counts(0, 10_000), Verdict.HOLD,
         "g of v2 is 3 pp above v1 (3 % against 0 %, 1 000 requests); hold limit +0.1 pp"),
        # latencies
        ({"revert": "+25%", "quantile": LATENCY}, SLOW, FAST, Verdict.BREACH,
         "g of v2 is 145 % above v1 (470 ms against 192 ms, 1 000 requests); limit +25 %"),
        ({"revert": "+25%", "quantile": LATENCY}, FAST, FAST, Verdict.PASS,
         "g of v2 is as v1 (192 ms against 192 ms, 1 000 requests); limit +25 %"),
        ({"revert": "400ms", "quantile": LATENCY}, SLOW, FAST, Verdict.BREACH,
         "g of v2 is 470 ms (1 000 requests); limit 400ms"),
        ({"revert": "500ms", "quantile": LATENCY}, SLOWEST, FAST, Verdict.BREACH,
         "g of v2 is > 500 ms (1 000 requests); limit 500ms"),
        # values
        ({"revert": 80, "value": VALUE}, value(81), None, Verdict.BREACH, "g of v2 is 81; limit 80"),
        ({"revert": 80, "value": VALUE}, value(80), None, Verdict.PASS, "g of v2 is 80; limit 80"),
        ({"revert": "<10", "value": VALUE}, value(9.5), None, Verdict.BREACH, "g of v2 is 9.5; limit <10"),
        ({"revert": "+25%", "value": VALUE}, value(130), value(100), Verdict.BREACH,
         "g of v2 is 30 % above v1 (130 against 100); limit +25 %"),
        ({"revert": "+25%", "value": VALUE}, value(-110), value(-100), Verdict.PASS,
         "g of v2 is 10 % below v1 (-110 against -100); limit +25 %"),
    ],
)  # fmt: skip
def test_a_limit_is_breached_when_the_candidate_is_beyond_it(
    fields: dict[str, Any], candidate: Measurement, stable: Measurement | None, verdict: Verdict, sentence: str
) -> None:
    judged = judge(ask(guard(**fields)), candidate, stable)
    assert (judged.verdict, judged.data, judged.sentence) == (verdict, Data.OK, sentence)


MISSING = [data for data in Data if data not in (Data.OK, Data.NO_TRAFFIC, Data.BLIND)]


@pytest.mark.parametrize("data", MISSING)
@pytest.mark.parametrize("promised", [10_000, FULL])
def test_no_data_of_the_candidate_is_unknown_and_says_why(data: Data, promised: int) -> None:
    judged = judge(ask(guard(revert="+0.5pp", ratio=RATIO), promised), nothing(data), counts(0, 1000))
    assert (judged.verdict, judged.data) == (Verdict.UNKNOWN, data)
    assert judged.sentence == "g: no data of v2: the reason why"


@pytest.mark.parametrize("data", MISSING)
def test_no_data_of_stable_is_unknown_for_a_limit_against_it_and_nothing_to_the_others(data: Data) -> None:
    against = judge(ask(guard(revert="+0.5pp", ratio=RATIO)), counts(0, 1000), nothing(data))
    assert (against.verdict, against.data, against.sentence) == (
        Verdict.UNKNOWN, data, "g: no data of v1: the reason why",
    )  # fmt: skip
    alone = judge(ask(guard(revert="1%", ratio=RATIO)), counts(0, 1000), nothing(data))
    assert (alone.verdict, alone.data) == (Verdict.PASS, Data.OK)
    both = judge(ask(guard(revert="1%", hold="+0.1pp", ratio=RATIO)), counts(20, 1000), nothing(data))
    assert both.verdict is Verdict.BREACH, "what needs no baseline is not silenced by the want of one"


@pytest.mark.parametrize("promised", [0, 10_000, FULL])
def test_a_query_that_the_source_cannot_use_holds(promised: int) -> None:
    judged = judge(ask(guard(revert="1%", ratio=RATIO), promised), nothing(Data.BLIND), nothing(Data.BLIND))
    assert (judged.verdict, judged.data, judged.sentence) == (Verdict.HOLD, Data.BLIND, "g: the reason why")


def test_what_was_not_answered_yet_is_unknown() -> None:
    judged = judge(ask(guard(revert="1%", ratio=RATIO)), None)
    assert (judged.verdict, judged.data, judged.sentence) == (Verdict.UNKNOWN, Data.AWAITED, "g: not measured yet")


@pytest.mark.parametrize(("least", "total", "verdict"), [
    (None, 99, Verdict.INCONCLUSIVE), (None, 100, Verdict.BREACH), (1000, 999, Verdict.INCONCLUSIVE),
    (1000, 1000, Verdict.BREACH), (1, 1, Verdict.BREACH),
])  # fmt: skip
def test_fewer_than_min_samples_of_the_candidate_are_inconclusive(
    least: int | None, total: int, verdict: Verdict
) -> None:
    fields = {"minSamples": least} if least else {}
    judged = judge(ask(guard(revert="1%", ratio=RATIO, **fields)), counts(total, total), counts(0, 10_000))
    assert judged.verdict is verdict
    if verdict is Verdict.INCONCLUSIVE:
        assert judged.sentence == f"g: {total} of {least or 100} samples of v2"


def test_too_few_samples_of_stable_are_inconclusive_where_it_is_compared_with() -> None:
    judged = judge(ask(guard(revert="+0.5pp", ratio=RATIO)), counts(900, 1000), counts(0, 12))
    assert (judged.verdict, judged.sentence) == (
        Verdict.INCONCLUSIVE, "g: 12 of 100 samples of v1, too few to compare with",
    )  # fmt: skip


IDLE, BUSY, GONE, DOWN = counts(0, 0), counts(1, 1000), nothing(Data.NO_SERIES), nothing(Data.PROVIDER_ERROR)
STALE = nothing(Data.STALE)


@pytest.mark.parametrize(
    ("promised", "candidate", "stable", "verdict", "data"),
    [
        # neither side is asked anything
        (10_000, IDLE, IDLE, Verdict.NO_TRAFFIC, Data.NO_TRAFFIC),
        (10_000, GONE, IDLE, Verdict.NO_TRAFFIC, Data.NO_TRAFFIC),
        (FULL, IDLE, IDLE, Verdict.NO_TRAFFIC, Data.NO_TRAFFIC),
        (FULL, IDLE, GONE, Verdict.NO_TRAFFIC, Data.NO_TRAFFIC),
        # stable is asked and the candidate is not: the split does not reach it
        (10_000, IDLE, BUSY, Verdict.UNKNOWN, Data.NO_TRAFFIC),
        (FULL, IDLE, BUSY, Verdict.UNKNOWN, Data.NO_TRAFFIC),
        # whether stable is asked is not known
        (10_000, IDLE, GONE, Verdict.UNKNOWN, Data.NO_SERIES),
        (10_000, IDLE, DOWN, Verdict.UNKNOWN, Data.PROVIDER_ERROR),
        (10_000, IDLE, None, Verdict.UNKNOWN, Data.AWAITED),
        # a promise, and no series
        (10_000, GONE, BUSY, Verdict.UNKNOWN, Data.NO_SERIES),
        (FULL, GONE, BUSY, Verdict.UNKNOWN, Data.NO_SERIES),
        (10_000, GONE, GONE, Verdict.UNKNOWN, Data.NO_SERIES),
        # no promise, and the source answers
        (0, GONE, BUSY, Verdict.NO_TRAFFIC, Data.NO_TRAFFIC),
        (0, IDLE, BUSY, Verdict.NO_TRAFFIC, Data.NO_TRAFFIC),
        (0, GONE, GONE, Verdict.NO_TRAFFIC, Data.NO_TRAFFIC),
        (0, STALE, BUSY, Verdict.NO_TRAFFIC, Data.NO_TRAFFIC),
        (0, counts(900, 1000), BUSY, Verdict.NO_TRAFFIC, Data.NO_TRAFFIC),
        # no promise, and it does not answer
        (0, DOWN, DOWN, Verdict.UNKNOWN, Data.PROVIDER_ERROR),
        (0, GONE, DOWN, Verdict.UNKNOWN, Data.PROVIDER_ERROR),
        (0, GONE, STALE, Verdict.UNKNOWN, Data.STALE),
        (0, nothing(Data.PARTIAL), BUSY, Verdict.UNKNOWN, Data.PARTIAL),
        (0, nothing(Data.NOT_PERMITTED), nothing(Data.NOT_PERMITTED), Verdict.UNKNOWN, Data.NOT_PERMITTED),
    ],
)  # fmt: skip
def test_no_traffic_is_told_from_no_data(
    promised: int, candidate: Measurement, stable: Measurement | None, verdict: Verdict, data: Data
) -> None:
    judged = judge(ask(guard(revert="+0.5pp", ratio=RATIO), promised), candidate, stable)
    assert (judged.verdict, judged.data) == (verdict, data)


def test_the_candidate_that_gets_none_of_its_share_is_named_with_it() -> None:
    judged = judge(ask(guard(revert="+0.5pp", ratio=RATIO)), IDLE, BUSY)
    assert judged.sentence == "g: v1 is asked and v2 is not: the split does not give it its 10 %"


def test_the_first_version_passes_limits_against_stable_and_shows_that_there_is_none() -> None:
    both = guard(hold="1%", revert="+0.5pp", ratio=RATIO)
    judged = judge(ask(both, FULL, stable=None), counts(5, 1000))
    assert (judged.verdict, judged.data) == (Verdict.PASS, Data.NO_BASELINE)
    assert judged.sentence == "g: there is no stable version to compare with"
    held = judge(ask(both, FULL, stable=None), counts(50, 1000))
    assert (held.verdict, held.sentence) == (Verdict.HOLD, "g of v2 is 5 % (1 000 requests); hold limit 1 %")
    assert judge(ask(both, FULL, stable=None), IDLE).verdict is Verdict.NO_TRAFFIC
    assert judge(ask(both, FULL, stable=None), GONE).verdict is Verdict.UNKNOWN


def test_a_value_beyond_its_limit_keeps_the_climb_from_beginning_and_rejects_nothing() -> None:
    connections = guard(revert=80, value={"query": "max(pg_connections)"})
    assert judge(ask(connections, 0), value(90)).verdict is Verdict.HOLD
    assert judge(ask(connections, 0), value(70)).verdict is Verdict.NO_TRAFFIC
    assert judge(ask(connections, 10_000), value(90)).verdict is Verdict.BREACH


# ---- stable's record


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


# ---- blindness


def of_values(**values: str) -> Arm:
    return Arm(values.get("version", "v"), "c", tuple(values.items()))


@pytest.mark.parametrize(
    ("fields", "new", "old", "blind"),
    [
        ({"ratio": RATIO, "revert": "1%"}, {"version": "v2"}, {"version": "v1"}, False),
        ({"ratio": RATIO, "revert": "1%"}, {"version": "v1"}, {"version": "v1"}, True),
        ({"ratio": {"bad": "e", "total": "r"}, "revert": "1%"}, {"version": "v2"}, {"version": "v1"}, True),
        ({"ratio": {**RATIO, "total": "r"}, "revert": "1%"}, {"version": "v2"}, {"version": "v1"}, True),
        ({"ratio": {"bad": 'e{r="$(revision)"}', "total": 'r{r="$(revision)"}'}, "revert": "1%"},
         {"version": "v1", "revision": "b"}, {"version": "v1", "revision": "a"}, False),
        ({"ratio": {"bad": 'e{r="$(release)"}', "total": 'r{r="$(release)"}'}, "revert": "1%"},
         {"release": "shop"}, {"release": "shop"}, True),
        ({"quantile": {"percentile": 95, "histogram": "d"}, "revert": "2s"}, {"version": "v2"}, {"version": "v1"},
         True),
        ({"value": {"query": "max(pg_connections)"}, "revert": 80}, {"version": "v2"}, {"version": "v1"}, False),
        ({"value": {"query": "max(pg_connections)"}, "revert": "+25%"}, {"version": "v2"}, {"version": "v1"}, True),
    ],
)  # fmt: skip
def test_a_guard_that_cannot_tell_the_versions_apart_is_blind_and_holds(
    fields: dict[str, Any], new: Mapping[str, str], old: Mapping[str, str], blind: bool
) -> None:
    question = Ask(guard(**fields), "", Side("", of_values(**new), of_values(**old), 10_000, 0.0))
    assert (blindness(question) is not None) is blind
    judged = judge(question, value(1) if "value" in fields else counts(0, 1000), counts(0, 1000))
    if blind:
        assert (judged.verdict, judged.data) == (Verdict.HOLD, Data.BLIND)
        assert "$(revision)" in judged.sentence, "it says what to write"
    else:
        assert judged.data is not Data.BLIND


def test_the_first_version_is_not_blind_for_want_of_another_but_for_want_of_a_placeholder() -> None:
    assert blindness(ask(guard(ratio=RATIO, revert="1%"), stable=None)) is None
    assert blindness(ask(guard(ratio={"bad": "e", "total": "r"}, revert="1%"), stable=None)) is not None


def test_a_limit_that_lies_above_the_last_edge_of_the_histogram_is_blind() -> None:
    for limit in ("800ms", "+25%"):
        judged = judge(ask(guard(revert=limit, quantile=LATENCY)), SLOWEST, SLOWEST)
        assert (judged.verdict, judged.data) == (Verdict.HOLD, Data.BLIND)
        assert "add larger buckets" in judged.sentence


# ---- together


@given(st.lists(st.sampled_from(list(Verdict))))
def test_the_strongest_verdict_counts_and_no_guards_pass(verdicts: list[Verdict]) -> None:
    order = [Verdict.BREACH, Verdict.UNKNOWN, Verdict.HOLD, Verdict.NO_TRAFFIC, Verdict.INCONCLUSIVE, Verdict.PASS]
    expected = next((verdict for verdict in order if verdict in verdicts), Verdict.PASS)
    assert strongest(verdicts) is expected


def test_a_guard_that_observes_is_judged_and_shown_and_never_acts() -> None:
    for look in (counts(900, 1000), nothing(Data.PROVIDER_ERROR)):
        judged = judge(ask(guard(revert="1%", ratio=RATIO, mode="Observe")), look, BUSY)
        assert judged.verdict in (Verdict.BREACH, Verdict.UNKNOWN)
        assert judged.acting is Verdict.PASS
    assert judge(ask(guard(revert="1%", ratio=RATIO)), counts(900, 1000), BUSY).acting is Verdict.BREACH


def test_a_guard_is_asked_of_a_component_if_it_names_one_or_asks_for_one() -> None:
    web, api = (Side(part, arm("v2"), arm("v1"), 10_000, 0.0) for part in ("web", "api"))
    whole = Side("", arm("v2"), arm("v1"), 10_000, 0.0)
    each = 'r{version="$(version)",component="$(component)"}'
    guards = [
        OwnedGuard("", guard(name="all", ratio=RATIO, revert="1%")),
        OwnedGuard("", guard(name="one", ratio=RATIO, revert="1%", component="web")),
        OwnedGuard("house", guard(name="each", ratio={"bad": each, "total": each}, revert="1%")),
        OwnedGuard("", guard(name="unchanged", ratio=RATIO, revert="1%", component="db")),
    ]
    asked = [(a.owner, a.guard.name, a.component) for a in asks(guards, whole, [web, api])]
    assert asked == [("", "all", ""), ("", "one", "web"), ("house", "each", "web"), ("house", "each", "api")]


MEASUREMENTS = st.one_of(
    st.none(),
    st.sampled_from([nothing(data) for data in Data if data is not Data.OK]),
    st.tuples(st.integers(0, 2000), st.integers(0, 2000)).map(lambda pair: counts(min(pair), max(pair))),
)


@given(
    MEASUREMENTS, MEASUREMENTS, st.sampled_from([0, 100, 10_000, FULL]), st.booleans(),
    st.sampled_from(["+0.5pp", "-10%", "1%"]),
)  # fmt: skip
def test_nothing_passes_without_enough_samples_of_the_candidate(
    candidate: Measurement | None, stable: Measurement | None, promised: int, first: bool, limit: str
) -> None:
    question = ask(guard(revert=limit, ratio=RATIO), promised, stable=None if first else "v1")
    judged: Judgement = judge(question, candidate, None if first else stable)
    if judged.verdict in (Verdict.PASS, Verdict.BREACH, Verdict.HOLD) and judged.data is not Data.BLIND:
        assert candidate is not None
        assert candidate.samples >= 100
        assert promised > 0
    assert judged.sentence.startswith("g")
