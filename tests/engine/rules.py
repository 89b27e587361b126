"""The rules that no turn may break, as pure functions over a turn: what it knew, what it decided, what then was so.

Written once: the tables, the state machine and the explorer all judge by them. Each gives sentences; none is good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import floor

from tests.engine.view import Raise, View, completes, raises, risen
from tests.engine.world import Turn
from tidegate.engine.promise import load, preview, promise, takes_part
from tidegate.engine.values import (
    CLIMBING,
    FULL,
    Action,
    Cause,
    Ensure,
    Evidence,
    Forget,
    Gate,
    Instance,
    Part,
    Phase,
    Pin,
    Preview,
    Reread,
    Retire,
    Start,
    State,
    Verdict,
    Version,
)

DOWN = (State.STARTING, State.LOST, State.ABSENT)


def broken_by(turn: Turn) -> list[str]:
    """Every rule that this turn broke."""
    return [*decided_wrongly(turn), *done_wrongly(turn)]


def decided_wrongly(turn: Turn) -> list[str]:
    view = View(turn.before.spec, turn.before.status, turn.seen, turn.decision.status, turn)
    return [sentence for rule in DECISION_RULES for sentence in rule(view)]


def raises_only_with_permission(view: View) -> Iterator[str]:
    candidate = view.now.candidate
    for raised in raises(view):
        if candidate is None:
            return
        if view.seen.verdict in (Verdict.BREACH, Verdict.HOLD, Verdict.UNKNOWN):
            yield f"S2 raised under {view.seen.verdict.value}"
        if any(r.content == candidate.content for r in view.now.rejected):
            yield "S3 raised a rejected version"
        if view.seen.step is not Gate.OPEN:
            yield f"S11 raised while the gate was {view.seen.step.value}"
        limits = [s.at or 0 for s in view.now.standing] + ([0] if view.spec.paused else [])
        if limits and (min(limits) == 0 or raised.part.weight > min(limits)):
            yield "S11 raised while paused"
        if candidate.content != view.spec.version.content:
            yield "S12 raised a version that is no longer wanted"
        if view.spec.deleting:
            yield "S13 raised while deleting"
        if any(part.hand for part in view.now.parts):
            yield "S15 raised while a hand is on"
        yield from _raised_beyond_capacity(view, candidate, raised)


def _raised_beyond_capacity(view: View, candidate: Version, raised: Raise) -> Iterator[str]:
    for piece in candidate.pieces:
        if piece.part != raised.part.name:
            continue
        instance = _instance(view, piece.part, piece.content)
        if instance is None or instance.state is not State.READY:
            yield "S4 raised a candidate that is not ready"
        elif instance.sized < load(view.now, piece.part, raised.to):
            yield "S4 raised beyond the candidate's capacity"
    if view.now.stable is not None and not view.now.rescue:
        states = [view.state(piece.part, piece.content) for piece in view.now.stable.pieces]
        if any(state is not State.READY for state in states):
            yield "S4 climbed away from a place to which there is no way back"


def _instance(view: View, part: str, content: str) -> Instance | None:
    return next((i for i in view.seen.instances or () if (i.part, i.content) == (part, content)), None)


def takes_over_only_what_it_sees(view: View) -> Iterator[str]:
    """A version becomes stable without a climb only where it serves already, as ours or as somebody else's."""
    stable, was = view.now.stable, view.was.stable
    if stable is None or view.was.phase in CLIMBING or (was is not None and was.content != stable.content):
        return
    gained = set(stable.pieces) - set(was.pieces if was else ())
    if not gained:
        return
    if view.seen.adopt is None or not gained <= set(view.seen.adopt.pieces):
        if not any(view.share(piece.part, piece.content) for piece in gained):
            yield "S19 made stable what nobody serves"
        return
    if view.seen.start is not Gate.OPEN or view.spec.paused or any(not s.at for s in view.now.standing):
        yield "S19 took over behind a shut gate"
    if any(view.state(piece.part, piece.content) is not State.READY for piece in gained):
        yield "S19 took over before the copy was ready"


def steps_in_order(view: View) -> Iterator[str]:
    for old, new in risen(view):
        track = next((track for track in view.spec.tracks if new.name in track.parts), None)
        rungs = [rung.weight for rung in track.ladder] if track else []
        above = [weight for weight in rungs if weight > old.weight]
        if not above or (new.weight != above[0] and not view.now.rescue):
            peers = [p.weight for p in view.was.parts if track and p.name in track.parts and p.weight < old.weight]
            joined = peers and view.same_climb and new.weight in rungs
            if not joined:
                yield f"S6 went from {old.weight} to {new.weight}, which is not the next rung of {rungs}"


def _asked_for(evidence: Evidence | None, attempt: int, part: Part) -> bool:
    return evidence is not None and evidence.attempt == attempt and (part.name, part.move) in evidence.moves


def steps_on_evidence(view: View) -> Iterator[str]:
    for old, _ in risen(view):
        if not view.same_climb or old.weight <= old.rest:
            continue
        if not _asked_for(view.seen.evidence, view.was.attempt, old):
            yield "S7 a step on evidence for something else"
        excused = view.seen.verdict is Verdict.INCONCLUSIVE and view.now.promoted > old.weight
        if view.seen.verdict is not Verdict.PASS and not excused:
            yield f"S7 a step under {view.seen.verdict.value}"
    if not completes(view):
        return
    if view.seen.verdict in (Verdict.BREACH, Verdict.HOLD, Verdict.UNKNOWN, Verdict.NO_TRAFFIC):
        yield f"S7 completed under {view.seen.verdict.value}"
    for part in view.was.parts:
        if not takes_part(view.was, part.name):
            continue
        if part.weight != FULL:
            yield f"S6 completed with {part.name} at {part.weight}"
        if not _asked_for(view.seen.evidence, view.was.attempt, part):
            yield "S7 completed on evidence for something else"
        if not view.settled(part):
            yield "S7 completed before it stood"


def turns_back_at_once(view: View) -> Iterator[str]:
    """A breach of this attempt is remembered, and every part is sent back in the same turn."""
    mine = view.seen.evidence is not None and view.seen.evidence.attempt == view.was.attempt
    if Reread() in view.turn.decision.effects:
        return  # the status is older than the world: it is read again first
    yield from _forgets_a_loss(view)
    if view.seen.verdict is not Verdict.BREACH or not mine:
        return
    known = {r.content for r in view.now.rejected}
    turning = view.was.candidate if view.was.phase is Phase.REVERTING and not view.was.guilty else None
    if turning is not None and turning.content not in known:
        yield "S3 saw a breach while it turned back for another cause, and does not remember it"
    if view.was.phase not in CLIMBING:
        return
    if view.now.phase in CLIMBING and view.now.attempt == view.was.attempt:
        yield "S2 saw a breach and still climbs"
    assert view.was.candidate is not None
    if not any(r.content == view.was.candidate.content for r in view.now.rejected):
        yield "S3 saw a breach and does not remember it"
    written = {effect.part for effect in view.turn.decision.effects if isinstance(effect, Ensure)}
    for part in view.now.parts:
        base = view.now.stable.runs(part.name) if view.now.stable else None
        if view.now.phase is Phase.GONE or base is None or view.settled(part) or part.name in written:
            continue
        if view.state(part.name, base) not in DOWN:
            yield f"S2 saw a breach and did not send {part.name} back"


def _forgets_a_loss(view: View) -> Iterator[str]:
    """A candidate whose pods are gone while it has traffic is rejected, whatever else would turn it back as well."""
    candidate = view.was.candidate
    if view.was.phase not in CLIMBING or candidate is None:
        return
    exposed = [part.name for part in view.was.parts if part.weight != part.rest]
    down = (State.LOST, State.ABSENT)
    lost = any(view.state(p.part, p.content) in down for p in candidate.pieces if p.part in exposed)
    if lost and not any(r.content == candidate.content for r in view.now.rejected):
        yield "S3 saw that an exposed candidate was lost, and does not remember it"


def takes_nothing_away_without_a_cause(view: View) -> Iterator[str]:
    if not view.same_climb or any(act.verb is Action.RESUME for act in view.spec.acts):
        return
    for part in view.now.parts:
        old = view.was.part(part.name)
        track = next((track for track in view.spec.tracks if part.name in track.parts), None)
        if old is None or track is None or part.weight >= old.weight or part.hand:
            continue
        if old.weight <= track.ladder[-1].weight:
            yield f"S6 took weight from {part.name} without a cause"


def sends_nothing_to_what_is_down(view: View) -> Iterator[str]:
    for effect in view.turn.decision.effects:
        if not isinstance(effect, Ensure):
            continue
        for content, promised in effect.split:
            share = view.share(effect.part, content)
            state = view.state(effect.part, content)
            if share is not None and promised > share and state in DOWN:
                yield f"S4 sends traffic to {content}, which is {state.value}"


def retires_nothing_needed(view: View) -> Iterator[str]:
    previous = view.now.previous if view.now.keep_until is not None else None
    recalled = view.now.recall.version if view.now.recall and not view.now.recall.gave_up else None
    versions = [v for v in (view.now.stable, view.now.candidate, previous, recalled) if v]
    needed = {(piece.part, piece.content) for v in versions for piece in v.pieces}
    for effect in view.turn.decision.effects:
        if isinstance(effect, Retire) and (effect.part, effect.content) in needed:
            yield f"S4 takes down {effect.content}, which is needed"
        if isinstance(effect, Retire) and view.share(effect.part, effect.content) != 0:
            yield f"S4 takes down {effect.content}, which serves"
        if isinstance(effect, Retire) and view.preview(effect.part) == effect.content:
            yield f"S4 takes down {effect.content}, which marked requests reach"


def pins_what_is_proven(view: View) -> Iterator[str]:
    """Who calls the app's own Service never meets a candidate, where there is a stable version to meet."""
    for effect in view.turn.decision.effects:
        if not isinstance(effect, Pin) or view.now.stable is None:
            continue
        base = view.now.stable.runs(effect.part)
        if base is not None and effect.content != base:
            yield f"S4 pins {effect.part} to {effect.content}, which is not proven"


def marks_what_climbs_alone(view: View) -> Iterator[str]:
    """Marked requests reach a candidate that serves, before anyone else does, and never at the cost of a revert."""
    effects, candidate = view.turn.decision.effects, view.now.candidate
    for effect in effects:
        if not isinstance(effect, Preview):
            continue
        if any(isinstance(other, Ensure) for other in effects):
            yield f"S20 previews {effect.part} beside a write of weights, which may lose by it"
        if not effect.content:
            continue
        if view.now.phase not in CLIMBING or candidate is None or candidate.runs(effect.part) != effect.content:
            yield f"S20 marked requests are to reach {effect.content}, which does not climb"
        if view.state(effect.part, effect.content) in (None, *DOWN):
            yield f"S20 marked requests are to reach {effect.content}, which does not serve"
    begins = view.same_climb and view.was.phase is Phase.PREPARING and view.now.phase is not Phase.PREPARING
    if not begins or view.now.stable is None or view.now.rescue:
        return
    for part in view.now.parts:
        if view.preview(part.name) not in (None, preview(view.now, part)):
            yield f"S20 the ladder of {part.name} begins before marked requests reach it"


def keeps_what_a_hand_did(view: View) -> Iterator[str]:
    """A hand lowers, between versions that we know; a status older than the world takes what is there for one."""
    ahead = max((reading.move or 0 for _, reading in view.seen.readings), default=0) > view.was.move
    for part in view.now.parts:
        old, reading = view.was.part(part.name), dict(view.seen.readings).get(part.name)
        if reading is None or reading.split is None or old is None:
            continue
        resumed = any(act.verb is Action.RESUME for act in view.spec.acts)
        if ahead:
            newer = (reading.move or 0) > view.was.move and not resumed
            if view.seen.confirmed and newer and not part.hand and view.now.phase not in (Phase.REVERTING, Phase.GONE):
                yield f"S16 {part.name} was ahead of the status, and is not taken for a hand"
        elif part.hand and not old.hand:
            versions = [v for v in (view.was.candidate, view.was.stable, view.was.previous) if v]
            if not {content for content, _ in reading.split} <= {v.runs(part.name) for v in versions}:
                yield f"S15 {part.name} leads to strangers, and that is kept as a hand"


def lets_go_of_what_is_settled(view: View) -> Iterator[str]:
    for effect in view.turn.decision.effects:
        if not isinstance(effect, Forget) or not effect.settled or view.now.stable is None:
            continue
        readings = dict(view.seen.readings)
        for part in view.now.parts:
            reading = readings.get(part.name)
            absent = reading is not None and reading.absent
            if not (view.agrees(part) or part.hand or absent):
                yield f"S13 let go as settled, while {part.name} does not lead to stable"


def obeys_what_was_meant(view: View) -> Iterator[str]:
    """An act does once what its writer meant: for the attempt that he saw, and not for what was decided since."""
    known = {handled.uid for handled in view.was.handled}
    obeyed = {handled.uid for handled in view.now.handled if handled.outcome == "Done"} - known
    waiting = {act.uid: act for act in view.spec.acts}
    for act in (waiting[uid] for uid in obeyed if uid in waiting):
        if act.seen_attempt not in (None, view.was.attempt, view.was.proved):
            yield f"S10 a {act.verb.value} that was meant for another attempt is obeyed"
        rejected = next((r for r in view.was.rejected if r.content == view.spec.version.content), None)
        if act.verb is Action.RETRY and rejected is not None and act.written < floor(rejected.at):
            yield "S10 a Retry that was written before the revert is obeyed"


def counts_only_upwards(view: View) -> Iterator[str]:
    if view.now.move < view.was.move or view.now.attempt < view.was.attempt:
        yield "S1 a counter fell"
    if view.now.phase in CLIMBING and view.was.phase not in CLIMBING and view.now.attempt == view.was.attempt:
        yield "S6 a climb began without a number of its own"
    for part in view.now.parts:
        old = view.was.part(part.name)
        if old is not None and part.move < old.move:
            yield f"S1 the move of {part.name} fell"
        if part.move > view.now.move:
            yield f"S1 {part.name} has a move that was never given out"
        changed = old is not None and promise(view.was, old) != promise(view.now, part)
        if changed and old is not None and part.move == old.move and not part.hand:
            yield f"S1 what {part.name} should be changed without a new move"


def forgets_no_rejection(view: View) -> Iterator[str]:
    lost = {r.content for r in view.was.rejected} - {r.content for r in view.now.rejected}
    asked = any(act.verb is Action.RETRY for act in view.spec.acts)
    if lost and not asked and len(view.was.rejected) < 20:
        yield f"S3 forgot that {lost} was rejected"
    stable, before = view.now.stable, view.was.stable
    changed = stable is not None and (before is None or before.content != stable.content)
    rejected = {r.content for r in view.now.rejected}
    if stable is not None and changed and stable.content in rejected and view.now.cause is not Cause.PERSON:
        yield f"S3 {stable.content} is rejected, and is stable though nobody asked for that"


def says_one_thing_about_each(view: View) -> Iterator[str]:
    """Effects run at the same time: two on one thing would take turns."""
    things = [
        (type(effect), effect.part, effect.content if isinstance(effect, Start) else "")
        for effect in view.turn.decision.effects
        if isinstance(effect, Ensure | Start | Pin | Preview)
    ]
    if len(set(things)) != len(things):
        yield "S14 two effects contradict each other"


def wakes_while_there_is_work(view: View) -> Iterator[str]:
    """S17: rests only where all is as promised, all is known and nothing is under way."""
    if view.turn.decision.wake_at is not None or view.now.phase is Phase.GONE:
        return
    if view.turn.decision.effects:
        yield "S17 rests on an effect that may be lost"
    if view.seen.instances is None or any(reading.split is None for _, reading in view.seen.readings):
        yield "S17 rests on something unknown"
        return
    if any(not view.agrees(part) and not part.hand for part in view.now.parts):
        yield "S17 rests off its promise"
    if any(view.preview(part.name) not in (None, preview(view.now, part)) for part in view.now.parts):
        yield "S17 rests with a preview that is not as it should be"
    if view.now.keep_until is not None and not any(part.hand for part in view.now.parts):
        yield "S17 rests with a version to let go"
    if view.now.phase in (*CLIMBING, Phase.REVERTING) and not view.spec.paused and view.seen.step is Gate.OPEN:
        yield f"S17 rests in {view.now.phase.value}"


def done_wrongly(turn: Turn) -> list[str]:
    """What became so in the world."""
    before, after, status = turn.before, turn.after, turn.decision.status
    running = {(i.part, i.content) for i in (*after.running, *(turn.seen.instances or ()))}
    found = []
    for road in after.roads:
        old = before.road(road.part)
        if road.stamp < old.stamp:
            found.append(f"S14 move {road.stamp} landed after move {old.stamp}")
        if sum(share for _, share in road.split) not in (0, FULL) or any(share < 0 for _, share in road.split):
            found.append(f"S1 the shares of {road.part} are no split")
        rejected = {r.content for r in status.rejected}
        for content, share in road.split:
            if share <= dict(old.split).get(content, 0):
                continue
            if content in rejected and status.candidate and status.candidate.content == content:
                found.append(f"S3 {content} is rejected and rose in the world")
            if turn.seen.instances is not None and (road.part, content) not in running:
                found.append(f"S4 traffic to {content}, which does not run")
    return found


DECISION_RULES: tuple[Callable[[View], Iterator[str]], ...] = (
    raises_only_with_permission,
    takes_over_only_what_it_sees,
    steps_in_order,
    steps_on_evidence,
    turns_back_at_once,
    takes_nothing_away_without_a_cause,
    sends_nothing_to_what_is_down,
    retires_nothing_needed,
    pins_what_is_proven,
    marks_what_climbs_alone,
    keeps_what_a_hand_did,
    obeys_what_was_meant,
    lets_go_of_what_is_settled,
    counts_only_upwards,
    forgets_no_rejection,
    wakes_while_there_is_work,
    says_one_thing_about_each,
)
