"""Plans: one climb, one write of it, and what goes wrong there. And what an end looks like, to be compared."""

from __future__ import annotations

import itertools
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from hack.stage.api import Api
from hack.stage.proxy import Fault, Write, Wrong
from tests.faults.life import AT_ONCE as LIVE_AT_ONCE
from tests.faults.life import Life, route_writes, until_quiet

AT_ONCE = 20
"""Plans that share one life of an operator, each in a namespace of its own."""

TRIES = 3
"""A write that did not come, as when two changes of the status fell into one, may come in the next run."""

PATIENCE = 180.0  # seconds: so many pods start at the same time
DEATHS = (Wrong.CUT_BEFORE, Wrong.CUT_AFTER)


@dataclass(frozen=True)
class Climb:
    """v1.0.0 is live; then that version is declared, and it ends in that phase."""

    words: str
    version: str
    phase: str
    declared: Mapping[str, Any]
    rungs: tuple[int, ...]
    """The candidate's weights in the route, one after the other."""


@dataclass(frozen=True)
class Course:
    """How one run went. `end` is what must be the same in every run of the same climb."""

    namespace: str
    fault: Fault | None
    fired: bool
    writes: Sequence[Write]
    rungs: Sequence[int]
    end: Mapping[str, Any]


class Crowd:
    """As many Releases as there are plans, each in a namespace of its own, and one operator for all of them.

    Where a plan says that the operator dies at a write, the server hears nothing more of that namespace from there on.
    When that is so for all, the operator is killed -9, for all of them at once, and another is started.
    """

    def __init__(self, lives: Sequence[Life], climb: Climb, faults: Sequence[Fault | None]) -> None:
        self._climb, self._lives = climb, lives
        self._faults = dict(zip(lives, faults, strict=True))
        self._home = lives[0]  # of the Lease
        namespaces = ",".join(life.namespace for life in lives)
        self.operator, self._proxy = self._home.operator(TIDEGATE_NAMESPACES=namespaces, TIDEGATE_WORKERS="64")
        self.deaths = 0

    def run(self) -> None:
        """To the end of all of them. Raises AssertionError, with the scene, where one does not come to its end."""
        self.operator.start()
        for life in self._lives:
            life.declare("v1.0.0", steps=LIVE_AT_ONCE)
        for life in self._lives:
            life.then_live("v1.0.0", PATIENCE)
        until_quiet([self._proxy], 0.5)
        self._stable = {life: life.names("Deployment") for life in self._lives}
        holders = self._holders()
        self._proxy.begin(*(replace(f, namespace=life.namespace) for life, f in self._faults.items() if f))
        for life in self._lives:
            life.declare(self._climb.version, **self._climb.declared)
        for life in self._lives:
            life.then(partial(self._struck_or_over, life), PATIENCE, f"{self._faults[life]}, or the end")
        if self._proxy.cut:
            self.operator.kill()
            self._next_operator()
        for life in self._lives:
            life.then(partial(self._over, life), PATIENCE, f"{self._climb.phase}, with {self._faults[life]}")
        if self.deaths:  # what is there may have been there at the kill already: let the next one look at it
            self._home.then(lambda _: self._holders() > holders, 60, "another operator leads")
        # a write that failed is tried again after a second and then some
        until_quiet([self._proxy], 3.0 if any(self._faults.values()) else 1.0)
        assert self.operator.running(), "the operator ended"

    def courses(self, wanted: Mapping[str, Any] | None = None) -> list[Course]:
        """How each went. `wanted` is the end that each should come to."""
        return [self._course(life, wanted) for life in self._lives]

    def _course(self, life: Life, wanted: Mapping[str, Any] | None) -> Course:
        writes = [write for write in self._proxy.writes if write.namespace == life.namespace]
        end = _end(life, writes)
        late = time.monotonic() + 10
        while wanted is not None and end != wanted and time.monotonic() < late:
            time.sleep(0.5)
            writes = [write for write in self._proxy.writes if write.namespace == life.namespace]
            end = _end(life, writes)
        fired = self._proxy.fired_in(life.namespace) is not None
        return Course(life.namespace, self._faults[life], fired, writes, _rungs(writes, self._stable[life]), end)

    def strangers(self) -> list[str]:
        """Writes in namespaces that are none of these."""
        known = {life.namespace for life in self._lives}
        return [f"{write.what} in {write.namespace}" for write in self._proxy.writes if write.namespace not in known]

    def _struck_or_over(self, life: Life, status: Mapping[str, Any]) -> bool:
        if not self.operator.running():  # on a machine that gives it no turn it loses the Lease, and ends by itself
            self._next_operator()
        return self._proxy.fired_in(life.namespace) is not None or self._over(life, status)

    def _over(self, life: Life, status: Mapping[str, Any]) -> bool:
        if not self.operator.running():
            self._next_operator()
        past = status.get("history", [{}])[0].get("version")
        there = (past, status.get("phase")) == (self._climb.version, self._climb.phase)
        return there and len(life.names("Deployment")) == 1

    def _next_operator(self) -> None:
        self._proxy.mend()
        self.operator.start()
        self.deaths += 1

    def _holders(self) -> int:
        """Counts who has led."""
        lease = self._home.api.get("Lease", self._home.namespace, "tidegate")
        return int(lease["spec"]["leaseTransitions"]) if lease else 0


class Outcome(NamedTuple):
    courses: Sequence[Course]
    deaths: int
    strangers: Sequence[str]


def run(
    api: Api, folder: Path, climb: Climb, faults: Sequence[Fault | None], wanted: Mapping[str, Any] | None = None
) -> Outcome:
    """One life of an operator, with a namespace for each fault."""
    with ExitStack() as stack:
        lives = [stack.enter_context(Life(api, folder, climb.words)) for _ in faults]
        crowd = Crowd(lives, climb, faults)
        stack.callback(crowd.operator.kill)
        crowd.run()
        return Outcome(crowd.courses(wanted), crowd.deaths, crowd.strangers())


def run_all(api: Api, folder: Path, climb: Climb, clean: Course, faults: Sequence[Fault]) -> Outcome:
    """All plans, some at a time. One whose write did not come is run again."""
    done: list[Course] = []
    deaths, strangers, todo = 0, list[str](), list(faults)
    for again in itertools.count(1):
        unstruck = list[Course]()
        for number, some in enumerate(_evenly(todo)):
            outcome = run(api, folder / f"{again}-{number}", climb, some, clean.end)
            deaths, strangers = deaths + outcome.deaths, [*strangers, *outcome.strangers]
            done += [course for course in outcome.courses if course.fired]
            unstruck += [course for course in outcome.courses if not course.fired]
        todo = [course.fault for course in unstruck if course.fault]
        if not todo or again == TRIES:
            return Outcome([*done, *unstruck], deaths, strangers)
    raise AssertionError("counted beyond all bounds")


def _evenly(faults: Sequence[Fault]) -> list[Sequence[Fault]]:
    """In as few parts as can be, of about the same size; early and late writes in each."""
    parts = math.ceil(len(faults) / AT_ONCE)
    return [faults[number::parts] for number in range(parts)]


def plans(clean: Sequence[Course], wrongs: Sequence[Wrong] = DEATHS) -> list[Fault]:
    """One for each write that all clean runs have, and each thing that can go wrong there."""
    counts = [Counter(write.what for write in course.writes) for course in clean]
    certain = counts[0]
    for count in counts[1:]:
        certain &= count
    return [Fault(wrong, nth, what) for what in certain for nth in range(1, certain[what] + 1) for wrong in wrongs]


def differences(course: Course, clean: Course, climb: Climb) -> list[str]:
    """What a run has that it must not have, in sentences."""
    found = [
        f"{key} is {course.end[key]!r}, and without a fault {wanted!r}"
        for key, wanted in clean.end.items()
        if course.end[key] != wanted
    ]
    for weights in route_writes(course.writes):
        if sum(weights.values()) != 100:
            found.append(f"the route was written with weights that do not sum to 100: {weights}")
    if tuple(course.rungs) != climb.rungs:
        found.append(f"the candidate's weights were {course.rungs}, not {climb.rungs}")
    if course.fault is not None and not course.fired:
        found.append("the fault never fired: nothing was tested")
    return [f"{course.namespace}, {course.fault}: {sentence}" for sentence in found]


def _rungs(writes: Sequence[Write], stable: Sequence[str]) -> list[int]:
    rungs: list[int] = []
    for weights in route_writes(writes):
        candidate = sum(weight for name, weight in weights.items() if name not in (*stable, "web"))
        if not rungs or rungs[-1] != candidate:
            rungs.append(candidate)
    return rungs


def _end(life: Life, writes: Sequence[Write]) -> Mapping[str, Any]:
    """All that is there, without what differs from run to run: uids, instants, resourceVersions, moves."""
    release, status = life.release(), life.status()
    web = life.api.get("Service", life.namespace, "web") or {}
    conditions = {c["type"]: (c["status"], c["reason"]) for c in status["conditions"]}
    return {
        "phase": status["phase"],
        "attempt": status["attempt"],
        "weight": status["weight"],
        "stable": status["stable"]["revision"],
        "previous": status.get("previous", {}).get("revision"),
        "candidate": status.get("candidate", {}).get("revision"),
        "rejected": [(one["revision"], one["cause"]) for one in status.get("rejected", [])],
        "revert": {key: status.get("revert", {}).get(key) for key in ("cause", "name", "message")},
        "history": [(one["revision"], one["outcome"], one["reached"]) for one in status["history"]],
        "conditions": {kind: conditions.get(kind) for kind in ("Ready", "Reconciling", "Stalled", "Available")},
        "finalizers": release["metadata"].get("finalizers"),
        "backends": life.backends(),
        "pin": web["spec"]["selector"],
        "deployments": {d["metadata"]["name"]: d["spec"]["replicas"] for d in _listed(life, "Deployment")},
        "services": life.names("Service"),
        "revisions": {r["metadata"]["name"]: r["revision"] for r in _listed(life, "ControllerRevision")},
        "created": sorted(w.what for w in writes if w.verb == "create" and w.done),  # each once
        "deleted": sorted({w.what for w in writes if w.verb == "delete" and w.done}),
    }


def _listed(life: Life, kind: str) -> list[dict[str, Any]]:
    return life.api.list(kind, life.namespace)
