"""The way up: prepare, hold, prove, raise; one rung of one track a pass.

A way up is asked for anew at every raise, and for its write, too: a raise that was recorded but has not landed when
the way shuts is not pushed until it opens. A way down needs nothing.
"""

from tidegate.engine.passing import POLL, ROLL, Pass
from tidegate.engine.promise import promise, takes_part
from tidegate.engine.resting import repair
from tidegate.engine.values import (
    FULL,
    CheckKey,
    Debt,
    Outcome,
    Part,
    Phase,
    RunCheck,
    Rung,
    State,
    Track,
    Verdict,
    When,
)


def prepare(p: Pass) -> None:
    """Candidate up and under this attempt's claim, checks before traffic passed; then the ladder."""
    status = p.status
    assert status.candidate is not None
    repair(p)
    if not p.may_go_forward():
        p.wake_in(POLL)
        return
    if not p.start(status.candidate, status.attempt):
        p.owe(Debt.READY)
        return
    if status.stable is not None and not status.rescue and not p.previews_stand():
        p.owe(Debt.WRITE)  # who asks for the candidate by a header meets it before anyone else does
        return
    if not _checks_passed(p, When.BEFORE_TRAFFIC):
        return
    p.set(phase=Phase.PROGRESSING)


def climb(p: Pass) -> None:
    _keep_capacity(p)
    stood = [_climb_track(p, track) for track in p.spec.tracks]
    finished = all(stood) and all(part.weight == FULL for part in p.climbing_parts())
    push(p)
    if p.status.phase is Phase.PROGRESSING and finished:
        p.set(phase=Phase.COMPLETING)
    if p.status.phase is not Phase.COMPLETING or not finished:
        if all(stood):
            p.wake_in(POLL)  # a part in no track: the plan is not that of the candidate
        return
    limit = p.paused_above()
    if limit is not None and limit < FULL:
        p.wake_in(POLL)  # who pauses in the bake wants the way back to stay open
    elif _checks_passed(p, When.BEFORE_COMPLETION):
        complete(p)


def _keep_capacity(p: Pass) -> None:
    """Capacity comes before traffic: the candidate is sized for the rung ahead, stable stays at full size."""
    candidate, stable = p.status.candidate, p.status.stable
    assert candidate is not None
    if p.may_go_forward() and not p.start(candidate, p.status.attempt):
        p.owe(Debt.READY)
    if stable is not None and not p.status.rescue and not p.start(stable, p.status.proved):
        p.wake_in(POLL)


def _checks_passed(p: Pass, when: When, part: Part | None = None) -> bool:
    """Run what is asked for here and has not been run. A check is good for the attempt, or for one move of one part."""
    passed = True
    for check in p.spec.checks:
        if when not in check.when:
            continue
        at = (part.name, part.move) if part else ("", 0)
        key = CheckKey(check.name, when, p.status.attempt, *at)
        outcome = p.outcome(key)
        if outcome is Outcome.PASSED:
            continue
        passed = False
        if p.may_go_forward():
            p.owe(Debt.CHECK)
            if outcome is None:
                p.do(RunCheck(key))
        p.wake_in(POLL)
    return passed


def _climb_track(p: Pass, track: Track) -> bool:
    """One track: its clock, then perhaps one rung. True when it stands finished on its last rung."""
    _come_down_to_top(p, track)
    parts = [part for part in p.climbing_parts() if part.name in track.parts]
    if not parts:
        return True
    weight = min(part.weight for part in parts)
    lowest = [part for part in parts if part.weight == weight]
    rung = _rung_at(track, weight)
    climbing = any(part.weight > part.rest for part in parts)
    at = all(p.settled(part) and not part.hand for part in parts)
    if climbing and not _held(p, lowest, rung, at):
        return False
    if not at and (climbing or not p.status.rescue):
        _owe_landing(p)
        return False
    checked = not climbing or _checks_passed(p, When.EACH_STEP, lowest[0])
    if climbing and not _proven(p, parts, weight):
        _owe_evidence(p)
        return False
    return checked and _step_up(p, track, parts, weight)


def _come_down_to_top(p: Pass, track: Track) -> None:
    """Only a top below the weight takes exposure away: the ladder was edited and ends lower now."""
    top = track.ladder[-1].weight
    for part in p.climbing_parts():
        if part.name in track.parts and part.weight > top:
            p.put(part.name, weight=top, held=0.0, since=None, move=p.next_move(), moved=p.now)


def _rung_at(track: Track, weight: int) -> Rung:
    """The highest rung not above a weight: computed, never a stored index, so that an edit keeps its evidence."""
    below = [rung for rung in track.ladder if rung.weight <= weight]
    return below[-1] if below else track.ladder[0]


def _held(p: Pass, lowest: list[Part], rung: Rung, at: bool) -> bool:
    """Whether the hold at this rung is full. It counts guarded time only."""
    candidate, verdict = p.status.candidate, p.seen.verdict
    assert candidate is not None
    good = (
        at
        and verdict in (Verdict.PASS, Verdict.INCONCLUSIVE)
        and _asked_for(p, lowest)
        and p.health(candidate) is State.READY
        and p.paused_above() != 0
    )
    elapsed = _clock(p, lowest, rung.hold, good)
    if elapsed >= rung.hold or p.status.promoted > rung.weight:
        return True
    if good:
        left = rung.hold - elapsed
        p.wake_in(left if p.spec.tick is None else min(p.spec.tick, left))
    else:
        p.wake_in(POLL)
        if not at:
            _owe_landing(p)
        elif verdict in (Verdict.UNKNOWN, Verdict.HOLD):
            _owe_data(p)
    _run_early_checks(p, lowest[0], at)
    return False


def _run_early_checks(p: Pass, part: Part, at: bool) -> None:
    """The checks of a step run while its hold does."""
    if at:
        _checks_passed(p, When.EACH_STEP, part)


def _clock(p: Pass, lowest: list[Part], hold: float, good: bool) -> float:
    """Guarded seconds at this weight: those of the part that came last. Each part keeps its own clock, since after a
    hand, or when two ladders became one, they did not arrive together."""
    return min(_clock_of(p, part, hold, good) for part in lowest)


def _clock_of(p: Pass, part: Part, hold: float, good: bool) -> float:
    """The stretch in which nobody looked is not counted."""
    watching_since, last = p.seen.watched
    if part.since is None:
        if good:
            p.put(part.name, since=p.now)
        return part.held
    begun = max(part.since, watching_since)
    if good:
        elapsed = part.held + max(0.0, p.now - begun)
        if p.now - begun >= ROLL:
            p.put(part.name, held=elapsed, since=p.now)
        return elapsed
    credit = max(0.0, last - begun)
    held = max(part.held, min(hold, part.held + credit))
    p.put(part.name, held=held, since=None)
    return held


def roll_holds(p: Pass) -> None:
    """Whenever the status is written anyway, the guarded time so far goes with it."""
    for part in p.status.parts:
        begun = max(part.since, p.seen.watched.since) if part.since is not None else p.now
        if part.since is not None and p.now > begun:
            p.put(part.name, held=part.held + p.now - begun, since=p.now)


def _owe_landing(p: Pass) -> None:
    if p.may_go_forward() or p.seen.verdict is Verdict.UNKNOWN:
        p.owe(Debt.WRITE)
    p.wake_in(POLL)


def _owe_data(p: Pass) -> None:
    """Unknown while exposed is the machine's debt behind a shut gate, too: exposure without evidence always ends."""
    if p.may_go_forward() or p.seen.verdict is Verdict.UNKNOWN:
        p.owe(Debt.DATA)
    p.wake_in(POLL)


def _owe_evidence(p: Pass) -> None:
    if p.seen.verdict in (Verdict.UNKNOWN, Verdict.HOLD):
        _owe_data(p)
    elif p.may_go_forward() and p.seen.verdict is not Verdict.NO_TRAFFIC:
        p.owe(Debt.STEP)
    p.wake_in(POLL)


def _asked_for(p: Pass, parts: list[Part]) -> bool:
    """Only a verdict that was asked for this attempt, these parts and their moves as they are now is evidence."""
    evidence = p.seen.evidence
    if evidence is None or evidence.attempt != p.status.attempt:
        return False
    return all((part.name, part.move) in evidence.moves for part in parts)


def _proven(p: Pass, parts: list[Part], weight: int) -> bool:
    if not _asked_for(p, parts):
        return False
    if p.seen.verdict is Verdict.PASS:
        return True
    return p.seen.verdict is Verdict.INCONCLUSIVE and p.status.promoted > weight


def _step_up(p: Pass, track: Track, parts: list[Part], weight: int) -> bool:
    """Every part below the next rung gets that weight, and one common new move. True if there is no next rung."""
    above = [rung.weight for rung in track.ladder if rung.weight > weight]
    if not above:
        return True
    to = track.ladder[-1].weight if p.status.rescue else above[0]
    if not p.may_raise(to, [part.name for part in parts if part.weight < to]):
        p.wake_in(POLL)
        return False
    move = p.next_move()
    for part in parts:
        if part.weight < to:
            p.put(part.name, weight=to, held=0.0, since=None, move=move, moved=p.now)
    p.set(touched=True)
    return False


def push(p: Pass) -> None:
    """Bring the world to the promise: down whenever there is a healthy place to go, up only with permission."""
    for part in p.status.parts:
        if p.settled(part):
            continue
        p.wake_in(POLL)
        if p.reading(part).split is None:
            p.owe(Debt.WRITE)
        elif part.weight > part.rest and _would_raise(p, part):
            if p.may_raise(part.weight, (part.name,)):
                p.ensure(part)
                p.owe(Debt.WRITE)
        elif p.can_go_back(part):
            p.ensure(part)
            p.owe(Debt.WRITE)


def _would_raise(p: Pass, part: Part) -> bool:
    """Whether to write the promise gives the candidate more, or may: the same weight again, over a late write."""
    share, candidate = p.share(part), p.status.candidate
    if share is None or candidate is None or not takes_part(p.status, part.name):
        return False
    return share <= dict(promise(p.status, part)).get(candidate.runs(part.name) or "", 0)


def complete(p: Pass) -> None:
    """Stable becomes previous and is kept warm; the candidate becomes stable."""
    status = p.status
    assert status.candidate is not None
    p.set(
        phase=Phase.COMPLETED,
        previous=status.stable,
        retiring=False,
        stable=status.candidate,
        stable_since=p.now,
        candidate=None,
        proved=status.attempt,
        rescue=False,
        promoted=0,
        keep_until=p.now + p.spec.keep if status.stable else None,
        owed=(),
        parts=tuple(
            part._replace(weight=0, rest=0, held=0.0, since=None, stood=FULL if takes_part(status, part.name) else 0)
            for part in status.parts
        ),
    )
    move = p.next_move() if any(not status.candidate.runs(part.name) for part in status.parts) else 0
    for part in p.status.parts:
        if not status.candidate.runs(part.name):
            p.put(part.name, move=move, moved=p.now)  # nobody's now: its traffic ends
    p.owing.clear()
