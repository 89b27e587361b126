"""Explores the engine breadth-first: every order of turns, ticks, edits, verdicts, gates and a few faults.

    python -m hack.explore_engine [--parts 2] [--rungs 2] [--faults 2] [--edits 2] [--states 200000] [--live 50]

The world and the rules are those of the tests (tests/engine). A state is a world whose clock was set back to the same
instant, so that two which differ only in the date are one. From every `--live`-th state the continuations must come to
rest. The first broken rule is printed with the shortest way to it, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from tests.engine.continuations import Mood, complaints
from tests.engine.rules import broken_by
from tests.engine.world import (
    Turn,
    World,
    act,
    edit_split,
    ladder,
    look,
    nature,
    spec,
    turn,
    version,
    without_anything,
    without_readings,
    world,
)
from tidegate.engine.values import Deadlines, Gate, Part, Phase, Status, Verdict

NOW = 1_000.0
LONG_AGO = 8.0
"""Ages beyond this are one: every hold, deadline and keep below is shorter."""


class State(NamedTuple):
    world: World
    faults: int  # that may still come
    edits: int


Step = tuple[str, State, list[str]]


def set_back(w: World) -> World:
    """The same world with its clock at NOW, without instants that decide nothing."""
    lag = w.now - NOW
    watch = None
    if w.watch is not None:
        wake = None if w.watch.wake is None else _age(w.watch.wake, lag)
        watch = w.watch._replace(since=_age(w.watch.since, lag), last=_age(w.watch.last, lag), wake=wake)
    return w._replace(now=NOW, status=_status_set_back(w.status, lag), watch=watch)


def _age(instant: float, lag: float) -> float:
    return max(instant - lag, NOW - LONG_AGO)


def _status_set_back(status: Status, lag: float) -> Status:
    return status._replace(
        stable_since=0.0,
        started=0.0,
        turned=0.0,
        parts=tuple(_part_set_back(part, lag) for part in status.parts),
        rejected=tuple(rejection._replace(at=0.0) for rejection in status.rejected),
        owed=tuple((debt, _age(since, lag)) for debt, since in status.owed),
        keep_until=None if status.keep_until is None else _age(status.keep_until, lag),
    )


def _part_set_back(part: Part, lag: float) -> Part:
    since = None if part.since is None else _age(part.since, lag)
    return part._replace(moved=0.0, landed_at=0.0, hand_at=0.0, since=since, held=min(part.held, LONG_AGO))


def beginning(parts: int, rungs: int) -> tuple[World, World]:
    """A rests; B is asked for. And the same spec asking for A again."""
    names = ("web", "api")[:parts]
    old, new = version("A", *names), version("B", *names)
    steps = ladder(*((10, 1), (50, 1), (100, 1))[-rungs:])
    brisk = Deadlines(ready=3.0, step=3.0, orphan=4.0)
    declared = spec(new, steps=steps, deadlines=brisk, keep=1.0, tick=1.0)
    start = world(declared, stable=old, parts=names, now=NOW)
    return start, start._replace(spec=declared._replace(version=old))


def steps_from(state: State, put_back: World) -> Iterator[Step]:
    w, faults, edits = state
    if w.status.phase is Phase.GONE:
        return
    yield from _turns(state)
    yield "tick", State(set_back(w._replace(now=w.now + 1)), faults, edits), []
    if (grown := nature(w)) != w:
        yield "pods are ready", State(grown, faults, edits), []
    for verdict in (Verdict.PASS, Verdict.BREACH, Verdict.UNKNOWN):
        if verdict is not w.verdict:
            yield f"guards say {verdict.value}", State(w._replace(verdict=verdict), faults, edits), []
    if edits:
        wanted = put_back.spec if w.spec.version != put_back.spec.version else w.spec
        if wanted is not w.spec:
            yield "put back", State(w._replace(spec=wanted), faults, edits - 1), []
        paused = w.spec._replace(paused=not w.spec.paused)
        yield "pause" if paused.paused else "unpause", State(w._replace(spec=paused), faults, edits - 1), []
        gate = Gate.SHUT if w.step is Gate.OPEN else Gate.OPEN
        yield f"gates {gate.value}", State(w._replace(step=gate, start=gate), faults, edits - 1), []
    for index, effect in enumerate(w.late):
        rest = w.late[:index] + w.late[index + 1 :]
        after = act(w._replace(late=rest), effect)
        old = [road.part for road in after.roads if road.stamp < w.road(road.part).stamp]
        yield f"late {effect}", State(after, faults, edits), [f"S14 an old move landed on {part}" for part in old]


def _turns(state: State) -> Iterator[Step]:
    w, faults, edits = state
    seen = look(w)

    def after(done: Turn, cost: int, **changes: object) -> State:
        return State(done.after._replace(**changes), faults - cost, edits)  # type: ignore[arg-type]

    done = turn(w, seen)
    yield "turn", after(done, 0), broken_by(done)
    if not faults:
        return
    for name, blind in (("readings lost", without_readings(seen)), ("all lost", without_anything(seen))):
        dim = turn(w, blind)
        yield f"turn, {name}", after(dim, 1), broken_by(dim)
    if done.decision.effects:
        lost = turn(w, seen, lambda _: ())
        yield "turn, crash before acting", after(lost, 1, watch=None), broken_by(lost)
        late = (*w.late, *done.decision.effects)
        yield "turn, leader stalls", after(lost, 1, watch=None, late=late), broken_by(lost)
    for road in w.roads:
        if dict(road.split).get("B"):
            yield f"a hand lowers {road.part}", State(edit_split(w, road.part, A=100), faults - 1, edits), []
        yield f"somebody raises {road.part}", State(edit_split(w, road.part, B=100), faults - 1, edits), []


class Found(NamedTuple):
    states: int
    edges: int
    seconds: float
    cut: bool
    broken: list[str]
    way: list[str]


def explore(parts: int, rungs: int, faults: int, edits: int, most: int, live: int) -> Found:
    start, put_back = beginning(parts, rungs)
    first = State(start, faults, edits)
    came: dict[State, tuple[State, str] | None] = {first: None}
    queue, edges, begun = deque([first]), 0, time.monotonic()

    def found(broken: list[str], way: list[str], cut: bool) -> Found:
        return Found(len(came), edges, time.monotonic() - begun, cut, broken, way)

    def way_to(state: State) -> list[str]:
        way = []
        while (step := came[state]) is not None:
            state, name = step
            way.append(name)
        return way[::-1]

    looked = 0
    while queue:
        state = queue.popleft()
        looked += 1
        if live and looked % live == 0:
            for mood in Mood:
                if broken := complaints(state.world, mood):
                    return found(broken, way_to(state), cut=True)
        for name, after, broken in steps_from(state, put_back):
            edges += 1
            if broken:
                return found(broken, [*way_to(state), name], cut=True)
            if after not in came:
                came[after] = (state, name)
                queue.append(after)
        if len(came) >= most:
            break
    return found([], [], cut=bool(queue))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--parts", type=int, choices=(1, 2), default=2, help="components of the Release")
    parser.add_argument("--rungs", type=int, choices=(1, 2, 3), default=2, help="steps of the ladder")
    parser.add_argument("--faults", type=int, default=2, help="most faults on one way")
    parser.add_argument("--edits", type=int, default=2, help="most edits of spec and gates on one way")
    parser.add_argument("--states", type=int, default=200_000, help="stop after so many states")
    parser.add_argument("--live", type=int, default=50, help="try the continuations from every n-th state; 0: never")
    said = parser.parse_args()
    result = explore(said.parts, said.rungs, said.faults, said.edits, said.states, said.live)
    end = "cut" if result.cut else "exhausted"
    print(f"{result.states} states, {result.edges} edges, {result.seconds:.0f} s, {end}")
    for sentence in result.broken:
        print(f"broken: {sentence}")
    for number, step in enumerate(result.way, start=1):
        print(f"  {number}. {step}")
    return 1 if result.broken else 0


if __name__ == "__main__":
    sys.exit(main())
