"""Whoever decides sees our own writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from tests.kube.fake import FakeApi, Seen, refusal, thing
from tidegate.errors import Conflict, NotFound, Unavailable
from tidegate.kube import DEPLOYMENTS, PODS, RELEASES, SECRETS, Cluster, Store, version_of


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with FakeApi() as api:
        yield api


@pytest.fixture
async def cluster(api: FakeApi) -> AsyncIterator[Cluster]:
    async with api.client() as client:
        yield Cluster(client, Store())


async def test_each_write_is_seen_before_any_watch_tells_of_it(cluster: Cluster) -> None:
    made = await cluster.create(RELEASES, "shop", thing(RELEASES, "web"))
    assert cluster.get(RELEASES, "shop", "web") == made
    await cluster.merge(RELEASES, "shop", "web", {"status": {"move": 1}}, subresource="status")
    seen = cluster.get(RELEASES, "shop", "web")
    assert seen is not None
    assert seen["status"] == {"move": 1}
    await cluster.delete(RELEASES, "shop", "web")
    assert cluster.get(RELEASES, "shop", "web") is None


async def test_a_late_line_does_not_undo_our_own_write(cluster: Cluster) -> None:
    old = await cluster.create(RELEASES, "shop", thing(RELEASES, "web"))
    new = await cluster.merge(RELEASES, "shop", "web", {"status": {"move": 1}})
    assert not cluster.store.put(RELEASES, old)
    assert cluster.floor(RELEASES, "shop", "web") == version_of(new)


async def test_after_a_write_without_an_answer_the_server_is_asked(api: FakeApi, cluster: Cluster) -> None:
    await cluster.create(RELEASES, "shop", thing(RELEASES, "web"))

    async def done_but_not_answered(seen: Seen) -> web.Response | None:
        if seen.method != "PATCH":
            return None
        api.put(RELEASES, thing(RELEASES, "web", status=seen.body["status"]))
        return refusal(504, "Timeout")

    api.faults.append(done_but_not_answered)
    with pytest.raises(Unavailable):
        await cluster.merge(RELEASES, "shop", "web", {"status": {"move": 1}})
    assert cluster.unsure(RELEASES, "shop", "web")
    seen = await cluster.read(RELEASES, "shop", "web")
    assert seen is not None
    assert seen["status"] == {"move": 1}
    assert not cluster.unsure(RELEASES, "shop", "web")


async def test_a_write_that_the_caller_gave_up_counts_as_unanswered(api: FakeApi, cluster: Cluster) -> None:
    await cluster.create(RELEASES, "shop", thing(RELEASES, "web"))

    async def slow(seen: Seen) -> None:
        await asyncio.sleep(30)

    api.faults.append(slow)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await cluster.merge(RELEASES, "shop", "web", {"status": {"move": 1}})
    assert cluster.unsure(RELEASES, "shop", "web")


async def test_at_rest_reading_asks_nobody(api: FakeApi, cluster: Cluster) -> None:
    await cluster.create(RELEASES, "shop", thing(RELEASES, "web"))
    asked = len(api.seen)
    await cluster.read(RELEASES, "shop", "web")
    assert len(api.seen) == asked


async def test_a_write_to_what_is_gone_drops_it_at_once(api: FakeApi, cluster: Cluster) -> None:
    await cluster.create(RELEASES, "shop", thing(RELEASES, "web"))
    api.remove(RELEASES, "shop", "web", told=False)
    with pytest.raises(NotFound):
        await cluster.merge(RELEASES, "shop", "web", {})
    assert cluster.get(RELEASES, "shop", "web") is None


async def test_deleting_what_is_gone_is_no_error(api: FakeApi, cluster: Cluster) -> None:
    await cluster.create(DEPLOYMENTS, "shop", thing(DEPLOYMENTS, "web", release="web"))
    api.remove(DEPLOYMENTS, "shop", "web", told=False)
    await cluster.delete(DEPLOYMENTS, "shop", "web")
    assert cluster.get(DEPLOYMENTS, "shop", "web") is None


async def test_another_object_of_the_name_is_not_deleted_in_the_place_of_the_one_meant(cluster: Cluster) -> None:
    await cluster.create(DEPLOYMENTS, "shop", thing(DEPLOYMENTS, "web", release="web"))
    with pytest.raises(Conflict):
        await cluster.delete(DEPLOYMENTS, "shop", "web", uid="of-another")
    assert cluster.get(DEPLOYMENTS, "shop", "web") is not None


async def test_an_object_that_a_finalizer_holds_is_still_seen_on_its_way_out(api: FakeApi, cluster: Cluster) -> None:
    made = await cluster.create(PODS, "shop", thing(PODS, "web", release="web"))

    async def held(seen: Seen) -> web.Response | None:
        if seen.method != "DELETE":
            return None
        leaving = {**made["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z", "resourceVersion": "900"}
        return web.json_response({**made, "metadata": leaving})

    api.faults.append(held)
    await cluster.delete(PODS, "shop", "web")
    seen = cluster.get(PODS, "shop", "web")
    assert seen is not None
    assert seen["metadata"]["deletionTimestamp"]


async def test_a_fresh_read_finds_what_no_watch_has_told(api: FakeApi, cluster: Cluster) -> None:
    api.put(RELEASES, thing(RELEASES, "web"), told=False)
    assert cluster.get(RELEASES, "shop", "web") is None
    assert await cluster.fresh(RELEASES, "shop", "web") is not None
    api.remove(RELEASES, "shop", "web", told=False)
    assert await cluster.fresh(RELEASES, "shop", "web") is None
    assert cluster.get(RELEASES, "shop", "web") is None


async def test_a_secret_is_read_in_whole_and_nothing_but_its_metadata_is_kept(api: FakeApi, cluster: Cluster) -> None:
    api.put(SECRETS, thing(SECRETS, "token", release="web", data={"token": "c2VjcmV0"}))
    for _ in range(2):
        secret = await cluster.read(SECRETS, "shop", "token")
        assert secret is not None
        assert secret["data"] == {"token": "c2VjcmV0"}
    made = await cluster.create(SECRETS, "shop", thing(SECRETS, "other", release="web", data={"token": "c2VjcmV0"}))
    assert made["data"] == {"token": "c2VjcmV0"}
    kept = cluster.of_release(SECRETS, "shop", "web")
    assert [set(each) for each in kept] == [{"apiVersion", "kind", "metadata"}] * 2
