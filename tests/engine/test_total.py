"""decide() is pure and total: any status, any observation, and it answers; twice the same."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as Run
from hypothesis import strategies as st

from tidegate.engine import decide
from tidegate.engine.values import (
    FULL,
    Act,
    Action,
    Cause,
    Check,
    CheckKey,
    Deadlines,
    Debt,
    Evidence,
    Gate,
    Handled,
    Instance,
    Observation,
    Outcome,
    Part,
    Phase,
    Piece,
    Reading,
    Recall,
    Rejection,
    Rung,
    Spec,
    Standing,
    State,
    Status,
    Track,
    Verdict,
    Version,
    Watched,
    When,
)

names = st.sampled_from(["api", "web", "batch"])
contents = st.sampled_from(["A", "B", "C", "?app"])
shares = st.integers(0, FULL) | st.sampled_from([0, 10_000, 50_000, FULL])
numbers = st.integers(0, 6)
times = st.floats(0, 4_000)
splits = st.dictionaries(contents, shares, max_size=3).map(lambda split: tuple(sorted(split.items())))


def tuples(values: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, max_size=most).map(tuple)


def by_part(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, max_size=3, unique_by=lambda value: value[0]).map(tuple)


versions = st.builds(
    Version, st.sampled_from(["vA", "vB"]), contents, by_part(st.builds(Piece, names, contents, contents))
)
some_version = st.none() | versions
rungs = st.builds(Rung, shares, times)
tracks = st.builds(Track, tuples(names), tuples(rungs))
keys = st.builds(CheckKey, st.just("smoke"), st.sampled_from(When), numbers, names, numbers)
people = st.builds(
    Act,
    st.sampled_from(["u1", "u2", "u3"]),
    st.sampled_from(Action),
    st.just("ana@example.com"),
    st.just("why"),
    times,
    st.none() | shares,
    st.none() | shares,
    st.none() | st.sampled_from(["vA", "vB"]),
    st.none() | numbers,
    st.none() | numbers,
)
specs = st.builds(
    Spec,
    version=versions,
    tracks=tuples(tracks),
    checks=tuples(st.builds(Check, st.just("smoke"), tuples(st.sampled_from(When))), 1),
    deadlines=st.builds(Deadlines, times, times, times),
    keep=times,
    tick=st.none() | times,
    paused=st.booleans(),
    deleting=st.booleans(),
    acts=tuples(people),
)
parts = st.builds(
    Part, names, shares, shares, numbers, times, times, st.none() | times, numbers, times, shares, numbers, times
)
statuses = st.builds(
    Status,
    phase=st.sampled_from(Phase),
    attempt=numbers,
    move=numbers,
    stable=some_version,
    previous=some_version,
    candidate=some_version,
    stable_since=times,
    started=times,
    proved=numbers,
    parts=by_part(parts),
    cause=st.none() | st.sampled_from(Cause),
    turned=times,
    rejected=tuples(st.builds(Rejection, contents, contents, numbers, numbers, times, st.sampled_from(Cause))),
    owed=by_part(st.tuples(st.sampled_from(Debt), times)),
    keep_until=st.none() | times,
    retiring=st.booleans(),
    rescue=st.booleans(),
    touched=st.booleans(),
    recall=st.none() | st.builds(Recall, versions, st.sampled_from(Cause), st.booleans(), contents, st.booleans()),
    promoted=st.integers(0, FULL + 1),
    standing=tuples(st.builds(Standing, contents, contents, contents, times, st.none() | shares)),
    handled=tuples(st.builds(Handled, st.sampled_from(["u1", "u2"]), st.just("Done"), st.just("said"))),
)
readings = st.builds(Reading, st.none() | splits, st.none() | numbers, contents, st.none() | contents | st.just(""))
instances = st.builds(Instance, names, contents, st.sampled_from(State), numbers, shares, st.none() | times)
observations = st.builds(
    Observation,
    readings=by_part(st.tuples(names, readings)),
    instances=st.none() | tuples(instances),
    watched=st.builds(Watched, times, times),
    verdict=st.sampled_from(Verdict),
    evidence=st.none() | st.builds(Evidence, numbers, tuples(st.tuples(names, numbers))),
    start=st.sampled_from(Gate),
    step=st.sampled_from(Gate),
    checks=tuples(st.tuples(keys, st.sampled_from(Outcome))),
    kept=tuples(versions),
    confirmed=st.booleans(),
)

quickly = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    phases=[Run.explicit, Run.generate],  # what fails is small enough, and to shrink it takes minutes
    suppress_health_check=list(HealthCheck),
)


@quickly
@given(spec=specs, status=statuses, seen=observations, now=st.floats(0, 5_000))
def test_whatever_is_seen_and_remembered_there_is_an_answer(
    spec: Spec, status: Status, seen: Observation, now: float
) -> None:
    decision = decide(spec, status, seen, now)
    assert decision == decide(spec, status, seen, now)
    assert decision.wake_at is None or decision.wake_at >= now
    assert decision.status.move >= status.move
    assert decision.status.attempt >= status.attempt


@quickly
@given(spec=specs, status=statuses, seen=observations, now=st.floats(0, 5_000))
def test_and_whatever_it_decided_can_be_decided_upon(spec: Spec, status: Status, seen: Observation, now: float) -> None:
    for _ in range(3):
        status = decide(spec, status, seen, now).status
