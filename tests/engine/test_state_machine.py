"""Any order of turns, faults, edits, deaths and people, and the rules hold at each step; then all comes to rest.

A failed run prints its steps as a little program over this very machine. TIDEGATE_EXAMPLES=5000 looks deeper.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.engine.continuations import ANYWHERE, complaints
from tests.engine.memory import Onlooker
from tests.engine.rules import broken_by
from tests.engine.world import (
    Turn,
    World,
    act,
    ask,
    die,
    edit_split,
    ladder,
    lockstep,
    look,
    nature,
    spec,
    turn,
    vanish,
    version,
    without_anything,
    without_readings,
    world,
)
from tidegate.engine.values import (
    Act,
    Action,
    Check,
    CheckKey,
    Deadlines,
    Effect,
    Gate,
    Observation,
    Outcome,
    Phase,
    Rung,
    Spec,
    State,
    Status,
    Track,
    Verdict,
    Version,
    When,
)

LADDERS = {
    "two": ladder((10, 2), (100, 2)),
    "three": ladder((10, 0), (50, 3), (100, 0)),
    "other": ladder((20, 1), (60, 1), (100, 1)),
}
BRISK = Deadlines(ready=8.0, step=12.0, orphan=20.0)
CHECKS = (Check("smoke", (When.BEFORE_TRAFFIC, When.BEFORE_COMPLETION)), Check("find", (When.EACH_STEP,)))

both = ("api", "web")
ONE = {c: version(c, "web") for c in "ABC"}
TWO = {c: version(c, *both) for c in "ABC"}
HALF = {"A": TWO["A"], "B": version("B", "api", like=TWO["A"]), "C": version("C", "web", like=TWO["A"])}
GROWS = {"A": ONE["A"], "B": TWO["B"], "C": TWO["C"]}
SHRINKS = {"A": TWO["A"], "B": ONE["B"], "C": TWO["C"]}
FAMILIES = {"one": ONE, "two": TWO, "half": HALF, "grows": GROWS, "shrinks": SHRINKS}

contents = st.sampled_from("ABC")
parts = st.sampled_from(both)
seconds = st.sampled_from([0.5, 1.0, 3.0, 13.0, 70.0])


class Releases(RuleBasedStateMachine):
    """One Release, its operator, and everything that may befall the two."""

    world: World
    family: dict[str, Version]

    def __init__(self) -> None:
        super().__init__()
        self.onlooker = Onlooker()
        self.seen: Observation | None = None
        self.backup: Status | None = None
        self.acts = 0

    @initialize(
        family=st.sampled_from(sorted(FAMILIES)),
        steps=st.sampled_from(sorted(LADDERS)),
        own=st.booleans(),
        checked=st.booleans(),
        first=st.booleans(),
        drain=st.sampled_from([0.0, 4.0]),
    )
    def begin(self, family: str, steps: str, own: bool, checked: bool, first: bool, drain: float) -> None:
        self.family = FAMILIES[family]
        declared = spec(
            self.family["A"],
            tracks=self._tracks(self.family["A"], LADDERS[steps], own),
            checks=CHECKS if checked else (),
            deadlines=BRISK,
            keep=5.0,
            tick=1.0,
        )
        begun = world(declared, stable=None if first else self.family["A"], parts=both)
        self.world = begun._replace(drain=drain)
        self.own = own

    def _tracks(self, wanted: Version, steps: tuple[Rung, ...], own: bool) -> tuple[Track, ...]:
        names = tuple(piece.part for piece in wanted.pieces)
        if own:
            return tuple(Track((name,), steps if name == "web" else LADDERS["two"]) for name in names)
        return lockstep(*names, steps=steps)

    # ---- the operator

    def _turn(self, seen: Observation, keep: slice = slice(None)) -> Turn:
        done = turn(self.world, seen, lambda effects: effects[keep])
        broken = [*broken_by(done), *self.onlooker.judge(done)]
        assert not broken, broken
        self.world, self.seen = done.after, seen
        return done

    @rule()
    def look(self) -> None:
        self._turn(look(self.world))

    @rule(times=st.integers(2, 8), pause=st.sampled_from([0.5, 1.0]))
    def look_often(self, times: int, pause: float) -> None:
        for _ in range(times):
            self.world = nature(self.world)
            self._turn(look(self.world))
            self.world = self.world._replace(now=self.world.now + pause)

    @rule(which=st.sampled_from(["none", "first", "rest"]), crash=st.booleans())
    def lose_effects(self, which: str, crash: bool) -> None:
        kept = {"none": slice(0, 0), "first": slice(1, None), "rest": slice(0, 1)}[which]
        self._turn(look(self.world), kept)
        if crash:
            self.crash()

    @rule()
    def stall(self) -> None:
        """The leader stalls between recording and acting, and another leads on; the effects may land any time."""
        done = self._turn(look(self.world), slice(0, 0))
        self.world = self.world._replace(late=(*self.world.late, *done.decision.effects)[-6:])
        self.crash()

    @rule()
    def crash(self) -> None:
        self.world = self.world._replace(watch=None)
        self.onlooker.crashed()

    @precondition(lambda self: self.seen is not None)
    @rule(which=st.sampled_from(["all", "readings", "guards"]))
    def look_at_what_is_old(self, which: str) -> None:
        now, old = look(self.world), self.seen
        assert old is not None
        stale = {
            "all": old._replace(watched=now.watched, confirmed=now.confirmed),
            "readings": now._replace(readings=old.readings),
            "guards": now._replace(verdict=old.verdict, evidence=old.evidence),
        }[which]
        self._turn(stale)

    @rule(everything=st.booleans())
    def look_and_see_nothing(self, everything: bool) -> None:
        seen = look(self.world)
        self._turn(without_anything(seen) if everything else without_readings(seen))

    @precondition(lambda self: self.world.late)
    @rule(arrives=st.booleans())
    def late_effect(self, arrives: bool) -> None:
        effect: Effect = self.world.late[0]
        before = self.world
        self.world = self.world._replace(late=self.world.late[1:])
        if arrives:
            self.world = act(self.world, effect)
        for road in self.world.roads:
            assert road.stamp >= before.road(road.part).stamp, "S14 an old move landed after a newer one"

    # ---- the world

    @rule(passed=seconds)
    def time_passes(self, passed: float) -> None:
        self.world = nature(self.world)._replace(now=self.world.now + passed)

    @rule(verdict=st.sampled_from([*Verdict, Verdict.PASS, Verdict.PASS]))
    def guards_say(self, verdict: Verdict) -> None:
        self.world = self.world._replace(verdict=verdict)

    @rule(start=st.sampled_from(Gate), step=st.sampled_from(Gate))
    def gates_move(self, start: Gate, step: Gate) -> None:
        self.world = self.world._replace(start=start, step=step)

    @rule()
    def gates_open(self) -> None:
        self.world = self.world._replace(start=Gate.OPEN, step=Gate.OPEN)

    @rule(content=contents, state=st.sampled_from([State.SHORT, State.LOST]))
    def pods_die(self, content: str, state: State) -> None:
        self.world = die(self.world, content, state)

    @rule()
    def pods_come_back(self) -> None:
        healed = tuple(i._replace(state=State.READY) for i in self.world.running)
        self.world = self.world._replace(running=healed, sick=frozenset())

    @rule(content=contents)
    def pods_do_not_start(self, content: str) -> None:
        self.world = self.world._replace(sick=self.world.sick ^ {content})

    @rule(content=contents)
    def somebody_deletes_a_deployment(self, content: str) -> None:
        self.world = vanish(self.world, content)

    @rule(part=parts)
    def a_target_is_deaf(self, part: str) -> None:
        self.world = self.world._replace(deaf=self.world.deaf ^ {part})

    @precondition(lambda self: any(out is Outcome.RUNNING for _, out in self.world.checks))
    @rule()
    def a_check_fails(self) -> None:
        key: CheckKey = next(key for key, out in self.world.checks if out is Outcome.RUNNING)
        ended = tuple((k, Outcome.FAILED if k == key else out) for k, out in self.world.checks)
        self.world = self.world._replace(checks=ended)

    # ---- people

    @rule(content=contents)
    def ask_for(self, content: str) -> None:
        wanted = self.family[content]
        steps = self.world.spec.tracks[0].ladder
        self._edit(self.world.spec._replace(version=wanted, tracks=self._tracks(wanted, steps, self.own)))

    @rule(steps=st.sampled_from(sorted(LADDERS)), own=st.booleans())
    def edit_the_ladder(self, steps: str, own: bool) -> None:
        self.own = own
        self._edit(self.world.spec._replace(tracks=self._tracks(self.world.spec.version, LADDERS[steps], own)))

    @rule(paused=st.booleans())
    def pause_in_git(self, paused: bool) -> None:
        self._edit(self.world.spec._replace(paused=paused))

    @precondition(lambda self: self.acts > 3)
    @rule()
    def delete(self) -> None:
        self._edit(self.world.spec._replace(deleting=True))

    def _edit(self, declared: Spec) -> None:
        self.world = self.world._replace(spec=declared)

    @rule(action=st.sampled_from(Action), ago=st.sampled_from([0.0, 0.0, 5.0, 50.0]), seen=st.booleans(), to=contents)
    def person(self, action: Action, ago: float, seen: bool, to: str) -> None:
        self.acts += 1
        self.world = ask(
            self.world,
            Act(
                f"act-{self.acts}",
                action,
                "ana@example.com",
                "a test",
                written=self.world.now - ago,
                at=10_000 if to == "B" else None,
                to=50_000 if to == "C" else None,
                version=f"v{to}" if action is Action.ROLLBACK and to != "C" else None,
                seen_attempt=self.world.status.attempt if seen else None,
            ),
        )

    @rule(part=parts, to=st.sampled_from([0, 5, 30, 70, 100]), older=contents, newer=contents)
    def somebody_edits_a_route(self, part: str, to: float, older: str, newer: str) -> None:
        before = self.world
        self.world = edit_split(before, part, **{older: 100 - to, newer: to if older != newer else 100})
        self.onlooker.somebody_edited(before, part, self.world)

    @rule()
    def a_backup_is_taken(self) -> None:
        self.backup = self.world.status

    @precondition(lambda self: self.backup is not None and self.backup.phase is not Phase.GONE)
    @rule()
    def the_backup_is_restored(self) -> None:
        assert self.backup is not None
        self.world = self.world._replace(status=self.backup)
        self.onlooker.restored(self.backup)
        self.backup = None
        self.crash()

    # ---- and then

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        for mood in ANYWHERE:
            assert complaints(self.world, mood) == []


THOROUGH = int(os.environ.get("TIDEGATE_EXAMPLES", "300"))

TestReleases = Releases.TestCase
TestReleases.settings = settings(
    max_examples=THOROUGH,
    stateful_step_count=30,
    deadline=None,
    derandomize=THOROUGH == 300,
    suppress_health_check=list(HealthCheck),
)
