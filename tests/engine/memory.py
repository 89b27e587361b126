"""What an onlooker remembers over many turns, reckoned apart from the engine, to hold it to its word.

A memory is a value, so that a state of the exhaustive model (hack/model) can carry one.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from tests.engine.view import View, completes, risen
from tests.engine.world import Turn, World
from tidegate.engine.promise import promise, takes_part
from tidegate.engine.values import CLIMBING, Action, Part, Phase, Status, Verdict

JUST_SHORT = 0.001
"""A hold may be short by as much as the clock is coarse."""


class Lowered(NamedTuple):
    """Somebody gave less to `content` of `part` in this climb."""

    part: str
    content: str
    attempt: int
    stable: str


class Memory(NamedTuple):
    rejected: frozenset[str] = frozenset()
    guarded: tuple[tuple[str, float], ...] = ()  # seconds in which somebody saw each part stand and pass
    good: frozenset[str] = frozenset()  # the parts that the last look found so
    looked: float = 0.0  # when that look was
    landed: tuple[tuple[str, int], ...] = ()  # the newest move that a turn has seen to stand
    lowered: tuple[Lowered, ...] = ()


class Concern(Enum):
    """What can be remembered. Each costs the model states, so that a scenario names those it is about."""

    REJECTIONS = "what was rejected climbs no more unasked"
    HOLDS = "no step before its hold is full"
    HANDS = "what a hand lowered is not raised"


NOTHING_YET = Memory()


def remember(memory: Memory, turn: Turn, concerns: frozenset[Concern]) -> tuple[Memory, list[str]]:
    """The memory after one more turn, and what a single turn could not show."""
    if not concerns:
        return memory, []
    view = View(turn.before.spec, turn.before.status, turn.seen, turn.decision.status, turn)
    broken: list[str] = []
    if Concern.REJECTIONS in concerns:
        memory, found = _rejections(memory, view)
        broken += found
    if Concern.HOLDS in concerns:
        memory, found = _holds(memory, view)
        broken += found
    if Concern.HANDS in concerns:
        memory, found = _hands(memory, view)
        broken += found
    return memory, broken


def remember_edit(memory: Memory, before: World, part: str, after: World) -> Memory:
    """If the route stood as promised, and the newest version now has less of it, that is a hand to be kept."""
    memory = memory._replace(lowered=tuple(hand for hand in memory.lowered if hand.part != part))
    status, known = before.status, before.status.part(part)
    newest, older = (status.candidate, status.stable) if status.candidate else (status.stable, status.previous)
    if known is None or newest is None or older is None or status.phase in (Phase.REVERTING, Phase.GONE):
        return memory
    pair = (newest.runs(part), older.runs(part))
    stood = dict(memory.landed).get(part) == known.move == before.road(part).stamp
    if None in pair or pair[0] == pair[1] or not stood or before.road(part).split != promise(status, known):
        return memory
    had, has = dict(before.road(part).split), dict(after.road(part).split)
    if has and set(has) <= set(pair) and has.get(pair[0] or "", 0) < had.get(pair[0] or "", 0):
        return memory._replace(lowered=(*memory.lowered, Lowered(part, pair[0] or "", *_climb(status))))
    return memory


def remember_crash(memory: Memory) -> Memory:
    return memory._replace(good=frozenset())


class Onlooker:
    """Watches turn after turn, with a memory for everything."""

    def __init__(self) -> None:
        self.memory = NOTHING_YET

    def judge(self, turn: Turn) -> list[str]:
        self.memory, broken = remember(self.memory, turn, frozenset(Concern))
        return broken

    def somebody_edited(self, before: World, part: str, after: World) -> None:
        self.memory = remember_edit(self.memory, before, part, after)

    def restored(self, backup: Status) -> None:
        """What was decided since the backup is forgotten."""
        rejected = frozenset(rejection.content for rejection in backup.rejected)
        self.memory = self.memory._replace(rejected=rejected, lowered=())

    def crashed(self) -> None:
        self.memory = remember_crash(self.memory)


def _rejections(memory: Memory, view: View) -> tuple[Memory, list[str]]:
    """What was rejected climbs no more, unless somebody asked for that and was told so."""
    rejected, broken = memory.rejected, []
    newly = {act.uid: act for act in view.spec.acts}
    done = {h.uid for h in view.now.handled if h.outcome == "Done"} - {h.uid for h in view.was.handled}
    if any(newly[uid].verb is Action.RETRY for uid in done if uid in newly):
        rejected -= {view.spec.version.content}
    climbs = view.now.candidate if view.now.phase in CLIMBING else None
    if climbs is not None and climbs.content in rejected and any(p.weight > p.rest for p in view.now.parts):
        broken.append(f"S3 {climbs.content} was rejected, nobody asked for a retry, and it climbs")
    return memory._replace(rejected=rejected | {r.content for r in view.now.rejected}), broken


def _hands(memory: Memory, view: View) -> tuple[Memory, list[str]]:
    landed = dict(memory.landed)
    landed.update((part.name, part.move) for part in view.was.parts if view.settled(part))
    resumed = any(act.verb is Action.RESUME for act in view.spec.acts)
    kept, broken = [], []
    for hand in memory.lowered:
        if resumed or (hand.attempt, hand.stable) != _climb(view.now) or view.now.phase is Phase.REVERTING:
            continue
        kept.append(hand)
        had = dict(view.turn.before.road(hand.part).split).get(hand.content, 0)
        if dict(view.turn.after.road(hand.part).split).get(hand.content, 0) > had:
            broken.append(f"S15 raised {hand.content} of {hand.part}, which somebody had lowered")
    return memory._replace(landed=tuple(sorted(landed.items())), lowered=tuple(kept)), broken


def _holds(memory: Memory, view: View) -> tuple[Memory, list[str]]:
    """No step before its hold was full, of time in which somebody looked and saw it stand and pass."""
    now, guarded = view.turn.before.now, dict(memory.guarded)
    good = frozenset(part.name for part in view.was.parts if _is_guarded(view, part))
    if view.seen.watched.since < now:
        for name in good & memory.good:
            guarded[name] = guarded.get(name, 0.0) + now - memory.looked
    broken = [
        sentence
        for old, _ in risen(view)
        if view.same_climb and old.weight > old.rest
        for sentence in _short(view, old, guarded.get(old.name, 0.0))
    ]
    if completes(view):
        climbed = [part for part in view.was.parts if takes_part(view.was, part.name)]
        broken += [sentence for part in climbed for sentence in _short(view, part, guarded.get(part.name, 0.0))]
    for part in view.now.parts:
        before = view.was.part(part.name)
        if before is None or before.move != part.move or view.was.attempt != view.now.attempt:
            guarded.pop(part.name, None)
            good -= {part.name}
    return memory._replace(guarded=tuple(sorted(guarded.items())), good=good, looked=now), broken


def _short(view: View, part: Part, held: float) -> Iterator[str]:
    track = next(track for track in view.spec.tracks if part.name in track.parts)
    below = [rung for rung in track.ladder if rung.weight <= part.weight] or [track.ladder[0]]
    peers = [p.weight for p in view.was.parts if p.name in track.parts and takes_part(view.was, p.name)]
    lowest = part.weight == min(peers, default=part.weight)
    if lowest and held < below[-1].hold - JUST_SHORT and view.now.promoted <= below[-1].weight:
        yield f"S6 went on after {held:g} of {below[-1].hold:g} guarded seconds"


def _climb(status: Status) -> tuple[int, str]:
    return status.attempt, status.stable.content if status.stable else ""


def _is_guarded(view: View, part: Part) -> bool:
    reading = dict(view.seen.readings).get(part.name)
    return (
        view.was.phase in (Phase.PROGRESSING, Phase.COMPLETING)
        and takes_part(view.was, part.name)
        and reading is not None
        and reading.split == promise(view.was, part)
        and (reading.move or 0) >= part.move
        and view.seen.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE)
        and not paused(view)
    )


def paused(view: View) -> bool:
    return view.spec.paused or any(not pause.at for pause in view.was.standing)
