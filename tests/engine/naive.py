"""Naive designs, one function each: what somebody would have written first in the place of the real one.

`test_rules.py` plants them and demands that they are caught.
"""

from __future__ import annotations

from tidegate.engine import ending, turning
from tidegate.engine.passing import Pass
from tidegate.engine.values import Cause, Debt, Gate, Part, Phase, Rung, Status, Track


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


def never(*_: object, **__: object) -> None:
    return None


def no(*_: object, **__: object) -> bool:
    return False


def yes(*_: object, **__: object) -> bool:
    return True
