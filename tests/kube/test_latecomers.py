"""Kinds that may be missing are looked for at the start, and then only while somebody wants them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.controller.waiting import soon
from tests.kube.fake import FakeApi, thing
from tidegate.kube import VIRTUALSERVICES, Key, Object, Resource, Store, latecomers
from tidegate.kube.latecomers import Latecomers


@pytest.fixture
async def api(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeApi]:
    monkeypatch.setattr(latecomers, "AGAIN", 0.05)
    async with FakeApi() as api:
        yield api


class Followed:
    def __init__(self) -> None:
        self.store, self.changes = Store(), 0

    def took(self, resource: Resource, event: str | None, obj: Object) -> None:
        if event == "DELETED":
            self.store.drop(resource, obj["metadata"]["namespace"], obj["metadata"]["name"])
        else:
            self.store.put(resource, obj)

    def vanished(self, resource: Resource, key: Key, version: int) -> None:
        self.store.drop(resource, *key, version=version)

    def changed(self, resource: Resource) -> None:
        self.changes += 1

    @property
    def names(self) -> set[str]:
        return {str(key) for key in self.store.keys(VIRTUALSERVICES)}


@asynccontextmanager
async def followed(api: FakeApi, *namespaces: str) -> AsyncIterator[Followed]:
    found = Followed()
    async with api.client() as client:
        following = Latecomers(client, found.store, found.took, found.vanished, found.changed, namespaces=namespaces)
        running = asyncio.create_task(following.run())
        try:
            await asyncio.wait_for(following.looked(), 10)
            yield found
        finally:
            running.cancel()
            await asyncio.wait({running})


def serve(api: FakeApi, *names: str, namespace: str = "shop") -> None:
    if VIRTUALSERVICES not in api.served:
        api.served.append(VIRTUALSERVICES)
    for name in names:
        api.put(VIRTUALSERVICES, thing(VIRTUALSERVICES, name, namespace=namespace))


async def test_where_nobody_wants_it_a_kind_that_is_missing_is_asked_for_once(api: FakeApi) -> None:
    async with followed(api) as found:
        await asyncio.sleep(0.5)
        assert len(api.seen) == 1
        assert not found.store.synced(VIRTUALSERVICES)
        assert found.store.all_synced is False  # of the others nothing was told here


async def test_one_that_is_served_is_followed_from_the_start(api: FakeApi) -> None:
    serve(api, "first")
    async with followed(api) as found:
        assert found.store.synced(VIRTUALSERVICES)
        assert found.names == {"shop/first"}
        serve(api, "second")
        await soon(lambda: found.names == {"shop/first", "shop/second"})
        api.remove(VIRTUALSERVICES, "shop", "first")
        await soon(lambda: found.names == {"shop/second"})
        assert found.changes == 1


async def test_once_wanted_it_is_followed_when_it_comes(api: FakeApi) -> None:
    async with followed(api) as found:
        assert found.store.want(VIRTUALSERVICES) is False
        await soon(lambda: len(api.seen) > 3)
        assert found.changes == 1  # that it is still missing is no news, and makes nobody look again
        serve(api, "first")
        await soon(lambda: found.store.synced(VIRTUALSERVICES))
        assert found.names == {"shop/first"}


async def test_one_that_goes_is_not_known_any_more_until_it_is_back(api: FakeApi) -> None:
    serve(api, "first")
    async with followed(api) as found:
        api.served.remove(VIRTUALSERVICES)
        api.cut()
        await soon(lambda: not found.store.synced(VIRTUALSERVICES))
        assert found.names == set()
        assert found.changes == 2
        serve(api)
        found.store.want(VIRTUALSERVICES)
        await soon(lambda: found.store.synced(VIRTUALSERVICES))


async def test_only_its_namespaces_are_asked(api: FakeApi) -> None:
    serve(api, "first")
    serve(api, "first", namespace="other")
    serve(api, "first", namespace="third")
    async with followed(api, "shop", "other") as found:
        assert found.names == {"shop/first", "other/first"}


async def test_what_was_deleted_while_no_watch_was_there_is_gone_after_the_next_list(api: FakeApi) -> None:
    serve(api, "first")
    async with followed(api) as found:
        api.remove(VIRTUALSERVICES, "shop", "first", told=False)
        api.put(VIRTUALSERVICES, thing(VIRTUALSERVICES, "second"), told=False)
        api.expire()
        await soon(lambda: found.names == {"shop/second"})
