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
    DEAF = "a constant breach, and a target that takes no writes"
    LOST_STABLE = "all is well, but the pods of stable never come back"


ANYWHERE = (Mood.GOOD, Mood.BAD, Mood.BAD_SHUT, Mood.BLIND, Mood.BLIND_SHUT)
"""Moods in which every world comes to rest; in the others something is tried for ever."""


def complaints(world: World, mood: Mood) -> list[str]:
    """Why the world does not come to rest as it should; nothing if it does."""
    start = in_a_mood(world, mood)
    loop = Loop(start, broken_by)
    end = start.now + PATIENCE
    try:
        loop.run(PATIENCE)
    except AssertionError as error:
        return [f"L {mood.value}: {error}"]
    gone = loop.status.phase is Phase.GONE
    if loop.world.now < end or not (gone or loop.last.idle):
        return [f"L {mood.value}: never comes to rest in {loop.status.phase.value}"]
    return [f"L {mood.value}: {sentence}" for sentence in wrong_at_the_end(loop.world, mood)]


def in_a_mood(world: World, mood: Mood) -> World:
    """Faults stop: what was late arrives now, targets listen, pods live."""
    for effect in world.late:
        world = act(world, effect)
    return keeping_to(mood, world._replace(late=()))


def keeping_to(mood: Mood, world: World) -> World:
    """What the world is like from now on, but for what is still on its way."""
    breaches = mood in (Mood.BAD, Mood.BAD_SHUT, Mood.DEAF)
    blind = mood in (Mood.BLIND, Mood.BLIND_SHUT)
    gate = Gate.SHUT if mood in (Mood.BAD_SHUT, Mood.BLIND_SHUT) else Gate.OPEN
    lost = world.status.stable.content if mood is Mood.LOST_STABLE and world.status.stable else None
    return world._replace(
        verdict=Verdict.BREACH if breaches else Verdict.UNKNOWN if blind else Verdict.PASS,
        start=gate,
        step=gate,
        deaf=frozenset({world.roads[0].part}) if mood is Mood.DEAF else frozenset(),
        sick=frozenset({lost}) if lost else frozenset(),
        drain=0.0,
        roads=tuple(road._replace(left=()) for road in world.roads),
        running=tuple(i._replace(state=State.LOST if i.content == lost else State.READY) for i in world.running),
    )


def wrong_at_the_end(world: World, mood: Mood) -> list[str]:
    """What is not as it should be where the world has come to rest."""
    status, spec = world.status, world.spec
    if status.phase is Phase.GONE:
        if not spec.deleting:
            return ["it was let go though nobody deleted it"]
        return [] if world.forgotten is not None else ["it was let go in its status alone"]
    if spec.deleting:
        return [f"deletion never ends ({status.phase.value})"]
    if any(part.hand for part in status.parts):
        return []  # a person is waited for
    if mood is Mood.LOST_STABLE:
        return _no_way_out(world)
    found = []
    stable = status.stable
    off = [
        piece.part
        for piece in (stable.pieces if stable else ())
        if piece.part not in world.deaf and world.road(piece.part).split != ((piece.content, FULL),)
    ]
    if status.phase not in CLIMBING:
        found += [f"{part} does not serve stable in {status.phase.value}" for part in off]
    candidate = status.candidate if status.phase in CLIMBING else None
    exposed = candidate is not None and any(
        takes_part(status, p.part) and dict(world.road(p.part).split).get(p.content) for p in candidate.pieces
    )
    if exposed and stable is not None and not status.rescue and mood is not Mood.GOOD:
        found.append(f"still exposed in {status.phase.value}")
    if status.phase is Phase.REVERTING and stable is not None and not world.deaf:
        found.append("the revert never ends")
    paused = spec.paused or bool(status.standing)
    if mood is Mood.GOOD and not paused:
        found += _not_arrived(world)
    return found


def _no_way_out(world: World) -> list[str]:
    """Stable is gone for good: what is wanted in its place, and is not rejected, must get through."""
    status, wanted = world.status, world.spec.version
    rejected = any(r.content == wanted.content for r in status.rejected)
    serves = status.stable is not None and status.stable.content == wanted.content
    waits = world.spec.paused or bool(status.standing)
    if status.phase is Phase.REVERTING and not rejected and not serves and not waits:
        return [f"no way out of a stuck revert, though {wanted.content} is wanted"]
    return []


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
