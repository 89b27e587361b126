"""The hold counts guarded time only, and debts end what would wait for ever."""

from __future__ import annotations

import pytest

from tests.engine.loop import Loop, climb
from tests.engine.rules import broken_by
from tests.engine.world import QUICK, ladder, lockstep, look, percent, spec, version, without_readings, world
from tidegate.engine.values import Action, Cause, Check, CheckKey, Debt, Gate, Outcome, Phase, State, Verdict, When

A, B = version("A", "web"), version("B", "web")


def climbing(**fields: object) -> Loop:
    return climb(world(spec(A, **fields), stable=A), B, broken_by)  # type: ignore[arg-type]


def seconds_until(loop: Loop, weight: float) -> float:
    begun = loop.world.now
    loop.until(lambda: loop.part().weight == percent(weight))
    return loop.world.now - begun


def test_a_hold_lasts_as_long_as_it_says() -> None:
    loop = climbing().until_weight(10)
    assert seconds_until(loop, 50) == pytest.approx(60, abs=1)


def test_a_hold_of_nothing_still_waits_for_evidence_of_its_own_move() -> None:
    loop = climbing(steps=ladder((10, 0), (50, 0), (100, 0)))
    loop.until_stable("B")
    moves = {t.decision.status.parts[0].move for t in loop.turns if t.decision.status.candidate}
    assert len(moves) == 4  # as it was, and one for each rung


def test_time_in_which_the_operator_was_down_is_not_counted() -> None:
    """And a crash costs no more than the minute in which nothing was written down."""
    loop = climbing(steps=ladder((10, 200), (50, 0), (100, 0))).until_weight(10).run(150)
    loop.crash(seconds=1_000)
    assert 50 <= seconds_until(loop, 50) <= 50 + 60


def test_a_wake_that_came_late_is_a_gap_too() -> None:
    loop = climbing(steps=ladder((10, 200), (50, 0), (100, 0))).until_weight(10).run(150).elapse(1_000)
    assert 50 <= seconds_until(loop, 50) <= 50 + 60


@pytest.mark.parametrize("verdict", [Verdict.UNKNOWN, Verdict.HOLD, Verdict.NO_TRAFFIC])
def test_time_without_a_usable_verdict_is_not_counted(verdict: Verdict) -> None:
    loop = climbing().until_weight(10).run(30).change(verdict=verdict).run(200).change(verdict=Verdict.PASS)
    assert seconds_until(loop, 50) == pytest.approx(30, abs=12)


def test_time_in_which_samples_were_still_too_few_is_counted() -> None:
    loop = climbing().until_weight(10).change(verdict=Verdict.INCONCLUSIVE).run(100).change(verdict=Verdict.PASS)
    assert seconds_until(loop, 50) <= 1


def test_time_in_which_it_was_paused_is_not_counted() -> None:
    loop = climbing().until_weight(10).run(30).edit(paused=True).run(500).edit(paused=False)
    assert seconds_until(loop, 50) == pytest.approx(30, abs=12)


def test_time_under_a_pause_above_counts_since_the_rung_below_is_allowed() -> None:
    loop = climbing().until_weight(10)
    loop.person(Action.PAUSE, at=percent(10))
    loop.run(100)
    assert loop.part().weight == percent(10)
    loop.person(Action.RESUME)
    assert seconds_until(loop, 50) <= 2


def test_time_in_which_the_route_could_not_be_read_is_not_counted() -> None:
    loop = climbing().until_weight(10).run(30)
    for _ in range(100):
        loop.elapse(1).turn(without_readings(look(loop.world)))
    assert seconds_until(loop, 50) == pytest.approx(30, abs=12)


def test_time_in_which_the_candidate_was_not_whole_is_not_counted() -> None:
    loop = climbing().until_weight(10).run(30).change(sick=frozenset({"B"}))
    whole = loop.world.running
    loop.change(running=tuple(i._replace(state=State.SHORT) if i.content == "B" else i for i in whole)).run(200)
    loop.change(sick=frozenset())
    assert seconds_until(loop, 50) == pytest.approx(30, abs=12)


def test_the_clock_runs_on_behind_a_shut_gate() -> None:
    loop = climbing().until_weight(10).change(step=Gate.SHUT).run(100).change(step=Gate.OPEN)
    assert seconds_until(loop, 50) <= 1


def test_held_time_is_written_down_once_a_minute_so_that_a_crash_costs_no_more() -> None:
    loop = climbing(steps=ladder((10, 86_400), (100, 0)), deadlines=QUICK._replace(step=1e6)).until_weight(10)
    loop.run(82_800)
    written = sum(t.decision.status != t.before.status for t in loop.turns)
    assert written == pytest.approx(82_800 / 60, rel=0.05)
    assert loop.part().held >= 82_800 - 70
    loop.crash()
    assert seconds_until(loop, 100) <= 3_600 + 70


def test_a_running_hold_is_watched_at_every_guard_tick() -> None:
    loop = climbing(tick=5.0, steps=ladder((10, 600), (100, 0))).until_weight(10).run(100)
    wake = loop.last.decision.wake_at
    assert wake is not None
    assert wake - loop.last.before.now <= 5


def test_without_guards_a_hold_wakes_at_its_end() -> None:
    loop = climbing(tick=None, steps=ladder((10, 600), (100, 0))).until_weight(10).run(10)
    wake = loop.last.decision.wake_at
    assert wake is not None
    assert wake - loop.last.before.now == pytest.approx(600, abs=1)


def test_a_part_that_arrives_later_is_held_for_its_own_time() -> None:
    both, newer = version("A", "api", "web"), version("B", "api", "web")
    loop = climb(world(spec(both), stable=both), newer, broken_by).until_weight(50).run(50)
    loop.write_split("web", A=80, B=20).run(2)
    loop.person(Action.RESUME)
    loop.until_weight(50)
    begun = loop.world.now
    loop.until(lambda: loop.part("api").weight == percent(100))
    assert loop.world.now - begun == pytest.approx(60, abs=2)


# ---- debts


def turned(loop: Loop) -> tuple[Cause | None, bool]:
    loop.until(lambda: loop.status.cause is not None)
    return loop.status.cause, any(r.content == "B" for r in loop.status.rejected)


def test_exposure_without_evidence_always_ends() -> None:
    loop = climbing().until_weight(10).change(verdict=Verdict.UNKNOWN)
    begun = loop.world.now
    assert turned(loop) == (Cause.DEADLINE, True)
    assert loop.world.now - begun == pytest.approx(QUICK.step, abs=2)
    assert loop.split() == {"A": 100}


def test_it_ends_behind_a_shut_gate_too() -> None:
    loop = climbing().until_weight(10).change(verdict=Verdict.UNKNOWN, step=Gate.SHUT)
    assert turned(loop) == (Cause.DEADLINE, True)


def test_and_while_it_is_paused() -> None:
    loop = climbing().until_weight(10).change(verdict=Verdict.UNKNOWN).edit(paused=True)
    assert turned(loop) == (Cause.DEADLINE, True)


def test_people_owe_nothing() -> None:
    loop = climbing().until_weight(10).change(step=Gate.SHUT).edit(paused=True).run(10_000)
    assert (loop.status.owed, loop.status.phase) == ((), Phase.PROGRESSING)


def test_a_candidate_that_does_not_start_fails_at_its_own_deadline() -> None:
    loop = climbing().change(sick=frozenset({"B"}))
    begun = loop.world.now
    assert turned(loop) == (Cause.DEADLINE, True)
    assert loop.world.now - begun == pytest.approx(QUICK.ready, abs=2)
    assert loop.run(1).status.phase is Phase.FAILED  # no traffic had moved


def test_a_write_that_never_lands_is_owed() -> None:
    loop = climbing().change(deaf=frozenset({"web"}))
    loop.until(lambda: Debt.WRITE in dict(loop.status.owed))
    assert turned(loop) == (Cause.DEADLINE, True)


def test_evidence_that_never_comes_after_the_hold_is_owed() -> None:
    loop = climbing().until_weight(10).change(verdict=Verdict.INCONCLUSIVE)
    loop.until(lambda: Debt.STEP in dict(loop.status.owed))
    assert turned(loop) == (Cause.DEADLINE, True)


def test_evidence_may_take_as_long_as_the_longest_hold() -> None:
    loop = climbing(steps=ladder((10, 5_000), (100, 0))).until_weight(10).change(verdict=Verdict.INCONCLUSIVE)
    begun = loop.world.now
    assert turned(loop) == (Cause.DEADLINE, True)
    assert loop.world.now - begun == pytest.approx(10_000, abs=15)


def test_a_check_that_never_ends_is_owed() -> None:
    loop = climbing(checks=(Check("smoke", (When.BEFORE_TRAFFIC,)),))
    key = CheckKey("smoke", When.BEFORE_TRAFFIC, 2)
    for _ in range(int(QUICK.step) + 10):
        loop.change(checks=((key, Outcome.RUNNING),)).turn()
        loop.world = loop.world._replace(
            now=loop.world.now + 1, running=tuple(i._replace(state=State.READY) for i in loop.world.running)
        )
    assert loop.status.cause is Cause.DEADLINE


def test_each_debt_has_a_clock_of_its_own() -> None:
    """A candidate that was slow to start leaves nothing behind on the clock of the step."""
    loop = climbing().change(sick=frozenset({"B"})).run(QUICK.ready - 20)
    loop.change(sick=frozenset()).until_weight(10).change(verdict=Verdict.UNKNOWN).run(QUICK.step - 20)
    assert loop.status.phase is Phase.PROGRESSING


def test_a_debt_is_measured_from_the_first_look_after_a_gap() -> None:
    loop = climbing().until_weight(10).change(verdict=Verdict.UNKNOWN).run(100)
    loop.crash(seconds=10_000).run(QUICK.step - 100)
    assert loop.status.phase is Phase.PROGRESSING
    loop.run(200)
    assert loop.status.cause is Cause.DEADLINE


def test_a_debt_that_is_paid_is_forgotten() -> None:
    loop = climbing().until_weight(10).change(verdict=Verdict.UNKNOWN).run(QUICK.step - 50)
    loop.change(verdict=Verdict.PASS).run(20).change(verdict=Verdict.UNKNOWN).run(QUICK.step - 50)
    assert loop.status.phase is Phase.PROGRESSING


def test_a_ladder_edited_midway_keeps_the_time_that_was_held() -> None:
    loop = climbing().until_weight(10).run(40)
    loop.edit(tracks=lockstep("web", steps=ladder((10, 90), (50, 60), (100, 60))))
    assert seconds_until(loop, 50) == pytest.approx(50, abs=2)


def test_the_bake_is_the_hold_of_the_last_rung() -> None:
    loop = climbing(steps=ladder((10, 0), (50, 0), (100, 60))).until_weight(100)
    begun = loop.world.now
    loop.until_stable("B")
    assert loop.world.now - begun == pytest.approx(60, abs=2)
