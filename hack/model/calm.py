"""Liveness: from every state, once faults and edits have stopped, all comes to rest where it should.

For each mood of the world (all is well, a constant breach, no measurement ever again ...) the graph of what then may
happen is built from every state that was found: the operator looks when it is woken; pods start, checks pass and late
effects land or are lost, each in its own time. A run that is fair to all of these ends in one strongly connected
component and stays there. So each component in which a fair run can stay must be a rest: nothing is written there any
more, and all is as it should be.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hack.model.components import components
from hack.model.events import Events, landed_wrongly, landings
from hack.model.states import NOW, TICK, Book, State
from tests.engine.continuations import Mood, keeping_to, wrong_at_the_end
from tests.engine.rules import done_wrongly
from tests.engine.world import Turn, Watch, World
from tidegate.engine.values import Reread

TRIED_FOR_EVER = (Mood.DEAF, Mood.LOST_STABLE)
"""Moods in which there may be something to be done that is never done; in all others a rest does nothing."""


class Calm(NamedTuple):
    """A world without faults. The operator is due at once, after so many ticks, or (None) when something changes."""

    world: World
    due: int | None = 0


class Onward(NamedTuple):
    """One edge. `actor` is who makes it: an actor that always could go on does so some day."""

    actor: str
    after: Calm
    wrote: bool
    broken: tuple[str, ...]


class Unrest(NamedTuple):
    sentence: str
    origin: int  # number of the state from which it is reached


class Peace(NamedTuple):
    states: int
    edges: int
    components: int
    rests: int  # components in which a run can stay
    unrest: list[Unrest]


class CalmGraph:
    """Grows with every origin; nodes of different origins are shared."""

    def __init__(self, events: Events, book: Book, mood: Mood) -> None:
        self._events, self._book, self.mood = events, book, mood
        self._numbers: dict[Calm, int] = {}
        self._nodes: list[Calm] = []
        self._after: list[list[int]] = []
        self._actors: list[tuple[str, ...]] = []
        self._wrote: list[tuple[bool, ...]] = []
        self._origins: list[int] = []
        self._broken: list[Unrest] = []
        self.edges = 0

    def add(self, state: State, origin: int) -> None:
        """All that may follow from a state when faults stop now."""
        watch = state.world.watch
        timely = None if watch is None else watch._replace(wake=None)
        start = keeping_to(self.mood, state.world._replace(watch=timely, confirmed=False))
        self._number(Calm(self._written(start)), origin)
        while len(self._after) < len(self._nodes):
            self._grow(len(self._after))

    def _grow(self, number: int) -> None:
        origin = self._origins[number]
        onward = list(self._onward(self._nodes[number]))
        self.edges += len(onward)
        self._broken += [Unrest(sentence, origin) for step in onward for sentence in step.broken]
        self._after.append([self._number(step.after, origin) for step in onward])
        self._actors.append(tuple(step.actor for step in onward))
        self._wrote.append(tuple(step.wrote for step in onward))

    def _number(self, node: Calm, origin: int) -> int:
        number = self._numbers.get(node)
        if number is None:
            number = self._numbers[node] = len(self._nodes)
            self._nodes.append(node)
            self._origins.append(origin)
        return number

    def _written(self, w: World) -> World:
        return self._book.write(State(w)).world

    def _onward(self, node: Calm) -> Iterator[Onward]:
        w = node.world
        if w.forgotten is not None:
            return
        for after, _, rest in landings(w):
            broken = tuple(landed_wrongly(w, after))
            yield Onward("late", Calm(self._written(after), 0), True, broken)
            yield Onward("late", Calm(self._written(w._replace(late=rest)), node.due), True, ())
        for what, after in self._events.grown(w):
            yield Onward(what, Calm(self._written(after), 0), True, ())
        if node.due == 0:
            yield self._turn(w)
        elif node.due is not None:
            after = w._replace(now=w.now + TICK)
            if not self._events.scenario.gaps and w.watch is not None:
                after = after._replace(watch=w.watch._replace(last=w.watch.last + TICK))
            yield Onward("time", Calm(self._written(after), node.due - 1), False, ())

    def _turn(self, w: World) -> Onward:
        seen = self._events.look(w)
        decision, broken = self._events.decide(w, seen)
        after = self._events.turned(w, seen, decision, decision.effects)
        broken = [*broken, *done_wrongly(Turn(w, seen, decision, after))]
        if after.watch is not None:
            after = after._replace(watch=Watch(after.watch.since, NOW, None))
        wrote = after != w._replace(watch=after.watch, confirmed=after.confirmed)
        acted = bool(decision.effects) and self.mood not in TRIED_FOR_EVER
        if wrote or Reread() in decision.effects:
            due: int | None = 0  # the loop looks at whatever has changed, its own memory too
        elif decision.wake_at is None:
            due = None
        else:
            due = max(0, -int(-(decision.wake_at - NOW) // TICK))
        return Onward("operator", Calm(self._written(after), due), wrote or acted, tuple(broken))

    # ---- judging

    def judge(self) -> Peace:
        """Every component in which a run can stay must be a rest, and there all must be as it should."""
        unrest, rests = list(self._broken), 0
        found = components(self._after)
        where = [0] * len(self._nodes)
        for index, component in enumerate(found):
            for number in component:
                where[number] = index
        for index, component in enumerate(found):
            if not self._can_stay(component, index, where):
                continue
            rests += 1
            unrest += [
                Unrest(sentence, self._origins[component[0]]) for sentence in self._amiss(component, index, where)
            ]
        return Peace(len(self._nodes), self.edges, len(found), rests, unrest)

    def _can_stay(self, component: list[int], index: int, where: list[int]) -> bool:
        """Whether a run that is fair to every actor can stay: whoever could always act, may do so without leaving."""
        inside: set[str] = set()
        always: set[str] | None = None
        for number in component:
            actors = self._actors[number]
            inside.update(a for a, to in zip(actors, self._after[number], strict=True) if where[to] == index)
            always = set(actors) if always is None else always & set(actors)
        if not inside:
            return all(not self._after[number] for number in component)  # the end of all runs
        return (always or set()) <= inside

    def _amiss(self, component: list[int], index: int, where: list[int]) -> set[str]:
        amiss: set[str] = set()
        for number in component:
            node = self._nodes[number]
            edges = zip(self._after[number], self._wrote[number], strict=True)
            if any(wrote and where[to] == index for to, wrote in edges):
                amiss.add(f"L never comes to rest in {node.world.status.phase.value}")
            amiss.update(f"L {sentence}" for sentence in wrong_at_the_end(node.world, self.mood))
        return {f"{sentence}, when {self.mood.value}" for sentence in amiss}
