"""The writes about our own objects: fenced, repeatable, and never about another object of the same name."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hack.stage import shop
from tests.controller.bench import KEY, Bench, document
from tests.controller.scenes import resting
from tests.kube.fake import FakeApi
from tidegate.api import parse_release
from tidegate.api.meta import FINALIZER
from tidegate.controller.settling import Settler
from tidegate.engine.values import Answer, Forget
from tidegate.errors import Conflict, Unavailable
from tidegate.kube import INTERVENTIONS, RELEASES
from tidegate.targets.port import App, Resolved

OTHERS = "example.com/theirs"
SAID = Answer("uid-i", "Refused", "nothing climbs here")


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with FakeApi() as api, api.client() as client:
        yield Bench(api, client)


def settler(bench: Bench) -> Settler:
    return Settler(bench.cluster, bench.target)


def app(uid: str = "uid-1") -> App:
    return App(KEY.namespace, KEY.name, uid, Resolved(parse_release(document("v1.0.0"))), resting(), "1")


def put(bench: Bench, *finalizers: str) -> None:
    made = document("v1.0.0")
    made["metadata"]["finalizers"] = list(finalizers)
    bench.declare(made)


def asked(bench: Bench, uid: str = "uid-i") -> None:
    made = shop.intervention("prod", "Promote", "ana@example.com")
    made["metadata"] = {"name": "please", "namespace": "prod", "uid": uid}
    bench.cluster.store.put(INTERVENTIONS, bench.server.put(INTERVENTIONS, made))


async def test_our_finalizer_goes_beside_those_of_others(bench: Bench) -> None:
    put(bench, OTHERS)
    held = await settler(bench).hold(bench.stored())
    assert held["metadata"]["finalizers"] == [OTHERS, FINALIZER] == bench.stored()["metadata"]["finalizers"]


async def test_a_finalizer_that_somebody_added_meanwhile_is_not_lost(bench: Bench) -> None:
    put(bench)
    seen = bench.stored()
    put(bench, OTHERS)
    with pytest.raises(Conflict):
        await settler(bench).hold(seen)
    assert bench.stored()["metadata"]["finalizers"] == [OTHERS]


async def test_the_loop_holds_an_object_before_it_looks_at_it(bench: Bench) -> None:
    put(bench)
    await bench.look()
    assert bench.stored()["metadata"]["finalizers"] == [FINALIZER]


async def test_an_answer_says_what_why_and_when(bench: Bench) -> None:
    asked(bench)
    await settler(bench).answer(app(), SAID, 1_795_000_000.0)
    status = bench.server.objects[INTERVENTIONS, "prod", "please"]["status"]
    assert status == {"outcome": "Refused", "message": "nothing climbs here", "at": "2026-11-18T11:06:40.000Z"}
    assert bench.server.writes()[-1].path.endswith("/interventions/please/status")


async def test_another_intervention_of_the_same_name_is_not_answered_in_its_place(bench: Bench) -> None:
    asked(bench)
    bench.server.remove(INTERVENTIONS, "prod", "please")
    made = shop.intervention("prod", "Retry", "bob@example.com")
    made["metadata"] = {"name": "please", "namespace": "prod", "uid": "uid-j"}
    bench.server.put(INTERVENTIONS, made, told=False)
    with pytest.raises(Conflict):
        await settler(bench).answer(app(), SAID, 1.0)
    assert "status" not in bench.server.objects[INTERVENTIONS, "prod", "please"]


async def test_an_intervention_that_is_gone_needs_no_answer(bench: Bench) -> None:
    asked(bench)
    bench.server.remove(INTERVENTIONS, "prod", "please")
    await settler(bench).answer(app(), SAID, 1.0)
    await settler(bench).answer(app(), Answer("unheard-of", "Done", ""), 1.0)


async def test_the_object_goes_after_its_traffic_and_keeps_what_others_hold_it_by(bench: Bench) -> None:
    put(bench, OTHERS, FINALIZER)
    bench.target.forgets = Unavailable("no answer")
    with pytest.raises(Unavailable):
        await settler(bench).forget(app(), Forget(settled=True))
    assert bench.stored()["metadata"]["finalizers"] == [OTHERS, FINALIZER], "not before its traffic is settled"
    bench.target.forgets = None
    await settler(bench).forget(app(), Forget(settled=False))
    assert bench.target.done == ["forget shop, settled: False"]
    assert bench.stored()["metadata"]["finalizers"] == [OTHERS]


async def test_to_let_go_twice_is_to_let_go_once(bench: Bench) -> None:
    put(bench, FINALIZER)
    await settler(bench).forget(app(), Forget(settled=True))
    assert "finalizers" not in bench.stored()["metadata"]
    bench.server.remove(RELEASES, *KEY)
    await settler(bench).forget(app(), Forget(settled=True))


async def test_another_release_of_the_same_name_keeps_its_finalizer(bench: Bench) -> None:
    put(bench, FINALIZER)
    await settler(bench).forget(app("uid-0"), Forget(settled=True))
    assert bench.stored()["metadata"]["finalizers"] == [FINALIZER]
