"""A small world for the engine: routes, pods, guards, gates, people and faults, and the loop that the operator runs.

Everything is a value, so that a state can be kept, compared and gone back to. The clock is a number. One turn of the
loop is `turn()`: observe, decide, record, act. Faults are what may come between: an observation that is old or blind,
effects that are lost or that land late, edits by others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from tidegate.engine import decide, demand
from tidegate.engine.promise import promise
from tidegate.engine.values import (
    CLIMBING,
    FULL,
    Act,
    Answer,
    Check,
    CheckKey,
    Deadlines,
    Decision,
    Effect,
    Ensure,
    Evidence,
    Forget,
    Gate,
    Instance,
    Observation,
    Outcome,
    Part,
    Phase,
    Piece,
    Pin,
    Preview,
    Reading,
    Reread,
    Retire,
    RunCheck,
    Rung,
    Spec,
    Start,
    State,
    Status,
    Track,
    Verdict,
    Version,
    Watched,
)

LATE = 5.0
"""A look that comes so many seconds later than was asked for is a gap: nobody watched."""


OTHERS = "?"
"""What a road leads to where that is not ours."""


def percent(share: float) -> int:
    return round(share * 1000)


def version(content: str, *parts: str, like: Version | None = None) -> Version:
    """A version with these parts. `like`: the parts that it shares with that one are the same there and here."""
    own = tuple(Piece(part, content, f"{part}-{content}") for part in parts)
    shared = () if like is None else tuple(piece for piece in like.pieces if piece.part not in parts)
    return Version(f"v{content}", content, tuple(sorted((*own, *shared))))


def ladder(*rungs: tuple[float, float]) -> tuple[Rung, ...]:
    return tuple(Rung(percent(weight), hold) for weight, hold in rungs)


def lockstep(*parts: str, steps: tuple[Rung, ...]) -> tuple[Track, ...]:
    return (Track(parts, steps),)


class Road(NamedTuple):
    """Where the traffic of one part goes, as configured in its target."""

    part: str
    split: tuple[tuple[str, int], ...]
    stamp: int = 0  # the newest of our moves that was written here
    token: int = 0  # rises with every write of anybody
    pin: str | None = ""  # what the app's own Service selects; None: it has none
    there: bool = True
    left: tuple[tuple[str, float], ...] = ()  # content -> until when the data plane may still use it
    preview: str | None = None  # None: no request can be marked on this road


class Watch(NamedTuple):
    since: float
    last: float
    wake: float | None  # when the last turn wanted to look again


class World(NamedTuple):
    spec: Spec
    status: Status
    roads: tuple[Road, ...]
    running: tuple[Instance, ...] = ()
    now: float = 1_000.0
    verdict: Verdict = Verdict.PASS  # what the guards say of an exposed candidate
    start: Gate = Gate.OPEN
    step: Gate = Gate.OPEN
    checks: tuple[tuple[CheckKey, Outcome], ...] = ()
    kept: tuple[Version, ...] = ()
    others: Version | None = None  # what somebody else's pods serve where a road leads to "?"
    watch: Watch | None = None  # None: the operator is not running, or has just begun
    deaf: frozenset[str] = frozenset()  # parts whose target takes no writes
    sick: frozenset[str] = frozenset()  # contents whose pods never become ready
    drain: float = 0.0  # seconds for which what has lost its last share may still be used
    late: tuple[Effect, ...] = ()  # of a leader that stalled: they may land at any time
    confirmed: bool = False
    forgotten: bool | None = None  # let go; whether the traffic was settled

    def road(self, part: str) -> Road:
        return next(road for road in self.roads if road.part == part)

    def split(self, part: str) -> dict[str, float]:
        return {content: share / 1000 for content, share in self.road(part).split}

    def instance(self, part: str, content: str) -> Instance | None:
        return next((i for i in self.running if (i.part, i.content) == (part, content)), None)


def world(
    spec: Spec,
    *,
    stable: Version | None = None,
    parts: Iterable[str] = ("web",),
    now: float = 1_000.0,
) -> World:
    """All traffic on `stable`, which has completed; or nothing there at all."""
    if stable is None:
        return World(spec, Status(), tuple(Road(part, ()) for part in parts), now=now)
    status = Status(
        phase=Phase.COMPLETED,
        attempt=1,
        move=1,
        stable=stable,
        stable_since=now - 1000,
        proved=1,
        parts=tuple(Part(piece.part, move=1, landed=1, stood=FULL) for piece in stable.pieces),
    )
    served = {piece.part: piece.content for piece in stable.pieces}
    roads = tuple(
        Road(part, ((served[part], FULL),), stamp=1, pin=served[part]) if part in served else Road(part, ())
        for part in sorted({*parts, *served})
    )
    running = tuple(Instance(piece.part, piece.content, State.READY, claim=1) for piece in stable.pieces)
    return World(spec, status, roads, running, now=now, kept=(stable,))


def occupied(spec: Spec, others: Version, *, now: float = 1_000.0) -> World:
    """Somebody else's pods serve, and there has never been a version of ours."""
    roads = tuple(Road(piece.part, ((OTHERS, FULL),)) for piece in others.pieces)
    running = tuple(Instance(piece.part, OTHERS, State.READY) for piece in others.pieces)
    return World(spec, Status(), roads, running, now=now, others=others)


# ---- looking


def look(w: World) -> Observation:
    """What the adapters would tell: health against the demand, a verdict for the attempt and moves as they are."""
    status = w.status
    wanted = demand(w.spec, status)
    verdict, evidence = Verdict.NO_TRAFFIC, None
    if status.candidate and status.phase in (*CLIMBING, Phase.REVERTING):
        evidence = Evidence(status.attempt, tuple((part.name, part.move) for part in status.parts))
        verdict = _verdict(w)
    return Observation(
        readings=readings(w),
        instances=instances(w, wanted),
        watched=watched(w),
        verdict=verdict,
        evidence=evidence,
        start=w.start,
        step=w.step,
        checks=w.checks,
        kept=w.kept,
        adopt=w.others if any(OTHERS in dict(road.split) for road in w.roads) else None,
        confirmed=w.confirmed,
    )


def readings(w: World) -> tuple[tuple[str, Reading], ...]:
    return tuple((road.part, _read(road)) for road in w.roads)


def instances(w: World, demand: Mapping[tuple[str, str], int]) -> tuple[Instance, ...]:
    """What runs, its health against the demand."""
    return tuple(_busy(w, _against(i, demand.get((i.part, i.content), 0))) for i in w.running)


def _read(road: Road) -> Reading:
    return (
        Reading(road.split, road.stamp, str(road.token), road.pin, preview=road.preview)
        if road.there
        else Reading(None, None, absent=True)
    )


def _verdict(w: World) -> Verdict:
    shares = [
        dict(road.split).get(content, 0)
        for road in w.roads
        if w.status.candidate and (content := w.status.candidate.runs(road.part))
        if w.status.stable is None or w.status.stable.runs(road.part) != content
    ]
    if not any(shares):
        return Verdict.NO_TRAFFIC
    off = any(w.road(p.name).split != promise(w.status, p) for p in w.status.parts if has_road(w, p.name))
    return Verdict.INCONCLUSIVE if off and w.verdict is Verdict.PASS else w.verdict


def has_road(w: World, part: str) -> bool:
    return any(road.part == part for road in w.roads)


def _against(instance: Instance, wanted: int) -> Instance:
    too_small = instance.state is State.READY and instance.sized < wanted
    return instance._replace(state=State.SHORT) if too_small else instance


def _busy(w: World, instance: Instance) -> Instance:
    left = [dict(road.left).get(instance.content, 0.0) for road in w.roads if road.part == instance.part]
    until = max(left, default=0.0)
    return instance._replace(busy_until=until) if until > w.now else instance


def watched(w: World) -> Watched:
    if w.watch is None or (w.watch.wake is not None and w.now > w.watch.wake + LATE):
        return Watched(w.now, w.now)
    return Watched(w.watch.since, w.watch.last)


def without_readings(seen: Observation) -> Observation:
    return seen._replace(readings=tuple((part, Reading(None, None)) for part, _ in seen.readings))


def without_anything(seen: Observation) -> Observation:
    """The network is gone: all is unknown but the status itself."""
    return without_readings(seen)._replace(
        instances=None, verdict=Verdict.UNKNOWN, start=Gate.UNKNOWN, step=Gate.UNKNOWN, checks=()
    )


# ---- one turn


class Turn(NamedTuple):
    before: World
    seen: Observation
    decision: Decision
    after: World

    @property
    def idle(self) -> bool:
        return not self.decision.effects and self.decision.status == self.before.status


def everything(effects: tuple[Effect, ...]) -> tuple[Effect, ...]:
    return effects


def nothing(_: tuple[Effect, ...]) -> tuple[Effect, ...]:
    return ()


Done = Callable[[tuple[Effect, ...]], tuple[Effect, ...]]
"""Which of the effects arrive."""


def turn(w: World, seen: Observation | None = None, arrive: Done = everything) -> Turn:
    """Observe, decide, record; then those effects act that `arrive` lets through."""
    seen = look(w) if seen is None else seen
    decision = decide(w.spec, w.status, seen, w.now)
    watch = Watch(watched(w).since, w.now, decision.wake_at)
    after = recorded(w, decision)._replace(watch=watch)
    for effect in arrive(decision.effects):
        after = act(after, effect)
    return Turn(w, seen, decision, after)


def recorded(w: World, decision: Decision) -> World:
    """The world once the status is written. A version that completed is kept, so that it can be gone back to."""
    stable, kept = decision.status.stable, w.kept
    if stable is not None and stable not in kept:
        kept = (stable, *kept)
    return w._replace(status=decision.status, kept=kept, confirmed=Reread() in decision.effects)


def act(w: World, effect: Effect) -> World:
    """Make X be Y, unless a fence refuses it."""
    match effect:
        case Ensure():
            return _write(w, effect)
        case Pin(part, content):
            road = w.road(part)
            return w if road.pin == content else with_road(w, road._replace(pin=content, token=road.token + 1))
        case Preview(part, content, move):
            road = w.road(part)
            content = content if w.instance(part, content) else ""  # nothing there that a rule could lead to
            if road.preview in (None, content) or road.stamp > move:
                return w
            return with_road(w, road._replace(preview=content, token=road.token + 1))
        case Start():
            return _start(w, effect)
        case Retire():
            return _retire(w, effect)
        case RunCheck(key):
            return w if key in dict(w.checks) else w._replace(checks=(*w.checks, (key, Outcome.RUNNING)))
        case Answer(uid, _, _):
            return w._replace(spec=w.spec._replace(acts=tuple(a for a in w.spec.acts if a.uid != uid)))
        case Forget(settled):
            return w._replace(forgotten=settled)
        case _:
            return w


def _write(w: World, effect: Ensure) -> World:
    road, expected = w.road(effect.part), effect.expects
    if effect.part in w.deaf or not road.there or (road.stamp, str(road.token)) != (expected.move, expected.token):
        return w
    split = tuple(sorted(effect.split))
    if (road.split, road.stamp) == (split, effect.move):
        return w
    return with_road(w, _resplit(w, road, split)._replace(stamp=effect.move))


def _resplit(w: World, road: Road, split: tuple[tuple[str, int], ...]) -> Road:
    left = {content: until for content, until in road.left if content not in dict(split)}
    if w.drain:
        left |= {content: w.now + w.drain for content, _ in road.split if content not in dict(split)}
    return road._replace(split=split, token=road.token + 1, left=tuple(sorted(left.items())))


def with_road(w: World, road: Road) -> World:
    return w._replace(roads=tuple(road if r.part == road.part else r for r in w.roads))


def with_instance(w: World, instance: Instance) -> World:
    others = [i for i in w.running if (i.part, i.content) != (instance.part, instance.content)]
    return w._replace(running=tuple(sorted([*others, instance])))


def _start(w: World, effect: Start) -> World:
    old = w.instance(effect.part, effect.content)
    if old is None:
        return with_instance(w, Instance(effect.part, effect.content, State.STARTING, effect.claim, effect.share))
    grows = effect.share > old.sized
    state = State.SHORT if grows and old.state is State.READY else old.state
    claim, sized = max(old.claim, effect.claim), max(old.sized, effect.share)
    return with_instance(w, old._replace(state=state, claim=claim, sized=sized))


def _retire(w: World, effect: Retire) -> World:
    old = w.instance(effect.part, effect.content)
    serves = any(effect.content in (*dict(r.split), r.pin, r.preview) for r in w.roads if r.part == effect.part)
    if old is None or old.claim != effect.claim or serves or _busy(w, old).busy_until is not None:
        return w
    return w._replace(running=tuple(i for i in w.running if i != old))


# ---- what happens by itself, and what others do


def pass_time(w: World, seconds: float) -> World:
    return nature(w)._replace(now=w.now + seconds)


def nature(w: World) -> World:
    """Pods that start become ready, checks that run pass."""
    running = tuple(
        i._replace(state=State.READY) if i.state in (State.STARTING, State.SHORT) and i.content not in w.sick else i
        for i in w.running
    )
    checks = tuple((key, Outcome.PASSED if out is Outcome.RUNNING else out) for key, out in w.checks)
    return w._replace(running=running, checks=checks)


def edit_split(w: World, part: str, /, **shares: float) -> World:
    """Somebody else writes the route."""
    road = w.road(part)
    split = tuple(sorted((content, percent(share)) for content, share in shares.items() if share))
    return with_road(w, _resplit(w, road, split))


def die(w: World, content: str, state: State = State.LOST) -> World:
    return w._replace(running=tuple(i._replace(state=state) if i.content == content else i for i in w.running))


def vanish(w: World, content: str) -> World:
    return w._replace(running=tuple(i for i in w.running if i.content != content))


def ask(w: World, act: Act) -> World:
    return w._replace(spec=w.spec._replace(acts=(*w.spec.acts, act)))


SHORT_LADDER = ladder((10, 60), (50, 60), (100, 60))
QUICK = Deadlines(ready=300.0, step=600.0, orphan=900.0)


def spec(
    wanted: Version,
    *,
    tracks: tuple[Track, ...] = (),
    steps: tuple[Rung, ...] = SHORT_LADDER,
    checks: tuple[Check, ...] = (),
    deadlines: Deadlines = QUICK,
    keep: float = 300.0,
    tick: float | None = 10.0,
) -> Spec:
    parts = tuple(sorted(piece.part for piece in wanted.pieces))
    return Spec(wanted, tracks or lockstep(*parts, steps=steps), checks, deadlines, keep, tick)
