"""At rest: nothing is under way. Start what the spec asks for, put back what others changed, or let go."""

from tidegate.engine.adopting import take_over
from tidegate.engine.passing import POLL, Pass
from tidegate.engine.turning import begin, limit, revert
from tidegate.engine.values import (
    FULL,
    Cause,
    Debt,
    Forget,
    Gate,
    Part,
    Phase,
    Recall,
    Start,
    State,
    Version,
)


def rest(p: Pass) -> None:
    status, wanted = p.status, p.spec.version
    if p.spec.deleting:
        let_go(p)
        return
    if take_over(p):
        repair(p)
        return
    _keep_recall_honest(p)
    if p.status.recall and not p.status.recall.gave_up:
        recall(p)
    elif status.stable and wanted.content == status.stable.content:
        p.set(phase=Phase.COMPLETED)
        repair(p)
    elif p.status.recall:
        p.set(phase=Phase.WAITING)
        repair(p)
    elif status.previous and wanted.content == status.previous.content and not p.is_rejected(wanted.content):
        p.call_back(Recall(status.previous, Cause.PUT_BACK, reject=False, wanted=wanted.content))
        recall(p)
    elif p.is_rejected(wanted.content):
        _show_rejection(p)
        repair(p)
    else:
        _wait_or_begin(p)


def _show_rejection(p: Pass) -> None:
    if p.status.phase is not Phase.FAILED:
        p.set(phase=Phase.REVERTED)


def _wait_or_begin(p: Pass) -> None:
    status, wanted = p.status, p.spec.version
    p.set(phase=Phase.WAITING)
    repair(p)
    if p.paused_above() == 0 or p.seen.start is not Gate.OPEN or p.handed():
        if p.seen.start is Gate.UNKNOWN:
            p.wake_in(POLL)
        return
    if status.stable is None:
        begin(p, rescue=True)
        return
    if not all(p.at_peace(part) for part in status.parts):
        p.wake_in(POLL)
        return
    if {(x.part, x.content) for x in wanted.pieces} == {(x.part, x.content) for x in status.stable.pieces}:
        p.set(stable=wanted, phase=Phase.COMPLETED)  # nothing that runs differs
        return
    begin(p, rescue=False)


# ---- back to a version that served before


def _keep_recall_honest(p: Pass) -> None:
    """A recall that gave up stays written, so that it is not tried for ever, until the spec asks for something else."""
    back = p.status.recall
    if back is None:
        return
    serves = p.status.stable is not None and p.status.stable.content == back.version.content
    if serves or back.wanted != p.spec.version.content:
        p.set(recall=None)


def recall(p: Pass) -> None:
    """The target is started beside what serves, which stays until the other is ready. If it does not come up within
    `deadlines.ready`, nothing has changed."""
    back = p.status.recall
    assert back is not None
    repair(p)
    if p.start(back.version, p.status.attempt):
        go_back(p, back)
        return
    owed = p.owed_for(Debt.READY)
    if owed is not None and owed >= limit(p, Debt.READY):
        p.set(recall=back._replace(gave_up=True))
        return
    p.owe(Debt.READY)


def go_back(p: Pass, back: Recall) -> None:
    """One step to 100: no gate, no ladder. What is left behind is no fast way back, and what a person rolls back from
    does not begin by itself: neither that nor what the spec asks for."""
    status = p.status
    left = status.stable
    move = p.next_move()
    for version in (left, p.spec.version):
        if back.reject and version and version.content != back.version.content:
            p.reject(version, back.cause)
    names = {x.part for x in back.version.pieces} | {part.name for part in status.parts}
    names |= {x.part for x in left.pieces} if left else set()
    p.set(
        candidate=left,
        stable=back.version,
        stable_since=p.now,
        previous=None,
        keep_until=None,
        retiring=False,
        recall=None,
        phase=Phase.REVERTING,
        cause=back.cause,
        turned=p.now,
        touched=True,
        proved=0,
        owed=(),
        parts=tuple(Part(name, move=move, moved=p.now) for name in sorted(names)),
    )
    revert(p)


# ---- foreign edits, and the end


def repair(p: Pass) -> None:
    """Put back what status promises, if there is somewhere healthy to go; start again what should run and does not."""
    for part in p.status.parts:
        if p.reading(part).split is None:
            p.wake_in(POLL)
        elif not p.at_peace(part) or _is_unstamped(p, part):
            if p.can_go_back(part):
                p.ensure(part)
            p.wake_to_repair()
    stable = p.status.stable
    if stable and p.health(stable) in (State.ABSENT, State.LOST, State.SHORT, State.STARTING):
        p.start(stable, p.status.proved)
    elif stable:
        _shrink(p, stable)


def _is_unstamped(p: Pass, part: Part) -> bool:
    """The value is as promised by other ways than our write, which was lost: the pin was moved, and the route names
    the Service. Without our move in it a late write of an older one is not told from a newer."""
    return part.landed < part.move and not part.hand and not p.settled(part)


def _shrink(p: Pass, stable: Version) -> None:
    """`replicas` was lowered: at rest stable follows; in a climb nothing is taken from what a revert would need."""
    for piece in stable.pieces:
        instance = p.instance(piece.part, piece.content)
        if not p.climbing and instance is not None and instance.sized > FULL:
            p.do(Start(piece.part, piece.content, FULL, instance.claim))


def let_go(p: Pass) -> None:
    steady = all(p.at_peace(part) or p.given_back(part) or part.hand for part in p.status.parts)
    if steady or p.status.stable is None:
        p.do(Forget(settled=steady))
        p.set(phase=Phase.GONE, owed=())
        return
    repair(p)
    owed = p.owed_for(Debt.REVERT)
    if owed is not None and owed >= limit(p, Debt.REVERT):
        p.do(Forget(settled=False))
        p.set(phase=Phase.GONE, owed=())
        return
    p.owe(Debt.REVERT)
