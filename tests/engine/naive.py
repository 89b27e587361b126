"""Naive designs, one function each: what somebody would have written first in the place of the real one.

`test_rules.py` and the model (hack/model/bugs.py) plant them and demand that they are caught.
"""

from __future__ import annotations

from tests.engine.world import World, with_road
from tidegate.engine import climbing, ending, turning
from tidegate.engine.passing import POLL, Pass
from tidegate.engine.promise import preview
from tidegate.engine.values import (
    FULL,
    Cause,
    Debt,
    Ensure,
    Forget,
    Gate,
    Part,
    Phase,
    Preview,
    Retire,
    Rung,
    State,
    Status,
    Track,
    Verdict,
    Version,
)


def one_part_after_the_other(p: Pass) -> tuple[list[Part], list[Part]]:
    unsettled = [part for part in p.status.parts if not p.settled(part)]
    for part in unsettled[:1]:
        p.ensure(part)
    return unsettled[:1], []


def wall_time(p: Pass, part: Part, hold: float, good: bool) -> float:
    if part.since is None:
        p.put(part.name, since=p.now)
        return part.held
    return part.held + p.now - part.since


def supersession_first(p: Pass) -> Cause | None:
    if not p.wants_candidate():
        return Cause.SUPERSEDED
    return turning_why_back(p)


turning_why_back = turning.why_back


def forgetting_what_was_rejected(p: Pass, rescue: bool) -> None:
    p.set(rejected=())
    turning.begin(p, rescue)


def hand_against_the_newest_promise_only(p: Pass, part: Part) -> None:
    if part.landed == part.move and p.lowered(part):
        p.put(part.name, hand=p.next_move(), hand_at=p.now)


def an_edit_begins_the_ladder_anew(p: Pass, track: Track) -> None:
    for part in p.climbing_parts():
        if part.weight and part.weight not in [rung.weight for rung in track.ladder]:
            p.put(part.name, weight=part.rest, held=0.0, since=None, move=p.next_move())


def a_number_that_is_not_raised(p: Pass) -> int:
    return p.status.move


def asked_at_the_start_only(p: Pass, to: int = 0) -> bool:
    return p.status.phase is not Phase.PREPARING or p.seen.step is Gate.OPEN


def writing_again_to_be_sure(p: Pass) -> None:
    for part in p.status.parts:
        p.ensure(part)


def a_status_that_is_stamped_each_turn(p: Pass) -> None:
    p.set(owed=((Debt.DATA, p.now),))


def only_the_counter_is_mended(p: Pass) -> None:
    p.set(move=max(p.status.move, p.newest_move_seen()))
    for part in p.status.parts:
        p.put(part.name, move=p.status.move, landed=p.status.move)


def without_a_last_look(p: Pass) -> None:
    needed = {(piece.part, piece.content) for piece in (p.status.stable.pieces if p.status.stable else ())}
    for instance in p.seen.instances or ():
        if (instance.part, instance.content) not in needed and p.status.candidate is None:
            ending._retire(p, instance)


def the_rung_ahead_is_for_later(spec: object, status: Status) -> dict[tuple[str, str], int]:
    versions = [v for v in (status.stable, status.candidate) if v]
    return {(piece.part, piece.content): 1 for v in versions for piece in v.pieces}


def reached_by_the_rung_below(track: Track, weight: int) -> Rung:
    return track.ladder[0]


def nothing(*_: object, **__: object) -> set[object]:
    return set()


def at_once(p: Pass) -> None:
    for part in p.status.parts:
        want, seen = preview(p.status, part), p.reading(part).preview
        if seen not in (None, want):
            p.do(Preview(part.name, want, part.move))
            p.wake_in(POLL)


def the_newest_that_runs(status: Status, part: Part) -> str:
    newest = status.candidate or status.stable
    return (newest.runs(part.name) if newest else None) or ""


def before_the_first_weight_only(p: Pass) -> None:
    if p.status.phase is Phase.PREPARING:
        pass_preview_candidate(p)


pass_preview_candidate = Pass.preview_candidate


def never(*_: object, **__: object) -> None:
    return None


def no(*_: object, **__: object) -> bool:
    return False


def yes(*_: object, **__: object) -> bool:
    return True


def no_new_attempt(p: Pass, rescue: bool) -> None:
    attempt = p.status.attempt
    turning_begin(p, rescue)
    p.set(attempt=max(attempt, 1))


turning_begin = turning.begin


def only_what_differs_gets_a_number(p: Pass, cause: Cause) -> None:
    moves = {part.name: (part.move, part.moved) for part in p.status.parts}
    turning_turn_back(p, cause)
    for part in p.status.parts:
        if p.agrees(part):
            move, moved = moves[part.name]
            p.put(part.name, move=move, moved=moved)


turning_turn_back = turning.turn_back


def almost_proven(p: Pass, parts: list[Part], weight: int) -> bool:
    return p.seen.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE)


def silence_is_consent(p: Pass, parts: list[Part], weight: int) -> bool:
    return p.seen.verdict is not Verdict.BREACH


def back_and_forgotten(p: Pass) -> None:
    turning_end_revert(p)
    p.set(rejected=())


turning_end_revert = turning.end_revert


def the_top_at_once(p: Pass, track: Track, parts: list[Part], weight: int) -> bool:
    top = Track(track.parts, track.ladder[-1:])
    return climbing_step_up(p, top, parts, weight)


climbing_step_up = climbing._step_up


def the_candidate_is_what_is_newest(status: Status, part: Part) -> str | None:
    newest = status.candidate or status.stable
    return newest.runs(part.name) if newest else None


def ready_when_it_is_there(p: Pass, version: Version, only: tuple[str, ...] | None = None) -> State | None:
    return State.READY


def gone_is_gone(p: Pass) -> None:
    p.do(Forget(settled=True))
    p.set(phase=Phase.GONE, owed=())


def completed_when_it_climbed(p: Pass) -> None:
    if p.status.phase is Phase.PROGRESSING and all(part.weight == FULL for part in p.climbing_parts()):
        climbing.complete(p)
        return
    climbing_climb(p)


climbing_climb = climbing.climb


def whoever_ran_it_last(w: World, effect: Retire) -> World:
    """A removal that looks at nothing."""
    old = w.instance(effect.part, effect.content)
    return w._replace(running=tuple(i for i in w.running if i != old))


def fenced_by_value(w: World, effect: Ensure) -> World:
    road = w.road(effect.part)
    if effect.part in w.deaf or road.split != effect.expects.split:
        return w
    return with_road(w, road._replace(split=effect.split, stamp=effect.move, token=road.token + 1))


def fenced_by_our_stamp(w: World, effect: Ensure) -> World:
    road = w.road(effect.part)
    if effect.part in w.deaf or road.stamp != effect.expects.move:
        return w
    return with_road(w, road._replace(split=effect.split, stamp=effect.move, token=road.token + 1))
