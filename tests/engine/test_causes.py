"""What turns a climb back, in which order, and what of it is held against the version."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.engine.loop import Loop, climb
from tests.engine.rules import broken_by
from tests.engine.world import die, look, percent, spec, turn, version, world
from tidegate.engine.values import (
    Action,
    Cause,
    Check,
    CheckKey,
    Debt,
    Evidence,
    Gate,
    Outcome,
    Phase,
    State,
    Verdict,
    When,
)

A, B, C = version("A", "web"), version("B", "web"), version("C", "web")


def climbing(weight: float = 50, **fields: object) -> Loop:
    return climb(world(spec(A, **fields), stable=A), B, broken_by).until_weight(weight)  # type: ignore[arg-type]


def by_person(loop: Loop) -> None:
    loop.person(Action.ROLLBACK)


def by_breach(loop: Loop) -> None:
    loop.change(verdict=Verdict.BREACH)


def by_check(loop: Loop) -> None:
    loop.change(checks=((CheckKey("find", When.EACH_STEP, 2, "web", loop.part().move), Outcome.FAILED),))


def by_health(loop: Loop) -> None:
    loop.world = die(loop.world, "B")


def by_deadline(loop: Loop) -> None:
    loop.change(status=loop.status._replace(owed=((Debt.DATA, loop.world.now - 1_000),)))
    assert loop.world.watch is not None
    loop.change(watch=loop.world.watch._replace(since=0.0))


def by_deletion(loop: Loop) -> None:
    loop.edit(deleting=True)


def by_putting_back(loop: Loop) -> None:
    loop.edit(version=A)


def by_superseding(loop: Loop) -> None:
    loop.edit(version=C)


CAUSES: list[tuple[Callable[[Loop], None], Cause, bool]] = [
    (by_person, Cause.PERSON, True),
    (by_breach, Cause.BREACH, True),
    (by_check, Cause.CHECK_FAILED, True),
    (by_health, Cause.HEALTH_LOST, True),
    (by_deadline, Cause.DEADLINE, True),
    (by_deletion, Cause.DELETED, False),
    (by_putting_back, Cause.PUT_BACK, False),
    (by_superseding, Cause.SUPERSEDED, False),
]


@pytest.mark.parametrize(("happens", "cause", "guilty"), CAUSES)
def test_a_cause_turns_back_in_the_very_turn_in_which_it_is_seen(
    happens: Callable[[Loop], None], cause: Cause, guilty: bool
) -> None:
    loop = climbing()
    happens(loop)
    loop.turn()
    assert loop.split() == {"A": 100}
    assert loop.status.cause is cause
    assert [r.content for r in loop.status.rejected] == (["B"] if guilty else [])
    assert all(r.cause is cause and r.attempt == 2 for r in loop.status.rejected)


@pytest.mark.parametrize("first", range(len(CAUSES)))
@pytest.mark.parametrize("second", range(len(CAUSES)))
def test_of_two_causes_the_one_that_says_something_about_the_version_is_remembered(first: int, second: int) -> None:
    if first >= second or {CAUSES[first][1], CAUSES[second][1]} == {Cause.PUT_BACK, Cause.SUPERSEDED}:
        return
    loop = climbing()
    CAUSES[second][0](loop)
    CAUSES[first][0](loop)
    loop.turn()
    assert loop.status.cause is CAUSES[first][1]
    assert bool(loop.status.rejected) is CAUSES[first][2]


def test_nothing_stands_before_a_revert() -> None:
    loop = climbing()
    loop.edit(paused=True).change(step=Gate.SHUT, start=Gate.SHUT, verdict=Verdict.BREACH)
    loop.person(Action.PAUSE)
    loop.turn()
    assert loop.split() == {"A": 100}


def test_a_breach_of_an_earlier_attempt_is_no_cause() -> None:
    loop = climbing()
    done = turn(loop.world, look(loop.world)._replace(verdict=Verdict.BREACH, evidence=Evidence(1, ())))
    assert done.decision.status.phase is Phase.PROGRESSING
    assert done.decision.status.parts[0].weight == percent(50)


def test_a_breach_seen_at_an_earlier_weight_of_this_attempt_is() -> None:
    loop = climbing()
    done = turn(loop.world, look(loop.world)._replace(verdict=Verdict.BREACH, evidence=Evidence(2, ())))
    assert done.after.split("web") == {"A": 100}


def test_a_breach_seen_while_it_reverts_for_a_harmless_cause_is_remembered() -> None:
    loop = climbing().change(deaf=frozenset({"web"})).edit(version=C)
    loop.turn()
    assert (loop.status.cause, loop.status.rejected) == (Cause.SUPERSEDED, ())
    loop.change(verdict=Verdict.BREACH).turn()
    assert [(r.content, r.cause) for r in loop.status.rejected] == [("B", Cause.BREACH)]


def test_a_check_that_failed_in_an_earlier_attempt_is_no_cause() -> None:
    loop = climbing(checks=(Check("find", (When.EACH_STEP,)),))
    loop.change(checks=(*loop.world.checks, (CheckKey("find", When.EACH_STEP, 1, "web", 1), Outcome.FAILED))).run(5)
    assert loop.status.phase is Phase.PROGRESSING


def test_a_candidate_that_is_down_before_it_has_traffic_only_has_not_started() -> None:
    loop = climb(world(spec(A), stable=A), B, broken_by)
    loop.turn()
    loop.world = die(loop.world, "B")
    loop.turn()
    assert loop.status.phase is Phase.PREPARING


def test_health_that_is_unknown_is_no_cause() -> None:
    loop = climbing()
    loop.turn(look(loop.world)._replace(instances=None))
    assert loop.status.phase is Phase.PROGRESSING


def test_a_candidate_that_has_lost_some_endpoints_is_not_lost() -> None:
    loop = climbing().change(sick=frozenset({"B"}))
    loop.world = die(loop.world, "B", State.SHORT)
    assert loop.run(100).status.phase is Phase.PROGRESSING


def test_a_reverted_version_never_climbs_again_by_itself() -> None:
    loop = climbing().change(verdict=Verdict.BREACH)
    loop.until_rest()
    loop.change(verdict=Verdict.PASS).crash(seconds=100).until_rest()
    assert loop.status.phase is Phase.REVERTED
    assert loop.split() == {"A": 100}


@pytest.mark.parametrize("detour", ["edited", "superseded", "put back"])
def test_not_after_edits_and_other_versions_either(detour: str) -> None:
    loop = climbing().change(verdict=Verdict.BREACH)
    loop.until_rest()
    loop.change(verdict=Verdict.PASS)
    if detour == "edited":
        loop.edit(keep=10.0).run(10)
    elif detour == "superseded":
        loop.edit(version=C).until_stable("C")
    else:
        loop.edit(version=A).run(10)
    before = loop.status.attempt
    loop.edit(version=B).run(10_000)
    assert loop.status.attempt == before
    assert loop.status.phase is Phase.REVERTED


def test_a_version_that_had_no_traffic_is_failed_not_reverted() -> None:
    loop = climb(world(spec(A, checks=(Check("smoke", (When.BEFORE_TRAFFIC,)),)), stable=A), B, broken_by)
    loop.change(checks=((CheckKey("smoke", When.BEFORE_TRAFFIC, 2), Outcome.FAILED),)).until_rest()
    assert loop.status.phase is Phase.FAILED
    assert [r.content for r in loop.status.rejected] == ["B"]
