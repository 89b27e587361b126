"""Plans: one climb, one write of it, and what goes wrong there. And what an end looks like, to be compared."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hack.stage.api import Api
from hack.stage.proxy import Fault, Write, Wrong
from tests.faults.life import Life, route_writes, until_quiet

AT_ONCE = 6
"""Plans that run side by side: each waits for pods and Leases most of the time."""

ALL = os.environ.get("TIDEGATE_ALL_PLANS") == "1"
"""Whether every plan is to run, also those that are left out by default for the time that they take."""

TRIES = 3
"""A write that did not come, as when two changes of the status fell into one, may come in the next run."""

PATIENCE = 120.0
BOTH = (Wrong.KILL_BEFORE, Wrong.KILL_AFTER)


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
    restarts: int
    writes: Sequence[Write]
    rungs: Sequence[int]
    end: Mapping[str, Any]


def run(api: Api, folder: Path, climb: Climb, fault: Fault | None = None) -> Course:
    """One run in a namespace of its own. An operator that was killed is started again, until the end is reached."""
    with Life(api, folder, climb.words) as life:
        operator, proxy = life.operator()
        operator.start()
        life.given_live("v1.0.0")
        until_quiet([proxy], 0.5)
        stable = life.names("Deployment")
        holders = _holders(life)
        proxy.begin(fault)
        life.declare(climb.version, **climb.declared)
        restarts = 0

        def ended(status: Mapping[str, Any]) -> bool:
            nonlocal restarts
            if not operator.running():
                operator.start()
                restarts += 1
            past = status.get("history", [{}])[0].get("version")
            return (past, status.get("phase")) == (climb.version, climb.phase) and len(life.names("Deployment")) == 1

        life.then(ended, PATIENCE, f"{climb.phase}, with {fault}")
        # a write that failed is tried again after a second and then some; one that was cut off, by the next operator
        until_quiet([proxy], 3.0 if fault is not None and not restarts else 1.0)
        life.then(ended, 20, "the operator runs, also after its last write")
        if restarts:  # what is there may have been there at the kill already: let the next one look at it
            life.then(lambda _: _holders(life) > holders, 60, "another operator leads")
            until_quiet([proxy], 1.5)
        return Course(
            life.namespace,
            fault,
            proxy.fired is not None,
            restarts,
            proxy.writes,
            _rungs(proxy.writes, stable),
            _end(life, proxy.writes),
        )


def _holders(life: Life) -> int:
    """Counts who has led."""
    lease = life.api.get("Lease", life.namespace, "tidegate")
    return int(lease["spec"]["leaseTransitions"]) if lease else 0


def run_all(api: Api, folder: Path, climb: Climb, faults: Sequence[Fault]) -> list[Course | Exception]:
    """Several at a time. What went wrong in one does not end the others."""

    def one(numbered: tuple[int, Fault]) -> Course | Exception:
        number, fault = numbered
        try:
            for again in itertools.count(1):
                course = run(api, folder / f"{number}-{again}", climb, fault)
                if course.fired or again == TRIES:
                    return course
        except Exception as error:
            return AssertionError(f"{fault}: {error}")
        raise AssertionError("counted beyond all bounds")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, enumerate(faults)))


def plans(clean: Sequence[Course], wrongs: Sequence[Wrong] = BOTH) -> list[Fault]:
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
    for write in course.writes:
        if write.namespace != course.namespace:
            found.append(f"{write.what} was written in namespace {write.namespace}")
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
