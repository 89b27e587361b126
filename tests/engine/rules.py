"""The rules that no turn may break, as pure functions over a turn: what it knew, what it decided, what then was so.

Written once: the tables, the state machine and the explorer all judge by them. Each gives sentences; none is good.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.engine.world import Turn
from tidegate.engine.promise import load, promise, takes_part
from tidegate.engine.values import (
    CLIMBING,
    FULL,
    Action,
    Ensure,
    Evidence,
    Gate,
    Instance,
    Observation,
    Part,
    Phase,
    Pin,
    Reread,
    Retire,
    Spec,
    Start,
    State,
    Status,
    Verdict,
    Version,
)

DOWN = (State.STARTING, State.LOST, State.ABSENT)


def broken_by(turn: Turn) -> list[str]:
    """Every rule that this turn broke."""
    return [*decided_wrongly(turn), *done_wrongly(turn)]


def decided_wrongly(turn: Turn) -> list[str]:
    rules = (
        raises_only_with_permission,
        takes_over_only_what_it_sees,
        steps_in_order,
        steps_on_evidence,
        turns_back_at_once,
        takes_nothing_away_without_a_cause,
        sends_nothing_to_what_is_down,
        retires_nothing_needed,
        counts_only_upwards,
        forgets_no_rejection,
        wakes_while_there_is_work,
        says_one_thing_about_each,
    )
    view = View(turn.before.spec, turn.before.status, turn.seen, turn.decision.status, turn)
    return [sentence for rule in rules for sentence in rule(view)]


class View(NamedTuple):
    spec: Spec
    was: Status
    seen: Observation
    now: Status
    turn: Turn

    @property
    def same_climb(self) -> bool:
        return self.was.attempt == self.now.attempt and self.was.phase in CLIMBING and self.now.phase in CLIMBING

    def share(self, part: str, content: str | None) -> int | None:
        reading = dict(self.seen.readings).get(part)
        return None if reading is None or reading.split is None else dict(reading.split).get(content or "", 0)

    def state(self, part: str, content: str) -> State | None:
        if self.seen.instances is None:
            return None
        return next((i.state for i in self.seen.instances if (i.part, i.content) == (part, content)), State.ABSENT)

    def agrees(self, part: Part) -> bool:
        reading = dict(self.seen.readings).get(part.name)
        return reading is not None and reading.split == promise(self.now, part)

    def settled(self, part: Part) -> bool:
        reading = dict(self.seen.readings).get(part.name)
        return self.agrees(part) and reading is not None and (reading.move or 0) >= part.move


class Raise(NamedTuple):
    part: Part
    to: int


def risen(view: View) -> list[tuple[Part, Part]]:
    """(before, after) of each part whose promised weight rose in a climb."""
    found = []
    for part in view.now.parts:
        old = view.was.part(part.name) or Part(part.name)
        begun = part.rest if view.was.attempt != view.now.attempt else old.weight
        if view.now.phase in CLIMBING and takes_part(view.now, part.name) and part.weight > begun:
            found.append((old._replace(weight=begun), part))
    return found


def raises(view: View) -> list[Raise]:
    """Every way in which this turn gives the candidate more: in the promise, or in a write."""
    found = [Raise(new, new.weight) for _, new in risen(view)]
    for effect in view.turn.decision.effects:
        part = view.now.part(effect.part) if isinstance(effect, Ensure) else None
        if not isinstance(effect, Ensure) or part is None or not view.now.candidate or view.now.phase not in CLIMBING:
            continue
        top = view.now.candidate.runs(part.name)
        if not takes_part(view.now, part.name) or top is None:
            continue
        promised, share = dict(effect.split).get(top, 0), view.share(part.name, top)
        if promised and (share is None or promised > share):
            found.append(Raise(part, promised))
    return found


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


def completes(view: View) -> bool:
    candidate, stable = view.was.candidate, view.now.stable
    if view.was.phase not in CLIMBING or candidate is None or stable is None:
        return False
    return stable.content == candidate.content and view.now.attempt == view.was.attempt


def turns_back_at_once(view: View) -> Iterator[str]:
    """A breach of this attempt is remembered, and every part is sent back in the same turn."""
    mine = view.seen.evidence is not None and view.seen.evidence.attempt == view.was.attempt
    if Reread() in view.turn.decision.effects:
        return  # the status is older than the world: it is read again first
    if view.was.phase not in CLIMBING or view.seen.verdict is not Verdict.BREACH or not mine:
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


def counts_only_upwards(view: View) -> Iterator[str]:
    if view.now.move < view.was.move or view.now.attempt < view.was.attempt:
        yield "S1 a counter fell"
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


def says_one_thing_about_each(view: View) -> Iterator[str]:
    """Effects run at the same time: two on one thing would take turns."""
    things = [
        (type(effect), effect.part, effect.content if isinstance(effect, Start) else "")
        for effect in view.turn.decision.effects
        if isinstance(effect, Ensure | Start | Pin)
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
