"""When two states are one.

The engine compares instants with `now`, and counters with each other; nothing else. So a state is written down with its
clock at NOW, with instants that decide nothing any more left out, with ages beyond every hold and deadline as one age,
and with moves and attempts numbered anew from 0 in their order. That makes the worlds finite, and a run that takes
turns for ever (revert, retry, revert, ...) a cycle, though its counters rise.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from enum import Enum
from math import floor
from typing import Any, NamedTuple

from tests.engine.memory import Lowered, Memory
from tests.engine.world import LATE, Road, Watch, World
from tidegate.engine.values import (
    Act,
    CheckKey,
    Ensure,
    Evidence,
    Instance,
    Observation,
    Part,
    Preview,
    Reading,
    Rejection,
    Retire,
    Spec,
    Standing,
    Start,
    Status,
    Watched,
)

NOW = 1_200.0
"""The clock of every state."""

TICK = 6.0
"""Seconds of a step of time: a look that was due in a second (POLL) is on time after one of them, late after two."""


class Other(NamedTuple):
    """Another leader, with the object as it saw it. Outdated as soon as anybody has written since."""

    spec: Spec
    status: Status
    outdated: bool = False


class State(NamedTuple):
    world: World
    memory: Memory = Memory()
    old: Observation | None = None  # what the last turn saw: it may be delivered once more
    other: Other | None = None
    faults: int = 0  # that may still come
    edits: int = 0  # of spec, ladder and the like, and acts of people, that may still come


class Kind(Enum):
    """What a field holds, for the question whether two values of it can lead to different futures."""

    MOVE = "a number of the one counter of moves"
    MOVES = "pairs of a name and a move"
    ATTEMPT = "a number of the counter of attempts, also as the claim of what was started"
    INSTANT = "compared with now"
    INSTANTS = "pairs of a name and an instant"
    WRITTEN = "when an act was written, or what is compared with that alone"
    SPAN = "seconds"
    SPANS = "pairs of a name and seconds"
    TOLD = "only told to people"


FIELDS: dict[type, dict[str, Kind]] = {
    Status: {
        "move": Kind.MOVE,
        "attempt": Kind.ATTEMPT,
        "proved": Kind.ATTEMPT,
        "stable_since": Kind.WRITTEN,
        "started": Kind.WRITTEN,
        "turned": Kind.WRITTEN,
        "owed": Kind.INSTANTS,
        "keep_until": Kind.INSTANT,
    },
    Part: {
        "move": Kind.MOVE,
        "landed": Kind.MOVE,
        "hand": Kind.MOVE,
        "since": Kind.INSTANT,
        "held": Kind.SPAN,
        "moved": Kind.WRITTEN,
        "landed_at": Kind.TOLD,
        "hand_at": Kind.WRITTEN,
    },
    Rejection: {"at": Kind.WRITTEN, "attempt": Kind.TOLD, "move": Kind.TOLD},
    Standing: {"since": Kind.WRITTEN},
    Act: {"written": Kind.WRITTEN, "seen_attempt": Kind.ATTEMPT},
    Road: {"stamp": Kind.MOVE, "left": Kind.INSTANTS},
    Reading: {"move": Kind.MOVE},
    Evidence: {"attempt": Kind.ATTEMPT, "moves": Kind.MOVES},
    Instance: {"claim": Kind.ATTEMPT, "busy_until": Kind.INSTANT},
    CheckKey: {"attempt": Kind.ATTEMPT, "move": Kind.MOVE},
    Ensure: {"move": Kind.MOVE},
    Preview: {"move": Kind.MOVE},
    Start: {"claim": Kind.ATTEMPT},
    Retire: {"claim": Kind.ATTEMPT},
    Watch: {"since": Kind.INSTANT, "last": Kind.INSTANT},
    Memory: {"guarded": Kind.SPANS, "looked": Kind.INSTANT, "landed": Kind.MOVES},
    Lowered: {"attempt": Kind.ATTEMPT},
}
"""A new counter or instant of the world or the engine needs its line here: test_model.py looks that all have one."""

_ALWAYS = Watched(0.0, 0.0)  # an old observation is told anew since when we watched


_WRITTEN = tuple(
    World._fields.index(name) for name in ("spec", "status", "roads", "running", "checks", "watch", "late", "now")
)


class Book:
    """Writes states down in their one form. One book, one exploration.

    A state is made of ten pieces, of which a step changes one or two. Each piece is kept once for all states, so that
    one that was written before is known by its identity: nothing needs to be looked at, not even its hash.
    """

    def __init__(self, horizon: float, *, late_acts: bool) -> None:
        """`late_acts`: an act may come that was written a tick ago; so what was a tick ago is not forgotten."""
        self.horizon, self._late_acts = horizon, late_acts
        self._kept: dict[Hashable, Any] = {}
        self._known: tuple[dict[int, Counters], dict[int, Counters]] = ({}, {})  # while no act waits; while one does
        self._aged: dict[tuple[int, float, bool], Any] = {}
        self._renumbered: dict[tuple[int, int, int], Any] = {}
        self._fenced: dict[tuple[int, int, int], tuple[Any, Any, Any]] = {}

    def write(self, state: State) -> State:
        """The one form of all states that can go on as this one can."""
        w, pieces = state.world, list[Any]()
        lag, pending = w.now - NOW, self._late_acts or bool(w.spec.acts)
        known = self._known[pending]
        moves = attempts = 1  # bit n: the number n is in use
        given: tuple[Any, ...] = (
            w.spec,
            w.status,
            w.roads,
            w.running,
            w.checks,
            w.watch,
            w.late,
            state.memory,
            state.old,
            state.other,
        )
        for piece in given:
            counters = None if lag else known.get(id(piece))
            if counters is None:
                piece = self._age(piece, lag, pending)
                counters = known[id(piece)]
            moves |= counters[0]
            attempts |= counters[1]
            pieces.append(piece)
        if moves & (moves + 1) or attempts & (attempts + 1):
            pieces = [self._renumber(piece, moves, attempts, known) for piece in pieces]
        spec, status, roads, running, checks, watch, late, memory, old, other = pieces
        if checks and any(key.attempt < status.attempt for key, _ in checks):
            checks = self._note(
                tuple(c for c in checks if c[0].attempt >= status.attempt), known
            )  # nobody asks for them
        fenced = self._fenced.get((id(roads), id(late), id(old)))
        if fenced is None:
            fenced = self._fenced[id(roads), id(late), id(old)] = self._fence(roads, late, old, known)
        roads, late, old = fenced
        fields: list[Any] = list(w)
        for index, value in zip(_WRITTEN, (spec, status, roads, running, checks, watch, late, NOW), strict=True):
            fields[index] = value
        written = World(*fields)
        return State(written, memory, old, other, state.faults, state.edits)

    def _note(self, piece: Any, known: dict[int, Counters]) -> Any:
        """The one object that stands for all pieces equal to this one."""
        kept = self._kept.setdefault(piece, piece)
        if id(kept) not in known:
            known[id(kept)] = _counters(kept)
        return kept

    def _age(self, piece: Any, lag: float, pending: bool) -> Any:
        known = self._known[pending]
        one = self._kept.get(piece)
        if one is None:
            one = self._kept[piece] = piece
        key = (id(one), lag, pending)
        aged = self._aged.get(key)
        if aged is None:
            aged = _change(one, lambda kind, was: self._instant(kind, was, lag, pending))
            if isinstance(aged, Watch):
                aged = _promised(aged)
            elif isinstance(aged, Observation):
                aged = aged._replace(watched=_ALWAYS)
            aged = self._aged[key] = self._note(aged, known)
        return aged

    def _instant(self, kind: Kind, was: Any, lag: float, pending: bool) -> Any:
        oldest = NOW - self.horizon
        if kind is Kind.INSTANT:
            return None if was is None else max(was - lag, oldest)
        if kind is Kind.WRITTEN:
            return max(was - lag, NOW - 2 * TICK) if pending else 0.0
        if kind is Kind.TOLD:
            return type(was)(0)
        if kind is Kind.INSTANTS:
            return tuple((name, max(instant - lag, oldest)) for name, instant in was)
        if kind is Kind.SPAN:
            return min(was, self.horizon)
        if kind is Kind.SPANS:
            return tuple((name, min(span, self.horizon)) for name, span in was)
        return was

    def _renumber(self, piece: Any, moves: int, attempts: int, known: dict[int, Counters]) -> Any:
        key = (id(piece), moves, attempts)
        found = self._renumbered.get(key)
        if found is None:

            def anew(kind: Kind, was: Any) -> Any:
                if kind is Kind.MOVE:
                    return None if was is None else _rank(was, moves)
                if kind is Kind.MOVES:
                    return tuple((name, _rank(move, moves)) for name, move in was)
                if kind is Kind.ATTEMPT:
                    return None if was is None else _rank(was, attempts)
                return was

            found = self._renumbered[key] = self._note(_change(piece, anew), known)
        elif id(found) not in known:
            self._note(found, known)
        return found

    def _fence(self, roads: Any, late: Any, old: Any, known: dict[int, Counters]) -> tuple[Any, Any, Any]:
        roads, late, old = _tokens(roads, late, old)
        return self._note(roads, known), self._note(late, known), self._note(old, known)


Counters = tuple[int, int]
"""Moves and attempts that a piece names, each as a set of bits."""


def _counters(piece: Any) -> Counters:
    moves: set[int] = set()
    attempts: set[int] = set()

    def note(kind: Kind, was: Any) -> Any:
        if kind is Kind.MOVE and was is not None:
            moves.add(was)
        elif kind is Kind.MOVES:
            moves.update(move for _, move in was)
        elif kind is Kind.ATTEMPT and was is not None:
            attempts.add(was)
        return was

    _change(piece, note)
    return sum(1 << move for move in moves), sum(1 << attempt for attempt in attempts)


def _rank(number: int, used: int) -> int:
    """How many of the numbers in use are smaller."""
    return (used & ((1 << number) - 1)).bit_count()


def _promised(watch: Watch) -> Watch | None:
    """Of the promised look it counts after how many more ticks it would be late; late is as good as never."""
    if watch.wake is None:
        return watch
    ticks = floor((watch.wake + LATE - NOW) / TICK)
    return None if ticks < 0 else watch._replace(wake=NOW + ticks * TICK - LATE)


def _change(value: Any, by: Callable[[Kind, Any], Any]) -> Any:
    """The value with each field of a known kind changed, at whatever depth."""
    if not isinstance(value, tuple):
        return value
    kinds = FIELDS.get(type(value), {})
    names = getattr(value, "_fields", None)
    if names is None:
        return tuple(_change(item, by) for item in value)
    changed = [
        by(kinds[name], item) if name in kinds else _change(item, by) for name, item in zip(names, value, strict=True)
    ]
    return type(value)(*changed)


def _tokens(roads: Any, late: Any, old: Any) -> tuple[Any, Any, Any]:
    """Of a token it counts whether it is still the newest: no other one ever comes back."""
    newest = {road.part: str(road.token) for road in roads}
    if any(road.token != 1 for road in roads):
        roads = tuple(road if road.token == 1 else road._replace(token=1) for road in roads)
    if late:
        late = tuple(sorted({_fresh(effect, newest) for effect in late}, key=repr))
    if old is not None:
        readings = tuple((part, _seen(reading, newest[part])) for part, reading in old.readings)
        old = old._replace(readings=readings)
    return roads, late, old


def _fresh(effect: Any, newest: dict[str, str]) -> Any:
    if not isinstance(effect, Ensure):
        return effect
    return effect._replace(expects=_seen(effect.expects, newest[effect.part]))


def _seen(reading: Reading, newest: str) -> Reading:
    return reading._replace(token="1" if reading.token == newest else "0")
