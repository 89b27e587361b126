"""The sweep finds what no watch has told, believes no old list, and writes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest
from aiohttp import web

from tests.controller.waiting import soon
from tests.kube.fake import FakeApi, Seen, refusal, thing
from tidegate.controller import sweep as sweeping
from tidegate.controller.intake import Intake
from tidegate.controller.metrics import Metrics
from tidegate.controller.sweep import Sweep
from tidegate.kube import DEPLOYMENTS, RELEASES, Client, Key, Store


class World(NamedTuple):
    api: FakeApi
    client: Client
    store: Store
    intake: Intake
    sweep: Sweep
    woken: list[Key]
    metrics: Metrics


@asynccontextmanager
async def a_world(*namespaces: str, period: float = 600.0) -> AsyncIterator[World]:
    async with FakeApi() as api, api.client() as client:
        store, woken, metrics = Store(), list[Key](), Metrics()
        intake = Intake(store, lambda key, first: woken.append(key), lambda key: None)
        sweep = Sweep(client, intake, metrics, namespaces=namespaces, period=period)
        yield World(api, client, store, intake, sweep, woken, metrics)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with a_world() as world:
        yield world


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "_GRACE", 0.1)
    monkeypatch.setattr(sweeping, "_SETTLE", 0.05)
    monkeypatch.setattr(sweeping, "_GLANCE", 0.01)


def told(world: World, name: str) -> None:
    world.intake.put(RELEASES, world.api.put(RELEASES, thing(RELEASES, name)))


async def test_a_deletion_that_was_lost_is_found_and_wakes_the_release(world: World) -> None:
    told(world, "web")
    told(world, "api")
    world.woken.clear()
    world.api.remove(RELEASES, "shop", "web", told=False)
    found = await world.sweep.once(RELEASES)
    assert found.vanished == (Key("shop", "web"),)
    assert world.woken == [Key("shop", "web")]
    assert world.store.keys(RELEASES) == [Key("shop", "api")]
    assert b'tidegate_sweep_finds_total{find="vanished"' in world.metrics.exposition()


async def test_an_object_that_was_missed_is_found(world: World) -> None:
    world.api.put(DEPLOYMENTS, thing(DEPLOYMENTS, "web-1", release="web"))
    found = await world.sweep.once(DEPLOYMENTS)
    assert found.missed == (Key("shop", "web-1"),)
    assert world.woken == [Key("shop", "web")]
    assert len(world.store.of_release(DEPLOYMENTS, "shop", "web")) == 1


async def test_a_change_that_was_missed_is_found(world: World) -> None:
    told(world, "web")
    world.api.put(RELEASES, thing(RELEASES, "web", spec={"version": "v2"}))
    assert (await world.sweep.once(RELEASES)).missed == (Key("shop", "web"),)


async def test_a_watch_that_is_only_late_has_missed_nothing(world: World) -> None:
    body = world.api.put(RELEASES, thing(RELEASES, "web"))
    asyncio.get_running_loop().call_later(0.05, world.intake.put, RELEASES, body)
    found = await world.sweep.once(RELEASES)
    assert found.missed == ()
    assert all(seen.path.endswith("/releases") for seen in world.api.seen)


async def test_an_old_list_is_not_believed_against_what_is_known(world: World) -> None:
    told(world, "web")

    async def old_list(seen: Seen) -> web.Response | None:
        old = seen.query.get("resourceVersion") == "0"
        return web.json_response({"metadata": {"resourceVersion": "1"}, "items": []}) if old else None

    world.api.faults.append(old_list)
    assert (await world.sweep.once(RELEASES)).vanished == ()
    assert world.store.get(RELEASES, "shop", "web") is not None


async def test_a_server_that_went_back_in_time_is_followed(world: World) -> None:
    body = world.api.put(RELEASES, thing(RELEASES, "web", spec={"version": "v1"}))
    newer = {**body, "metadata": {**body["metadata"], "resourceVersion": "100000"}, "spec": {"version": "v2"}}
    world.intake.put(RELEASES, newer)
    world.api.objects.clear()
    world.api.put(RELEASES, {**body, "metadata": {**body["metadata"], "name": "web"}})

    async def without_it(seen: Seen) -> web.Response | None:
        listing = seen.query.get("resourceVersion") == "0"
        return web.json_response({"metadata": {}, "items": []}) if listing else None

    world.api.faults.append(without_it)
    await world.sweep.once(RELEASES)
    seen = world.store.get(RELEASES, "shop", "web")
    assert seen is not None
    assert seen["spec"] == {"version": "v1"}


async def test_a_sweep_asks_for_metadata_only_and_only_reads(world: World) -> None:
    told(world, "web")
    await world.sweep.once(RELEASES)
    await world.sweep.once(DEPLOYMENTS)
    assert world.api.writes() == []
    releases, deployments = world.api.seen
    assert releases.query["resourceVersion"] == deployments.query["resourceVersion"] == "0"
    assert deployments.query["labelSelector"] == "tidegate.dev/release"


async def test_only_the_given_namespaces_are_compared() -> None:
    async with a_world("shop", "test") as world:
        world.api.put(RELEASES, thing(RELEASES, "web", namespace="elsewhere"))
        world.api.put(RELEASES, thing(RELEASES, "web", namespace="test"))
        assert (await world.sweep.once(RELEASES)).missed == (Key("test", "web"),)


async def test_a_namespace_that_is_denied_is_left_out_and_what_was_known_of_it_stays() -> None:
    async def fault(seen: Seen) -> web.Response | None:
        return refusal(403, "Forbidden", "it cannot list that") if "/namespaces/test/" in seen.path else None

    async with a_world("shop", "test", period=0.05) as world:
        for namespace in ("shop", "test"):
            world.intake.put(RELEASES, world.api.put(RELEASES, thing(RELEASES, "web", namespace=namespace)))
        world.api.put(RELEASES, thing(RELEASES, "api", namespace="shop"))
        world.api.faults.append(fault)
        assert await world.sweep.once(RELEASES) == ((), (Key("shop", "api"),))
        assert world.store.keys(RELEASES) == [Key("shop", "web"), Key("test", "web"), Key("shop", "api")]
        await asyncio.wait_for(world.sweep.until_synced(RELEASES), 5)
        running = asyncio.create_task(world.sweep.run())
        await asyncio.sleep(0.3)
        assert world.sweep.age < 0.3
        running.cancel()


async def test_the_view_is_whole_when_all_that_was_listed_has_arrived(world: World) -> None:
    bodies = [world.api.put(RELEASES, thing(RELEASES, name)) for name in ("web", "api")]
    syncing = asyncio.create_task(world.sweep.until_synced(RELEASES))
    for body in bodies:
        await asyncio.sleep(0.03)
        assert not world.store.synced(RELEASES)
        world.intake.put(RELEASES, body)
    await syncing
    assert world.store.synced(RELEASES)
    assert len(world.api.seen) == 1


async def test_what_was_deleted_while_we_synced_does_not_hold_us_up(world: World) -> None:
    world.api.put(RELEASES, thing(RELEASES, "web"))
    syncing = asyncio.create_task(world.sweep.until_synced(RELEASES))
    await asyncio.sleep(0.03)
    world.api.remove(RELEASES, "shop", "web")
    async with asyncio.timeout(5):
        await syncing
    assert world.store.synced(RELEASES)


async def test_an_empty_cluster_is_synced_at_once(world: World) -> None:
    await world.sweep.until_synced(RELEASES)
    assert world.store.synced(RELEASES)


async def test_after_a_new_listing_the_sweep_comes_soon(world: World) -> None:
    told(world, "web")
    world.store.mark_synced(RELEASES)
    world.api.remove(RELEASES, "shop", "web", told=False)
    running = asyncio.create_task(world.sweep.run())
    world.sweep.relisted(RELEASES)
    await soon(lambda: not world.store.keys(RELEASES))
    running.cancel()


async def test_the_first_listing_of_all_causes_no_sweep(world: World) -> None:
    world.sweep.relisted(RELEASES)
    running = asyncio.create_task(world.sweep.run())
    await asyncio.sleep(0.2)
    running.cancel()
    assert world.api.seen == []


async def test_a_server_that_is_away_does_not_end_the_sweep_and_its_age_shows() -> None:
    async with a_world(period=0.05) as world:
        failing = True

        async def fault(seen: Seen) -> web.Response | None:
            return refusal(500, "InternalError", Retry_After="9") if failing else None

        world.api.faults.append(fault)
        running = asyncio.create_task(world.sweep.run())
        await asyncio.sleep(0.5)
        assert world.sweep.age > 0.45
        failing = False
        await soon(lambda: world.sweep.age < 0.3)
        running.cancel()
