"""What serves already and is not ours is taken over as it is: a copy beside it, then one step, then the ladder."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.loop import Loop
from tests.engine.rules import broken_by
from tests.engine.world import OTHERS, SHORT_LADDER, Road, look, occupied, spec, version, without_readings, world
from tidegate.engine.values import (
    Action,
    Cause,
    Debt,
    Ensure,
    Gate,
    Instance,
    Phase,
    Retire,
    Start,
    State,
    Track,
    Verdict,
)

A, B, C = version("A", "web"), version("B", "web"), version("C", "web")


def loop(wanted: Any = A, **fields: Any) -> Loop:
    return Loop(occupied(spec(wanted, **fields), A), broken_by)


def test_a_copy_is_started_beside_it_and_takes_all_in_one_step_when_it_is_ready() -> None:
    story = loop()
    story.turn()
    assert story.last.decision.effects == (Start("web", "A", 100_000, 0),)
    assert story.split() == {OTHERS: 100}
    story.until_phase(Phase.COMPLETED).until_rest()
    assert (story.split(), story.status.stable, story.world.road("web").pin) == ({"A": 100}, A, "A")
    writes = [e for turn in story.turns for e in turn.decision.effects if isinstance(e, Ensure)]
    assert [write.split for write in writes] == [(("A", 100_000),)]


def test_then_the_others_pods_are_taken_down_and_not_before() -> None:
    story = loop().until_phase(Phase.COMPLETED).until_rest()
    retired = [turn for turn in story.turns for e in turn.decision.effects if isinstance(e, Retire)]
    assert [turn.before.split("web") for turn in retired] == [{"A": 100}]
    assert [i.content for i in story.world.running] == ["A"]


def test_it_is_no_climb_so_no_guard_judges_what_has_always_run() -> None:
    story = loop().change(verdict=Verdict.BREACH).until_stable("A").until_rest()
    assert (story.status.phase, story.status.rejected, story.status.cause) == (Phase.COMPLETED, (), None)


def test_what_the_spec_asks_for_beyond_that_climbs_from_there() -> None:
    story = loop(B).until_stable("A").until_weight(10)
    assert story.split() == {"A": 90, "B": 10}
    story.change(verdict=Verdict.BREACH).until_phase(Phase.REVERTED).until_rest()
    assert (story.split(), [r.content for r in story.status.rejected]) == ({"A": 100}, ["B"])


def test_a_rollback_of_what_climbs_first_goes_to_what_was_taken_over() -> None:
    story = loop(B).until_stable("B")
    uid = story.person(Action.ROLLBACK)
    story.until_stable("A").until_rest()
    assert (story.answer(uid), story.split()) == ("Done", {"A": 100})


@pytest.mark.parametrize("gate", [Gate.SHUT, Gate.UNKNOWN])
def test_a_gate_that_is_not_open_stops_it_before_and_between(gate: Gate) -> None:
    story = loop().change(start=gate).run(100)
    assert not [e for turn in story.turns for e in turn.decision.effects]
    story.change(start=Gate.OPEN).turn()
    story.change(start=gate).run(1_000)
    assert (story.split(), story.status.stable) == ({OTHERS: 100}, None)
    story.change(start=Gate.OPEN).until_stable("A")


def test_a_pause_stops_it_until_resume() -> None:
    story = loop()
    story.person(Action.PAUSE)
    story.run(1_000)
    assert (story.split(), story.status.stable) == ({OTHERS: 100}, None)
    story.person(Action.RESUME)
    story.until_stable("A")


def test_a_copy_that_does_not_come_up_in_time_has_changed_nothing_and_is_taken_down() -> None:
    story = loop().change(sick=frozenset({"A"})).run(2_000)
    recall = story.status.recall
    assert recall is not None
    assert (recall.cause, recall.gave_up, story.status.stable) == (Cause.ADOPTED, True, None)
    assert (story.split(), [i.content for i in story.world.running]) == ({OTHERS: 100}, [OTHERS])
    assert story.last.idle


def test_it_is_tried_again_on_a_retry_or_when_the_spec_asks_for_something_else() -> None:
    story = loop().change(sick=frozenset({"A"})).run(2_000).change(sick=frozenset())
    uid = story.person(Action.RETRY)
    story.until_stable("A")
    assert story.answer(uid) == "Done"
    story = loop().change(sick=frozenset({"A"})).run(2_000).change(sick=frozenset())
    story.edit(version=B).until_stable("A").until_stable("B")


def test_what_serves_may_change_until_then_and_the_copy_with_it() -> None:
    story = loop(C)
    story.turn()
    story.change(others=B).until_stable("B")
    assert story.split() in ({OTHERS: 100}, {"B": 100})
    story.until_stable("C")
    assert "A" not in {e.split[0][0] for t in story.turns for e in t.decision.effects if isinstance(e, Ensure)}


def test_while_it_is_not_known_what_serves_nothing_moves_and_nothing_is_forgotten() -> None:
    story = loop()
    story.turn()
    story.change(others=None, start=Gate.SHUT).run(1_000)
    recall = story.status.recall
    assert recall is not None
    assert (recall.version, recall.gave_up, story.split()) == (A, False, {OTHERS: 100})
    assert Debt.READY not in dict(story.status.owed)
    story.change(others=A, start=Gate.OPEN).until_stable("A")


def test_where_nothing_serves_any_more_the_first_version_is_one_like_any() -> None:
    story = loop(B)
    story.turn()
    story.change(others=None).until_stable("B")
    assert story.status.proved == 1


def test_a_crash_at_any_moment_of_it_changes_nothing_of_the_end() -> None:
    length = len(loop().until_stable("A").until_rest().turns)
    for moment in range(length):
        story = loop()
        for _ in range(moment):
            story.turn()
            story.elapse(1)
        seen = look(story.world)
        story.turn(seen, lambda effects: effects[:0])
        story.crash(30).until_stable("A").until_rest()
        assert (story.split(), [i.content for i in story.world.running]) == ({"A": 100}, ["A"])


def test_a_component_that_is_added_joins_the_stable_version_as_it_ran_and_then_climbs() -> None:
    """Else a revert of it would leave it without a version to go back to."""
    both, runs = version("B", "api", like=A), version("X", "api")
    steps = (Track(("web",), SHORT_LADDER), Track(("api",), SHORT_LADDER))
    start = world(spec(A, tracks=steps), stable=A)._replace(others=runs)
    roads = (*start.roads, Road("api", ((OTHERS, 100_000),)))
    running = (*start.running, Instance("api", OTHERS, State.READY))
    story = Loop(start._replace(spec=spec(both, tracks=steps), roads=roads, running=running), broken_by)
    story.until(lambda: story.split("api") == {"X": 100})
    assert story.status.stable is not None
    assert (story.split(), story.status.stable.content, story.status.stable.runs("api")) == ({"A": 100}, "A", "X")
    story.until(lambda: story.split("api") == {"X": 90, "B": 10})
    story.change(verdict=Verdict.BREACH).until_phase(Phase.REVERTED).until_rest()
    assert (story.split(), story.split("api")) == ({"A": 100}, {"X": 100})


def test_a_write_that_was_lost_is_done_though_the_pin_has_brought_the_traffic_there() -> None:
    story = loop()
    story.until(lambda: story.status.stable is not None)
    story.change(deaf=frozenset({"web"})).run(20)
    road = story.world.road("web")
    story.change(roads=(road._replace(split=(("A", 100_000),)),), deaf=frozenset()).until_rest()
    assert (story.world.road("web").stamp, story.part().landed) == (story.part().move, story.part().move)


def test_deleted_before_its_end_the_others_serve_on() -> None:
    story = loop()
    story.turn()
    story.edit(deleting=True).until_phase(Phase.GONE)
    assert story.split() == {OTHERS: 100}


def test_nothing_of_theirs_is_taken_down_while_it_is_unknown_what_serves() -> None:
    story = loop()
    assert story.turn(without_readings(look(story.world))).decision.effects == ()
