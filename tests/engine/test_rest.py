"""At rest: nothing is written, nothing is done, nothing is asked for; what others change is put back; what nobody needs
goes."""

from __future__ import annotations

import pytest

from tests.engine.loop import Loop, climb
from tests.engine.rules import broken_by
from tests.engine.world import act, die, look, percent, spec, turn, vanish, version, without_anything, world
from tidegate.engine.values import (
    FULL,
    Action,
    Gate,
    Instance,
    Phase,
    Pin,
    Retire,
    Start,
    State,
    Status,
    Verdict,
)

A, B, C = version("A", "web"), version("B", "web"), version("C", "web")


def resting() -> Loop:
    return Loop(world(spec(A), stable=A), broken_by)


def completed(keep: float = 300) -> Loop:
    return climb(world(spec(A, keep=keep), stable=A), B, broken_by).until_stable("B")


def reverted() -> Loop:
    loop = climb(world(spec(A), stable=A), B, broken_by).until_weight(50).change(verdict=Verdict.BREACH)
    return loop.until_rest()


def failed() -> Loop:
    return climb(world(spec(A), stable=A), B, broken_by).change(sick=frozenset({"B"})).until_rest()


def waiting() -> Loop:
    return climb(world(spec(A), stable=A), B, broken_by).change(start=Gate.SHUT).until_rest()


@pytest.mark.parametrize("come_to_rest", [resting, lambda: completed().until_rest(), reverted, failed, waiting])
def test_an_equal_status_is_decided_nothing_is_done_and_no_wake_is_asked_for(come_to_rest: object) -> None:
    assert callable(come_to_rest)
    loop: Loop = come_to_rest()
    for _ in range(3):
        done = loop.elapse(1_000).turn()
        assert done.decision.status == done.before.status
        assert done.decision.effects == ()
        assert done.decision.wake_at is None


def test_unknown_never_rests() -> None:
    loop = resting()
    done = loop.turn(without_anything(look(loop.world)))
    assert done.decision.effects == ()
    assert done.decision.wake_at == loop.world.now + 1


def test_what_others_change_at_rest_is_put_back() -> None:
    assert resting().write_split(X=50, A=50).run(2).split() == {"A": 100}


def test_but_not_to_what_is_known_to_be_down() -> None:
    loop = resting().write_split(X=100).change(sick=frozenset({"A"}))
    loop.world = die(loop.world, "A")
    assert loop.run(50).split() == {"X": 100}
    assert loop.change(sick=frozenset()).elapse(1).run(5).split() == {"X": 100}  # still lost
    loop.change(running=tuple(i._replace(state=State.READY) for i in loop.world.running)).run(5)
    assert loop.split() == {"A": 100}


def test_stable_that_is_gone_is_started_again() -> None:
    loop = resting()
    loop.world = vanish(loop.world, "A")
    done = loop.turn()
    assert Start("web", "A", FULL, 1) in done.decision.effects


def test_the_service_is_pinned_to_stable_again_when_somebody_moved_it() -> None:
    loop = resting()
    loop.world = act(loop.world, Pin("web", "X"))
    loop.until_rest()
    assert loop.world.road("web").pin == "A"


def test_it_is_not_pinned_to_what_does_not_serve() -> None:
    loop = resting()
    loop.world = die(act(loop.world, Pin("web", "X")), "A")
    assert not any(isinstance(e, Pin) for e in loop.turn().decision.effects)


def test_while_a_candidate_climbs_the_pin_stays_on_stable() -> None:
    loop = climb(world(spec(A), stable=A), B, broken_by)
    loop.until_stable("B")
    pins = {t.after.road("web").pin for t in loop.turns if t.decision.status.candidate}
    assert pins == {"A"}


# ---- letting go


def test_the_previous_version_stays_warm_as_long_as_it_should() -> None:
    loop = completed(keep=300).run(299)
    assert loop.world.instance("web", "A") is not None
    loop.run(10)
    assert loop.world.instance("web", "A") is None
    assert loop.status.previous == A  # cold, but still named


def test_it_is_recorded_as_retiring_before_it_is_taken_down() -> None:
    loop = completed(keep=300).until_rest()
    first = next(i for i, t in enumerate(loop.turns) if t.decision.status.retiring)
    assert not any(isinstance(e, Retire) for e in loop.turns[first].decision.effects)
    assert any(isinstance(e, Retire) for e in loop.turns[first + 1].decision.effects)


def test_no_previous_version_is_kept_that_long_after_an_operator_was_away() -> None:
    loop = completed(keep=300).crash(seconds=10_000).until_rest()
    assert loop.world.instance("web", "A") is None


def test_what_drains_is_not_taken_down() -> None:
    loop = completed(keep=0)
    ends = loop.world.now + 40
    loop.change(roads=tuple(road._replace(left=(("A", ends),)) for road in loop.world.roads))
    loop.run(30)
    assert loop.world.instance("web", "A") is not None
    assert loop.run(20).world.instance("web", "A") is None


def test_a_leftover_that_still_has_traffic_is_not_taken_down() -> None:
    loop = resting()
    stray = Instance("web", "X", State.READY, claim=1)
    loop.change(running=(*loop.world.running, stray)).write_split(A=50, X=50)
    done = loop.turn()
    assert not any(isinstance(e, Retire) for e in done.decision.effects)
    loop.until_rest()
    assert loop.world.instance("web", "X") is None


def test_nothing_is_taken_down_while_something_is_unknown() -> None:
    loop = resting()
    loop.change(running=(*loop.world.running, Instance("web", "X", State.READY, claim=1)))
    seen = look(loop.world)
    for blind in (
        seen._replace(instances=None),
        seen._replace(readings=tuple((name, reading._replace(split=None)) for name, reading in seen.readings)),
    ):
        assert not any(isinstance(e, Retire) for e in turn(loop.world, blind).decision.effects)


def test_a_late_retire_does_not_take_down_the_second_attempt_of_the_same_version() -> None:
    loop = reverted_with_leftover()
    late = next(e for t in loop.turns for e in t.decision.effects if isinstance(e, Retire))
    loop.change(verdict=Verdict.PASS).elapse(5)
    loop.person(Action.RETRY)
    loop.until_weight(10)
    loop.world = act(loop.world, late)
    assert loop.world.instance("web", "B") is not None


def reverted_with_leftover() -> Loop:
    """B has turned back; the retire of it was sent and has not arrived."""
    loop = climb(world(spec(A), stable=A), B, broken_by).until_weight(10).change(verdict=Verdict.BREACH)
    loop.until(lambda: loop.status.phase is Phase.REVERTED)
    loop.elapse(1).turn(arrive=lambda effects: tuple(e for e in effects if not isinstance(e, Retire)))
    return loop


# ---- a status that was lost


def lost(loop: Loop) -> Loop:
    return loop.change(status=Status()).crash(seconds=60)


def test_a_release_whose_status_was_lost_takes_what_serves_of_its_own_as_stable() -> None:
    loop = lost(completed().until_rest()).change(kept=(B, A))
    loop.run(5)
    assert (loop.status.stable, loop.status.phase) == (B, Phase.COMPLETED)
    assert loop.split() == {"B": 100}


def test_of_two_that_serve_it_takes_the_one_that_serves_most() -> None:
    loop = climb(world(spec(A), stable=A), B, broken_by).until_weight(10)
    lost(loop).change(kept=(B, A)).edit(version=A).until_rest()
    assert loop.status.stable == A
    assert loop.split() == {"A": 100}


def test_its_counters_go_on_above_what_the_world_has_seen() -> None:
    loop = climb(world(spec(A), stable=A), B, broken_by).until_weight(50)
    before = loop.status
    lost(loop).change(kept=(A,)).run(1)
    assert loop.status.move > before.move
    assert loop.status.attempt >= before.attempt


def test_nothing_is_begun_while_it_is_unknown_what_serves() -> None:
    loop = lost(completed().until_rest()).change(kept=(B, A)).edit(version=C)
    for _ in range(10):
        done = loop.elapse(1).turn(without_anything(look(loop.world))._replace(start=Gate.OPEN, step=Gate.OPEN))
        assert done.decision.effects == ()
        assert done.decision.status.stable is None
    loop.until_weight(10)
    assert loop.status.stable == B
    assert loop.split() == {"B": 90, "C": 10}


def test_an_act_is_heard_at_rest_without_a_loop() -> None:
    loop = resting()
    uid = loop.person(Action.RESUME)
    loop.until_rest()
    assert loop.answer(uid) == "Refused"
    assert loop.part().weight == percent(0)
