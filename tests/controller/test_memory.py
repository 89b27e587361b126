"""What the engine remembers is what the next leader reads, through the document that stands in the object."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine import test_deletion, test_first_version, test_people, test_rollback
from tests.engine.loop import Loop
from tidegate import api
from tidegate.api.parse import parse_release_status
from tidegate.controller.looking import Looker
from tidegate.controller.memory import BAKE, component_memory, remember, write_down
from tidegate.engine.values import (
    FULL,
    Action,
    Cause,
    Check,
    CheckKey,
    Debt,
    Handled,
    Part,
    Phase,
    Piece,
    Recall,
    Rejection,
    Spec,
    Standing,
    Status,
    Version,
    When,
)


def document(status: Status) -> dict[str, Any]:
    """The status as the API server keeps it."""
    written = api.ReleaseStatus(
        **write_down(status, {}),
        components=tuple(api.ComponentStatus(**component_memory(part)) for part in status.parts),
        revert=api.Revert(cause=status.cause, at=status.turned) if status.cause else None,
    )
    kept: dict[str, Any] = json.loads(json.dumps(written.document()))
    return kept


def read(status: dict[str, Any]) -> Status:
    return remember(parse_release_status({"status": status}))


def kept(status: Status) -> Status:
    """What is left of a status: what stands beside something goes with it."""
    return status._replace(
        started=status.started if status.candidate else 0.0,
        stable_since=status.stable_since if status.stable else 0.0,
        keep_until=status.keep_until if status.previous else None,
        turned=status.turned if status.cause else 0.0,
    )


# ---- there and back

text = st.text("abcXYZ019.-é ", min_size=1, max_size=12)
numbers = st.integers(0, 10**6)
instants = st.integers(0, 4_000_000_000_000).map(lambda milliseconds: milliseconds / 1000)
durations = st.integers(0, 10**9).map(lambda milliseconds: milliseconds / 1000)
shares = st.integers(0, FULL)


def some(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, max_size=3).map(tuple)


versions = st.builds(Version, text, text, some(st.builds(Piece, text, text, text)))
parts = st.builds(
    Part,
    text,
    shares,
    shares,
    numbers,
    instants,
    durations,
    st.none() | instants,
    numbers,
    instants,
    shares,
    numbers,
    instants,
)
recalls = st.sampled_from([(Cause.PERSON, True), (Cause.PUT_BACK, False)]).flatmap(
    lambda why: st.builds(
        Recall,
        versions,
        st.just(why[0]),
        st.just(why[1]),
        text,
        st.booleans(),
        by=text | st.just(""),
        reason=text | st.just(""),
    )
)
statuses = st.builds(
    Status,
    phase=st.sampled_from(Phase),
    attempt=numbers,
    move=numbers,
    stable=st.none() | versions,
    previous=st.none() | versions,
    candidate=st.none() | versions,
    stable_since=instants,
    started=instants,
    proved=numbers,
    parts=some(parts),
    cause=st.none() | st.sampled_from(Cause),
    turned=instants,
    rejected=some(st.builds(Rejection, text, text, numbers, numbers, instants, st.sampled_from(Cause))),
    owed=some(st.tuples(st.sampled_from(Debt), instants)),
    keep_until=st.none() | instants,
    retiring=st.booleans(),
    rescue=st.booleans(),
    touched=st.booleans(),
    recall=st.none() | recalls,
    promoted=shares | st.just(BAKE),
    standing=some(st.builds(Standing, text, text, text, instants, st.none() | shares)),
    handled=some(st.builds(Handled, text, st.sampled_from(["Done", "Standing", "Refused"]), text)),
)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(statuses)
def test_what_was_remembered_is_read_again(status: Status) -> None:
    assert read(document(status)) == kept(status)
    assert document(read(document(status))) == document(status)


def _rolled_back() -> Loop:
    loop = test_rollback.completed(keep=10, wait=100).change(sick=frozenset({"A"}))
    loop.person(Action.ROLLBACK)
    loop.run(20).change(sick=frozenset()).until_rest()
    return loop


def _paused_and_promoted() -> Loop:
    loop = test_people.climbing()
    loop.person(Action.PROMOTE, to=50_000)
    loop.person(Action.PAUSE, at=50_000)
    return loop.run(200)


def _resumed() -> Loop:
    loop = test_deletion.lowered_by_hand()
    loop.person(Action.RESUME)
    return loop.run(100)


STORIES: dict[str, Callable[[], Loop]] = {
    "to completion": test_rollback.completed,
    "a revert": test_people.breached,
    "a rollback": _rolled_back,
    "people": _paused_and_promoted,
    "a hand": test_deletion.lowered_by_hand,
    "a first version that is bad": test_first_version.breached,
    "superseded": test_rollback.superseded,
    "a hand and a resume": _resumed,
}


@pytest.mark.parametrize("story", STORIES)
def test_in_no_story_does_a_restart_forget_anything(story: str) -> None:
    for turn in STORIES[story]().turns:
        status = turn.decision.status
        assert read(document(status)) == kept(status)


# ---- words of a newer Tidegate

AT = "2026-11-23T18:00:00Z"
WAITS = {"version": "v2", "revision": "B"}
CLIMBS = {**WAITS, "startedAt": AT}
RAISED, FLAT = {"name": "web", "share": 50}, {"name": "web"}


@pytest.mark.parametrize(
    ("written", "phase"),
    [
        ({}, Phase.WAITING),
        ({"candidate": WAITS}, Phase.WAITING),
        ({"candidate": WAITS, "components": [RAISED]}, Phase.WAITING),
        ({"candidate": CLIMBS, "components": [FLAT]}, Phase.PREPARING),
        ({"candidate": CLIMBS, "components": [FLAT, RAISED]}, Phase.PROGRESSING),
        ({"candidate": CLIMBS, "components": [RAISED], "revert": {"cause": "Breach", "at": AT}}, Phase.REVERTING),
        ({"revert": {"cause": "Killed", "at": AT, "finishedAt": AT}}, Phase.WAITING),
    ],
)
def test_a_phase_that_is_not_known_is_read_as_what_takes_nothing_for_granted(
    written: dict[str, Any], phase: Phase
) -> None:
    assert read({"phase": "Simmering", **written}).phase is phase


def test_a_rejection_bars_whatever_its_cause() -> None:
    (rejection,) = read({"rejected": [{"revision": "B", "cause": "Earthquake"}]}).rejected
    assert rejection.content == "B"
    written = document(Status(rejected=(rejection,)))
    assert written["rejected"][0]["cause"] == "Earthquake", "the newer one finds it again"


@pytest.mark.parametrize("cause", ["Earthquake", ""])
def test_a_revert_goes_on_whatever_its_cause(cause: str) -> None:
    status = read({"phase": "Reverting", "candidate": CLIMBS, "revert": {"cause": cause, "at": AT}})
    assert (status.phase, status.cause, status.guilty) == (Phase.REVERTING, cause, False)


@pytest.mark.parametrize(("reject", "cause"), [(True, Cause.PERSON), (False, Cause.PUT_BACK)])
def test_a_recall_does_as_it_says_whatever_its_cause(reject: bool, cause: Cause) -> None:
    recall = read({"recall": {"version": WAITS, "cause": "Earthquake", "reject": reject}}).recall
    assert recall is not None
    assert (recall.cause, recall.reject) == (cause, reject)


def test_debts_and_acts_that_nobody_here_could_end_are_dropped() -> None:
    owed = [{"debt": "Snapshot", "since": AT}, {"debt": "Ready", "since": AT}]
    standing = [{"action": "Anchor", "uid": "u1"}, {"action": "Pause", "uid": "u2"}]
    status = read({"owed": owed, "standing": standing})
    assert [debt for debt, _ in status.owed] == [Debt.READY]
    assert [pause.uid for pause in status.standing] == ["u2"]


@pytest.mark.parametrize(
    "written",
    [
        {"guards": [{"name": "g", "from": "", "verdict": "Perhaps"}]},
        {"history": [{"version": "v1", "outcome": "Sunk"}]},
        {"checks": [{"name": "smoke", "when": "AtNoon", "outcome": "Perhaps"}]},
        {"handled": [{"uid": "u1", "outcome": "Considered"}]},
        {"stable": {"version": "v1", "revision": "A", "mood": "calm"}, "tide": "low"},
    ],
)
def test_no_word_and_no_field_of_a_newer_one_is_an_error(written: dict[str, Any]) -> None:
    assert read(written).phase is Phase.IDLE


def test_a_known_word_is_known_and_another_is_itself() -> None:
    assert api.Phase("Idle") is Phase.IDLE
    assert (Phase.IDLE.known, Phase("Simmering").known) == (True, False)
    assert Phase("Simmering") == "Simmering"
    assert Phase("Simmering") not in list(Phase)


def test_a_check_that_ended_in_a_word_that_is_not_known_is_asked_for_again() -> None:
    words = ({"when": "BeforeTraffic", "outcome": "Perhaps"}, {"when": "AtNoon", "outcome": "Passed"})
    checks = [{"name": "smoke", "attempt": 1, **said} for said in words]
    asked: list[CheckKey] = []

    class Runner:
        def observe(self, app: Any, keys: Iterable[CheckKey]) -> dict[CheckKey, Any]:
            asked.extend(keys)
            return {}

    nobody: Any = None
    looker = Looker(nobody, nobody, Runner(), nobody, nobody, 10.0)
    climbs = Status(phase=Phase.PREPARING, attempt=1)
    spec = Spec(Version("v2", "B", ()), (), checks=(Check("smoke", (When.BEFORE_TRAFFIC,)),))
    app: Any = SimpleNamespace(status=climbs)
    outcomes, _ = looker._look_at_checks(app, spec, parse_release_status({"status": {"checks": checks}}), 0.0)
    assert (outcomes, asked) == ((), [CheckKey("smoke", When.BEFORE_TRAFFIC, 1)])
