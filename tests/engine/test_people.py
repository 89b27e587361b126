"""What people ask for acts once, on what they saw."""

from __future__ import annotations

import pytest

from tests.engine.loop import Loop, climb
from tests.engine.rules import broken_by
from tests.engine.world import ladder, look, nothing, percent, spec, turn, version, world
from tidegate.engine.acts import MOST_PAUSES, WAITING_ROOM
from tidegate.engine.values import Action, Answer, Cause, Gate, Phase, Verdict

A, B, C = version("A", "web"), version("B", "web"), version("C", "web")


def climbing(weight: float = 10, **fields: object) -> Loop:
    return climb(world(spec(A, **fields), stable=A), B, broken_by).until_weight(weight)  # type: ignore[arg-type]


def breached() -> Loop:
    loop = climbing().change(verdict=Verdict.BREACH)
    return loop.until_rest().change(verdict=Verdict.PASS)


# ---- once


def test_an_act_is_written_down_in_the_status_that_obeys_it() -> None:
    loop = climbing()
    uid = loop.person(Action.PAUSE)
    done = loop.turn(arrive=nothing)
    assert [h.uid for h in done.decision.status.handled] == [uid]
    assert done.decision.status.standing[0].uid == uid


def test_an_act_that_was_obeyed_is_not_obeyed_again_while_it_waits_for_its_answer() -> None:
    loop = climbing(steps=ladder((10, 1_000), (50, 1_000), (100, 1_000)))
    loop.person(Action.PROMOTE)
    for _ in range(5):
        loop.elapse(1).turn(arrive=lambda effects: tuple(e for e in effects if not isinstance(e, Answer)))
    assert loop.status.promoted == percent(50)
    assert len(loop.status.handled) == 1


def test_an_answer_is_repeated_until_it_is_seen_and_then_forgotten() -> None:
    loop = climbing()
    uid = loop.person(Action.PAUSE)
    answers = [loop.turn(arrive=nothing).decision.effects for _ in range(3)]
    assert all(any(isinstance(e, Answer) and e.uid == uid for e in effects) for effects in answers)
    loop.run(5)
    assert loop.status.handled == ()
    assert loop.status.standing  # though the pause stands


def test_when_too_many_wait_for_their_answer_only_what_lowers_is_heard() -> None:
    loop = climbing()
    for _ in range(WAITING_ROOM):
        loop.person(Action.RESUME)
    raising, lowering = loop.person(Action.PROMOTE), loop.person(Action.ROLLBACK)
    loop.turn(arrive=nothing)
    heard = {h.uid for h in loop.status.handled}
    assert lowering in heard
    assert raising not in heard


def test_what_lowers_is_heard_before_what_raises() -> None:
    loop = climbing()
    promoted = loop.person(Action.PROMOTE)
    loop.person(Action.ROLLBACK)
    loop.turn()
    assert loop.status.cause is Cause.PERSON
    assert loop.split() == {"A": 100}
    assert loop.answer(promoted) in ("Done", "Refused")


# ---- pause and resume


def test_pause_keeps_the_weight_until_resume() -> None:
    loop = climbing()
    uid = loop.person(Action.PAUSE)
    loop.run(2_000)
    assert (loop.part().weight, loop.answer(uid)) == (percent(10), "Standing")
    uid = loop.person(Action.RESUME)
    loop.until_weight(50)
    assert loop.answer(uid) == "Done"


def test_pause_at_lets_it_climb_to_there_and_no_further() -> None:
    loop = climbing()
    loop.person(Action.PAUSE, at=percent(50))
    loop.until_weight(50).run(2_000)
    assert loop.part().weight == percent(50)


def test_what_stands_is_not_dropped_for_one_more_pause_that_is_refused() -> None:
    loop = climbing()
    stand = [loop.person(Action.PAUSE, at=percent(50 + i)) for i in range(MOST_PAUSES)]
    loop.run(5)
    one_more = loop.person(Action.PAUSE, at=percent(90))
    loop.run(5)
    assert ({loop.answer(uid) for uid in stand}, loop.answer(one_more)) == ({"Standing"}, "Refused")
    assert [pause.uid for pause in loop.status.standing] == stand
    loop.person(Action.RESUME)
    loop.run(5)
    again = loop.person(Action.PAUSE)
    loop.run(5)
    assert (loop.answer(again), len(loop.status.standing)) == ("Standing", 1)


def test_a_pause_stands_whatever_begins_since() -> None:
    loop = climbing()
    loop.person(Action.PAUSE, at=percent(10))
    loop.run(5).edit(version=C)
    loop.until_weight(10).run(2_000)
    assert loop.part().weight == percent(10)


def test_guards_revert_what_is_paused() -> None:
    loop = climbing()
    loop.person(Action.PAUSE)
    loop.run(5).change(verdict=Verdict.BREACH).turn()
    assert loop.split() == {"A": 100}


def test_a_resume_lifts_no_pause_that_came_after_it() -> None:
    loop = climbing()
    loop.person(Action.PAUSE)
    late = loop.person(Action.RESUME, written=loop.world.now - 30)
    loop.run(500)
    assert loop.answer(late) == "Refused"
    assert loop.part().weight == percent(10)


def test_a_pause_and_a_resume_that_were_both_waiting_are_heard_in_their_order() -> None:
    loop = climbing()
    loop.person(Action.PAUSE)
    loop.elapse(30)
    loop.person(Action.RESUME)
    loop.crash(seconds=100).run(5)
    assert loop.status.standing == ()


def test_a_resume_lifts_no_hand_that_came_after_it() -> None:
    loop = climbing()
    written = loop.world.now
    loop.elapse(30).write_split(A=95, B=5).turn()
    late = loop.person(Action.RESUME, written=written, seen_attempt=2)
    loop.run(500)
    assert loop.answer(late) == "Refused"
    assert loop.split() == {"A": 95, "B": 5}


def test_what_the_spec_pauses_the_spec_resumes() -> None:
    loop = climbing().edit(paused=True)
    uid = loop.person(Action.RESUME)
    loop.run(500)
    assert loop.answer(uid) == "Refused"
    assert loop.part().weight == percent(10)


def test_among_too_many_pauses_the_strictest_stay() -> None:
    loop = climbing()
    loop.person(Action.PAUSE)
    for at in range(30):
        loop.person(Action.PAUSE, at=percent(50 + at))
    loop.run(10)
    assert len(loop.status.standing) == 20
    assert min(pause.at or 0 for pause in loop.status.standing) == 0


# ---- promote


def test_promote_ends_the_hold_that_is_running_and_no_other() -> None:
    loop = climbing(steps=ladder((10, 1_000), (50, 1_000), (100, 1_000)))
    begun = loop.world.now
    loop.person(Action.PROMOTE)
    loop.until_weight(50)
    assert loop.world.now - begun < 10
    loop.run(900)
    assert loop.part().weight == percent(50)


def test_promote_to_ends_every_hold_below_one_rung_a_turn() -> None:
    loop = climbing(steps=ladder((10, 1_000), (30, 1_000), (50, 1_000), (100, 1_000)))
    loop.person(Action.PROMOTE, to=percent(50))
    loop.until_weight(50, within=20)
    declared = [t.decision.status.parts[0].weight for t in loop.turns]
    assert percent(30) in declared
    loop.run(900)
    assert loop.part().weight == percent(50)


def test_promote_counts_inconclusive_as_pass_and_nothing_else() -> None:
    loop = climbing().change(verdict=Verdict.INCONCLUSIVE)
    loop.person(Action.PROMOTE)
    loop.until_weight(50)
    for verdict in (Verdict.UNKNOWN, Verdict.HOLD, Verdict.NO_TRAFFIC):
        loop = climbing().change(verdict=verdict)
        loop.person(Action.PROMOTE)
        assert loop.run(100).part().weight == percent(10)


def test_promote_opens_no_gate() -> None:
    loop = climbing().change(step=Gate.SHUT)
    loop.person(Action.PROMOTE)
    assert loop.run(500).part().weight == percent(10)


def test_promote_at_the_top_ends_the_bake() -> None:
    loop = climbing(100, steps=ladder((100, 1_000)))
    loop.person(Action.PROMOTE)
    loop.until_stable("B", within=10)


def test_a_promote_is_refused_where_the_step_that_was_seen_has_passed() -> None:
    loop = climbing(50, steps=ladder((10, 60), (50, 1_000), (100, 0)))
    late = loop.person(Action.PROMOTE, seen_attempt=2, seen_step=1)
    loop.run(500)
    assert loop.answer(late) == "Refused"
    assert loop.part().weight == percent(50)


def test_a_promote_is_refused_where_the_attempt_that_was_seen_has_passed() -> None:
    loop = climbing(50, steps=ladder((10, 60), (50, 1_000), (100, 0)))
    late = loop.person(Action.PROMOTE, seen_attempt=1, seen_step=2)
    loop.run(100)
    assert loop.answer(late) == "Refused"


def test_without_what_was_seen_a_promote_is_bound_by_time() -> None:
    loop = climbing(50, steps=ladder((10, 60), (50, 1_000), (100, 0)))
    late = loop.person(Action.PROMOTE, written=loop.part().moved - 10)
    loop.run(100)
    assert loop.answer(late) == "Refused"
    assert loop.part().weight == percent(50)


def test_a_promote_is_for_this_attempt_only() -> None:
    loop = climbing(steps=ladder((10, 1_000), (100, 1_000)))
    loop.person(Action.PROMOTE, to=percent(100))
    loop.turn(arrive=nothing)
    loop.edit(version=C)
    loop.until_weight(10)
    assert loop.status.promoted == 0


def test_where_nothing_climbs_there_is_nothing_to_promote() -> None:
    loop = Loop(world(spec(A), stable=A), broken_by)
    uid = loop.person(Action.PROMOTE)
    loop.run(5)
    assert loop.answer(uid) == "Refused"


# ---- complete


def test_complete_ends_the_bake() -> None:
    loop = climbing(100, steps=ladder((100, 10_000)))
    loop.person(Action.COMPLETE)
    loop.until_stable("B", within=10)


def test_complete_skips_no_step() -> None:
    loop = climbing(50)
    uid = loop.person(Action.COMPLETE)
    loop.run(5)
    assert loop.answer(uid) == "Refused"


def test_complete_lets_the_previous_version_go() -> None:
    loop = climbing(keep=100_000).until_stable("B").run(10)
    loop.person(Action.COMPLETE)
    loop.run(30)
    assert loop.world.instance("web", "A") is None


def test_a_complete_that_was_meant_for_an_earlier_version_lets_nothing_go() -> None:
    loop = climbing(keep=100_000).until_stable("B").run(10)
    late = loop.person(Action.COMPLETE, written=loop.status.stable_since - 60)
    loop.run(30)
    assert loop.answer(late) == "Refused"
    assert loop.world.instance("web", "A") is not None


# ---- retry


def test_retry_lifts_the_rejection_and_climbs_from_the_first_step() -> None:
    loop = breached()
    uid = loop.person(Action.RETRY)
    loop.until_weight(10)
    assert (loop.answer(uid), loop.status.attempt, loop.status.rejected) == ("Done", 3, ())
    loop.until_stable("B")


@pytest.mark.parametrize("seen", [None, 2])
def test_a_retry_written_before_the_breach_does_not_lift_it(seen: int | None) -> None:
    loop = climbing()
    written = loop.world.now
    loop.elapse(10).change(verdict=Verdict.BREACH).until_rest()
    loop.change(verdict=Verdict.PASS)
    late = loop.person(Action.RETRY, written=written, seen_attempt=seen)
    loop.until_rest()
    assert loop.answer(late) == "Refused"
    assert [r.content for r in loop.status.rejected] == ["B"]


def test_a_retry_waits_for_the_revert_to_end() -> None:
    loop = climbing().change(verdict=Verdict.BREACH, deaf=frozenset({"web"}))
    loop.turn()
    loop.elapse(5)
    uid = loop.person(Action.RETRY)
    loop.change(verdict=Verdict.PASS).run(10)
    assert (loop.answer(uid), loop.status.phase) == (None, Phase.REVERTING)
    loop.change(deaf=frozenset()).until_stable("B")
    assert loop.answer(uid) == "Done"


def test_only_what_the_spec_asks_for_is_retried() -> None:
    loop = breached().edit(version=A)
    uid = loop.person(Action.RETRY)
    loop.run(5)
    assert loop.answer(uid) == "Refused"


def test_a_retry_while_it_breaches_again_reverts_again_and_stays() -> None:
    loop = breached()
    loop.person(Action.RETRY)
    loop.until_weight(10).change(verdict=Verdict.BREACH).until_rest()
    assert (loop.status.phase, loop.status.attempt) == (Phase.REVERTED, 3)


def test_every_refusal_says_why() -> None:
    loop = Loop(world(spec(A), stable=A), broken_by)
    for action in Action:
        if action is not Action.PAUSE:
            loop.person(action, version="v0" if action is Action.ROLLBACK else None)
    done = turn(loop.world, look(loop.world))
    answers = [e for e in done.decision.effects if isinstance(e, Answer)]
    assert len(answers) == len(Action) - 1
    assert all(e.outcome == "Refused" and len(e.message) > 10 for e in answers)
