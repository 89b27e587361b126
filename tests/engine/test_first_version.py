"""The very first version has nothing to go back to: where it is bad, it stays, and the next one or a Retry is the way
out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.loop import Loop
from tests.engine.rules import broken_by
from tests.engine.world import look, spec, version, world
from tidegate.engine.values import Action, Cause, Phase, Verdict

A, B, C = version("A", "web"), version("B", "web"), version("C", "web")


def breached(**fields: Any) -> Loop:
    loop = Loop(world(spec(A, **fields)), broken_by)
    loop.until(lambda: loop.split() == {"A": 100})
    return loop.change(verdict=Verdict.BREACH).until_phase(Phase.REVERTING).run(5)


def test_it_stays_where_it_is_marked_rejected_and_owes_nothing() -> None:
    loop = breached().run(10_000)
    assert (loop.status.phase, loop.status.cause, loop.split()) == (Phase.REVERTING, Cause.BREACH, {"A": 100})
    assert [r.content for r in loop.status.rejected] == ["A"]
    assert loop.status.owed == ()


def test_and_is_looked_at_now_and_then_only() -> None:
    loop = breached()
    before = len(loop.turns)
    loop.run(3_000)
    assert len(loop.turns) - before <= 3_000 / 30 + 2
    assert all(turn.idle for turn in loop.turns[before:])


def test_the_next_version_is_the_way_out_at_once() -> None:
    loop = breached().change(verdict=Verdict.PASS).edit(version=B)
    loop.turn()
    assert (loop.status.phase, loop.status.candidate) == (Phase.PREPARING, B)
    loop.until_stable("B")


def test_a_retry_is_obeyed_though_its_revert_has_no_end() -> None:
    loop = breached().change(verdict=Verdict.PASS)
    before, uid = len(loop.turns), loop.person(Action.RETRY)
    loop.until_stable("A")
    assert (loop.answer(uid), loop.status.rejected, loop.split()) == ("Done", (), {"A": 100})
    assert all(turn.after.split("web") == {"A": 100} for turn in loop.turns[before:])


def test_not_one_that_was_written_before_the_breach() -> None:
    loop = breached()
    uid = loop.person(Action.RETRY, written=loop.status.turned - 10)
    loop.run(100)
    assert (loop.answer(uid), loop.status.attempt) == ("Refused", 1)


def test_and_where_it_is_still_bad_it_stays_again() -> None:
    loop = breached()
    loop.person(Action.RETRY)
    loop.run(100)
    assert (loop.status.phase, loop.status.attempt, loop.split()) == (Phase.REVERTING, 2, {"A": 100})
    assert [r.attempt for r in loop.status.rejected] == [2]


def test_it_serves_on_while_the_next_one_fails_and_nothing_is_done_for_ever() -> None:
    loop = breached().change(sick=frozenset({"B"})).edit(version=B).until_phase(Phase.FAILED).run(100)
    before = len(loop.turns)
    loop.run(3_000)
    assert (loop.status.phase, loop.split()) == (Phase.FAILED, {"A": 100})
    assert len(loop.turns) - before <= 3_000 / 30 + 2
    loop.change(verdict=Verdict.PASS).edit(version=C).until_stable("C")


@pytest.mark.parametrize("verdict", [Verdict.NO_TRAFFIC, Verdict.PASS])
def test_the_traffic_that_it_has_already_is_no_reason_to_wait_for_a_measurement(verdict: Verdict) -> None:
    """Before it is promised anything, nothing is measured of it."""
    loop = breached().change(verdict=Verdict.PASS)
    loop.person(Action.RETRY)
    for _ in range(20):
        loop.elapse(1).turn(look(loop.world)._replace(verdict=verdict))
    assert loop.part().weight == 100_000
