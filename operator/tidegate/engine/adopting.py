"""Taking over what serves already, where no version of ours has served yet.

Ours, from before the status was lost: the version that serves most is stable.

Not ours: a copy of it is started beside it, and what serves stays until the copy is ready; then the copy is stable, in
one step: no ladder and no guard, since what runs is the same. Whatever the spec asks for beyond that climbs from there.
If the copy does not come up within `deadlines.ready`, nothing has changed. It is a way up all the same: shut gates and
a pause stop it, and it is only done while what serves is known, at that very moment, to be what was copied.
"""

from tidegate.engine.passing import POLL, Pass
from tidegate.engine.turning import limit
from tidegate.engine.values import Cause, Debt, Gate, Part, Phase, Recall, Version


def take_over(p: Pass) -> bool:
    """Whether this pass is about that alone."""
    if p.status.stable is None and not p.status.attempt:
        if not _all_read(p):
            p.wake_in(POLL)  # what serves there may be ours, from before the status was lost
            return True
        if ours := _serves_most(p):
            _settle_on(p, ours)
            return True
    return _take_over_others(p)


# ---- ours


def _all_read(p: Pass) -> bool:
    return p.seen.instances is not None and all(reading.split is not None for _, reading in p.seen.readings)


def _serves_most(p: Pass) -> Version | None:
    """Of the kept revisions, the one that has most traffic; None if none has any."""
    serving: dict[str, int] = {}
    for _, reading in p.seen.readings:
        for content, share in reading.split or ():
            serving[content] = serving.get(content, 0) + share
    kept = [v for v in p.seen.kept if any(serving.get(piece.content) for piece in v.pieces)]
    return max(kept, key=lambda v: sum(serving.get(piece.content, 0) for piece in v.pieces), default=None)


# ---- not ours


def _take_over_others(p: Pass) -> bool:
    found, under_way = p.seen.adopt, p.status.recall
    if under_way is not None and under_way.cause is not Cause.ADOPTED:
        return False
    if found is None:
        if under_way is None:
            return False
        if p.seen.start is Gate.OPEN:  # nothing serves there any more: the first version is one like any
            p.set(recall=None)
            return False
        _look_again(p)
        return True
    p.set(phase=Phase.WAITING)
    if p.seen.start is not Gate.OPEN or p.paused_above() == 0:
        _look_again(p)
        return True
    wanted = p.spec.version.content
    if under_way is None or under_way.version != found or (under_way.gave_up and under_way.wanted != wanted):
        under_way = Recall(found, Cause.ADOPTED, reject=False, wanted=wanted)
        p.set(recall=under_way, owed=())
    if not under_way.gave_up:
        _copy(p, under_way)
    return True


def _look_again(p: Pass) -> None:
    if p.seen.start is Gate.UNKNOWN:
        p.wake_in(POLL)


def _copy(p: Pass, under_way: Recall) -> None:
    if p.start(under_way.version, p.status.attempt):
        p.set(recall=None)
        _settle_on(p, _joined(p.status.stable, under_way.version))
        return
    owed = p.owed_for(Debt.READY)
    if owed is not None and owed >= limit(p, Debt.READY):
        p.set(recall=under_way._replace(gave_up=True))
        return
    p.owe(Debt.READY)


def _joined(stable: Version | None, found: Version) -> Version:
    """Where a component was added, what runs of it joins the stable version that the others have."""
    if stable is None:
        return found
    added = tuple(piece for piece in found.pieces if stable.piece(piece.part) is None)
    return stable._replace(pieces=tuple(sorted((*stable.pieces, *added))))


def _settle_on(p: Pass, stable: Version) -> None:
    """It is stable from here on, and all traffic is brought to it."""
    move, old = p.next_move(), {part.name: part for part in p.status.parts}
    served = {piece.part for piece in p.status.stable.pieces} if p.status.stable else set()
    claims = [i.claim for i in p.seen.instances or ()]
    parts = [
        old[piece.part] if piece.part in served & set(old) else Part(piece.part, move=move, moved=p.now)
        for piece in stable.pieces
    ]
    p.set(
        stable=stable,
        stable_since=p.now,
        attempt=max([p.status.attempt, *claims]),
        parts=tuple(parts),
        phase=Phase.COMPLETED,
        owed=(),
    )
    p.wake_in(0)
