"""The loop, turning until a moment: what a test does to the world, and what it waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.engine.world import Done, Turn, World, ask, edit_split, everything, nature, pass_time, percent, turn
from tidegate.engine.values import Act, Action, Answer, Observation, Part, Phase, Status, Track, Version


class Loop:
    """The world and the operator in it, as long as a test lasts. `turns` is all that has happened."""

    def __init__(self, world: World, judge: Callable[[Turn], list[str]] | None = None) -> None:
        self.world, self.turns = world, list[Turn]()
        self._judge = judge
        self._acts = 0

    @property
    def status(self) -> Status:
        return self.world.status

    @property
    def last(self) -> Turn:
        return self.turns[-1]

    def part(self, name: str = "web") -> Part:
        part = self.status.part(name)
        assert part is not None, f"there is no part {name}"
        return part

    def split(self, part: str = "web") -> dict[str, float]:
        return self.world.split(part)

    def turn(self, seen: Observation | None = None, arrive: Done = everything) -> Turn:
        done = turn(self.world, seen, arrive)
        self.turns.append(done)
        self.world = done.after
        if self._judge is not None:
            broken = self._judge(done)
            assert not broken, f"{broken} by {done.decision}"
        return done

    def run(self, seconds: float) -> Loop:
        """Turn whenever the loop wakes, for so long."""
        self._run_until(lambda: False, self.world.now + seconds)
        return self

    def until(self, reached: Callable[[], bool], within: float = 10_000.0) -> Loop:
        self._run_until(reached, self.world.now + within)
        assert reached(), f"not reached within {within:g} s: {self.status}"
        return self

    def until_phase(self, phase: Phase, within: float = 10_000.0) -> Loop:
        return self.until(lambda: self.status.phase is phase, within)

    def until_stable(self, content: str, within: float = 10_000.0) -> Loop:
        return self.until(lambda: self.status.stable is not None and self.status.stable.content == content, within)

    def until_weight(self, weight: float, part: str = "web", within: float = 10_000.0) -> Loop:
        """Until the weight is declared and stands in the world."""
        content = self.world.spec.version.content
        return self.until(
            lambda: (
                self.status.part(part) is not None
                and self.part(part).weight == percent(weight)
                and self.split(part).get(content) == weight
                and self.part(part).landed == self.part(part).move
            )
        )

    def until_rest(self, within: float = 10_000.0) -> Loop:
        """Until nothing is decided, nothing is done and no wake is asked for."""
        return self.until(lambda: bool(self.turns) and self.last.idle and self.last.decision.wake_at is None, within)

    def _run_until(self, reached: Callable[[], bool], end: float) -> None:
        """At least one turn, so that what was just changed is seen."""
        at_once = 0
        while self.world.now <= end:
            before = self.world = nature(self.world)
            done = self.turn()
            if reached():
                return
            at_once += 1
            assert at_once < 50, f"never comes to rest: {done.decision}"
            after = nature(self.world)
            if after._replace(watch=None, confirmed=False) != before._replace(watch=None, confirmed=False):
                continue  # what changed wakes the loop at once
            wake = done.decision.wake_at
            if wake is None or wake > end:
                self.world = self.world._replace(now=end)
                return
            self.world = self.world._replace(now=max(wake, self.world.now + 0.5))
            at_once = 0

    # ---- what befalls it

    def change(self, **changes: Any) -> Loop:
        """Something in the world is different: `verdict`, `step`, `deaf` …"""
        self.world = self.world._replace(**changes)
        return self

    def edit(self, **changes: Any) -> Loop:
        """Somebody edits the spec."""
        self.world = self.world._replace(spec=self.world.spec._replace(**changes))
        return self

    def crash(self, seconds: float = 0.0) -> Loop:
        """The operator dies and begins again so much later; the world goes on."""
        self.world = pass_time(self.world, seconds)._replace(watch=None)
        return self

    def elapse(self, seconds: float) -> Loop:
        self.world = pass_time(self.world, seconds)
        return self

    def write_split(self, part: str = "web", /, **shares: float) -> Loop:
        self.world = edit_split(self.world, part, **shares)
        return self

    def person(self, action: Action, **said: Any) -> str:
        """Somebody asks for an act, now. Gives its uid."""
        self._acts += 1
        uid = f"act-{self._acts}"
        said.setdefault("written", self.world.now)
        self.world = ask(self.world, Act(uid, action, "ana@example.com", "a test", **said))
        return uid

    def answer(self, uid: str) -> str | None:
        """The outcome that an act was answered with, at last."""
        answers = [e for t in self.turns for e in t.decision.effects if isinstance(e, Answer) and e.uid == uid]
        return answers[-1].outcome if answers else None


def climb(start: World, wanted: Version, judge: Callable[[Turn], list[str]] | None = None) -> Loop:
    """A loop in which `wanted` is asked for at once, with steps and the rest as the world's spec has them."""
    tracks = start.spec.tracks
    known = {name for track in tracks for name in track.parts}
    missing = tuple(piece.part for piece in wanted.pieces if piece.part not in known)
    if missing:
        tracks = (*tracks, Track(missing, tracks[0].ladder))
    return Loop(start._replace(spec=start.spec._replace(version=wanted, tracks=tracks)), judge)
