"""Where nobody proves who wrote an Intervention, only what lowers exposure is heard. (How admission judges is proved in
tests/integration.)"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from hack.stage import shop
from tests.controller.bench import KEY, OLD, Bench
from tests.controller.scenes import resting
from tests.controller.waiting import soon
from tests.kube.fake import FakeApi, Seen, refusal
from tidegate.controller.admission import BINDINGS, GOOD_FOR, MISSING, NAMES, POLICIES, UNPROVEN, Admission
from tidegate.kube import INTERVENTIONS, Client, Key

RAISING = ("Resume", "Promote", "Retry", "Complete")


class Server:
    """The small API server, and these policies, which have no namespace."""

    def __init__(self, api: FakeApi, client: Client) -> None:
        self.api, self.client = api, client
        self.there = {kind.path(None, name) for kind in (POLICIES, BINDINGS) for name in NAMES}
        self.refuses = 0
        self.asked = 0
        self.now = 100.0
        self.woken: list[Key] = []
        self.news = 0
        self.policies: dict[str, bool] = {}
        self.admission = Admission(
            client,
            self.woken.append,
            changed=self._changed,
            told=self.policies.__setitem__,
            clock=lambda: self.now,
        )
        api.faults.append(self._answer)

    async def _answer(self, seen: Seen) -> web.Response | None:
        if "admissionregistration" not in seen.path:
            return None
        self.asked += 1
        if self.refuses:
            return refusal(self.refuses, "Forbidden")
        return web.json_response({"metadata": {}}) if seen.path in self.there else refusal(404, "NotFound")

    def _changed(self) -> None:
        self.news += 1

    async def told(self, key: Key = KEY) -> bool | None:
        """What it says once it knows."""
        woken = len(self.woken)
        first = self.admission.in_force(key)
        if first is not None:
            return first
        await soon(lambda: len(self.woken) > woken)
        return self.admission.in_force(key)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with FakeApi() as api, api.client() as client:
        server = Server(api, client)
        yield server
        await server.admission.close()


async def test_nothing_is_known_while_it_is_being_asked_and_who_waits_is_woken(server: Server) -> None:
    other = Key("prod", "other")
    assert server.admission.in_force(KEY) is None
    assert server.admission.in_force(other) is None
    await soon(lambda: len(server.woken) == 2)
    assert set(server.woken) == {KEY, other}
    assert server.asked == 4, "once for all of them"
    assert server.admission.in_force(KEY) is True


@pytest.mark.parametrize("missing", [kind.path(None, name) for kind in (POLICIES, BINDINGS) for name in NAMES])
async def test_every_policy_and_every_binding_is_needed(
    server: Server, missing: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.there.remove(missing)
    with caplog.at_level(logging.WARNING):
        assert await server.told() is False
    assert caplog.messages == [UNPROVEN]


async def test_what_we_may_not_see_proves_nothing(server: Server) -> None:
    server.refuses = 403
    assert await server.told() is False


async def test_it_is_asked_again_after_a_minute_and_not_before(server: Server) -> None:
    server.there.clear()
    assert await server.told() is False
    asked = server.asked
    server.there |= {kind.path(None, name) for kind in (POLICIES, BINDINGS) for name in NAMES}
    server.now += GOOD_FOR - 0.1
    assert server.admission.in_force(KEY) is False
    assert server.asked == asked
    server.now += 0.2
    assert await server.told() is True


async def test_that_they_are_missing_or_there_again_is_news_to_all_once(server: Server) -> None:
    assert await server.told() is True
    assert (server.news, server.policies) == (0, dict.fromkeys(NAMES, True)), "all is well, and nobody thought else"
    gone = {path for path in server.there if path.endswith("tidegate-interventions")}
    server.there -= gone
    for _ in range(2):
        server.now += GOOD_FOR + 1
        assert await server.told() is False
    assert (server.news, server.policies) == (1, {"tidegate-releases": True, "tidegate-interventions": False})
    server.there |= gone
    server.now += GOOD_FOR + 1
    assert await server.told() is True
    assert (server.news, server.policies) == (2, dict.fromkeys(NAMES, True))


async def test_who_leads_asks_again_and_again(server: Server) -> None:
    leads = asyncio.Event()
    server.there.clear()
    work = asyncio.create_task(server.admission.run(SimpleNamespace(opened=leads.wait), 0.01))
    await asyncio.sleep(0.05)
    assert server.asked == 0
    leads.set()
    await soon(lambda: server.admission.known is False)
    server.there |= {kind.path(None, name) for kind in (POLICIES, BINDINGS) for name in NAMES}
    await soon(lambda: server.admission.known is True)
    work.cancel()


# ---- what the loop makes of it


def unproven(bench: Bench) -> list[dict[str, Any]]:
    return [each for each in bench.stored()["status"]["conditions"] if each["type"] == "IdentityUnproven"]


@pytest.fixture
async def bench(server: Server) -> Bench:
    bench = Bench(server.api, server.client, admission=server.admission)
    bench.given(resting(stable=OLD), "v1.0.0")
    return bench


def ask(bench: Bench, name: str, action: str, **more: Any) -> None:
    made = shop.intervention("prod", action, "ana@example.com", **more)
    made["metadata"] = {"name": name, "namespace": "prod", "creationTimestamp": "2026-01-01T00:00:00Z"}
    bench.cluster.store.put(INTERVENTIONS, bench.server.put(INTERVENTIONS, made))


def answer(bench: Bench, name: str) -> dict[str, Any]:
    found: dict[str, Any] = bench.server.objects[INTERVENTIONS, "prod", name].get("status", {})
    return found


async def test_that_they_are_missing_stands_in_the_release_while_it_is_so_and_is_written_once(
    bench: Bench, server: Server
) -> None:
    await bench.run(3)
    assert unproven(bench) == []
    server.there.clear()
    assert await server.told() is False
    await bench.run(3)
    (condition,) = unproven(bench)
    assert (condition["status"], condition["reason"]) == ("True", "AdmissionMissing")
    assert "kubectl apply -f manifests/base/admission.yaml" in condition["message"]
    version = bench.stored()["metadata"]["resourceVersion"]
    await bench.run(3)
    assert bench.stored()["metadata"]["resourceVersion"] == version


async def test_a_restart_neither_forgets_nor_rewrites_it_before_it_has_asked(bench: Bench, server: Server) -> None:
    server.there.clear()
    assert await server.told() is False
    await bench.run(3)
    version = bench.stored()["metadata"]["resourceVersion"]
    server.there |= {kind.path(None, name) for kind in (POLICIES, BINDINGS) for name in NAMES}
    woken: list[Key] = []
    afresh = Bench(server.api, server.client, admission=Admission(server.client, woken.append))
    afresh.now = bench.now
    afresh.declare(bench.stored())
    version = afresh.stored()["metadata"]["resourceVersion"]
    await afresh.look()
    assert afresh.stored()["metadata"]["resourceVersion"] == version
    await soon(lambda: woken == [KEY])
    await afresh.look()
    assert unproven(afresh) == []


async def test_without_the_policies_what_raises_is_refused_with_how_to_install_them(
    bench: Bench, server: Server
) -> None:
    server.there.clear()
    assert await server.told() is False
    for action in RAISING:
        ask(bench, action.lower(), action)
    await bench.run(3)
    for action in RAISING:
        said = answer(bench, action.lower())
        assert (said["outcome"], said["message"]) == ("Refused", MISSING)
    assert {act for picture in bench.heard.pictures for act in picture.spec.acts} == set(), "the engine hears nothing"


async def test_without_the_policies_what_lowers_is_heard_all_the_same(bench: Bench, server: Server) -> None:
    server.there.clear()
    await server.told()
    ask(bench, "pause", "Pause")
    ask(bench, "rollback", "Rollback")
    await bench.run(3)
    assert {act.verb for act in bench.heard.pictures[0].spec.acts} == {"Pause", "Rollback"}
    assert answer(bench, "pause")["outcome"] == "Standing"


async def test_while_it_is_being_asked_what_raises_waits_and_what_lowers_does_not(bench: Bench, server: Server) -> None:
    ask(bench, "retry", "Retry")
    ask(bench, "pause", "Pause")
    await bench.look()
    assert [act.verb for act in bench.heard.pictures[-1].spec.acts] == ["Pause"]
    assert bench.heard.pictures[-1].refused == ()
    assert answer(bench, "retry") == {}
    await soon(lambda: server.woken == [KEY])
    await bench.look()
    assert "Retry" in {act.verb for act in bench.heard.pictures[-1].spec.acts}
    assert answer(bench, "retry")["outcome"] == "Refused"
    assert "is not rejected" in answer(bench, "retry")["message"], "answered by the engine"


async def test_an_act_for_another_object_of_the_same_name_is_refused(bench: Bench, server: Server) -> None:
    await server.told()
    ask(bench, "late", "Pause")
    late = bench.server.objects[INTERVENTIONS, "prod", "late"]
    spec = {**late["spec"], "targetRef": {**late["spec"]["targetRef"], "uid": "uid-0"}}
    bench.cluster.store.put(INTERVENTIONS, bench.server.put(INTERVENTIONS, {**late, "spec": spec}))
    await bench.run(3)
    said = answer(bench, "late")
    assert (said["outcome"], said["message"]) == (
        "Refused",
        "it was meant for another Release shop, of uid uid-0, which is gone",
    )
    assert bench.stored()["status"].get("standing") is None


async def test_without_acts_nobody_asks(bench: Bench, server: Server) -> None:
    ask(bench, "pause", "Pause")
    await bench.run(3)
    assert server.asked == 0
