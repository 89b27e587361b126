"""Turning back: the causes in their order, and the way back.

Those causes that reject the revision (`Cause.rejects`) come first and must not be masked by the others: a version
superseded, and asked for again while its breach was unread, would otherwise rise again.
"""

from tidegate.engine.passing import POLL, REST, Pass
from tidegate.engine.promise import promise, takes_part
from tidegate.engine.values import (
    Cause,
    Debt,
    Forget,
    Outcome,
    Part,
    Phase,
    State,
    Version,
)


def turn_back_if_needed(p: Pass) -> None:
    cause = why_back(p)
    if cause is not None:
        turn_back(p, cause)


def why_back(p: Pass) -> Cause | None:
    """The first cause that holds."""
    status, candidate = p.status, p.status.candidate
    assert candidate is not None
    rejection = next((r for r in status.rejected if r.content == candidate.content), None)
    if rejection is not None:
        return rejection.cause  # a person rolled this attempt back, in this very pass
    if p.breached():
        return Cause.BREACH
    if any(key.attempt == status.attempt and outcome is Outcome.FAILED for key, outcome in p.seen.checks):
        return Cause.CHECK_FAILED
    if p.exposed() and _candidate_down(p):
        return Cause.HEALTH_LOST
    if any(_is_late(p, debt) for debt, _ in status.owed):
        return Cause.DEADLINE
    if p.spec.deleting:
        return Cause.DELETED
    if not p.wants_candidate():
        if status.stable and p.spec.version.content == status.stable.content:
            return Cause.PUT_BACK
        if status.stable is not None or not _may_serve(p):
            return Cause.SUPERSEDED
        # the very first version serves: a newer one waits for its completion, there is nothing else to go back to
    return None


def _may_serve(p: Pass) -> bool:
    """Some part of the candidate was promised traffic, and has it or is not known to have none. One that is only tried
    again holds nothing up: it may not be raised any more, and would never complete."""
    if not (p.status.touched and p.exposed()):
        return False
    return any(p.reading(part).split is None or p.share(part) for part in p.climbing_parts())


def _candidate_down(p: Pass) -> bool:
    candidate = p.status.candidate
    assert candidate is not None
    exposed = [part.name for part in p.climbing_parts() if part.weight != part.rest]
    return any(
        p.state(name, content) in (State.LOST, State.ABSENT)
        for name in exposed
        if (content := candidate.runs(name)) is not None
    )


def limit(p: Pass, debt: Debt) -> float:
    deadlines = p.spec.deadlines
    if debt is Debt.READY:
        return deadlines.ready
    if debt is Debt.STEP:
        holds = [rung.hold for track in p.spec.tracks for rung in track.ladder]
        return max([deadlines.step, *holds])
    if debt is Debt.REVERT:
        return deadlines.orphan if p.spec.deleting else deadlines.ready
    return deadlines.step


def _is_late(p: Pass, debt: Debt) -> bool:
    owed = p.owed_for(debt)
    return owed is not None and owed >= limit(p, debt)


def turn_back(p: Pass, cause: Cause) -> None:
    """Every part gets a new move, also where the value looks right: a raise that is still on its way must lose."""
    status = p.status
    if cause.rejects and status.candidate:
        p.reject(status.candidate, cause)
    exposed = status.touched or p.exposed()
    move = p.next_move() if exposed else status.move
    parts = tuple(
        part._replace(
            weight=part.rest,
            held=0.0,
            since=None,
            hand=0,
            hand_at=0.0,
            move=move if exposed and takes_part(status, part.name) else part.move,
            moved=p.now if exposed and takes_part(status, part.name) else part.moved,
        )
        for part in status.parts
    )
    p.set(
        phase=Phase.REVERTING,
        cause=cause,
        turned=p.now,
        parts=parts,
        owed=(),
        rescue=False,
        promoted=0,
    )


def hear_late_breach(p: Pass) -> None:
    """A breach of this attempt that is seen while it already reverts for a harmless cause is remembered, too."""
    if p.status.phase is Phase.REVERTING and p.status.candidate and not p.status.guilty and p.breached():
        p.reject(p.status.candidate, Cause.BREACH)


def revert(p: Pass) -> None:
    """Send back every unsettled part now, all at once; a dead one does not delay its siblings."""
    status = p.status
    if status.stable is None and not status.touched:
        end_revert(p)
        return
    waiting, stuck = _send_back(p)
    if not waiting and not stuck:
        for part in status.parts:  # those that stable does not have go last, when the others have arrived
            if not p.given_back(part):
                p.ensure(part)
                waiting.append(part)
    if not waiting and not stuck:
        end_revert(p)
        return
    nowhere = status.stable is None
    late = _is_late(p, Debt.REVERT)
    if p.spec.deleting and (nowhere or late):
        p.do(Forget(settled=False))
        p.set(phase=Phase.GONE, owed=())
    elif (nowhere or (late and stuck)) and may_rescue(p):
        begin(p, rescue=True)  # a write that is late has a place to go to yet; only stable's loss bars the way
    elif nowhere and not waiting:
        p.wake_in(REST)  # a first version that was bad stays where it is: the next one is the way out, or a Retry
    else:
        p.owe(Debt.REVERT)


def _send_back(p: Pass) -> tuple[list[Part], list[Part]]:
    waiting: list[Part] = []
    stuck: list[Part] = []
    stable = p.status.stable
    for part in p.status.parts:
        if p.given_back(part) or (stable and stable.runs(part.name) is None):
            continue
        if p.can_go_back(part):
            p.ensure(part)
            waiting.append(part)
        else:
            stuck.append(part)
    if stuck and stable:
        p.start(stable, p.status.proved)
    return waiting, stuck


def may_rescue(p: Pass) -> bool:
    """Stable is gone for good, and a version that is neither it nor rejected is wanted: the way out of an outage."""
    wanted = p.spec.version
    if p.status.stable and wanted.content == p.status.stable.content:
        return False
    return not p.is_rejected(wanted.content) and p.paused_above() is None


def end_revert(p: Pass) -> None:
    p.set(
        phase=Phase.REVERTED if p.status.touched else Phase.FAILED,
        candidate=None,
        owed=(),
        parts=tuple(
            part._replace(weight=part.rest, landed=part.move, landed_at=p.now, stood=_stable_share(p, part))
            for part in p.status.parts
        ),
    )


def _stable_share(p: Pass, part: Part) -> int:
    stable = p.status.stable.runs(part.name) if p.status.stable else None
    return dict(promise(p.status, part)).get(stable, 0) if stable else 0


def begin(p: Pass, rescue: bool) -> None:
    """A climb begins: a new attempt, every part from its rest."""
    status, wanted = p.status, p.spec.version
    old = {part.name: part for part in status.parts}
    names = {piece.part for piece in wanted.pieces} | set(old)
    names |= {piece.part for piece in status.stable.pieces} if status.stable else set()
    parts = [
        old.get(name, Part(name, move=status.move))._replace(held=0.0, since=None, weight=0, rest=0, stood=0)
        for name in sorted(names)
    ]
    p.set(
        attempt=status.attempt + 1,
        candidate=wanted,
        started=p.now,
        phase=Phase.PREPARING,
        cause=None,
        owed=(),
        rescue=rescue,
        touched=_has_traffic(p, wanted),
        promoted=0,
        recall=None,
        parts=tuple(parts),
    )
    p.wake_in(0 if rescue else POLL)


def _has_traffic(p: Pass, version: Version) -> bool:
    """As a first version has that was bad, stayed where it was, and is tried again."""
    shares = [dict(reading.split or ()).get(version.runs(name) or "", 0) for name, reading in p.seen.readings]
    stable = p.status.stable
    return stable is None and any(shares)
