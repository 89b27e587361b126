"""The way up: in order, on evidence, with capacity first; every permission is asked at every raise."""

from __future__ import annotations

import pytest

from tests.engine.loop import Loop, climb
from tests.engine.rules import broken_by
from tests.engine.world import (
    act,
    edit_split,
    ladder,
    lockstep,
    look,
    nothing,
    percent,
    spec,
    turn,
    version,
    without_anything,
    world,
)
from tidegate.engine.values import (
    FULL,
    Check,
    CheckKey,
    Ensure,
    Evidence,
    Gate,
    Outcome,
    Phase,
    RunCheck,
    Start,
    State,
    Track,
    Verdict,
    When,
)

A, B, C = version("A", "web"), version("B", "web"), version("C", "web")


def climbing(**fields: object) -> Loop:
    return climb(world(spec(A, **fields), stable=A), B, broken_by)  # type: ignore[arg-type]


def weights(loop: Loop, part: str = "web") -> list[float]:
    """Every weight that was declared, in order."""
    declared = [t.decision.status.part(part) for t in loop.turns]
    found = [p.weight / 1000 for p in declared if p is not None and p.weight]
    return [w for i, w in enumerate(found) if i == 0 or found[i - 1] != w]


def test_a_good_version_climbs_every_rung_in_order_and_completes() -> None:
    loop = climbing().until_stable("B")
    assert weights(loop) == [10, 50, 100]
    assert loop.split() == {"B": 100}
    assert loop.status.phase is Phase.COMPLETED
    assert loop.status.previous == A
    assert loop.world.road("web").pin == "B"


def test_nothing_climbs_before_the_start_gates_are_open() -> None:
    loop = climbing().change(start=Gate.SHUT).run(100)
    assert (loop.status.phase, loop.status.attempt) == (Phase.WAITING, 1)
    loop.change(start=Gate.OPEN).until_weight(10)


def test_the_candidate_is_started_under_this_attempts_claim_before_it_is_waited_for() -> None:
    loop = climbing()
    done = loop.turn()
    assert done.decision.effects == (Start("web", "B", percent(10), 2),)
    assert loop.status.phase is Phase.PREPARING


def test_a_version_that_runs_under_an_older_claim_is_claimed_anew_first() -> None:
    """Or a late retire of its first attempt would take it down in its second."""
    loop = climbing().change(start=Gate.SHUT)
    loop.turn()
    for_an_older = Start("web", "B", FULL, 1)
    loop.change(start=Gate.OPEN, running=act(loop.world, for_an_older).running).elapse(1)
    done = loop.turn()
    assert done.decision.status.phase is Phase.PREPARING
    assert Start("web", "B", percent(10), 2) in done.decision.effects


def test_capacity_for_the_next_rung_comes_before_its_traffic() -> None:
    loop = climbing().until_weight(10).change(sick=frozenset({"B"})).run(200)
    assert loop.part().weight == percent(10)
    assert loop.world.instance("web", "B") is not None
    loop.change(sick=frozenset()).until_weight(50)


@pytest.mark.parametrize("verdict", [Verdict.UNKNOWN, Verdict.HOLD, Verdict.INCONCLUSIVE, Verdict.NO_TRAFFIC])
def test_a_verdict_that_is_not_pass_lets_no_step_through(verdict: Verdict) -> None:
    loop = climbing().until_weight(10).change(verdict=verdict).run(300)
    assert loop.part().weight == percent(10)


def test_no_traffic_permits_the_raise_from_zero() -> None:
    loop = climbing().change(verdict=Verdict.NO_TRAFFIC)
    loop.until(lambda: loop.split() == {"A": 90, "B": 10})


def test_no_traffic_is_nobodys_debt() -> None:
    loop = climbing().until_weight(10).change(verdict=Verdict.NO_TRAFFIC).run(5_000)
    assert loop.part().weight == percent(10)
    assert loop.status.owed == ()


@pytest.mark.parametrize("gate", [Gate.SHUT, Gate.UNKNOWN])
def test_a_shut_step_gate_stops_every_raise_and_the_write_of_a_recorded_one(gate: Gate) -> None:
    loop = climbing().until_weight(10).run(55)
    loop.until(lambda: loop.part().weight == percent(50))  # recorded …
    before = loop.last.before._replace(now=loop.world.now)
    lost = turn(before, arrive=nothing).after  # … but its write never arrived
    loop.change(status=lost.status, roads=lost.roads, watch=lost.watch, step=gate).run(100)
    assert loop.split() == {"A": 90, "B": 10}
    loop.change(step=Gate.OPEN).until_weight(50)


def test_a_step_needs_evidence_for_this_attempt_and_move() -> None:
    loop = climbing().until_weight(10).run(59)
    for stale in (
        None,
        Evidence(1, (("web", loop.part().move),)),
        Evidence(2, (("web", loop.part().move - 1),)),
        Evidence(2, ()),
    ):
        loop.elapse(1)
        done = turn(loop.world, look(loop.world)._replace(verdict=Verdict.PASS, evidence=stale))
        assert done.decision.status.part("web") is not None
        assert [p.weight for p in done.decision.status.parts] == [percent(10)]


def test_the_hold_does_not_count_while_the_verdict_is_for_another_move() -> None:
    loop = climbing().until_weight(10)
    stale = Evidence(2, (("web", loop.part().move - 1),))
    for _ in range(20):
        loop.elapse(10).turn(look(loop.world)._replace(evidence=stale))
    assert loop.part().held == 0
    assert loop.part().since is None


def test_stable_that_is_not_whole_stops_the_way_up() -> None:
    """We never climb away from a place that we could not go back to."""
    loop = climbing().until_weight(10).change(sick=frozenset({"A"}))
    loop.change(running=tuple(i._replace(state=State.SHORT) if i.content == "A" else i for i in loop.world.running))
    loop.run(200)
    assert loop.part().weight == percent(10)
    assert loop.status.phase is Phase.PROGRESSING


def test_no_step_is_taken_on_an_unknown_world_and_it_is_looked_at_again() -> None:
    loop = climbing().until_weight(10).run(59).elapse(1)
    done = loop.turn(without_anything(look(loop.world)))
    assert loop.part().weight == percent(10)
    assert done.decision.effects == ()
    assert done.decision.wake_at == loop.world.now + 1


def test_parts_of_one_track_climb_in_lock_step_under_one_move() -> None:
    both, newer = version("A", "api", "web"), version("B", "api", "web")
    loop = climb(world(spec(both), stable=both), newer, broken_by).until_weight(50)
    assert loop.part("api").weight == loop.part("web").weight
    assert loop.part("api").move == loop.part("web").move


def test_one_part_that_has_not_arrived_keeps_its_track_where_it_is() -> None:
    both, newer = version("A", "api", "web"), version("B", "api", "web")
    loop = climb(world(spec(both), stable=both), newer, broken_by).change(deaf=frozenset({"api"})).run(300)
    assert loop.part("web").weight == percent(10)


def test_tracks_climb_their_own_ladders_and_complete_together() -> None:
    both, newer = version("A", "api", "web"), version("B", "api", "web")
    tracks = (Track(("api",), ladder((10, 10), (100, 10))), Track(("web",), ladder((50, 100), (100, 100))))
    loop = climb(world(spec(both, tracks=tracks), stable=both), newer, broken_by).until_stable("B")
    assert weights(loop, "api") == [10, 100]
    assert weights(loop, "web") == [50, 100]


def test_a_part_in_no_track_never_completes_unclimbed() -> None:
    both, newer = version("A", "api", "web"), version("B", "api", "web")
    tracks = lockstep("web", steps=ladder((100, 0)))
    loop = Loop(world(spec(newer, tracks=tracks), stable=both), broken_by).run(100)
    assert loop.status.stable == both


def test_the_step_is_the_next_rung_above_the_weight_after_an_edit_of_the_ladder() -> None:
    loop = climbing().until_weight(10)
    loop.edit(tracks=lockstep("web", steps=ladder((1, 60), (5, 60), (20, 60), (100, 60)))).run(20)
    assert loop.part().weight == percent(10)
    loop.until_weight(20)


def test_a_rung_that_is_gone_takes_no_exposure_away_but_a_lower_top_does() -> None:
    loop = climbing().until_weight(50)
    loop.edit(tracks=lockstep("web", steps=ladder((20, 60), (100, 60)))).run(10)
    assert loop.part().weight == percent(50)
    loop.edit(tracks=lockstep("web", steps=ladder((20, 60)))).run(10)
    assert loop.split() == {"A": 80, "B": 20}


def test_checks_before_traffic_run_once_an_attempt_and_must_pass() -> None:
    loop = climbing(checks=(Check("smoke", (When.BEFORE_TRAFFIC,)),))
    loop.until(lambda: bool(loop.world.checks))
    key = CheckKey("smoke", When.BEFORE_TRAFFIC, 2)
    assert loop.split() == {"A": 100}
    assert [key for key, _ in loop.world.checks] == [key]
    loop.until_weight(10)
    assert sum(RunCheck(key) in t.decision.effects for t in loop.turns) == 1


def test_checks_of_each_step_are_asked_anew_at_every_move() -> None:
    loop = climbing(checks=(Check("find", (When.EACH_STEP,)),)).until_stable("B")
    keys = [key for key, _ in loop.world.checks]
    assert [(key.part, key.attempt) for key in keys] == [("web", 2)] * 3
    assert len({key.move for key in keys}) == 3


def test_a_check_that_passed_at_another_move_opens_nothing() -> None:
    loop = climbing(checks=(Check("find", (When.EACH_STEP,)),)).until_weight(10)
    old = CheckKey("find", When.EACH_STEP, 2, "web", loop.part().move - 1)
    for _ in range(10):
        loop.elapse(10).change(checks=((old, Outcome.PASSED),)).turn(arrive=nothing)
    assert loop.part().weight == percent(10)


def test_checks_before_completion_hold_the_last_turn() -> None:
    loop = climbing(checks=(Check("final", (When.BEFORE_COMPLETION,)),)).until_phase(Phase.COMPLETING)
    assert loop.status.stable == A
    assert loop.until_stable("B").status.phase is Phase.COMPLETED


def test_a_foreign_edit_that_raises_is_put_back_even_while_the_guards_are_blind() -> None:
    loop = climbing().until_weight(10).change(verdict=Verdict.UNKNOWN)
    loop.world = edit_split(loop.world, "web", A=20, B=80)
    assert loop.run(5).split() == {"A": 90, "B": 10}


def test_a_write_carries_the_reading_that_it_was_decided_on() -> None:
    loop = climbing()
    loop.until(lambda: any(isinstance(e, Ensure) for e in loop.last.decision.effects))
    write = next(e for e in loop.last.decision.effects if isinstance(e, Ensure))
    assert write.expects == dict(loop.last.seen.readings)["web"]
    assert write.move == loop.part().move


def test_completion_waits_while_somebody_pauses_the_bake() -> None:
    loop = climbing().until_weight(100).run(55).edit(paused=True).run(500)
    assert loop.status.stable == A
    loop.edit(paused=False).until_stable("B")


def test_a_newer_version_supersedes_and_stable_stays_where_a_revert_goes() -> None:
    loop = climbing().until_weight(50).edit(version=C)
    loop.turn()
    assert loop.split() == {"A": 100}  # back in the same turn
    assert loop.status.stable == A
    loop.until_stable("C")
    assert loop.world.instance("web", "B") is None  # the abandoned candidate is retired
    assert loop.status.previous == A


def test_stable_put_back_midway_takes_the_fast_way() -> None:
    loop = climbing().until_weight(50).edit(version=A).until_rest()
    assert loop.split() == {"A": 100}
    assert loop.status.phase is Phase.COMPLETED
    assert loop.status.rejected == ()


def test_a_version_whose_parts_are_all_the_same_is_stable_at_once() -> None:
    renamed = A._replace(name="v1.0.1", content="A2")
    loop = climb(world(spec(A), stable=A), renamed, broken_by).until_rest()
    assert loop.status.stable == renamed
    assert loop.split() == {"A": 100}
