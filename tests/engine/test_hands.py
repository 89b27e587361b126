"""Somebody lowers a weight in the route: it is kept, and nothing climbs until Resume. What raises is put back."""

from __future__ import annotations

import pytest

from tests.engine.loop import Loop, climb
from tests.engine.rules import broken_by
from tests.engine.world import look, nothing, percent, spec, turn, version, with_road, world
from tidegate.engine.values import Action, Cause, Phase, Verdict

A, B, C = version("A", "web"), version("B", "web"), version("C", "web")


def climbing(weight: float = 50) -> Loop:
    return climb(world(spec(A), stable=A), B, broken_by).until_weight(weight)


def at_rest_after(content: str = "B") -> Loop:
    """B has completed, A is still warm."""
    return climb(world(spec(A, keep=100_000), stable=A), B, broken_by).until_stable(content).run(5)


def test_a_lowered_weight_is_kept_and_nothing_climbs() -> None:
    loop = climbing().write_split(A=80, B=20).run(5_000)
    assert loop.split() == {"A": 80, "B": 20}
    assert loop.part().hand
    assert loop.status.phase is Phase.PROGRESSING


def test_also_when_it_was_lowered_to_nothing() -> None:
    assert climbing().write_split(A=100).run(1_000).split() == {"A": 100}


def test_also_when_it_was_lowered_while_the_operator_was_down() -> None:
    loop = climbing().write_split(A=90, B=10).crash(seconds=500).run(1_000)
    assert loop.split() == {"A": 90, "B": 10}
    assert loop.part().hand


def test_a_raised_weight_is_put_back() -> None:
    loop = climbing(10).write_split(A=40, B=60).run(2)
    assert loop.split() == {"A": 90, "B": 10}
    assert not loop.part().hand


@pytest.mark.parametrize("shares", [{}, {"X": 100}, {"A": 40, "B": 10, "X": 50}])
def test_unknown_or_no_backends_in_our_share_are_put_back(shares: dict[str, float]) -> None:
    loop = climbing().write_split("web", **shares).run(2)
    assert loop.split() == {"A": 50, "B": 50}


def test_a_write_that_never_arrived_is_no_hand() -> None:
    loop = climbing(10).run(55)
    loop.until(lambda: loop.part().weight == percent(50))
    loop.world = loop.last.before._replace(status=loop.status, watch=loop.world.watch)
    loop.turn(arrive=nothing)
    assert not loop.part().hand
    loop.run(2)
    assert loop.split() == {"A": 50, "B": 50}


def test_an_edit_just_before_a_step_is_not_written_over() -> None:
    """The step was decided on a reading from before the edit; the target's token refuses it."""
    loop = climbing(10).run(59).elapse(1)
    before = look(loop.world)
    loop.write_split(A=95, B=5).turn(before)
    assert loop.part().weight == percent(50)  # recorded, though refused
    loop.run(1_000)
    assert loop.split() == {"A": 95, "B": 5}
    assert loop.part().hand
    assert loop.part().weight == percent(10)


def test_the_hold_stops_while_a_hand_is_on() -> None:
    loop = climbing(10).run(30).write_split(A=95, B=5).run(1_000)
    assert loop.part().since is None
    assert loop.part().held <= 40


def test_only_what_exceeds_the_promise_is_written_down_while_a_hand_is_on() -> None:
    loop = climbing().write_split(A=80, B=20).run(10).write_split(A=10, B=90).run(5)
    assert loop.split() == {"A": 50, "B": 50}
    assert loop.part().hand


def test_a_hand_that_raises_again_still_waits_for_resume() -> None:
    loop = climbing().write_split(A=80, B=20).run(10).write_split(A=50, B=50).run(1_000)
    assert loop.part().weight == percent(50)
    assert loop.part().hand


def test_a_hand_on_one_part_stops_the_others_too() -> None:
    both, newer = version("A", "api", "web"), version("B", "api", "web")
    loop = climb(world(spec(both), stable=both), newer, broken_by).until_weight(10)
    loop.write_split("api", A=95, B=5).run(1_000)
    assert loop.split("web") == {"A": 90, "B": 10}


def test_resume_takes_what_stands_under_a_new_move_and_climbs_on_from_there() -> None:
    loop = climbing().write_split(A=80, B=20).run(10)
    before = loop.status.move
    uid = loop.person(Action.RESUME)
    loop.turn()
    assert (loop.part().weight, loop.part().hand, loop.part().held) == (percent(20), 0, 0)
    assert loop.part().move > before
    loop.until_weight(50)
    assert loop.answer(uid) == "Done"


def test_a_resume_whose_write_was_lost_is_not_taken_for_another_hand() -> None:
    loop = climbing().write_split(A=80, B=20).run(10)
    loop.person(Action.RESUME)
    loop.turn(arrive=nothing)
    loop.crash().until_weight(50)


def test_a_second_lowering_after_resume_is_a_hand_again() -> None:
    loop = climbing().write_split(A=80, B=20).run(10)
    loop.person(Action.RESUME)
    loop.run(5).write_split(A=95, B=5).run(1_000)
    assert loop.split() == {"A": 95, "B": 5}
    assert loop.part().hand


def test_guards_still_revert_what_a_hand_has_lowered() -> None:
    loop = climbing().write_split(A=80, B=20).run(10).change(verdict=Verdict.BREACH)
    loop.turn()
    assert loop.split() == {"A": 100}
    assert (loop.status.cause, loop.part().hand) == (Cause.BREACH, 0)


def test_a_newer_version_ends_the_hand() -> None:
    loop = climbing().write_split(A=80, B=20).run(10).edit(version=C).until_stable("C")
    assert not loop.part().hand


def test_a_breach_that_is_seen_with_the_hand_turns_back_in_that_turn() -> None:
    loop = climbing().write_split(A=80, B=20).change(verdict=Verdict.BREACH)
    loop.turn()
    assert loop.split() == {"A": 100}


def test_at_rest_traffic_moved_to_the_previous_version_is_kept() -> None:
    loop = at_rest_after().write_split(A=100).run(1_000)
    assert loop.split() == {"A": 100}
    assert loop.part().hand


def test_and_the_previous_version_is_not_taken_down_meanwhile() -> None:
    loop = at_rest_after().write_split(A=60, B=40).run(200_000)
    assert loop.world.instance("web", "A") is not None
    loop.person(Action.RESUME)
    loop.run(1_000)
    assert loop.split() == {"B": 100}
    assert loop.world.instance("web", "A") is None


def test_an_edit_just_before_the_previous_version_is_taken_down_is_seen_by_the_act() -> None:
    loop = climb(world(spec(A, keep=50), stable=A), B, broken_by).until_stable("B")
    loop.until(lambda: loop.status.retiring)
    seen = look(loop.world)
    loop.write_split(A=100).turn(seen)
    assert loop.world.instance("web", "A") is not None
    loop.run(500)
    assert loop.split() == {"A": 100}


def test_at_rest_traffic_to_anything_else_is_put_back() -> None:
    assert at_rest_after().write_split(X=100).run(5).split() == {"B": 100}


def test_nothing_new_starts_while_a_hand_is_on() -> None:
    loop = at_rest_after().write_split(A=60, B=40).run(5).edit(version=C).run(1_000)
    assert (loop.status.phase, loop.status.candidate) == (Phase.WAITING, None)


def test_a_world_ahead_of_the_status_is_read_again_before_it_is_believed() -> None:
    loop = climbing(10)
    backup = loop.status
    old = loop.until_weight(50).world._replace(status=backup)
    done = turn(old)
    assert done.decision.status == old.status
    assert done.after.confirmed
    again = turn(done.after)
    assert again.decision.status.move > loop.status.move
    assert again.decision.status.parts[0].hand


def test_a_restored_status_raises_nothing_and_its_reverts_work() -> None:
    loop = climbing(10)
    backup = loop.status
    loop.until_weight(50).change(status=backup).run(1_000)
    assert loop.split() == {"A": 90, "B": 10}  # what exceeds the promise is written down
    assert loop.part().hand
    loop.change(verdict=Verdict.BREACH).run(5)
    assert loop.split() == {"A": 100}


def test_a_restored_status_climbs_on_after_resume() -> None:
    loop = climbing(10)
    backup = loop.status
    loop.until_weight(50).change(status=backup).run(10)
    loop.person(Action.RESUME)
    loop.until_stable("B")


def test_a_restored_status_in_the_midst_of_a_revert_goes_on_reverting() -> None:
    loop = climbing().change(verdict=Verdict.BREACH)
    loop.turn(arrive=nothing)
    backup = loop.status
    newer = backup._replace(move=9, parts=tuple(part._replace(move=9) for part in backup.parts))
    loop.change(status=newer).turn()
    loop.change(status=backup).write_split(A=50, B=50).until_rest()
    assert loop.split() == {"A": 100}
    assert loop.status.move > 9


def test_an_edited_annotation_orders_nothing() -> None:
    """Somebody writes a number into the route that we never gave out."""
    loop = climbing(10)
    loop.world = with_road(loop.world, loop.world.road("web")._replace(stamp=99))
    loop.run(1_000)
    assert loop.split() == {"A": 90, "B": 10}
    assert loop.status.move > 99
    assert loop.part().hand
