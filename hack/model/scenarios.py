"""The small worlds. Each is about something, and as small as that allows; together they hold what can befall a Release.

`most_faults` and `most_edits` bound one way through a world; verdicts, gates, pods and time are free.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any, NamedTuple

from hack.model.states import NOW, TICK
from tests.engine.continuations import ANYWHERE, Mood
from tests.engine.memory import Concern
from tests.engine.world import Road, World, ladder, lockstep, occupied, spec, version, world
from tidegate.engine.values import (
    Action,
    Check,
    Deadlines,
    Gate,
    Rung,
    Track,
    Verdict,
    Version,
    When,
)


class Fault(Enum):
    CRASH = "the operator dies before, between or after its effects"
    LOST = "an effect is lost, or only some arrive"
    STALL = "a leader stalls after recording; its effects land late, in any order, or never"
    STALE = "an observation is delivered once more, whole or in part"
    BLIND = "an observation is lost, whole or in part"
    LEADER = "a second leader acts on an old object"
    HAND = "somebody lowers the newest version"
    FOREIGN = "somebody writes another split"
    MARKED = "somebody edits or takes away the preview"
    RESTORE = "an old status comes back from a backup"


class Edit(NamedTuple):
    """What somebody may write in the place of the spec."""

    name: str
    changes: tuple[tuple[str, Any], ...]


class Ask(NamedTuple):
    """An Intervention that somebody may write. `seen`: it names the attempt that he saw. `late`: it was written a tick
    ago, and by who saw the attempt before."""

    verb: Action
    seen: bool = False
    late: bool = False
    at: int | None = None

    def __str__(self) -> str:
        where = f" at {self.at / 1000:g} %" if self.at else ""
        return f"{self.verb.value}{where}{', for the attempt seen' if self.seen else ''}{', late' if self.late else ''}"


class Scenario(NamedTuple):
    name: str
    about: str
    start: World
    most_faults: int = 0
    most_edits: int = 0
    faults: frozenset[Fault] = frozenset()
    edits: tuple[Edit, ...] = ()
    asks: tuple[Ask, ...] = ()
    verdicts: tuple[Verdict, ...] = (Verdict.PASS, Verdict.BREACH)
    gates: tuple[Gate, ...] = (Gate.OPEN,)
    deaths: tuple[str, ...] = ()  # contents whose pods may be lost and come back
    deaf: tuple[str, ...] = ()  # parts whose target may stop to take writes
    failing_checks: bool = False
    gaps: bool = False  # whether it is tracked when nobody watched
    concerns: frozenset[Concern] = frozenset()
    moods: tuple[Mood, ...] = (Mood.GOOD, Mood.BAD)
    small: tuple[tuple[str, Any], ...] = ()  # what else is different in CI

    @property
    def reduced(self) -> tuple[Scenario, ...]:
        """What CI explores: one edit and no fault, one fault and no edit."""
        small = self._replace(**dict(self.small))
        bounds = ((0, min(self.most_edits, 1)), (min(self.most_faults, 1), 0))
        return tuple(small._replace(most_faults=faults, most_edits=edits) for faults, edits in dict.fromkeys(bounds))

    @property
    def horizon(self) -> float:
        """Ages beyond it are one."""
        declared = [self.start.spec, *(edit_of(self.start, edit).spec for edit in self.edits)]
        holds = [rung.hold for one in declared for track in one.tracks for rung in track.ladder]
        spans = [span for one in declared for span in (*one.deadlines, one.keep)]
        return max([*holds, *spans]) + TICK


def edit_of(w: World, edit: Edit) -> World:
    return w._replace(spec=w.spec._replace(**dict(edit.changes)))


BRISK = Deadlines(ready=2 * TICK, step=2 * TICK, orphan=2 * TICK)
THREE = ladder((10, TICK), (50, TICK), (100, TICK))
TWO = ladder((50, TICK), (100, TICK))
AT_ONCE = ladder((50, 0), (100, 0))

BOTH = ("web", "api")
A, B, C = (version(name, *BOTH) for name in "ABC")
A1, B1, C1 = (version(name, "web") for name in "ABC")


def previewed(w: World) -> World:
    """Its requests can be marked for the candidate."""
    return w._replace(roads=tuple(road._replace(preview="") for road in w.roads))


def begins(
    wanted: Version,
    stable: Version | None,
    *parts: str,
    steps: tuple[Rung, ...] = TWO,
    tracks: tuple[Track, ...] = (),
    checks: tuple[Check, ...] = (),
    pinned: bool = False,
    keep: float = TICK,
    tick: float | None = TICK,
) -> World:
    """`stable` rests, `wanted` is asked for. Unless `pinned`, the parts have no Service of their own to be kept."""
    declared = spec(wanted, steps=steps, tracks=tracks, checks=checks, deadlines=BRISK, keep=keep, tick=tick)
    w = world(declared, stable=stable, parts=parts, now=NOW)
    return w if pinned else w._replace(roads=tuple(_unpinned(w.roads)))


def _unpinned(roads: Iterable[Road]) -> Iterable[Road]:
    return (road._replace(pin=None) for road in roads)


def wants(wanted: Version, steps: tuple[Rung, ...] = TWO, *, tracks: tuple[Track, ...] = ()) -> Edit:
    parts = tuple(sorted(piece.part for piece in wanted.pieces))
    return Edit(
        f"asks for {wanted.content}", (("version", wanted), ("tracks", tracks or lockstep(*parts, steps=steps)))
    )


PAUSE, UNPAUSE = Edit("pauses", (("paused", True),)), Edit("unpauses", (("paused", False),))
DELETE = Edit("deletes", (("deleting", True),))


def climbs_by(name: str, steps: tuple[Rung, ...], *parts: str) -> Edit:
    return Edit(f"declares the ladder {name}", (("tracks", lockstep(*parts, steps=steps)),))


ALL = (
    Scenario(
        "core",
        "two components in lock-step, three steps; verdicts, gates, pause, put back; every fault of the wire",
        begins(B, A, *BOTH, steps=THREE),
        most_faults=1,
        most_edits=1,
        faults=frozenset({Fault.CRASH, Fault.LOST, Fault.STALL, Fault.STALE, Fault.BLIND}),
        edits=(PAUSE, UNPAUSE, wants(A, THREE)),
        verdicts=(Verdict.PASS, Verdict.BREACH, Verdict.UNKNOWN),
        moods=(*ANYWHERE, Mood.DEAF),
        small=(("faults", frozenset({Fault.CRASH, Fault.STALE})),),
    ),
    Scenario(
        "clock",
        "a hold of two ticks, with crashes and blindness in the middle of it",
        begins(B1, A1, "web", steps=ladder((50, TICK), (100, 2 * TICK))),
        most_faults=2,
        most_edits=2,
        faults=frozenset({Fault.CRASH, Fault.STALE, Fault.BLIND}),
        edits=(PAUSE, UNPAUSE),
        verdicts=(Verdict.PASS, Verdict.UNKNOWN, Verdict.INCONCLUSIVE, Verdict.HOLD),
        gaps=True,
        concerns=frozenset({Concern.HOLDS}),
        moods=ANYWHERE,
    ),
    Scenario(
        "unguarded",
        "no guards: the hold is all there is",
        begins(B1, A1, "web", steps=ladder((50, 3 * TICK), (100, TICK)), tick=None),
        most_faults=3,
        most_edits=1,
        faults=frozenset({Fault.CRASH, Fault.LOST, Fault.STALE, Fault.BLIND}),
        edits=(PAUSE, UNPAUSE),
        verdicts=(Verdict.PASS,),
        gaps=True,
        concerns=frozenset({Concern.HOLDS}),
        moods=(Mood.GOOD,),
    ),
    Scenario(
        "leaders",
        "two leaders: late effects of a stalled one, a second one with an old object; put back, or retried",
        begins(B1, A1, "web", steps=AT_ONCE),
        most_faults=2,
        most_edits=1,
        faults=frozenset({Fault.STALL, Fault.LEADER}),
        edits=(wants(A1, AT_ONCE),),
        asks=(Ask(Action.RETRY),),
    ),
    Scenario(
        "late",
        "effects of a stalled leader land late, while people go to and fro between two versions",
        begins(B1, A1, "web", steps=AT_ONCE, pinned=True),
        most_faults=1,
        most_edits=2,
        faults=frozenset({Fault.STALL}),
        edits=(wants(B1, AT_ONCE), wants(A1, AT_ONCE)),
        asks=(Ask(Action.RETRY), Ask(Action.ROLLBACK)),
    ),
    Scenario(
        "versions",
        "superseded midway, put back, rolled back, retried, promoted; by people who write late",
        begins(B1, A1, "web"),
        most_faults=1,
        most_edits=2,
        faults=frozenset({Fault.CRASH}),
        edits=(wants(A1), wants(B1), wants(C1)),
        asks=(
            Ask(Action.ROLLBACK),
            Ask(Action.ROLLBACK, seen=True, late=True),
            Ask(Action.RETRY),
            Ask(Action.RETRY, late=True),
            Ask(Action.PROMOTE, seen=True, late=True),
        ),
        concerns=frozenset({Concern.REJECTIONS}),
    ),
    Scenario(
        "people",
        "pause, resume, promote, complete and rollback by Interventions",
        begins(B1, A1, "web"),
        most_faults=1,
        most_edits=2,
        faults=frozenset({Fault.CRASH, Fault.BLIND}),
        asks=(
            Ask(Action.PAUSE),
            Ask(Action.PAUSE, at=50_000),
            Ask(Action.RESUME),
            Ask(Action.PROMOTE),
            Ask(Action.COMPLETE),
            Ask(Action.ROLLBACK),
        ),
        verdicts=(Verdict.PASS, Verdict.BREACH, Verdict.INCONCLUSIVE),
    ),
    Scenario(
        "lost",
        "the pods of stable or of the candidate are lost, and come back or don't",
        begins(B1, A1, "web"),
        most_faults=1,
        most_edits=2,
        faults=frozenset({Fault.CRASH}),
        edits=(wants(A1), wants(C1)),
        deaths=("A", "B"),
        moods=(Mood.GOOD, Mood.BAD, Mood.LOST_STABLE),
    ),
    Scenario(
        "ladders",
        "the ladder is edited midway, gates open and shut",
        begins(B1, A1, "web", steps=THREE),
        most_faults=1,
        most_edits=2,
        faults=frozenset({Fault.CRASH, Fault.STALE}),
        edits=(
            climbs_by("20, 100", ladder((20, TICK), (100, TICK)), "web"),
            climbs_by("1, 100", ladder((1, TICK), (100, TICK)), "web"),
            climbs_by("10, 50, 100", THREE, "web"),
        ),
        gates=(Gate.OPEN, Gate.SHUT, Gate.UNKNOWN),
        moods=(Mood.GOOD, Mood.BAD, Mood.BAD_SHUT),
    ),
    Scenario(
        "tracks",
        "two ladders in one release, checks that fail, a target that takes no writes",
        begins(
            B,
            A,
            *BOTH,
            tracks=(Track(("web",), TWO), Track(("api",), ladder((10, TICK), (100, TICK)))),
            checks=(Check("smoke", (When.BEFORE_TRAFFIC, When.BEFORE_COMPLETION)), Check("find", (When.EACH_STEP,))),
        ),
        most_faults=1,
        faults=frozenset({Fault.CRASH}),
        deaf=("api",),
        small=(("deaf", ()),),
        failing_checks=True,
        moods=(Mood.GOOD, Mood.BAD, Mood.DEAF),
    ),
    Scenario(
        "members",
        "the new version brings a component and drops another",
        begins(version("B", "web", "api"), version("A", "web", "old"), "web", "old", "api", pinned=True),
        most_faults=1,
        most_edits=1,
        faults=frozenset({Fault.CRASH, Fault.LOST}),
        edits=(wants(version("A", "web", "old")),),
    ),
    Scenario(
        "hands",
        "somebody lowers a weight while it climbs or at rest, with crashes, old readings and late effects about",
        begins(B1, A1, "web", steps=ladder((50, TICK), (100, 0))),
        most_faults=2,
        most_edits=1,
        faults=frozenset({Fault.HAND, Fault.CRASH, Fault.STALE, Fault.STALL}),
        edits=(wants(C1, AT_ONCE),),
        asks=(Ask(Action.RESUME),),
        concerns=frozenset({Concern.HANDS}),
        moods=(Mood.GOOD, Mood.BAD, Mood.BLIND, Mood.BLIND_SHUT),
    ),
    Scenario(
        "foreign",
        "somebody writes other splits, or restores an old status",
        begins(B1, A1, "web", steps=AT_ONCE, pinned=True),
        most_faults=2,
        most_edits=1,
        faults=frozenset({Fault.FOREIGN, Fault.RESTORE, Fault.CRASH}),
        edits=(wants(A1, AT_ONCE),),
        asks=(Ask(Action.RESUME), Ask(Action.ROLLBACK)),
    ),
    Scenario(
        "preview",
        "marked requests reach the candidate before it has weight; somebody edits that, and candidates are superseded",
        previewed(begins(B1, A1, "web", steps=AT_ONCE)),
        most_faults=2,
        most_edits=2,
        faults=frozenset({Fault.MARKED, Fault.CRASH, Fault.STALE, Fault.STALL}),
        edits=(wants(A1, AT_ONCE), wants(C1, AT_ONCE)),
        small=(("faults", frozenset({Fault.MARKED, Fault.CRASH, Fault.STALL})),),
    ),
    Scenario(
        "delete",
        "deleted at any moment, with a target that takes no writes",
        begins(B, A, *BOTH),
        most_faults=1,
        most_edits=1,
        faults=frozenset({Fault.CRASH, Fault.STALE, Fault.BLIND}),
        edits=(DELETE,),
        deaf=("web",),
        moods=(Mood.GOOD, Mood.BAD, Mood.DEAF),
    ),
    Scenario(
        "first",
        "the very first version: nothing to go back to",
        begins(B1, None, "web"),
        most_faults=1,
        most_edits=3,
        faults=frozenset({Fault.CRASH, Fault.STALE}),
        edits=(wants(C1), wants(B1), DELETE),
        asks=(Ask(Action.RETRY),),
        concerns=frozenset({Concern.REJECTIONS}),
    ),
    Scenario(
        "others",
        "what serves there is somebody else's, and is taken over",
        occupied(spec(B1, steps=TWO, deadlines=BRISK, keep=TICK, tick=TICK), A1, now=NOW),
        most_faults=1,
        most_edits=2,
        faults=frozenset({Fault.CRASH, Fault.LOST, Fault.STALE, Fault.BLIND}),
        edits=(wants(A1), wants(C1), PAUSE, UNPAUSE, DELETE),
        gates=(Gate.OPEN, Gate.SHUT),
    ),
)


def named(name: str) -> Scenario:
    return next(scenario for scenario in ALL if scenario.name == name)
