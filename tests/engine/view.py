"""One turn as a rule looks at it: what was wanted, known and seen, and what became of that."""

from __future__ import annotations

from typing import NamedTuple

from tests.engine.world import Turn
from tidegate.engine.promise import promise, takes_part
from tidegate.engine.values import CLIMBING, Ensure, Observation, Part, Spec, State, Status


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

    def preview(self, part: str) -> str | None:
        reading = dict(self.seen.readings).get(part)
        return None if reading is None else reading.preview

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


def completes(view: View) -> bool:
    candidate, stable = view.was.candidate, view.now.stable
    if view.was.phase not in CLIMBING or candidate is None or stable is None:
        return False
    return stable.content == candidate.content and view.now.attempt == view.was.attempt
