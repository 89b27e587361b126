"""What a guard says of what was measured: one table a rule."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.measured import (
    BUSY,
    DOWN,
    FAST,
    GONE,
    IDLE,
    LATENCY,
    RATIO,
    SLOW,
    SLOWEST,
    STALE,
    VALUE,
    WHY,
    arm,
    ask,
    counts,
    guard,
    nothing,
    value,
)
from tidegate.api import OwnedGuard
from tidegate.engine.guards import Judgement, Side, asks, judge, strongest
from tidegate.engine.values import FULL, Verdict
from tidegate.stats import Data, Measurement


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
    assert judged.sentence == f"g: no data of v2: {WHY}"


@pytest.mark.parametrize("data", MISSING)
def test_no_data_of_stable_is_unknown_for_a_limit_against_it_and_nothing_to_the_others(data: Data) -> None:
    against = judge(ask(guard(revert="+0.5pp", ratio=RATIO)), counts(0, 1000), nothing(data))
    assert (against.verdict, against.data, against.sentence) == (
        Verdict.UNKNOWN, data, f"g: no data of v1: {WHY}",
    )  # fmt: skip
    alone = judge(ask(guard(revert="1%", ratio=RATIO)), counts(0, 1000), nothing(data))
    assert (alone.verdict, alone.data) == (Verdict.PASS, Data.OK)
    both = judge(ask(guard(revert="1%", hold="+0.1pp", ratio=RATIO)), counts(20, 1000), nothing(data))
    assert both.verdict is Verdict.BREACH, "what needs no baseline is not silenced by the want of one"


@pytest.mark.parametrize("promised", [0, 10_000, FULL])
def test_a_query_that_the_source_cannot_use_holds(promised: int) -> None:
    judged = judge(ask(guard(revert="1%", ratio=RATIO), promised), nothing(Data.BLIND), nothing(Data.BLIND))
    assert (judged.verdict, judged.data, judged.sentence) == (Verdict.HOLD, Data.BLIND, f"g: {WHY}")


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
