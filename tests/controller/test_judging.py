"""That what guards say stays small in a status, however many there are."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from tests.api.documents import document
from tidegate.api import GuardStatus, ReleaseStatus, Writer, effective, parse_release
from tidegate.api.revision import revision
from tidegate.controller.judging import LONGEST_MESSAGE, RECORDS, SHOWN, Judged, Judging, within_bounds
from tidegate.controller.picture import Picture
from tidegate.controller.plan import spec_of, wanted_version
from tidegate.controller.recording import compose
from tidegate.controller.sampling import Reading, Round, Sampler
from tidegate.engine.guards import Ask
from tidegate.engine.records import LARGEST
from tidegate.engine.values import Evidence, Observation, Part, Phase, Status, Verdict, Version, Watched
from tidegate.kube.resources import Key
from tidegate.stats import Data, Histogram, Measurement
from tidegate.targets.port import App, Resolved, Sight

NOW = 1_795_000_000.0
ETCD = 1_572_864
"""Bytes that etcd takes in one write."""


class Answered(Sampler):
    """Every question was answered with the same histogram; nothing is asked."""

    def __init__(self, edges: int) -> None:
        rows = [((index + 1) / 100, 1000.0 * (index + 1)) for index in range(edges)]
        self._histogram = Histogram((*rows, (math.inf, 1000.0 * edges)))

    def latest(self, key: Key, evidence: Evidence, asks: tuple[Ask, ...], now: float) -> Round | None:
        measured = Measurement(Data.OK, "", self._histogram, since=now - 60, through=now)
        return Round(evidence, asks, now, tuple(Reading(ask, measured, measured) for ask in asks))


def shown_as(name: str, verdict: Verdict = Verdict.PASS, record: str = "") -> GuardStatus:
    return GuardStatus(name=name, from_="", verdict=verdict, record=record)


def largest() -> dict[str, Any]:
    """32 guards on histograms of each of 16 components, under names as long as they may be."""
    made = document("Release")
    component = made["spec"]["components"][0]
    names = [f"component-{index:02}" for index in range(16)]
    made["metadata"].update(name="r" * (36 - len(names[0])), uid="uid", generation=1)
    made["spec"]["components"] = [{**component, "name": name} for name in names]
    made["spec"]["checks"] = []
    made["spec"]["guards"] = [
        {
            "name": "guard" * 6 + f"-{index:02}",
            "connection": "prometheus",
            "quantile": {"percentile": 95, "histogram": 'd{component="$(component)",revision="$(revision)"}'},
            "hold": "+50%",
            "revert": "+100%",
        }
        for index in range(32)
    ]
    return made


def judged(edges: int, written: ReleaseStatus | None = None) -> tuple[Picture, Judged]:
    """A climb at 10 %, every guard of which has its answer."""
    release = parse_release(largest())
    force = effective(release, ())
    candidate = wanted_version(Resolved(release), Status())
    stable = Version("v0", "0" * 64, tuple(p._replace(content="0" * 64, artifact="") for p in candidate.pieces))
    parts = tuple(Part(p.part, weight=10_000, move=1, landed=1, landed_at=NOW - 60) for p in candidate.pieces)
    status = Status(Phase.PROGRESSING, 1, 1, stable=stable, candidate=candidate, started=NOW - 90, parts=parts)
    app = App("shop", release.metadata.name, "uid", Resolved(release), status, revision(release))
    sight = Sight({}, ())
    said = Judging(Answered(edges)).judge(app, force, candidate, sight, written or release.status, NOW)
    spec = spec_of(app.resolved, force, status=status, acts=(), tick=10.0)
    seen = Observation((), (), Watched(NOW, NOW), said.verdict, said.evidence)
    return Picture(release, force, spec, status, seen, sight, NOW, guards=said.guards), said


def test_the_status_of_the_largest_release_is_far_from_what_etcd_takes() -> None:
    picture, said = judged(edges=20)
    assert len(said.guards) == 32 * 16
    assert sum(bool(guard.record) for guard in said.guards) == RECORDS
    status = compose(picture, picture.before, picture.release.status, Writer(holder="me", epoch=1))
    assert len(json.dumps(status.document())) < 400_000


def test_also_with_the_longest_records_and_sentences() -> None:
    picture, said = judged(edges=300)
    assert max(len(guard.record) for guard in said.guards) > LARGEST / 3
    worst = [
        guard.model_copy(update={"message": "m" * LONGEST_MESSAGE, "record": guard.record and "r" * LARGEST})
        for guard in said.guards
    ]
    status = compose(picture, picture.before, picture.release.status, Writer(holder="me", epoch=1))
    status = status.model_copy(update={"guards": within_bounds(worst * 3)})
    assert len(json.dumps(status.document())) < ETCD / 2


def test_the_same_guards_keep_their_records_from_pass_to_pass() -> None:
    _, first = judged(edges=20)
    _, second = judged(edges=20, written=ReleaseStatus(guards=first.guards))
    assert [bool(guard.record) for guard in second.guards] == [bool(guard.record) for guard in first.guards]


def test_of_too_many_guards_the_worst_are_shown_in_their_order() -> None:
    shown = [shown_as(f"g{index}") for index in range(3 * SHOWN)]
    shown[-1] = shown_as("breached", Verdict.BREACH)
    shown[-2] = shown_as("recorded", record="1:[]")
    kept = [guard.name for guard in within_bounds(shown)]
    assert len(kept) == SHOWN
    assert kept[-2:] == ["recorded", "breached"]
    assert kept[:3] == ["g0", "g1", "g2"]


@pytest.mark.parametrize("count", [0, 1, RECORDS, SHOWN])
def test_what_is_within_the_bounds_is_left_as_it_is(count: int) -> None:
    shown = tuple(shown_as(f"g{index}", record="1:[]" if index < RECORDS else "") for index in range(count))
    assert within_bounds(shown) == shown
