"""Liveness: from any state, once faults stop and the world keeps to one mood, all comes to rest where it should."""

from __future__ import annotations

from enum import Enum

from tests.engine.loop import Loop
from tests.engine.rules import broken_by
from tests.engine.world import World, act
from tidegate.engine.promise import takes_part
from tidegate.engine.values import CLIMBING, FULL, Gate, Phase, State, Verdict

PATIENCE = 150.0
"""Seconds after which nothing may be under way any more; every deadline of the test worlds is far shorter."""


class Mood(Enum):
    GOOD = "all is well"
    BAD = "a constant breach"
    BAD_SHUT = "a constant breach behind shut gates"
    BLIND = "no measurement ever again"
    BLIND_SHUT = "no measurement, and shut gates"


def complaints(world: World, mood: Mood) -> list[str]:
    """Why the world does not come to rest as it should; nothing if it does."""
    start = _in_a_mood(world, mood)
    loop = Loop(start, broken_by)
    end = start.now + PATIENCE
    try:
        loop.run(PATIENCE)
    except AssertionError as error:
        return [f"L {mood.value}: {error}"]
    gone = loop.status.phase is Phase.GONE
    if loop.world.now < end or not (gone or loop.last.idle):
        return [f"L {mood.value}: never comes to rest in {loop.status.phase.value}"]
    return [f"L {mood.value}: {sentence}" for sentence in _wrong_at_the_end(loop.world, mood)]


def _in_a_mood(world: World, mood: Mood) -> World:
    """Faults stop: what was late arrives now, targets listen, pods live."""
    for effect in world.late:
        world = act(world, effect)
    verdict = {Mood.GOOD: Verdict.PASS, Mood.BAD: Verdict.BREACH, Mood.BAD_SHUT: Verdict.BREACH}
    gate = Gate.SHUT if mood in (Mood.BAD_SHUT, Mood.BLIND_SHUT) else Gate.OPEN
    return world._replace(
        late=(),
        verdict=verdict.get(mood, Verdict.UNKNOWN),
        start=gate,
        step=gate,
        deaf=frozenset(),
        sick=frozenset(),
        drain=0.0,
        roads=tuple(road._replace(left=()) for road in world.roads),
        running=tuple(i._replace(state=State.READY) for i in world.running),
    )


def _wrong_at_the_end(world: World, mood: Mood) -> list[str]:
    status, spec = world.status, world.spec
    if status.phase is Phase.GONE:
        return [] if spec.deleting else ["it was let go though nobody deleted it"]
    if spec.deleting:
        return [f"deletion never ends ({status.phase.value})"]
    if any(part.hand for part in status.parts):
        return []  # a person is waited for
    found = []
    stable = status.stable
    if stable is not None and status.phase not in CLIMBING:
        off = [p.part for p in stable.pieces if world.road(p.part).split != ((p.content, FULL),)]
        found += [f"{part} does not serve stable in {status.phase.value}" for part in off]
    candidate = status.candidate if status.phase in CLIMBING else None
    exposed = candidate is not None and any(
        takes_part(status, p.part) and dict(world.road(p.part).split).get(p.content) for p in candidate.pieces
    )
    if exposed and stable is not None and not status.rescue and mood is not Mood.GOOD:
        found.append(f"still exposed in {status.phase.value}")
    if status.phase is Phase.REVERTING and stable is not None:
        found.append("the revert never ends")
    paused = spec.paused or bool(status.standing)
    if mood is Mood.GOOD and not paused:
        found += _not_arrived(world)
    return found


def _not_arrived(world: World) -> list[str]:
    status, wanted = world.status, world.spec.version
    rejected = any(r.content == wanted.content for r in status.rejected)
    gave_up = status.recall is not None and status.recall.gave_up
    if status.stable is None and rejected:
        return []  # the first version was bad: the next one is the way out
    if status.phase in (*CLIMBING, Phase.REVERTING):
        return [f"never arrives: {status.phase.value}"]
    if not rejected and not gave_up and (status.stable is None or status.stable.content != wanted.content):
        return [f"{wanted.content} is wanted and not stable in {status.phase.value}"]
    needed = {(p.part, p.content) for p in status.stable.pieces} if status.stable else set()
    used = {(road.part, content) for road in world.roads for content, _ in road.split}  # by somebody else
    return [f"{i.content} is left over" for i in world.running if (i.part, i.content) not in needed | used]
