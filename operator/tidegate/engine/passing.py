"""One pass under way: what it knows, what it has decided so far, and the small words in which the rules are written."""

from collections.abc import Container
from math import floor
from typing import Any

from tidegate.engine.promise import demand, load, pin, preview, promise, takes_part
from tidegate.engine.values import (
    CLIMBING,
    FULL,
    Act,
    CheckKey,
    Debt,
    Effect,
    Ensure,
    Gate,
    Instance,
    Observation,
    Outcome,
    Part,
    Pin,
    Preview,
    Reading,
    Recall,
    Rejection,
    Spec,
    Start,
    State,
    Status,
    Verdict,
    Version,
)

POLL = 1.0
"""Seconds until the next look where something is unknown or under way. A look is at a cache, and costs nothing."""

REST = 30.0
"""Seconds until the next look where only a person or the world can end what stands."""

ROLL = 60.0
"""Seconds after which guarded time is written down, so that a crash costs no more than that of a hold."""

_NOTHING = Reading(None, None)
_WORST_FIRST = (State.ABSENT, State.LOST, State.STARTING, State.SHORT, State.READY)


class Pass:
    """Mutable, and alive for one decision. `was` is the status it began with, `status` the one it will end with."""

    def __init__(self, spec: Spec, status: Status, seen: Observation, now: float) -> None:
        self.spec, self.was, self.status, self.seen, self.now = spec, status, status, seen, now
        self.effects: list[Effect] = []
        self.wakes: list[float] = []
        self.owing: set[Debt] = set()
        self._readings = dict(seen.readings)
        self._instances = {(i.part, i.content): i for i in seen.instances or ()}
        self._checks = dict(seen.checks)

    # ---- deciding

    def set(self, **changes: Any) -> None:
        self.status = self.status._replace(**changes)

    def put(self, name: str, **changes: Any) -> None:
        self.set(parts=tuple(p._replace(**changes) if p.name == name else p for p in self.status.parts))

    def part(self, name: str) -> Part:
        part = self.status.part(name)
        assert part is not None
        return part

    def next_move(self) -> int:
        self.set(move=self.status.move + 1)
        return self.status.move

    def do(self, effect: Effect) -> None:
        """The last word counts: effects run at the same time, and two on one thing would take turns."""
        self.effects = [old for old in self.effects if not _about_the_same(old, effect)]
        self.effects.append(effect)

    def wake_in(self, delay: float) -> None:
        self.wakes.append(self.now + max(delay, 0.0))

    def wake_to_repair(self) -> None:
        """Soon; but where no version is proven there is nothing to put anything back to."""
        self.wake_in(POLL if self.status.stable else REST)

    def wake_at(self, when: float) -> None:
        self.wakes.append(max(when, self.now))

    def owe(self, debt: Debt) -> None:
        self.owing.add(debt)
        self.wake_in(POLL)

    def owed_for(self, debt: Debt) -> float | None:
        """How long a debt has stood, counted only while we looked without a gap; None if there is none."""
        since = dict(self.status.owed).get(debt)
        return None if since is None else self.now - max(since, self.seen.watched.since)

    def reject(self, version: Version, cause: Any) -> None:
        if not self.is_rejected(version.content):
            rejection = Rejection(version.content, version.name, self.status.attempt, self.status.move, self.now, cause)
            self.set(rejected=(*self.status.rejected, rejection)[-20:])

    def call_back(self, recall: Recall) -> None:
        """Under a claim of its own: a removal that was decided when the last one gave up must not hit this one."""
        instances = [self.instance(piece.part, piece.content) for piece in recall.version.pieces]
        if any(instance is not None and instance.claim >= self.status.attempt for instance in instances):
            self.set(attempt=self.status.attempt + 1)
        self.set(recall=recall)

    # ---- reading the world

    def reading(self, part: Part) -> Reading:
        return self._readings.get(part.name, _NOTHING)

    def newest_move_seen(self) -> int:
        return max((reading.move or 0 for _, reading in self.seen.readings), default=0)

    def share(self, part: Part) -> int | None:
        """The candidate's share of this part as it is, or None if that is not known."""
        split = self.reading(part).split
        top = self.status.candidate.runs(part.name) if self.status.candidate else None
        return None if split is None or top is None else dict(split).get(top, 0)

    def instance(self, part: str, content: str) -> Instance | None:
        return self._instances.get((part, content))

    def state(self, part: str, content: str) -> State | None:
        """Health of one part of one version; None if it cannot be read."""
        if self.seen.instances is None:
            return None
        instance = self._instances.get((part, content))
        return instance.state if instance else State.ABSENT

    def health(self, version: Version, only: tuple[str, ...] | None = None) -> State | None:
        """The worst health among the pieces of a version; None if it cannot be read."""
        states = [self.state(p.part, p.content) for p in version.pieces if only is None or p.part in only]
        if not states:
            return State.READY
        if any(state is None for state in states):
            return None
        return next(state for state in _WORST_FIRST if state in states)

    def outcome(self, key: CheckKey) -> Outcome | None:
        return self._checks.get(key)

    # ---- words

    def climbing_parts(self) -> list[Part]:
        return [p for p in self.status.parts if takes_part(self.status, p.name)]

    def exposed(self) -> bool:
        """The candidate has, or is promised, more than a revert would leave it."""
        return any(p.weight != p.rest for p in self.status.parts)

    def is_rejected(self, content: str) -> bool:
        return any(r.content == content for r in self.status.rejected)

    def settled(self, part: Part) -> bool:
        """The world is as promised, and is known to include our last move."""
        reading = self.reading(part)
        return self.agrees(part) and reading.move is not None and reading.move >= part.move

    def given_back(self, part: Part) -> bool:
        """Settled; or the object is to go, and so has the route: there is nothing left to give back."""
        return self.settled(part) or (self.spec.deleting and self.reading(part).absent)

    def agrees(self, part: Part) -> bool:
        """The value is as promised. A late write of an older move may still be on its way."""
        reading = self.reading(part)
        return reading.split is not None and tuple(sorted(reading.split)) == promise(self.status, part)

    def at_peace(self, part: Part) -> bool:
        """As promised, or lowered by a hand that we respect."""
        return self.agrees(part) or (bool(part.hand) and self.reading(part).split is not None and self.lowered(part))

    def sides(self, part: Part) -> tuple[str | None, str | None]:
        """(newest, older) content of this part: candidate and stable, or at rest stable and previous."""
        s = self.status
        newest, older = (s.candidate, s.stable) if s.candidate else (s.stable, s.previous)
        return (newest.runs(part.name) if newest else None, older.runs(part.name) if older else None)

    def lowered(self, part: Part, than: int | None = None) -> bool:
        """Traffic goes only where we know it, and less of it to the newest side than promised (or than `than`)."""
        newest, older = self.sides(part)
        split = dict(self.reading(part).split or ())
        if newest is None or older is None or newest == older or not split or not set(split) <= {newest, older}:
            return False
        promised = dict(promise(self.status, part)).get(newest, 0) if than is None else than
        return split.get(newest, 0) < promised

    def handed(self) -> bool:
        return any(p.hand for p in self.status.parts)

    def mine(self) -> bool:
        """The verdict was asked for this attempt."""
        return self.seen.evidence is not None and self.seen.evidence.attempt == self.status.attempt

    def breached(self) -> bool:
        return self.seen.verdict is Verdict.BREACH and self.mine()

    def wants_candidate(self) -> bool:
        return self.status.candidate is not None and self.spec.version.content == self.status.candidate.content

    # ---- permissions

    def paused_above(self) -> int | None:
        """The share above which nothing climbs, or None. 0 stops everything."""
        limits = [s.at or 0 for s in self.status.standing]
        if self.spec.paused:
            limits.append(0)
        return min(limits, default=None)

    def may_go_forward(self, to: int = 0) -> bool:
        """May forward work of this climb be done in this very pass, towards the share `to`?"""
        limit = self.paused_above()
        if limit is not None and (limit == 0 or to > limit):
            return False
        return not self.spec.deleting and not self.handed() and self.seen.step is Gate.OPEN

    def may_raise(self, to: int, names: Container[str]) -> bool:
        """All that a way up needs, asked at every raise: of these parts, to this share."""
        status, verdict = self.status, self.seen.verdict
        if status.candidate is None or not self.may_go_forward(to) or not self.wants_candidate():
            return False
        if self.is_rejected(status.candidate.content) or verdict in (Verdict.BREACH, Verdict.HOLD, Verdict.UNKNOWN):
            return False
        # a first version that is tried again has all traffic already: it is not measured before it is promised that
        unmeasured = (0,) if status.stable else (0, FULL)
        if verdict is Verdict.NO_TRAFFIC and any(self.share(p) not in unmeasured for p in self.climbing_parts()):
            return False
        if self.health(status.candidate) is not State.READY or not self._fits(status.candidate, to, names):
            return False
        return status.rescue or status.stable is None or self.health(status.stable) is State.READY

    def _fits(self, version: Version, share: int, names: Container[str]) -> bool:
        """Capacity comes before traffic: these parts of a version run as large as that share needs."""
        for piece in version.pieces:
            if piece.part in names:
                instance = self.instance(piece.part, piece.content)
                if instance is None or instance.sized < load(self.status, piece.part, share):
                    return False
        return True

    def can_go_back(self, part: Part) -> bool:
        """A way down needs one endpoint that serves; traffic is never sent to what is known to be down."""
        if self.at_peace(part):
            return True
        if self.status.stable is None:
            return False
        base = self.status.stable.runs(part.name)
        return base is None or self.state(part.name, base) in (State.READY, State.SHORT, None)

    # ---- effects

    def ensure(self, part: Part) -> None:
        self.do(Ensure(part.name, promise(self.status, part), part.move, self.reading(part)))

    def start(self, version: Version, claim: int) -> bool:
        """Let a version run, as large as status asks for. True when every piece of it runs so, and under this claim."""
        wanted = demand(self.spec, self.status)
        ready = True
        for piece in version.pieces:
            share = wanted.get((piece.part, piece.content))
            if share is None:
                continue
            instance = self.instance(piece.part, piece.content)
            if self.seen.instances is None:
                ready = False
                continue
            fits = instance is not None and instance.sized >= share and instance.state is not State.ABSENT
            if not fits or (instance is not None and instance.claim < claim):
                self.do(Start(piece.part, piece.content, share, claim))
            ready = ready and fits and instance is not None and instance.claim >= claim
            ready = ready and instance is not None and instance.state is State.READY
        return ready

    def pin_services(self) -> None:
        """Keep the app's own Services on stable, once that serves."""
        for part in self.status.parts:
            want, reading = pin(self.status, part), self.reading(part)
            if want is None or reading.pin is None or reading.pin == want:
                continue
            if not want or self.state(part.name, want) in (State.READY, State.SHORT):
                self.do(Pin(part.name, want))
                self.wake_in(POLL)

    def previews_stand(self) -> bool:
        """Whether marked requests reach the candidate, for each part whose requests can be marked."""
        readings = ((preview(self.status, part), self.reading(part).preview) for part in self.status.parts)
        return all(seen is None or seen == want for want, seen in readings)

    def preview_candidate(self) -> None:
        """Let marked requests reach the candidate as soon as it serves, and no longer than it climbs.

        Not beside a write of weights: both are of one object, and that one must not lose the race, or a revert waits.
        """
        for part in self.status.parts:
            want, seen = preview(self.status, part), self.reading(part).preview
            if seen is None or seen == want:
                continue
            if want and self.state(part.name, want) not in (State.READY, State.SHORT):
                want = ""  # what it leads to now is another one, which may have to go
            if seen != want:
                if not any(isinstance(effect, Ensure) for effect in self.effects):
                    self.do(Preview(part.name, want, part.move))
                self.wake_in(POLL)

    def answers(self, act: Act, began: float) -> bool:
        """Whether an act that lifts something was written after that was recorded, and for this attempt."""
        if act.seen_attempt not in (None, self.status.attempt):
            return False
        return written_since(act, began)

    @property
    def climbing(self) -> bool:
        return self.status.phase in CLIMBING


def _about_the_same(one: Effect, other: Effect) -> bool:
    if isinstance(one, Ensure) and isinstance(other, Ensure):
        return one.part == other.part
    if isinstance(one, Start) and isinstance(other, Start):
        return (one.part, one.content) == (other.part, other.content)
    return one == other


def written_since(act: Act, began: float) -> bool:
    """Objects are stamped with whole seconds: one written in the same second counts as written after."""
    return act.written >= floor(began)
