"""Breadth-first through one scenario until there is nothing new; then its liveness. The first way is a shortest one."""

from __future__ import annotations

import time
from collections import Counter
from typing import NamedTuple

from hack.model.calm import CalmGraph, Peace
from hack.model.events import Events
from hack.model.premises import PREMISES
from hack.model.scenarios import Scenario
from hack.model.states import NOW, Book, State
from tests.engine.view import View
from tests.engine.world import Turn, Watch


class Found(NamedTuple):
    scenario: str
    states: int
    edges: int
    depth: int  # steps of the longest of the shortest ways
    decisions: int  # different ones
    calm_states: int
    calm_edges: int
    components: int
    rests: int
    seconds: float
    cut: bool
    premises: Counter[str]
    broken: tuple[str, ...] = ()
    way: tuple[str, ...] = ()


class Exploration:
    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.events = Events(scenario)
        self.book = Book(scenario.horizon, late_acts=any(wish.late for wish in scenario.asks))
        self.states: list[State] = []
        self._numbers: dict[State, int] = {}
        self._came: list[tuple[int, str]] = []
        self._calm = [CalmGraph(self.events, self.book, mood) for mood in scenario.moods]
        self._peace: list[Peace] = []
        self._calmed = 0
        self.edges = 0
        self.depth = 0

    def run(self, most: int | None = None, live_every: int | None = None) -> Found:
        """Everything, or the first `most` states. Liveness is judged at the end; also after `live_every` states."""
        began = time.process_time()
        self._add(self._first(), -1, "")
        level_ends, number, broken, way = 1, 0, list[str](), list[str]()
        next_look = live_every or 0
        while number < len(self.states) and not broken:
            if number == level_ends:
                self.depth, level_ends = self.depth + 1, len(self.states)
            broken, way = self._expand(number)
            number += 1
            if live_every and number >= next_look and not broken:
                next_look = 2 * number
                broken, way = self._live(number)
            if most is not None and len(self.states) >= most:
                break
        if not broken:
            broken, way = self._live(number)
        return self._found(began, number < len(self.states), broken, way)

    def _first(self) -> State:
        w = self.scenario.start
        if not self.scenario.gaps:
            w = w._replace(watch=Watch(NOW - self.book.horizon, NOW, None))
        return self.book.write(State(w, faults=self.scenario.most_faults, edits=self.scenario.most_edits))

    def _add(self, state: State, came: int, by: str) -> None:
        if state not in self._numbers:
            self._numbers[state] = len(self.states)
            self.states.append(state)
            self._came.append((came, by))

    def _expand(self, number: int) -> tuple[list[str], list[str]]:
        for name, after, broken in self.events.after(self.states[number]):
            self.edges += 1
            if broken:
                return broken, [*self.way_to(number), name]
            self._add(self.book.write(after), number, name)
        return [], []

    def _live(self, through: int) -> tuple[list[str], list[str]]:
        for graph in self._calm:
            for number in range(self._calmed, through):
                graph.add(self.states[number], number)
        self._calmed = through
        self._peace = [graph.judge() for graph in self._calm]
        unrest = [found for peace in self._peace for found in peace.unrest]
        if not unrest:
            return [], []
        first = min(unrest, key=lambda found: found.origin)
        return [first.sentence], [*self.way_to(first.origin), "and then nothing but time"]

    def way_to(self, number: int) -> list[str]:
        way = []
        while number > 0:
            number, name = self._came[number]
            way.append(name)
        return way[::-1]

    def _found(self, began: float, cut: bool, broken: list[str], way: list[str]) -> Found:
        peace = self._peace
        return Found(
            self.scenario.name,
            len(self.states),
            self.edges,
            self.depth,
            len(self.events.decisions),
            sum(p.states for p in peace),
            sum(p.edges for p in peace),
            sum(p.components for p in peace),
            sum(p.rests for p in peace),
            time.process_time() - began,
            cut,
            self._premises(),
            tuple(broken),
            tuple(way),
        )

    def _premises(self) -> Counter[str]:
        """How many different decisions put each rule to the test."""
        counted: Counter[str] = Counter()
        for (spec, status, seen), (decision, _) in self.events.decisions.items():
            world = self.states[0].world._replace(spec=spec, status=status)
            view = View(spec, status, seen, decision.status, Turn(world, seen, decision, world))
            counted.update(name for name, holds in PREMISES.items() if holds(view))
        return counted
