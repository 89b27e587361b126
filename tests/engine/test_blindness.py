"""A guard that can't see what it is to watch holds, and says what to write."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.engine.measured import LATENCY, RATIO, SLOWEST, ask, counts, guard, value
from tidegate.engine.guards import Arm, Ask, Side, blindness, judge
from tidegate.engine.values import Verdict
from tidegate.stats import Data


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
