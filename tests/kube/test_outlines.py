"""ConfigMaps and Secrets are followed by their metadata: nothing is lost over breaks, and a missing right is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from tests.controller.waiting import soon
from tests.kube.fake import FakeApi, Seen, refusal, thing
from tidegate.kube import CONFIGMAPS, SECRETS, Key, Object, Resource, Store
from tidegate.kube.outlines import Outlines


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with FakeApi() as api:
        yield api


class Followed:
    """A store that is fed as the operator's is."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def took(self, resource: Resource, event: str | None, obj: Object) -> None:
        if event == "DELETED":
            meta = obj["metadata"]
            self.store.drop(resource, meta["namespace"], meta["name"], meta["uid"], int(meta["resourceVersion"]))
        else:
            self.store.put(resource, obj)

    def vanished(self, resource: Resource, key: Key, version: int) -> None:
        self.store.drop(resource, *key, version=version)

    @property
    def names(self) -> set[str]:
        return {key.name for resource in (CONFIGMAPS, SECRETS) for key in self.store.keys(resource)}

    async def until(self, names: set[str]) -> None:
        await soon(lambda: self.names == names)


@asynccontextmanager
async def followed(api: FakeApi) -> AsyncIterator[Followed]:
    store = Store()
    found = Followed(store)
    async with api.client() as client:
        outlines = Outlines(client, store, found.took, found.vanished)
        running = asyncio.create_task(outlines.run())
        try:
            await asyncio.wait_for(outlines.looked(), 10)
            yield found
        finally:
            running.cancel()
            await asyncio.wait({running})


async def test_what_is_there_is_listed_and_what_comes_later_is_watched(api: FakeApi) -> None:
    api.put(CONFIGMAPS, thing(CONFIGMAPS, "first", release="web"))
    async with followed(api) as found:
        assert found.names == {"first"}
        assert found.store.synced(SECRETS)
        api.put(SECRETS, thing(SECRETS, "second", release="web"))
        await found.until({"first", "second"})
        api.remove(CONFIGMAPS, "shop", "first")
        await found.until({"second"})


async def test_only_metadata_is_asked_for(api: FakeApi) -> None:
    async with followed(api) as found:
        await soon(lambda: sum(seen.watches for seen in api.seen) == 2)
        assert found.names == set()
    accepted = [seen.accept for seen in api.seen]
    assert all("as=PartialObjectMetadata" in accept for accept in accepted)


async def test_what_was_deleted_while_no_watch_was_there_is_gone_after_the_next_list(api: FakeApi) -> None:
    api.put(CONFIGMAPS, thing(CONFIGMAPS, "first", release="web"))
    async with followed(api) as found:
        api.remove(CONFIGMAPS, "shop", "first", told=False)
        api.put(CONFIGMAPS, thing(CONFIGMAPS, "second", release="web"), told=False)
        api.expire()
        await found.until({"second"})


async def test_a_watch_that_is_cut_goes_on_from_where_it_was(api: FakeApi) -> None:
    async with followed(api) as found:
        api.put(CONFIGMAPS, thing(CONFIGMAPS, "first", release="web"))
        await found.until({"first"})
        lists = [seen for seen in api.seen if not seen.watches]
        api.cut()
        api.put(CONFIGMAPS, thing(CONFIGMAPS, "second", release="web"))
        await found.until({"first", "second"})
        assert [seen for seen in api.seen if not seen.watches] == lists, "not listed anew"


async def test_where_the_right_is_missing_the_store_says_why_until_it_is_given(api: FakeApi) -> None:
    denied = True

    async def fault(seen: Seen) -> web.Response | None:
        if denied and seen.path.endswith("/secrets"):
            return refusal(403, "Forbidden", 'User "tidegate" cannot list resource "secrets"')
        return None

    api.faults.append(fault)
    async with followed(api) as found:
        assert "grant the user named here to list secrets" in found.store.unseen(SECRETS)
        assert not found.store.unseen(CONFIGMAPS)
        denied = False
        await soon(lambda: not found.store.unseen(SECRETS))
        assert found.store.synced(SECRETS)


async def test_a_line_may_be_longer_than_a_reader_takes_at_once(api: FakeApi) -> None:
    async with followed(api) as found:
        body = thing(CONFIGMAPS, "long", release="web")
        body["metadata"]["annotations"] = {"much": "x" * 1_000_000}
        api.put(CONFIGMAPS, body)
        await found.until({"long"})
