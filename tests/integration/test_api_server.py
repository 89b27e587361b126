"""The client, the Lease, the watches and the process against a real API server."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from hack.stage.operator import install
from tests.controller.test_app import Recorder
from tests.controller.waiting import soon
from tests.kube.contract import ApiServerContract, release, revision, service
from tests.kube.fake import NAMESPACES
from tidegate.controller.app import check_served, operate
from tidegate.controller.events import Reporter
from tidegate.controller.lease import Elector, Term
from tidegate.controller.parts import Parts
from tidegate.controller.settings import Settings
from tidegate.errors import Denied, Rejected
from tidegate.kube import (
    CONTROLLERREVISIONS,
    EVENTS,
    LEASES,
    RELEASES,
    SERVICES,
    Client,
    Key,
    version_of,
)


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    install()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client.from_environment() as client:
        yield client


@pytest.fixture
async def namespace(client: Client) -> AsyncIterator[str]:
    name = f"kube-{uuid.uuid4().hex[:8]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    # A Namespace is in no namespace; by the path of the collection it is made all the same.
    everywhere: Any = None
    await client.create(NAMESPACES, everywhere, body)
    yield name
    await client.delete(NAMESPACES, everywhere, name)


async def test_all_kinds_that_we_need_are_served(client: Client) -> None:
    await check_served(client)


class TestServer(ApiServerContract):
    """As the small one of the unit tests."""


async def test_what_the_schema_forbids_is_rejected(client: Client, namespace: str) -> None:
    await client.create(SERVICES, namespace, service("web", namespace))
    with pytest.raises(Rejected, match="refused to patch Service"):
        await client.merge(SERVICES, namespace, "web", {"spec": {"ports": [{"port": 99999}]}})


async def test_a_missing_right_is_named_by_the_real_server_too(client: Client, namespace: str) -> None:
    async with Client(replace(client.access, certificate=None, private_key=None, token=None)) as nobody:
        with pytest.raises(Denied, match="to list services"):
            await nobody.list(SERVICES, namespace)


async def test_two_replicas_hand_the_lead_over(client: Client, namespace: str) -> None:
    term = Term(lease=3, renew=2, retry=0.2)
    first = Elector(client, namespace, "tidegate", "one", term=term)
    second = Elector(client, namespace, "tidegate", "two", term=term)
    first_task = asyncio.create_task(first.run())
    await first.gate.opened()
    second_task = asyncio.create_task(second.run())
    await asyncio.sleep(4)
    assert (first.gate.is_open, second.gate.is_open) == (True, False)
    first_task.cancel()
    await asyncio.wait({first_task})
    await first.release()
    async with asyncio.timeout(5):
        await second.gate.opened()
    assert second.gate.epoch == first.gate.epoch + 1
    lease = await client.get(LEASES, namespace, "tidegate")
    assert lease["spec"]["holderIdentity"] == "two"
    second_task.cancel()
    await asyncio.wait({second_task})


async def test_an_event_told_twice_is_there_once(client: Client, namespace: str) -> None:
    made = await client.create(RELEASES, namespace, release("web", namespace))
    for _ in range(2):
        reporter = Reporter(client, "pod-1")
        reporter.record(made, "Reverting", "a note", action="Reverting", warning=True)
        await reporter.flush(10)
    items, _ = await client.list(EVENTS, namespace)
    assert [item["reason"] for item in items if item["reportingController"] == "tidegate.dev/operator"] == ["Reverting"]


class Running:
    def __init__(self, namespace: str) -> None:
        self.stop = asyncio.Event()
        self.loops: list[Recorder] = []
        settings = Settings(namespaces=(namespace,), lease_namespace=namespace, port=0, address="127.0.0.1", drain=2.0)

        def build(parts: Parts) -> Recorder:
            self.loops.append(Recorder(parts))
            return self.loops[-1]

        self.task = asyncio.create_task(operate(settings, build, stop=self.stop))

    def passes(self, key: Key) -> int:
        return self.loops[0].ended.count(key) if self.loops else 0


@pytest.fixture
async def start(namespace: str) -> AsyncIterator[Callable[[], Running]]:
    started: list[Running] = []

    def make() -> Running:
        started.append(Running(namespace))
        return started[-1]

    yield make
    for running in started:
        running.stop.set()
        await asyncio.wait({running.task}, timeout=10)
        running.task.cancel()
        with suppress(asyncio.CancelledError):
            await running.task


async def test_the_process_sees_what_is_there_what_comes_and_what_loses_its_label(
    client: Client, namespace: str, start: Callable[[], Running]
) -> None:
    web = Key(namespace, "web")
    await client.create(RELEASES, namespace, release("web", namespace))
    running = start()
    await soon(lambda: running.passes(web) >= 1, 30)
    store = running.loops[0].parts.cluster.store
    await client.create(CONTROLLERREVISIONS, namespace, revision("web-1", namespace))
    await soon(lambda: len(store.of_release(CONTROLLERREVISIONS, namespace, "web")) == 1)
    passes = running.passes(web)
    await client.merge(
        CONTROLLERREVISIONS, namespace, "web-1", {"metadata": {"labels": {"tidegate.dev/release": None}}}
    )
    await soon(lambda: not store.of_release(CONTROLLERREVISIONS, namespace, "web"))
    await soon(lambda: running.passes(web) > passes)
    await client.create(SERVICES, namespace, service("plain", namespace))
    await soon(lambda: store.get(SERVICES, namespace, "plain") is not None)
    await client.delete(RELEASES, namespace, "web")
    await soon(lambda: running.loops[0].lost == [web], 30)
    running.stop.set()
    async with asyncio.timeout(5):
        assert await running.task == 0
    assert (await client.get(LEASES, namespace, "tidegate"))["spec"]["holderIdentity"] == ""


async def test_at_rest_the_objects_are_not_written_to(
    client: Client, namespace: str, start: Callable[[], Running]
) -> None:
    made = await client.create(CONTROLLERREVISIONS, namespace, revision("web-1", namespace))
    running = start()
    await soon(lambda: bool(running.loops) and running.loops[0].parts.gate.is_open, 30)
    store = running.loops[0].parts.cluster.store
    await soon(lambda: len(store.of_release(CONTROLLERREVISIONS, namespace, "web")) == 1)
    await asyncio.sleep(3)
    seen = await client.get(CONTROLLERREVISIONS, namespace, "web-1")
    assert version_of(seen) == version_of(made)
    assert "annotations" not in seen["metadata"]


async def test_a_second_replica_waits_with_a_whole_view_and_takes_over(
    client: Client, namespace: str, start: Callable[[], Running]
) -> None:
    web = Key(namespace, "web")
    await client.create(RELEASES, namespace, release("web", namespace))
    first = start()
    await soon(lambda: first.passes(web) >= 1, 30)
    second = start()
    await soon(lambda: bool(second.loops) and second.loops[0].parts.cluster.store.all_synced, 30)
    assert second.passes(web) == 0
    first.stop.set()
    await soon(lambda: second.passes(web) >= 1)
    assert second.loops[0].parts.gate.epoch == first.loops[0].parts.gate.epoch + 1
