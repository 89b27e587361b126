"""The way back: all parts at once, each on its own, only to what serves; and the way out when there is none."""

from __future__ import annotations

from tests.engine.loop import Loop, climb
from tests.engine.rules import broken_by
from tests.engine.world import QUICK, act, die, look, nothing, spec, turn, vanish, version, world
from tidegate.engine.values import Action, Cause, Ensure, Gate, Phase, Start, State, Verdict

A, B, C = version("A", "web"), version("B", "web"), version("C", "web")
TWO_A, TWO_B = version("A", "api", "web"), version("B", "api", "web")


def climbing(weight: float = 50, **fields: object) -> Loop:
    return climb(world(spec(A, **fields), stable=A), B, broken_by).until_weight(weight)  # type: ignore[arg-type]


def test_a_dead_target_does_not_delay_its_siblings() -> None:
    loop = climb(world(spec(TWO_A), stable=TWO_A), TWO_B, broken_by).until_weight(50)
    loop.change(verdict=Verdict.BREACH, deaf=frozenset({"api"})).run(5)
    assert loop.split("web") == {"A": 100}
    assert loop.split("api") == {"A": 50, "B": 50}
    assert loop.status.phase is Phase.REVERTING
    loop.change(deaf=frozenset()).until_rest()
    assert loop.split("api") == {"A": 100}


def test_a_raise_that_is_still_on_its_way_loses_against_the_revert() -> None:
    loop = climbing(10).run(55)
    loop.until(lambda: loop.part().weight == 50_000)
    stalled = next(e for e in loop.last.decision.effects if isinstance(e, Ensure))
    loop.world = loop.last.before._replace(status=loop.status)  # it has not arrived yet
    loop.change(verdict=Verdict.BREACH).turn()
    loop.world = act(loop.world, stalled)  # now it does, late
    assert loop.until_rest().split() == {"A": 100}


def test_a_part_gets_a_new_move_even_where_the_value_looks_right() -> None:
    loop = climbing(10).run(55)
    loop.until(lambda: loop.part().weight == 50_000)
    before = loop.part().move
    loop.world = loop.last.before._replace(status=loop.status)
    loop.change(verdict=Verdict.BREACH).turn()
    assert loop.part().move > before
    assert loop.status.phase is Phase.REVERTING  # settled only when that move is seen


def test_a_revert_is_not_over_before_every_part_is_seen_to_stand() -> None:
    loop = climbing().change(verdict=Verdict.BREACH)
    for _ in range(3):
        done = loop.turn(arrive=nothing)
        assert done.decision.status.phase is Phase.REVERTING
    loop.until_rest()
    assert loop.last.decision.status.phase is Phase.REVERTED


def test_a_part_that_stable_does_not_have_goes_last() -> None:
    newer = version("B", "api", "web")
    loop = climb(world(spec(A), stable=A, parts=("api", "web")), newer, broken_by).until_weight(50)
    assert loop.split("api") == {"B": 100}
    loop.change(verdict=Verdict.BREACH).turn()
    assert (loop.split("web"), loop.split("api")) == ({"A": 100}, {"B": 100})
    loop.until_rest()
    assert loop.split("api") == {}
    assert loop.world.instance("api", "B") is None


def test_a_part_that_the_new_version_drops_stays_until_completion() -> None:
    old, newer = version("A", "api", "web"), version("B", "web")
    loop = climb(world(spec(old), stable=old), newer, broken_by).until_weight(100)
    assert loop.split("api") == {"A": 100}
    loop.until_rest()
    assert loop.split("api") == {}
    assert [part.name for part in loop.status.parts] == ["web"]
    assert loop.world.instance("api", "A") is None


def test_traffic_is_never_sent_to_a_stable_version_that_is_known_to_be_down() -> None:
    loop = climbing()
    loop.world = vanish(loop.world, "A")
    loop.change(verdict=Verdict.BREACH, sick=frozenset({"A"}))
    done = loop.turn()
    assert loop.split() == {"A": 50, "B": 50}
    assert Start("web", "A", 100_000, 1) in done.decision.effects
    loop.change(sick=frozenset()).until_rest()
    assert loop.split() == {"A": 100}


def test_one_endpoint_that_serves_is_enough_for_the_way_down() -> None:
    loop = climbing()
    loop.world = die(loop.world, "A", State.SHORT)
    loop.change(verdict=Verdict.BREACH, sick=frozenset({"A"})).turn()
    assert loop.split() == {"A": 100}


def test_so_is_health_that_is_unknown() -> None:
    loop = climbing()
    loop.turn(look(loop.world)._replace(instances=None, verdict=Verdict.BREACH))
    assert loop.split() == {"A": 100}


def test_a_stuck_revert_lets_a_newer_version_through() -> None:
    loop = climbing()
    loop.world = die(loop.world, "A")
    loop.change(verdict=Verdict.BREACH, sick=frozenset({"A"})).run(QUICK.ready + 10)
    assert (loop.status.phase, loop.status.rescue) == (Phase.REVERTING, False)
    loop.edit(version=C).change(verdict=Verdict.PASS)
    loop.until(lambda: loop.split() == {"C": 100}, within=60)
    assert loop.status.rescue
    loop.until_stable("C")


def test_a_write_that_is_late_is_no_reason_for_a_rescue() -> None:
    """Stable serves: what is wanted next climbs by its ladder once the traffic is back, however long that took."""
    loop = climbing()
    loop.change(verdict=Verdict.BREACH, deaf=frozenset({"web"})).run(QUICK.ready + 10)
    loop.edit(version=C).change(verdict=Verdict.PASS).run(10)
    assert (loop.status.phase, loop.status.rescue) == (Phase.REVERTING, False)
    loop.change(deaf=frozenset()).until_weight(10)
    assert loop.split() == {"A": 90, "C": 10}


def test_a_previous_version_that_was_rejected_since_is_not_put_back() -> None:
    loop = climb(world(spec(A), stable=A), B, broken_by).until_stable("B")
    loop.edit(version=C).until_weight(10)
    loop.world = die(loop.world, "B")
    loop.change(verdict=Verdict.BREACH, sick=frozenset({"B"})).run(QUICK.ready + 10)
    loop.edit(version=A).change(verdict=Verdict.PASS)  # the only way out, and it turns out bad
    loop.until(lambda: loop.split() == {"A": 100}, within=60).change(verdict=Verdict.BREACH).run(20)
    healed = tuple(instance._replace(state=State.READY) for instance in loop.world.running)
    loop.change(running=healed, sick=frozenset(), verdict=Verdict.PASS).run(200)
    assert [rejection.content for rejection in loop.status.rejected] == ["C", "A"]
    assert (loop.split(), loop.status.stable) == ({"B": 100}, B)


def test_a_rescue_is_guarded_and_needs_its_gates() -> None:
    loop = climbing()
    loop.world = die(loop.world, "A")
    loop.change(verdict=Verdict.BREACH, sick=frozenset({"A"})).run(QUICK.ready + 10)
    loop.edit(version=C).change(verdict=Verdict.PASS, step=Gate.SHUT).run(100)
    assert loop.split() == {"A": 50, "B": 50}


def test_the_very_first_version_takes_all_traffic_at_once() -> None:
    loop = Loop(world(spec(A)), broken_by)
    loop.until(lambda: loop.split() == {"A": 100}, within=30)
    assert loop.status.stable is None
    loop.until_stable("A")
    assert loop.status.previous is None
    loop.until_rest()


def test_a_newer_version_waits_for_the_first_one_that_serves() -> None:
    loop = Loop(world(spec(A)), broken_by)
    loop.until(lambda: loop.split() == {"A": 100}).run(5)
    loop.edit(version=B)
    loop.until_stable("A")
    loop.until_stable("B")


def test_but_not_for_one_that_does_not_serve() -> None:
    loop = Loop(world(spec(A)), broken_by).change(sick=frozenset({"A"})).run(5)
    loop.edit(version=B)
    loop.until(lambda: loop.split() == {"B": 100}, within=60)


def test_nor_for_one_whose_write_never_landed() -> None:
    loop = Loop(world(spec(A)), broken_by).change(deaf=frozenset({"web"}))
    loop.until(lambda: loop.status.touched).edit(version=B).run(5).change(deaf=frozenset())
    loop.until(lambda: loop.split() == {"B": 100}, within=60)


def test_nor_for_one_that_was_bad_and_is_only_tried_again() -> None:
    loop = Loop(world(spec(A)), broken_by)
    loop.until(lambda: loop.split() == {"A": 100}).change(verdict=Verdict.BREACH).run(20)
    loop.person(Action.RETRY)
    loop.until_phase(Phase.PREPARING).edit(version=B).change(verdict=Verdict.PASS)
    loop.until_stable("B")


def test_a_breach_leaves_the_first_version_where_it_is_and_the_next_is_the_way_out() -> None:
    loop = Loop(world(spec(A)), broken_by)
    loop.until(lambda: loop.split() == {"A": 100}).change(verdict=Verdict.BREACH).run(100)
    assert loop.split() == {"A": 100}
    assert [(r.content, r.cause) for r in loop.status.rejected] == [("A", Cause.BREACH)]
    loop.edit(version=B).change(verdict=Verdict.PASS)
    loop.until(lambda: loop.split() == {"B": 100}, within=60)
    loop.until_stable("B")


def test_the_first_version_that_never_comes_up_fails_and_the_next_one_begins() -> None:
    loop = Loop(world(spec(A)), broken_by).change(sick=frozenset({"A"})).run(QUICK.ready + 10)
    assert loop.status.phase is Phase.FAILED
    loop.edit(version=B).until_stable("B")


def test_a_revert_that_was_recorded_is_done_by_whoever_leads_next() -> None:
    loop = climbing().change(verdict=Verdict.BREACH)
    loop.turn(arrive=nothing)
    loop.crash().change(verdict=Verdict.PASS)
    done = turn(loop.world)
    assert done.after.split("web") == {"A": 100}


def test_a_first_raise_that_is_still_on_its_way_loses_too() -> None:
    """The value looks right already, and so does not tell that the raise will come."""
    loop = climb(world(spec(A), stable=A), B, broken_by)
    loop.until(lambda: loop.part().weight == 10_000)
    stalled = next(e for e in loop.last.decision.effects if isinstance(e, Ensure))
    loop.world = loop.last.before._replace(status=loop.status)  # it has not arrived yet
    loop.person(Action.ROLLBACK)
    loop.turn()
    loop.world = act(loop.world, stalled)  # now it does, late
    assert loop.split() == {"A": 100}
    loop.until_rest()
