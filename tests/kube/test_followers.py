"""What Kopf does not follow: nothing is lost over breaks, a missing right or kind is told, and one namespace's is that
namespace's alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from tests.controller.waiting import soon
from tests.kube.fake import FakeApi, Seen, refusal, thing
from tidegate.kube import CONFIGMAPS, SECRETS, VIRTUALSERVICES, Key, Object, Resource, Store, followers
from tidegate.kube.followers import Followers
from tidegate.kube.resources import OPTIONAL, OUTLINED


@pytest.fixture
async def api(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeApi]:
    monkeypatch.setattr(followers, "AGAIN", 0.05)
    async with FakeApi() as api:
        yield api


class Followed:
    """A store that is fed as the operator's is."""

    def __init__(self, resources: Sequence[Resource]) -> None:
        self.store, self.resources, self.changes = Store(), resources, 0

    def took(self, resource: Resource, event: str | None, obj: Object) -> None:
        if event == "DELETED":
            meta = obj["metadata"]
            self.store.drop(resource, meta["namespace"], meta["name"], meta["uid"], int(meta["resourceVersion"]))
        else:
            self.store.put(resource, obj)

    def vanished(self, resource: Resource, key: Key, version: int) -> None:
        self.store.drop(resource, *key, version=version)

    def changed(self, resource: Resource, namespace: str | None) -> None:
        self.changes += 1

    @property
    def places(self) -> set[str]:
        return {str(key) for resource in self.resources for key in self.store.keys(resource)}

    @property
    def names(self) -> set[str]:
        return {place.partition("/")[2] for place in self.places}


@asynccontextmanager
async def followed(api: FakeApi, resources: Sequence[Resource], *namespaces: str) -> AsyncIterator[Followed]:
    found = Followed(resources)
    async with api.client() as client:
        following = Followers(
            client, found.store, found.took, found.vanished, found.changed, namespaces=namespaces, resources=resources
        )
        running = asyncio.create_task(following.run())
        try:
            await asyncio.wait_for(following.looked(), 10)
            yield found
        finally:
            running.cancel()
            await asyncio.wait({running})


async def test_what_is_there_is_listed_and_what_comes_later_is_watched(api: FakeApi) -> None:
    api.put(CONFIGMAPS, thing(CONFIGMAPS, "first", release="web"))
    async with followed(api, OUTLINED) as found:
        assert found.names == {"first"}
        assert found.store.trouble(SECRETS, "shop") == ""
        api.put(SECRETS, thing(SECRETS, "second", release="web"))
        await soon(lambda: found.names == {"first", "second"})
        api.remove(CONFIGMAPS, "shop", "first")
        await soon(lambda: found.names == {"second"})


async def test_only_metadata_is_asked_for(api: FakeApi) -> None:
    async with followed(api, OUTLINED) as found:
        await soon(lambda: sum(seen.watches for seen in api.seen) == 2)
        assert found.names == set()
    accepted = [seen.accept for seen in api.seen]
    assert all("as=PartialObjectMetadata" in accept for accept in accepted)


async def test_what_was_deleted_while_no_watch_was_there_is_gone_after_the_next_list(api: FakeApi) -> None:
    api.put(CONFIGMAPS, thing(CONFIGMAPS, "first", release="web"))
    async with followed(api, OUTLINED) as found:
        api.remove(CONFIGMAPS, "shop", "first", told=False)
        api.put(CONFIGMAPS, thing(CONFIGMAPS, "second", release="web"), told=False)
        api.expire()
        await soon(lambda: found.names == {"second"})


async def test_a_watch_that_is_cut_goes_on_from_where_it_was(api: FakeApi) -> None:
    async with followed(api, OUTLINED) as found:
        api.put(CONFIGMAPS, thing(CONFIGMAPS, "first", release="web"))
        await soon(lambda: found.names == {"first"})
        lists = [seen for seen in api.seen if not seen.watches]
        api.cut()
        api.put(CONFIGMAPS, thing(CONFIGMAPS, "second", release="web"))
        await soon(lambda: found.names == {"first", "second"})
        assert [seen for seen in api.seen if not seen.watches] == lists, "not listed anew"


async def test_where_the_right_is_missing_the_store_says_why_until_it_is_given(api: FakeApi) -> None:
    denied = True

    async def fault(seen: Seen) -> web.Response | None:
        if denied and seen.path.endswith("/secrets"):
            return refusal(403, "Forbidden", 'User "tidegate" cannot list resource "secrets"')
        return None

    api.faults.append(fault)
    async with followed(api, OUTLINED) as found:
        assert "grant the user named here to list secrets" in str(found.store.trouble(SECRETS, "shop"))
        assert found.store.trouble(CONFIGMAPS, "shop") == ""
        denied = False
        await soon(lambda: found.store.trouble(SECRETS, "shop") == "")


async def test_a_line_may_be_longer_than_a_reader_takes_at_once(api: FakeApi) -> None:
    async with followed(api, OUTLINED) as found:
        body = thing(CONFIGMAPS, "long", release="web")
        body["metadata"]["annotations"] = {"much": "x" * 1_000_000}
        api.put(CONFIGMAPS, body)
        await soon(lambda: found.names == {"long"})


# ---- kinds that may be missing


def serve(api: FakeApi, *names: str, namespace: str = "shop") -> None:
    if VIRTUALSERVICES not in api.served:
        api.served.append(VIRTUALSERVICES)
    for name in names:
        api.put(VIRTUALSERVICES, thing(VIRTUALSERVICES, name, namespace=namespace))


async def test_where_nobody_wants_it_a_kind_that_is_missing_is_asked_for_once(api: FakeApi) -> None:
    async with followed(api, OPTIONAL) as found:
        await asyncio.sleep(0.5)
        assert len(api.seen) == 1
        assert found.store.trouble(VIRTUALSERVICES, "shop")


async def test_one_that_is_served_is_followed_from_the_start(api: FakeApi) -> None:
    serve(api, "first")
    async with followed(api, OPTIONAL) as found:
        assert found.store.trouble(VIRTUALSERVICES, "shop") == ""
        assert found.places == {"shop/first"}
        serve(api, "second")
        await soon(lambda: found.places == {"shop/first", "shop/second"})
        api.remove(VIRTUALSERVICES, "shop", "first")
        await soon(lambda: found.places == {"shop/second"})
        assert found.changes == 1


async def test_once_wanted_it_is_followed_when_it_comes(api: FakeApi) -> None:
    async with followed(api, OPTIONAL) as found:
        assert found.store.want(VIRTUALSERVICES, "shop") is False
        await soon(lambda: len(api.seen) > 3)
        assert found.changes == 1  # that it is still missing is no news, and makes nobody look again
        serve(api, "first")
        await soon(lambda: found.store.trouble(VIRTUALSERVICES, "shop") == "")
        assert found.places == {"shop/first"}


async def test_one_that_goes_is_not_known_any_more_until_it_is_back(api: FakeApi) -> None:
    serve(api, "first")
    async with followed(api, OPTIONAL) as found:
        api.served.remove(VIRTUALSERVICES)
        api.cut()
        await soon(lambda: bool(found.store.trouble(VIRTUALSERVICES, "shop")))
        assert found.places == set()
        assert found.changes == 2
        serve(api)
        found.store.want(VIRTUALSERVICES, "shop")
        await soon(lambda: found.store.trouble(VIRTUALSERVICES, "shop") == "")


async def test_only_its_namespaces_are_asked(api: FakeApi) -> None:
    serve(api, "first")
    serve(api, "first", namespace="other")
    serve(api, "first", namespace="third")
    async with followed(api, OPTIONAL, "shop", "other") as found:
        assert found.places == {"shop/first", "other/first"}


async def test_of_whole_objects_too_what_was_deleted_unseen_is_gone_after_the_next_list(api: FakeApi) -> None:
    serve(api, "first")
    async with followed(api, OPTIONAL) as found:
        api.remove(VIRTUALSERVICES, "shop", "first", told=False)
        api.put(VIRTUALSERVICES, thing(VIRTUALSERVICES, "second"), told=False)
        api.expire()
        await soon(lambda: found.places == {"shop/second"})


# ---- one namespace of several


def denied(namespace: str) -> web.Response:
    return refusal(403, "Forbidden", f"it cannot list anything in the namespace {namespace!r}")


@pytest.mark.parametrize("resource", [CONFIGMAPS, VIRTUALSERVICES])
async def test_a_namespace_that_is_denied_takes_nothing_from_the_others(api: FakeApi, resource: Resource) -> None:
    served = True

    async def fault(seen: Seen) -> web.Response | None:
        return denied("other") if "/namespaces/other/" in seen.path and not served else None

    serve(api)
    for namespace in ("shop", "other"):
        api.put(resource, thing(resource, "first", namespace=namespace, release="web"))
    api.faults.append(fault)
    async with followed(api, (resource,), "shop", "other") as found:
        served = False
        api.expire()
        await soon(lambda: bool(found.store.trouble(resource, "other")))
        assert found.store.trouble(resource, "shop") == ""
        assert found.places == {"shop/first", "other/first"}, "what can't be seen any more stays as it was known last"
        api.put(resource, thing(resource, "second", namespace="shop", release="web"))
        await soon(lambda: "shop/second" in found.places)
        served = True
        found.store.want(resource, "other")
        await soon(lambda: found.store.trouble(resource, "other") == "")


async def test_the_others_are_seen_though_one_is_denied_from_the_start(api: FakeApi) -> None:
    async def fault(seen: Seen) -> web.Response | None:
        return denied("other") if "/namespaces/other/" in seen.path else None

    serve(api, "first")
    api.faults.append(fault)
    async with followed(api, (*OUTLINED, *OPTIONAL), "shop", "other") as found:
        assert found.places == {"shop/first"}
        for resource in (*OUTLINED, *OPTIONAL):
            assert found.store.trouble(resource, "shop") == ""
            assert "forbids" in str(found.store.trouble(resource, "other"))
