"""Asking in the background: no pass waits, no Release costs anything between rounds. The clock is moved by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.metrics.numbers import Numbers, NumbersSource
from tidegate.api import Connection, Guard, Value, parse_connection
from tidegate.controller.sampling import AT_ONCE, OLD, Sampler
from tidegate.engine.guards import Arm, Ask, Side, judge
from tidegate.engine.values import Evidence, Verdict
from tidegate.kube.resources import Key
from tidegate.metrics import Secrets, Source, Window
from tidegate.stats import Counts, Data

SHOP = Key("production", "shop")
NOW = 1_795_000_000.0
EVIDENCE = Evidence(1, (("web", 3),))
GUARD = Guard.model_validate({
    "name": "errors", "connection": "prometheus", "revert": "+0.5pp",
    "ratio": {"bad": 'e{v="$(version)"}', "total": 'r{v="$(version)"}'},
})  # fmt: skip
BLIND = GUARD.model_copy(update={"ratio": GUARD.ratio and GUARD.ratio.model_copy(update={"bad": "e", "total": "r"})})
QUEUE = Guard.model_validate({
    "name": "queue", "connection": "prometheus", "revert": 80, "value": {"query": "max(q)"},
})  # fmt: skip


def arm(name: str) -> Arm:
    return Arm(name, name, (("version", name),))


def ask(guard: Guard = GUARD, since: float = NOW - 60, stable: str | None = "v1") -> Ask:
    return Ask(guard, "", Side("", arm("v2"), arm(stable) if stable else None, 10_000, since))


def connection(name: str = "prometheus", generation: int = 1, guards: tuple[str, ...] = ("*",)) -> Connection:
    return parse_connection({
        "metadata": {"name": name, "namespace": "production", "uid": f"uid-{name}", "generation": generation},
        "spec": {"prometheus": {"url": "http://prometheus.example"}, "allow": [{"guards": list(guards)}]},
    })  # fmt: skip


class Bench:
    def __init__(self, tick: float = 10.0) -> None:
        self.connections: dict[str, Connection] = {"prometheus": connection()}
        self.app = Numbers(NOW - 30)
        for version in ("v1", "v2"):
            self.app.answered(version, good=1000)
            self.app.stands_at(version, 7)
        self.app.collected = NOW + 3600
        self.sources: list[NumbersSource] = []
        self.woken: list[Key] = []
        self.gates_open = self.openable = True
        self.fails: Callable[[], None] | None = None
        self.sampler = Sampler(
            connection=lambda namespace, name: self.connections.get(name) if namespace == "production" else None,
            secret=self.secret,
            wake=self.woken.append,
            tick=tick,
            opener=self.open,
        )

    async def secret(self, connection: Connection, name: str, key: str) -> str:
        return f"{connection.metadata.namespace}/{name}/{key}"

    def open(self, opened: Connection, secrets: Secrets) -> Source:
        if not self.openable:
            raise OSError("no more files")
        self.sources.append(NumbersSource(self.app, fails=self.fails))
        if not self.gates_open:
            self.source.gate.clear()
        return self.sources[-1]

    @property
    def source(self) -> NumbersSource:
        return self.sources[-1]

    def latest(self, now: float = NOW, *asks: Ask, evidence: Evidence = EVIDENCE, key: Key = SHOP) -> Any:
        return self.sampler.latest(key, evidence, asks or (ask(),), now)


async def settle() -> None:
    """Let everything run that can run without time passing."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_the_first_look_waits_for_nothing_and_the_end_of_the_round_wakes_the_release() -> None:
    bench = Bench()
    assert bench.latest() is None
    await settle()
    assert bench.woken == [SHOP]
    finished = bench.latest()
    assert finished.evidence == EVIDENCE
    (reading,) = finished.readings
    assert (reading.candidate.shape, reading.stable.shape) == (Counts(0, 1000), Counts(0, 1000))
    await bench.sampler.close()


async def test_candidate_and_stable_are_measured_over_the_same_window_since_the_move_landed() -> None:
    bench = Bench()
    bench.latest()
    await settle()
    assert sorted(bench.source.asked) == [
        ("errors", "v1", Window(NOW - 60, NOW)), ("errors", "v2", Window(NOW - 60, NOW)),
    ]  # fmt: skip
    await bench.sampler.close()


async def test_a_round_begins_when_the_last_is_a_tick_old_and_not_before() -> None:
    bench = Bench(tick=10.0)
    for now, asked in ((NOW, 2), (NOW + 1, 2), (NOW + 9.9, 2), (NOW + 10, 4), (NOW + 12, 4), (NOW + 20, 6)):
        bench.latest(now)
        await settle()
        assert len(bench.source.asked) == asked, now
    assert len(bench.woken) == 3
    await bench.sampler.close()


async def test_one_round_is_in_flight_and_no_second_begins() -> None:
    bench = Bench(tick=1.0)
    bench.latest()
    await settle()
    bench.source.gate.clear()
    for second in range(1, 30):
        assert bench.latest(NOW + second) is not None
        await settle()
    assert len(bench.source.asked) == 4
    bench.source.gate.set()
    await settle()
    assert bench.latest(NOW + 30).until == NOW + 1
    await bench.sampler.close()


async def test_evidence_of_another_move_is_dropped_even_if_it_arrives_later() -> None:
    bench = Bench()
    bench.latest()
    await settle()
    bench.source.gate.clear()
    bench.latest(NOW + 10)
    await settle()
    moved = Evidence(1, (("web", 4),))
    assert bench.latest(NOW + 11, evidence=moved) is None
    bench.source.gate.set()
    await settle()
    assert bench.latest(NOW + 12, evidence=moved).evidence == moved
    assert bench.latest(NOW + 13) is None, "nor does the old come back"
    await settle()
    await bench.sampler.close()


async def test_other_questions_are_another_round() -> None:
    bench = Bench()
    bench.latest()
    await settle()
    assert bench.latest(NOW + 1, ask(since=NOW)) is None
    await bench.sampler.close()


async def test_an_answer_that_is_too_old_is_none() -> None:
    bench = Bench(tick=10.0)
    bench.latest()
    await settle()
    bench.source.gate.clear()
    assert bench.latest(NOW + OLD).readings[0].candidate.data is Data.OK
    await settle()
    (reading,) = bench.latest(NOW + OLD + 1).readings
    assert (reading.candidate.data, reading.candidate.shape) == (Data.PROVIDER_ERROR, None)
    assert reading.candidate.sentence == "the last answer is 31 s old"
    assert judge(reading.ask, reading.candidate, reading.stable).verdict is Verdict.UNKNOWN
    await bench.sampler.close()


async def test_a_clock_that_was_set_back_begins_anew() -> None:
    bench = Bench()
    bench.latest()
    await settle()
    bench.latest(NOW - 3600)
    await settle()
    assert bench.latest(NOW - 3600).until == NOW - 3600
    await bench.sampler.close()


@pytest.mark.looptime
async def test_a_question_without_an_answer_ends_after_its_patience_and_the_others_are_told() -> None:
    bench = Bench(tick=10.0)
    bench.connections["slow"] = connection("slow")
    slow = ask(GUARD.model_copy(update={"connection": "slow"}))
    bench.latest(NOW, ask())
    await settle()
    bench.gates_open = False
    bench.latest(NOW, slow, ask())
    await asyncio.sleep(9.5)
    first, second = bench.latest(NOW + 9.5, slow, ask()).readings
    assert first.candidate.data is Data.PROVIDER_ERROR
    assert first.candidate.sentence == "Connection slow: no answer within 9 s"
    assert second.candidate.data is Data.OK
    await bench.sampler.close()


async def test_a_connection_is_asked_few_questions_at_once() -> None:
    bench = Bench()
    bench.gates_open = False
    for number in range(40):
        bench.latest(NOW, key=Key("production", f"shop-{number}"))
    await settle()
    assert bench.source.waiting == AT_ONCE
    bench.source.gate.set()
    for _ in range(10):
        await settle()
    assert bench.source.most == AT_ONCE
    assert len(bench.source.asked) == 80
    assert len(bench.sources) == 1, "one client for all"
    await bench.sampler.close()


async def test_a_fault_of_ours_is_one_guards_and_ends_no_round() -> None:
    def broken() -> None:
        raise ZeroDivisionError

    bench = Bench()
    bench.fails = broken
    bench.latest(NOW, ask(), ask(QUEUE))
    await settle()
    readings = bench.latest(NOW, ask(), ask(QUEUE)).readings
    assert {reading.candidate.data for reading in readings} == {Data.PROVIDER_ERROR}
    assert "by a fault of Tidegate's own" in readings[0].candidate.sentence
    await bench.sampler.close()


async def test_only_what_is_needed_is_asked() -> None:
    bench = Bench()
    asks = (ask(BLIND), ask(QUEUE), ask(GUARD, stable=None))
    bench.latest(NOW, *asks)
    await settle()
    blind, queue, first = bench.latest(NOW, *asks).readings
    assert (blind.candidate, blind.stable) == (None, None), "a blind guard sees nothing"
    assert queue.stable is None, "a number of its own needs no baseline"
    assert first.stable is None, "there is no stable version"
    assert sorted(name for name, _, _ in bench.source.asked) == ["errors", "queue"]
    await bench.sampler.close()


@pytest.mark.parametrize(
    ("connections", "says"),
    [
        ({}, "there is no Connection prometheus in namespace production that can be read; create it"),
        ({"prometheus": connection(guards=("cart", "shop-*"))},
         "Connection prometheus does not allow guards of Release shop; whoever owns it adds to its spec.allow: "
         "{guards: [shop]}"),
    ],
)  # fmt: skip
async def test_a_connection_that_may_not_be_used_is_not_asked(connections: dict[str, Connection], says: str) -> None:
    bench = Bench()
    bench.connections = connections
    bench.latest()
    await settle()
    (reading,) = bench.latest().readings
    assert (reading.candidate.data, reading.candidate.sentence) == (Data.NOT_PERMITTED, says)
    assert bench.sources == []
    assert bench.sampler.refusal(SHOP, "prometheus") == says
    await bench.sampler.close()


@pytest.mark.parametrize(
    ("guard", "says"),
    [
        (GUARD, None),
        (BLIND, "is the same for every version"),
        (QUEUE, None),
        (QUEUE.model_copy(update={"value": Value(query="max(")}), "is not PromQL"),
        (GUARD.model_copy(update={"connection": "other"}), "there is no Connection other"),
    ],
)
async def test_a_guard_that_could_never_judge_is_known_before_anything_is_asked(guard: Guard, says: str | None) -> None:
    bench = Bench()
    why = bench.sampler.impediment(SHOP, ask(guard))
    assert why is None if says is None else says in (why or "")
    assert bench.sources == []


async def test_a_connection_that_cannot_be_opened_is_tried_again_and_wakes_nobody() -> None:
    bench = Bench()
    bench.openable = False
    assert bench.latest() is None
    await settle()
    assert (bench.latest(), bench.woken) == (None, [])
    bench.openable = True
    await settle()
    bench.latest()
    await settle()
    assert bench.latest() is not None
    await bench.sampler.close()


async def test_connections_are_those_of_the_releases_own_namespace() -> None:
    bench = Bench()
    stranger = Key("staging", "shop")
    bench.latest(key=stranger)
    await settle()
    assert bench.latest(key=stranger).readings[0].candidate.data is Data.NOT_PERMITTED
    await bench.sampler.close()


async def test_a_changed_connection_is_opened_anew_and_the_old_one_closed() -> None:
    bench = Bench()
    bench.latest()
    await settle()
    bench.connections["prometheus"] = connection(generation=2)
    bench.latest(NOW + 10)
    await settle()
    assert [source.closed for source in bench.sources] == [True, False]
    del bench.connections["prometheus"]
    bench.latest(NOW + 20)
    await settle()
    assert [source.closed for source in bench.sources] == [True, True]
    await bench.sampler.close()


async def test_what_is_forgotten_is_cancelled_and_wakes_nobody() -> None:
    bench = Bench()
    bench.gates_open = False
    bench.latest()
    await settle()
    assert bench.source.waiting == 2
    bench.sampler.forget(SHOP)
    bench.source.gate.set()
    await settle()
    assert bench.woken == []
    await bench.sampler.close()


async def test_no_task_is_left_between_rounds_or_after_the_end() -> None:
    bench = Bench()
    for number in range(100):
        bench.latest(NOW, key=Key("production", f"shop-{number}"))
    for _ in range(20):
        await settle()
    assert len(bench.woken) == 100
    assert asyncio.all_tasks() == {asyncio.current_task()}
    bench.latest(NOW + 10)
    await bench.sampler.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert all(source.closed for source in bench.sources)


async def test_a_thousand_releases_with_a_tick_of_a_second_cost_a_fraction_of_it() -> None:
    bench = Bench(tick=1.0)
    keys = [Key("production", f"shop-{number}") for number in range(1000)]
    asks = (ask(), ask(QUEUE))
    rounds, spent = 3, time.process_time()
    for second in range(rounds):
        for key in keys:
            bench.latest(NOW + second, *asks, key=key)
        while len(bench.woken) < 1000 * (second + 1):
            await settle()
    per_second = (time.process_time() - spent) / rounds
    assert all(bench.latest(NOW + rounds - 0.5, *asks, key=key).until == NOW + rounds - 1 for key in keys)
    assert per_second < 0.8, f"{per_second:.2f} s of processor time a second"
    await bench.sampler.close()
