"""The whole process against the small server: how it starts, works, hands over and ends."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web

from tests.controller.waiting import soon
from tests.kube.fake import FakeApi, Seen, refusal, thing
from tidegate.controller.app import NotServed, Process, check_served, operate
from tidegate.controller.metrics import Metrics
from tidegate.controller.namespaces import left_out
from tidegate.controller.parts import Parts
from tidegate.controller.settings import Settings
from tidegate.errors import Denied, Transient
from tidegate.kube import DEPLOYMENTS, HTTPROUTES, LEASES, RELEASES, Key

QUICK = Settings(port=0, address="127.0.0.1", lease_duration=1.2, lease_renew=0.8, lease_retry=0.1, drain=2.0)


class Recorder:
    """In the place of the loop: notes what it is asked to look at."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.passes: list[Key] = []
        self.ended: list[Key] = []
        self.failures: list[str] = []
        self.lost: list[Key] = []
        self.closed = False
        self.takes = 0.0
        self.error: Exception | None = None
        self.wake_in: float | None = None

    async def reconcile(self, key: Key) -> float | None:
        assert self.parts.cluster.store.all_synced
        assert self.parts.gate.is_open
        self.passes.append(key)
        await asyncio.sleep(self.takes)
        if self.error is not None:
            raise self.error
        self.ended.append(key)
        return None

    def failed(self, key: Key, sentence: str, again_in: float) -> None:
        self.failures.append(sentence)

    def gone(self, key: Key) -> None:
        self.lost.append(key)

    async def close(self) -> None:
        self.closed = True


class Replica:
    def __init__(self, api: FakeApi, settings: Settings) -> None:
        self.stop = asyncio.Event()
        self.built: list[Recorder] = []
        self.client = api.client()

        def build(parts: Parts) -> Recorder:
            self.built.append(Recorder(parts))
            return self.built[-1]

        self.task = asyncio.create_task(operate(settings, build, client=self.client, stop=self.stop))

    @property
    def loop(self) -> Recorder:
        return self.built[0]

    async def leads(self) -> None:
        await soon(lambda: bool(self.built) and self.loop.parts.gate.is_open)


@asynccontextmanager
async def a_replica(api: FakeApi, settings: Settings = QUICK) -> AsyncIterator[Replica]:
    replica = Replica(api, settings)
    try:
        yield replica
    finally:
        replica.stop.set()
        await asyncio.wait({replica.task}, timeout=10)
        replica.task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await replica.task


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    """With the admission policies in force, which have no namespace."""

    async def policies(seen: Seen) -> web.Response | None:
        return web.json_response({"metadata": {}}) if "admissionregistration" in seen.path else None

    async with FakeApi() as api:
        api.faults.append(policies)
        yield api


async def test_all_that_exists_is_looked_at_once_it_leads_and_what_changes_after(api: FakeApi) -> None:
    for name in ("web", "api"):
        api.put(RELEASES, thing(RELEASES, name))
    async with a_replica(api) as replica:
        await soon(
            lambda: bool(replica.built) and sorted(replica.loop.ended) == [Key("shop", "api"), Key("shop", "web")]
        )
        api.put(DEPLOYMENTS, thing(DEPLOYMENTS, "web-1", release="web"))
        await soon(lambda: replica.loop.ended.count(Key("shop", "web")) == 2)
        assert replica.loop.ended.count(Key("shop", "api")) == 1


async def test_at_rest_nothing_is_written_but_the_lease(api: FakeApi) -> None:
    for number in range(20):
        api.put(RELEASES, thing(RELEASES, f"web-{number}"))
    async with a_replica(api) as replica:
        await soon(lambda: bool(replica.built) and len(replica.loop.ended) == 20)
        await soon(lambda: sum("admissionregistration" in seen.path for seen in api.seen) == 4)  # once in ten minutes
        passes = len(replica.loop.passes)
        api.seen.clear()
        await asyncio.sleep(1.5)
        assert {seen.path.split("/")[-2] for seen in api.seen} == {"leases"}
        assert len(replica.loop.passes) == passes


async def test_when_told_to_stop_the_running_pass_ends_the_lease_is_left_and_the_code_is_0(api: FakeApi) -> None:
    api.put(RELEASES, thing(RELEASES, "web"))
    async with a_replica(api) as replica:
        await replica.leads()
        replica.loop.takes = 0.4
        api.put(RELEASES, thing(RELEASES, "api"))
        await soon(lambda: Key("shop", "api") in replica.loop.passes)
        replica.stop.set()
        async with asyncio.timeout(2):
            assert await replica.task == 0
        assert Key("shop", "api") in replica.loop.ended
        assert replica.loop.closed
        assert api.objects[LEASES, "tidegate-system", "tidegate"]["spec"]["holderIdentity"] == ""


async def test_a_pass_that_does_not_end_is_not_waited_for_longer_than_the_drain(api: FakeApi) -> None:
    api.put(RELEASES, thing(RELEASES, "web"))
    settings = Settings(port=0, address="127.0.0.1", drain=0.3)
    async with a_replica(api, settings) as replica:
        await replica.leads()
        replica.loop.takes = 60.0
        api.put(RELEASES, thing(RELEASES, "api"))
        await soon(lambda: Key("shop", "api") in replica.loop.passes)
        replica.stop.set()
        async with asyncio.timeout(2):
            assert await replica.task == 0
        assert Key("shop", "api") not in replica.loop.ended


async def test_sigterm_is_such_a_word(api: FakeApi) -> None:
    async with a_replica(api) as replica:
        await replica.leads()
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(2):
            assert await replica.task == 0
    assert api.objects[LEASES, "tidegate-system", "tidegate"]["spec"]["holderIdentity"] == ""


async def test_a_replica_that_does_not_lead_watches_and_is_ready_and_does_nothing(api: FakeApi) -> None:
    taken = {"holderIdentity": "another", "leaseDurationSeconds": 3600, "leaseTransitions": 3}
    api.put(LEASES, thing(LEASES, "tidegate", namespace="tidegate-system", spec=taken))
    api.put(RELEASES, thing(RELEASES, "web"))
    async with a_replica(api) as replica:
        await soon(lambda: bool(replica.built) and replica.loop.parts.cluster.store.all_synced)
        await asyncio.sleep(0.5)
        assert replica.loop.passes == []
        assert replica.loop.parts.gate.holder == "another"
        assert api.writes() == []


async def test_a_lost_lease_ends_the_process_with_1(api: FakeApi) -> None:
    async with a_replica(api) as replica:
        await replica.leads()
        lease = api.objects[LEASES, "tidegate-system", "tidegate"]
        thief = {**lease["spec"], "holderIdentity": "thief"}
        api.put(LEASES, thing(LEASES, "tidegate", namespace="tidegate-system", spec=thief))
        async with asyncio.timeout(5):
            assert await replica.task == 1
        assert api.objects[LEASES, "tidegate-system", "tidegate"]["spec"]["holderIdentity"] == "thief"


async def test_watches_that_end_for_good_end_the_process_with_1(api: FakeApi, caplog: pytest.LogCaptureFixture) -> None:
    async with a_replica(api) as replica:
        await replica.leads()
        await soon(lambda: any(seen.watches and seen.path.endswith("/releases") for seen in api.seen))
        api.version += 1
        api.tell(RELEASES, "ERROR", {"code": 500, "metadata": {}})
        async with asyncio.timeout(2):
            assert await replica.task == 1
    assert "the watches ended" in caplog.text
    assert api.objects[LEASES, "tidegate-system", "tidegate"]["spec"]["holderIdentity"] == ""


async def test_a_deleted_release_is_forgotten_everywhere(api: FakeApi) -> None:
    api.put(RELEASES, thing(RELEASES, "web"))
    async with a_replica(api) as replica:
        await replica.leads()
        replica.loop.parts.metrics.weight(Key("shop", "web"), "c", 10)
        api.remove(RELEASES, "shop", "web")
        await soon(lambda: replica.loop.lost == [Key("shop", "web")])
        assert b'release="web"' not in replica.loop.parts.metrics.exposition()


async def test_a_deletion_lost_in_a_410_is_found_within_seconds(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidegate.controller.sweep._SETTLE", 0.2)
    for name in ("web", "api"):
        api.put(RELEASES, thing(RELEASES, name))
    async with a_replica(api) as replica:
        await replica.leads()
        api.remove(RELEASES, "shop", "web", told=False)
        api.expire()
        await soon(lambda: replica.loop.lost == [Key("shop", "web")])


async def test_failures_reach_the_loop_as_sentences(api: FakeApi) -> None:
    async with a_replica(api) as replica:
        await replica.leads()
        replica.loop.error = Transient("the route could not be written")
        api.put(RELEASES, thing(RELEASES, "web"))
        await soon(lambda: replica.loop.failures == ["the route could not be written"])


async def test_missing_definitions_are_all_named_before_anything_starts(api: FakeApi) -> None:
    api.served.remove(RELEASES)
    api.served.remove(HTTPROUTES)
    async with api.client() as client:
        with pytest.raises(NotServed) as caught:
            await check_served(client)
    assert str(caught.value) == (
        "The API server does not serve Release (tidegate.dev/v1alpha1), HTTPRoute (gateway.networking.k8s.io/v1): "
        "install Tidegate's definitions with `kubectl apply -k crds` and the Gateway API (v1.0 or newer), "
        "then start again"
    )


async def _fetch(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text()


@asynccontextmanager
async def a_process(api: FakeApi) -> AsyncIterator[Process]:
    async with api.client() as client:
        process = Process(QUICK, Recorder, client, Metrics(), asyncio.Event())
        async with process.health:
            yield process


async def test_it_is_ready_once_its_view_is_whole_and_alive_before(api: FakeApi) -> None:
    async with a_process(api) as process:
        code, text = await _fetch(process.health.port, "/readyz")
        assert code == 503
        assert text.startswith("Not all that exists has arrived yet: releases.tidegate.dev")
        assert await _fetch(process.health.port, "/healthz") == (200, "ok\n")
        for resource in list(process.store._entries):
            process.store.mark_synced(resource)
        assert await _fetch(process.health.port, "/readyz") == (200, "ok\n")
        code, text = await _fetch(process.health.port, "/metrics")
        assert code == 200
        assert "tidegate_leader 0.0" in text
        assert "tidegate_queue_depth 0.0" in text


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (lambda p: setattr(p._pulse, "lag", 12.0), "The event loop was 12 s late"),
        (lambda p: setattr(p, "_began", p._began - 700), "The first listing has not arrived for 700 s"),
        (lambda p: _stuck(p), "A pass has run for 200 s"),
        (lambda p: _unswept(p), "The view was last compared with the server 2000 s ago"),
    ],
)
async def test_it_is_not_alive_when_it_does_not_get_on(
    api: FakeApi, broken: Callable[[Process], None], sentence: str
) -> None:
    async with a_process(api) as process:
        broken(process)
        assert await _fetch(process.health.port, "/healthz") == (503, sentence + "\n")


def _stuck(process: Process) -> None:
    process.gate.open(1, float("inf"), float("inf"))
    process.queue._working[Key("shop", "web")] = asyncio.get_running_loop().time() - 200


def _unswept(process: Process) -> None:
    for resource in list(process.store._entries):
        process.store.mark_synced(resource)
    process._sweep._last -= 2000


@pytest.mark.parametrize("what", ["/namespaces/other/", "/namespaces/other/jobs"])
async def test_a_namespace_that_is_denied_is_left_out_and_the_others_are_worked_in(api: FakeApi, what: str) -> None:
    denied = True

    async def fault(seen: Seen) -> web.Response | None:
        return refusal(403, "Forbidden", "it cannot list that") if denied and what in seen.path else None

    api.faults.append(fault)
    api.put(RELEASES, thing(RELEASES, "web"))
    api.put(RELEASES, thing(RELEASES, "web", namespace="other"))
    async with a_replica(api, replace(QUICK, namespaces=("shop", "other"), sweep=0.5)) as replica:
        await soon(lambda: bool(replica.built) and replica.loop.passes == [Key("shop", "web")])
        await asyncio.sleep(1.5)
        assert not replica.task.done()
        denied = False
        async with asyncio.timeout(10):
            assert await replica.task == 1, "it starts afresh, with both"


async def test_where_all_namespaces_are_denied_nothing_starts(api: FakeApi) -> None:
    async def fault(seen: Seen) -> web.Response | None:
        return refusal(403, "Forbidden", "it cannot list that") if "/namespaces/" in seen.path else None

    api.faults.append(fault)
    async with api.client() as client:
        with pytest.raises(Denied):
            await left_out(client, ("shop", "other"))
