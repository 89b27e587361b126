"""What is around the operator fails for a while: it waits, says so, and goes on; the way back is never shut."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hack.stage import shop
from hack.stage.api import Api, Refused, eventually
from hack.stage.load import Load
from hack.stage.proxy import Fault, Wrong
from tests.faults.life import AT_ONCE, Life, component, epoch_of
from tests.faults.plans import Climb, differences, plans, run, run_all
from tests.faults.test_kill_at_every_write import RELEASE, REVERT
from tidegate.api.grammar import parse_duration

DOWN = "http://127.0.0.1:9"  # nobody listens there
WEATHER = (Wrong.UNAVAILABLE, Wrong.CONFLICT, Wrong.ANSWER_LOST)
FOR_EVER = [{"weight": 10, "hold": "300s"}, {"weight": 100, "hold": "1s"}]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("climb", [RELEASE, REVERT], ids=lambda climb: climb.words)
def test_a_write_that_fails_once_or_whose_answer_is_lost_changes_nothing_in_the_end(
    climb: Climb, api: Api, tmp_path: Path
) -> None:
    (clean,) = run(api, tmp_path / "clean", climb, [None]).courses
    todo = plans([clean], WEATHER)
    outcome = run_all(api, tmp_path, climb, clean, todo)
    broken = [word for course in outcome.courses for word in differences(course, clean, climb)]
    broken += outcome.strangers
    assert not broken, f"{len(broken)} faults in {len(todo)} plans:\n" + "\n".join(broken)
    assert {course.fault for course in outcome.courses} == set(todo)
    assert not outcome.deaths, "the operator ended"


# ---- the metric source


class Watched:
    """A life with customers, and with a guard on the errors that they see."""

    def __init__(self, life: Life, folder: Path) -> None:
        self.life = life
        self.guards = [shop.error_rate(life.namespace)]
        life.api.apply(shop.connection(life.namespace))
        self.load = Load(life.host, folder / "load.jsonl", rps=25)

    def source(self, url: str) -> None:
        self.life.api.apply(shop.connection(self.life.namespace, url))

    def verdict(self) -> str:
        guards: Sequence[Mapping[str, Any]] = self.life.status().get("guards", [])
        return str(guards[0].get("verdict", "Unknown")) if guards else ""

    def guarded(self) -> float:
        """Seconds of the hold, as far as they are written down or run."""
        return _held(self.life.status())

    def then_verdict(self, verdict: str, seconds: float = 30) -> None:
        eventually(lambda: self.verdict() == verdict, seconds, f"the guard says {verdict}")


@pytest.fixture
def watched(life: Life, tmp_path: Path) -> Any:
    operator, _ = life.operator()
    operator.start()
    watched = Watched(life, tmp_path)
    with watched.load:
        life.given_live("v1.0.0")
        yield watched


def test_without_its_metric_source_nothing_rises_and_the_hold_stops_until_it_is_back(watched: Watched) -> None:
    life = watched.life
    life.declare("v1.1.0", guards=watched.guards, steps=[{"weight": 10, "hold": "20s"}, {"weight": 100, "hold": "1s"}])
    life.then_weight(10)
    watched.then_verdict("Pass")
    watched.source(DOWN)
    watched.then_verdict("Unknown")
    assert life.status()["weight"] == 10, "the source went away in the first hold"
    stopped = watched.guarded()
    time.sleep(21 - stopped)  # the hold would be over by now
    assert life.status()["phase"] == "Progressing"
    assert life.status()["weight"] == 10
    assert life.backends()[life.workload("v1.1.0")] == 10
    assert watched.guarded() == pytest.approx(stopped, abs=1.5), "time without a verdict is not counted"
    watched.source(shop.PROMETHEUS)
    life.then(lambda status: status["phase"] == "Completed", 60, "it goes on when the source is back")


def test_a_person_takes_it_back_at_once_while_the_metric_source_is_down(watched: Watched) -> None:
    life = watched.life
    life.declare("v1.1.0", guards=watched.guards, steps=FOR_EVER)
    life.then_weight(10)
    watched.source(DOWN)
    watched.then_verdict("Unknown")
    began = time.monotonic()
    life.act("Rollback")
    eventually(lambda: life.backends().get(life.workload("v1.0.0")) == 100, 5, "the route is back", 0.05)
    assert time.monotonic() - began < 5
    life.then(lambda status: status["phase"] == "Reverted", 10, "reverted")


def test_a_breach_that_was_recorded_is_carried_out_by_the_next_operator(life: Life, tmp_path: Path) -> None:
    """Real errors, counted by the real Prometheus; the operator dies between the record of the breach and its write."""
    operator, proxy = life.operator()
    operator.start()
    watched = Watched(life, tmp_path)
    with Load(life.host, tmp_path / "more.jsonl", rps=75) as load, watched.load:
        life.given_live("v1.0.0")
        proxy.begin(Fault(Wrong.KILL_AFTER, phase="Reverting"))
        life.declare("v2.0.0-bad", guards=watched.guards, steps=FOR_EVER)
        eventually(lambda: proxy.fired, 60, "the breach is recorded, and the operator is dead")
        assert life.backends()[life.workload("v2.0.0-bad")] == 10, "not written yet"
        watched.source(DOWN)  # what is recorded needs no evidence any more
        operator.kill()
        operator.start()
        life.then(lambda status: status["phase"] == "Reverted", 30, "reverted by the next")
        back = time.time()
        time.sleep(3)
    status = life.status()
    assert (status["revert"]["cause"], status["weight"]) == ("Breach", 0)
    assert status["rejected"][0]["version"] == "v2.0.0-bad"
    late = [r for r in load.requests(since=back + 1.0) if r.version == "v2.0.0-bad"]
    assert not late
    assert load.requests(since=back + 1.0)


# ---- check Jobs


@pytest.mark.parametrize("wrong", [Wrong.KILL_AFTER, Wrong.ANSWER_LOST], ids=lambda wrong: wrong.value)
def test_a_check_job_whose_creation_was_not_heard_of_runs_once(life: Life, wrong: Wrong) -> None:
    operator, proxy = life.operator()
    operator.start()
    life.given_live("v1.0.0")
    container = {"name": "smoke", "image": "tidegate.local/busybox:1", "command": ["true"]}
    pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container]}
    spec = {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": {"template": {"spec": pod}}}}
    meta = {"name": "smoke", "namespace": life.namespace, "labels": {"tidegate.dev/release": "shop"}}
    life.api.apply({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta, "spec": spec})
    proxy.begin(Fault(wrong, what="create jobs"))
    checks = [{"name": "smoke", "when": ["BeforeTraffic"], "job": {"cronJob": "smoke", "timeout": "60s"}}]
    life.declare("v1.1.0", checks=checks, steps=AT_ONCE)
    eventually(lambda: proxy.fired, 30, "the Job is created, and nobody hears of it")
    if wrong is Wrong.KILL_AFTER:
        operator.kill()
        operator.start()
    life.then(lambda status: _serves(status, "v1.1.0"), 60, "completed")
    assert len(life.names("Job")) == 1
    assert len([write for write in proxy.writes if write.resource == "jobs" and write.done]) == 1
    assert [check["outcome"] for check in life.status()["checks"]] == ["Passed"]


# ---- Events


def test_events_that_are_refused_delay_nothing(life: Life) -> None:
    operator, proxy = life.operator()
    proxy.refused = frozenset({"events"})
    operator.start()
    life.given_live("v1.0.0")
    began = time.monotonic()
    life.declare("v1.1.0", steps=[{"weight": 10, "hold": "1s"}, {"weight": 100, "hold": "1s"}])
    life.then(lambda status: status["phase"] == "Completed" and _serves(status, "v1.1.0"), 30, "completed")
    assert time.monotonic() - began < 25
    refused = [write for write in proxy.apart if write.resource == "events"]
    assert len(refused) >= 4, "it did try to tell"
    assert all(write.code == 403 for write in refused)
    assert operator.running()


# ---- poison


NONSENSE: Sequence[Mapping[str, Any]] = (
    {"phase": "Progressing", "candidate": None, "components": None, "stable": None},
    {"attempt": 9_000_000, "move": 9_000_000, "phase": "Reverting", "stable": {"version": "v0", "revision": "0" * 64}},
    {"history": [{"version": "x", "revision": "y"}], "rejected": [{"revision": "z", "version": "z"}], "owed": [{}]},
    {"steps": [{"weight": 0}], "standing": [{"action": "Promote", "to": 5000}], "observedGeneration": -3},
    {"components": [{"name": "ghost", "share": 100, "rest": 100, "move": -1, "landed": 7}], "phase": "Completing"},
    {"writer": {"holder": "nobody", "epoch": 99}},
    {
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "AllWell", "message": "", "lastTransitionTime": "1"}
        ]
    },
)


def test_a_status_edited_into_nonsense_hurts_nobody_else(life: Life) -> None:
    operator, _ = life.operator()
    operator.start()
    life.api.apply(
        shop.service(life.namespace, "api", release="other"),
        shop.route(life.namespace, "api", f"api-{life.host}", "api"),
    )
    life.given_live("v1.0.0")
    other: dict[str, Any] = {"name": "other", "components": [component("api")]}
    life.declare("v1.0.0", steps=AT_ONCE, **other)
    life.then(lambda status: _serves(status, "v1.0.0"), 60, "the other is live", name="other")
    taken, backends = 0, life.backends()
    for nonsense in NONSENSE:
        try:
            life.api.merge("Release", life.namespace, "shop", {"status": nonsense}, subresource="status")
            taken += 1
        except Refused:
            continue  # the schema knows better
        time.sleep(1)
    assert taken >= 3, "the server took nearly none of it: nothing was tested"
    began = time.monotonic()
    life.declare("v1.1.0", steps=[{"weight": 10, "hold": "1s"}, {"weight": 100, "hold": "1s"}], **other)
    life.then(lambda status: _serves(status, "v1.1.0"), 30, "the other completes", name="other")
    assert time.monotonic() - began < 25
    assert operator.running()
    assert life.backends() == backends, "nor is its own traffic moved"


# ---- time


def test_a_hold_survives_a_restart_to_within_what_was_written_down(life: Life) -> None:
    operator, _ = life.operator()
    operator.start()
    life.given_live("v1.0.0")
    steps = [{"weight": 10, "hold": "18s"}, {"weight": 100, "hold": "0s"}]
    life.declare("v1.1.0", steps=steps)
    life.then_weight(10)
    time.sleep(8)
    life.act("Retry")  # is refused; but whenever something is written, the held time is written with it
    held = _held(life.then(lambda status: _held(status) > 4, 10, "the held time is written down"))
    epoch = epoch_of(life.release())
    operator.kill()
    time.sleep(9)  # not counted
    operator.start()
    began = time.monotonic()
    life.then(lambda _: epoch_of(life.release()) > epoch, 40, "somebody leads anew")
    assert _held(life.status()) >= held, "what was held is remembered"
    life.then(lambda status: _serves(status, "v1.1.0"), 60, "completed")
    took = time.monotonic() - began
    assert took > 18 - held, f"time in which nobody looked was counted: {took:.1f} s, {held} s held before"


def _held(status: Mapping[str, Any]) -> float:
    return parse_duration(status["components"][0].get("held", "0s"))


def _serves(status: Mapping[str, Any], version: str) -> bool:
    return status.get("phase") == "Completed" and status.get("stable", {}).get("version") == version
