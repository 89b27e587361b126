"""What an onlooker remembers over many turns, reckoned apart from the engine, to hold it to its word."""

from __future__ import annotations

from collections.abc import Iterator

from tests.engine.rules import View, risen
from tests.engine.world import Turn, World
from tidegate.engine.promise import promise, takes_part
from tidegate.engine.values import CLIMBING, Action, Part, Phase, Status, Verdict

JUST_SHORT = 0.001
"""A hold may be short by as much as the clock is coarse."""


class Onlooker:
    """Watches turn after turn. `judge` gives what a single turn can't show."""

    def __init__(self) -> None:
        self.rejected: frozenset[str] = frozenset()
        self._guarded: dict[str, float] = {}
        self._good: frozenset[str] = frozenset()
        self._looked = 0.0
        self._landed: dict[str, int] = {}  # the newest move that a turn has seen to stand
        self._lowered: dict[str, tuple[str, tuple[int, str]]] = {}

    def judge(self, turn: Turn) -> list[str]:
        view = View(turn.before.spec, turn.before.status, turn.seen, turn.decision.status, turn)
        self._landed.update((part.name, part.move) for part in view.was.parts if view.settled(part))
        return [*self._rejections(view), *self._holds(view), *self._hands(view)]

    def somebody_edited(self, before: World, part: str, after: World) -> None:
        """If the route stood as promised, and the newest version now has less of it, that is a hand to be kept."""
        self._lowered.pop(part, None)
        status, known = before.status, before.status.part(part)
        newest, older = (status.candidate, status.stable) if status.candidate else (status.stable, status.previous)
        if known is None or newest is None or older is None or status.phase in (Phase.REVERTING, Phase.GONE):
            return
        pair = (newest.runs(part), older.runs(part))
        stood = self._landed.get(part) == known.move == before.road(part).stamp
        if None in pair or pair[0] == pair[1] or not stood or before.road(part).split != promise(status, known):
            return
        had, has = dict(before.road(part).split), dict(after.road(part).split)
        if has and set(has) <= set(pair) and has.get(pair[0] or "", 0) < had.get(pair[0] or "", 0):
            self._lowered[part] = (pair[0] or "", _climb(status))

    def forget_hands(self) -> None:
        self._lowered.clear()

    def _hands(self, view: View) -> Iterator[str]:
        resumed = any(act.verb is Action.RESUME for act in view.spec.acts)
        for part, (content, climb) in list(self._lowered.items()):
            if resumed or climb != _climb(view.now) or view.now.phase is Phase.REVERTING:
                del self._lowered[part]
                continue
            had = dict(view.turn.before.road(part).split).get(content, 0)
            if dict(view.turn.after.road(part).split).get(content, 0) > had:
                yield f"S15 raised {content} of {part}, which somebody had lowered"

    def _rejections(self, view: View) -> Iterator[str]:
        """What was rejected climbs no more, unless somebody asked for that and was told so."""
        newly = {act.uid: act for act in view.spec.acts}
        done = {h.uid for h in view.now.handled if h.outcome == "Done"} - {h.uid for h in view.was.handled}
        if any(newly[uid].verb is Action.RETRY for uid in done if uid in newly):
            self.rejected -= {view.spec.version.content}
        climbs = view.now.candidate if view.now.phase in CLIMBING else None
        if climbs is not None and climbs.content in self.rejected and any(p.weight > p.rest for p in view.now.parts):
            yield f"S3 {climbs.content} was rejected, nobody asked for a retry, and it climbs"
        self.rejected |= {r.content for r in view.now.rejected}

    def _holds(self, view: View) -> Iterator[str]:
        """No step before its hold was full, of time in which somebody looked and saw it stand and pass."""
        now = view.turn.before.now
        good = frozenset(part.name for part in view.was.parts if _is_guarded(view, part))
        if view.seen.watched.since < now:
            for name in good & self._good:
                self._guarded[name] = self._guarded.get(name, 0.0) + now - self._looked
        for old, _ in risen(view):
            if view.same_climb and old.weight > old.rest:
                yield from self._short(view, old)
        for part in view.now.parts:
            before = view.was.part(part.name)
            if before is None or before.move != part.move or view.was.attempt != view.now.attempt:
                self._guarded[part.name] = 0.0
                good -= {part.name}
        self._good, self._looked = good, now

    def _short(self, view: View, part: Part) -> Iterator[str]:
        track = next(track for track in view.spec.tracks if part.name in track.parts)
        below = [rung for rung in track.ladder if rung.weight <= part.weight] or [track.ladder[0]]
        peers = [p.weight for p in view.was.parts if p.name in track.parts and takes_part(view.was, p.name)]
        held = self._guarded.get(part.name, 0.0)
        lowest = part.weight == min(peers, default=part.weight)
        if lowest and held < below[-1].hold - JUST_SHORT and view.now.promoted <= below[-1].weight:
            yield f"S6 a step after {held:g} of {below[-1].hold:g} guarded seconds"

    def crashed(self) -> None:
        self._good = frozenset()


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
