"""What an API server does for whoever is its client: what our client, our view and Kopf's watches rely on.

Run on the real one in tests/integration and on the small one of `tests.kube.fake`, which plays it where faults are
needed. Not in it, since the small one does not play it: schemas and defaults, admission, rights, garbage collection.

class TestServer(ApiServerContract):
    @pytest.fixture
    async def client(self) -> AsyncIterator[Client]: ...
    @pytest.fixture
    async def namespace(self, client: Client) -> AsyncIterator[str]: ...  # this test's own
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
import pytest

from hack.stage import shop
from tests.kube.fake import thing
from tidegate.errors import AlreadyExists, Conflict, NotFound, Rejected
from tidegate.kube import (
    CONTROLLERREVISIONS,
    EVENTS,
    LEASES,
    RELEASES,
    SERVICES,
    WATCHED,
    Client,
    Cluster,
    Object,
    Resource,
    Store,
    uid_of,
    version_of,
)

NOTHINGS = Resource("tidegate.dev", "v1alpha1", "nothings", "Nothing")
LABEL = "tidegate.dev/release"
FINALIZER = "example.dev/held"
PATIENCE = 20.0  # seconds


def revision(name: str, namespace: str, release: str = "web", number: int = 1) -> dict[str, Any]:
    """Something small, with a label, that has neither a status nor a generation."""
    return thing(CONTROLLERREVISIONS, name, namespace=namespace, release=release, revision=number, data={"a": "b"})


def service(name: str, namespace: str) -> dict[str, Any]:
    return thing(SERVICES, name, namespace=namespace, spec={"ports": [{"name": "http", "port": 80}]})


def release(name: str, namespace: str) -> dict[str, Any]:
    """Of a custom kind, whose status is a part of its own."""
    return shop.release(namespace, "v1.0.0", name=name, guards=[])


class Line(NamedTuple):
    """One line of a watch."""

    type: str
    obj: Object


class Watch:
    """A watch as Kopf's: from a version on, of one namespace, by label or not."""

    def __init__(self, client: Client, resource: Resource, namespace: str, since: int | str, labels: str = "") -> None:
        self._client, self._path = client, resource.path(namespace)
        self._query = {"watch": "true", "resourceVersion": str(since), "timeoutSeconds": "60"}
        if labels:
            self._query["labelSelector"] = labels

    async def lines(self) -> AsyncGenerator[Line, None]:
        access = self._client.access
        authorization = access.authorization()
        headers = {"Authorization": authorization} if authorization else {}
        tls = access.tls()
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=True if tls is None else tls)) as session,
            session.get(access.server + self._path, params=self._query, headers=headers) as response,
        ):
            if response.status != 200:
                yield Line("ERROR", await response.json())
                return
            async for raw in response.content:
                line = json.loads(raw)
                yield Line(line["type"], line["object"])

    async def first(self, count: int) -> list[Line]:
        """So many lines. Raises TimeoutError where fewer come."""
        found: list[Line] = []
        async with asyncio.timeout(PATIENCE), aclosing(self.lines()) as lines:
            async for line in lines:
                found.append(line)
                if len(found) == count:
                    break
        return found


@asynccontextmanager
async def opened(watch: Watch, count: int) -> AsyncIterator[asyncio.Task[list[Line]]]:
    """It waits for so many lines while the block runs."""
    task = asyncio.create_task(watch.first(count))
    try:
        yield task
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def told(lines: list[Line]) -> list[tuple[str, str]]:
    return [(line.type, line.obj["metadata"]["name"]) for line in lines]


class ApiServerContract:
    # ---- writing

    async def test_what_is_created_has_a_uid_and_a_version_and_is_read_back(
        self, client: Client, namespace: str
    ) -> None:
        made = await client.create(CONTROLLERREVISIONS, namespace, revision("web-1", namespace))
        assert uid_of(made)
        assert version_of(made) > 0
        assert (made["kind"], made["apiVersion"]) == ("ControllerRevision", "apps/v1")
        assert await client.get(CONTROLLERREVISIONS, namespace, "web-1") == made

    async def test_a_body_need_not_say_the_namespace_of_its_path(self, client: Client, namespace: str) -> None:
        body = revision("web-1", namespace)
        del body["metadata"]["namespace"]
        made = await client.create(CONTROLLERREVISIONS, namespace, body)
        assert made["metadata"]["namespace"] == namespace

    async def test_what_is_there_is_not_created_again(self, client: Client, namespace: str) -> None:
        made = await client.create(CONTROLLERREVISIONS, namespace, revision("web-1", namespace))
        with pytest.raises(AlreadyExists):
            await client.create(CONTROLLERREVISIONS, namespace, revision("web-1", namespace, number=2))
        assert await client.get(CONTROLLERREVISIONS, namespace, "web-1") == made

    async def test_a_change_raises_the_version_and_no_change_leaves_it(self, client: Client, namespace: str) -> None:
        made = await client.create(CONTROLLERREVISIONS, namespace, revision("web-1", namespace))
        changed = await client.merge(CONTROLLERREVISIONS, namespace, "web-1", {"revision": 2})
        assert version_of(changed) > version_of(made)
        assert uid_of(changed) == uid_of(made)
        again = await client.merge(CONTROLLERREVISIONS, namespace, "web-1", {"revision": 2})
        assert version_of(again) == version_of(changed)
        same = {"metadata": {"labels": {LABEL: "web"}, "annotations": {"not-there": None}}}
        assert version_of(await client.merge(CONTROLLERREVISIONS, namespace, "web-1", same)) == version_of(changed)

    async def test_a_patch_merges_maps_takes_null_for_gone_and_replaces_lists(
        self, client: Client, namespace: str
    ) -> None:
        await client.create(SERVICES, namespace, service("web", namespace))
        await client.merge(SERVICES, namespace, "web", {"spec": {"selector": {"a": "1", "b": "2"}}})
        ports = [{"name": "other", "port": 81}]
        changed = await client.merge(SERVICES, namespace, "web", {"spec": {"selector": {"a": None}, "ports": ports}})
        assert changed["spec"]["selector"] == {"b": "2"}
        assert [port["name"] for port in changed["spec"]["ports"]] == ["other"]

    async def test_a_change_at_an_old_version_is_refused(self, client: Client, namespace: str) -> None:
        made = await client.create(CONTROLLERREVISIONS, namespace, revision("web-1", namespace))
        at_old = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "revision": 2}
        changed = await client.merge(CONTROLLERREVISIONS, namespace, "web-1", at_old)
        with pytest.raises(Conflict) as refused:
            await client.merge(CONTROLLERREVISIONS, namespace, "web-1", {**at_old, "revision": 3})
        assert not isinstance(refused.value, AlreadyExists)
        assert await client.get(CONTROLLERREVISIONS, namespace, "web-1") == changed

    async def test_a_uid_in_a_patch_is_no_precondition(self, client: Client, namespace: str) -> None:
        """Only the version is one: the uid is refused as a change of itself, and with a status not even looked at."""
        made = await client.create(RELEASES, namespace, release("web", namespace))
        other = {"metadata": {"uid": "of-another"}}
        with pytest.raises(Rejected):
            await client.merge(RELEASES, namespace, "web", {**other, "spec": {"paused": True}})
        written = await client.merge(
            RELEASES, namespace, "web", {**other, "status": {"phase": "Idle"}}, subresource="status"
        )
        assert (uid_of(written), written["status"]["phase"]) == (uid_of(made), "Idle")

    async def test_an_object_is_replaced_at_its_version_only(self, client: Client, namespace: str) -> None:
        lease = thing(LEASES, "lead", namespace=namespace, spec={"holderIdentity": "one", "leaseTransitions": 1})
        made = await client.create(LEASES, namespace, lease)
        mine = {**made, "spec": {"holderIdentity": "two"}}
        replaced = await client.replace(LEASES, namespace, "lead", mine)
        assert replaced["spec"] == {"holderIdentity": "two"}
        assert uid_of(replaced) == uid_of(made)
        with pytest.raises(Conflict):
            await client.replace(LEASES, namespace, "lead", mine)

    async def test_what_is_not_there_is_not_found_by_any_verb(self, client: Client, namespace: str) -> None:
        with pytest.raises(NotFound, match=f"ControllerRevision {namespace}/none does not exist"):
            await client.get(CONTROLLERREVISIONS, namespace, "none")
        with pytest.raises(NotFound, match=f"ControllerRevision {namespace}/none does not exist"):
            await client.merge(CONTROLLERREVISIONS, namespace, "none", {"revision": 2})
        with pytest.raises(NotFound, match=f"ControllerRevision {namespace}/none does not exist"):
            await client.delete(CONTROLLERREVISIONS, namespace, "none")

    # ---- deleting

    async def test_only_what_is_meant_is_deleted(self, client: Client, namespace: str) -> None:
        made = await client.create(CONTROLLERREVISIONS, namespace, revision("web-1", namespace))
        changed = await client.merge(CONTROLLERREVISIONS, namespace, "web-1", {"revision": 2})
        with pytest.raises(Conflict):
            await client.delete(CONTROLLERREVISIONS, namespace, "web-1", uid="of-another")
        old = made["metadata"]["resourceVersion"]
        with pytest.raises(Conflict):
            await client.delete(CONTROLLERREVISIONS, namespace, "web-1", resource_version=old)
        now = changed["metadata"]["resourceVersion"]
        await client.delete(CONTROLLERREVISIONS, namespace, "web-1", uid=uid_of(made), resource_version=now)
        with pytest.raises(NotFound):
            await client.get(CONTROLLERREVISIONS, namespace, "web-1")

    async def test_the_same_name_anew_is_another_object(self, client: Client, namespace: str) -> None:
        first = await client.create(CONTROLLERREVISIONS, namespace, revision("web-1", namespace))
        await client.delete(CONTROLLERREVISIONS, namespace, "web-1")
        second = await client.create(CONTROLLERREVISIONS, namespace, revision("web-1", namespace))
        assert uid_of(second) != uid_of(first)
        assert version_of(second) > version_of(first)

    async def test_a_finalizer_holds_what_is_deleted_until_it_is_taken_off(
        self, client: Client, namespace: str
    ) -> None:
        body = revision("web-1", namespace)
        body["metadata"]["finalizers"] = [FINALIZER]
        made = await client.create(CONTROLLERREVISIONS, namespace, body)
        await client.delete(CONTROLLERREVISIONS, namespace, "web-1")
        held = await client.get(CONTROLLERREVISIONS, namespace, "web-1")
        assert held["metadata"]["deletionTimestamp"]
        assert version_of(held) > version_of(made)
        await client.delete(CONTROLLERREVISIONS, namespace, "web-1")
        again = await client.get(CONTROLLERREVISIONS, namespace, "web-1")
        assert again["metadata"]["deletionTimestamp"] == held["metadata"]["deletionTimestamp"]
        await client.merge(CONTROLLERREVISIONS, namespace, "web-1", {"metadata": {"finalizers": None}})
        with pytest.raises(NotFound):
            await client.get(CONTROLLERREVISIONS, namespace, "web-1")

    # ---- status and generation

    async def test_the_status_is_written_apart(self, client: Client, namespace: str) -> None:
        made = await client.create(RELEASES, namespace, {**release("web", namespace), "status": {"phase": "Idle"}})
        assert "status" not in made
        unheard = await client.merge(RELEASES, namespace, "web", {"status": {"phase": "Idle"}})
        assert ("status" in unheard, version_of(unheard)) == (False, version_of(made))
        both = {"spec": {"paused": True}, "metadata": {"labels": {"a": "b"}}, "status": {"phase": "Idle"}}
        changed = await client.merge(RELEASES, namespace, "web", both, subresource="status")
        assert changed["status"]["phase"] == "Idle"
        assert "paused" not in changed["spec"]
        assert "a" not in changed["metadata"].get("labels", {})
        assert version_of(changed) > version_of(made)
        kept = await client.merge(RELEASES, namespace, "web", {"spec": {"paused": True}})
        assert (kept["spec"]["paused"], kept["status"]["phase"]) == (True, "Idle")

    async def test_a_status_at_an_old_version_is_refused(self, client: Client, namespace: str) -> None:
        made = await client.create(RELEASES, namespace, release("web", namespace))
        await client.merge(RELEASES, namespace, "web", {"spec": {"paused": True}})
        at_old = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "status": {"phase": "Idle"}}
        with pytest.raises(Conflict):
            await client.merge(RELEASES, namespace, "web", at_old, subresource="status")
        assert "status" not in await client.get(RELEASES, namespace, "web")

    async def test_the_generation_counts_changes_of_the_spec_alone(self, client: Client, namespace: str) -> None:
        made = await client.create(RELEASES, namespace, release("web", namespace))
        await client.merge(RELEASES, namespace, "web", {"status": {"phase": "Idle"}}, subresource="status")
        labelled = await client.merge(RELEASES, namespace, "web", {"metadata": {"labels": {"a": "b"}}})
        changed = await client.merge(RELEASES, namespace, "web", {"spec": {"version": "v1.1.0"}})
        assert [each["metadata"]["generation"] for each in (made, labelled, changed)] == [1, 1, 2]

    # ---- lists

    async def test_a_list_comes_whole_in_chunks_and_by_label(
        self, client: Client, namespace: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tidegate.kube.client.CHUNK", 2)
        for number in range(5):
            await client.create(CONTROLLERREVISIONS, namespace, revision(f"web-{number}", namespace))
        await client.create(CONTROLLERREVISIONS, namespace, revision("other", namespace, release="other"))
        await client.create(CONTROLLERREVISIONS, namespace, revision("plain", namespace, release=""))
        items, version = await client.list(CONTROLLERREVISIONS, namespace, labels=f"{LABEL}=web")
        assert [item["metadata"]["name"] for item in items] == [f"web-{number}" for number in range(5)]
        assert all(item["kind"] == "ControllerRevision" and item["data"] for item in items)
        assert int(version) >= max(version_of(item) for item in items)
        labelled, _ = await client.list(CONTROLLERREVISIONS, namespace, labels=LABEL)
        assert len(labelled) == 6
        everything, _ = await client.list(CONTROLLERREVISIONS, namespace)
        assert len(everything) == 7

    async def test_a_list_is_of_one_namespace_or_of_all(self, client: Client, namespace: str) -> None:
        made = await client.create(CONTROLLERREVISIONS, namespace, revision("web-1", namespace))
        elsewhere, _ = await client.list(CONTROLLERREVISIONS, f"{namespace}-not")
        assert elsewhere == []
        everywhere, _ = await client.list(CONTROLLERREVISIONS, labels=LABEL)
        assert uid_of(made) in [uid_of(item) for item in everywhere]

    async def test_a_list_of_metadata_has_nothing_else(self, client: Client, namespace: str) -> None:
        made = await client.create(CONTROLLERREVISIONS, namespace, revision("web-1", namespace))
        (slim,), _ = await client.list(CONTROLLERREVISIONS, namespace, resource_version="0", metadata_only=True)
        assert (uid_of(slim), version_of(slim)) == (uid_of(made), version_of(made))
        assert set(slim) <= {"kind", "apiVersion", "metadata"}

    # ---- kinds

    async def test_a_kind_that_is_not_served_is_told_from_an_object_that_is_not_there(
        self, client: Client, namespace: str
    ) -> None:
        assert [await client.serves(resource) for resource in (*WATCHED, EVENTS, LEASES)] == [True] * 13
        assert not await client.serves(NOTHINGS)
        for call in (client.list(NOTHINGS, namespace), client.get(NOTHINGS, namespace, "web")):
            with pytest.raises(NotFound, match=r"does not know the kind Nothing \(tidegate.dev/v1alpha1\)"):
                await call

    async def test_a_body_of_another_kind_than_its_path_is_refused(self, client: Client, namespace: str) -> None:
        with pytest.raises(Rejected):
            await client.create(SERVICES, namespace, revision("web-1", namespace))

    # ---- watches

    async def test_a_watch_tells_what_came_changed_and_went_since_its_version(
        self, client: Client, namespace: str
    ) -> None:
        await client.create(CONTROLLERREVISIONS, namespace, revision("old", namespace))
        _, since = await client.list(CONTROLLERREVISIONS, namespace)
        made = await client.create(CONTROLLERREVISIONS, namespace, revision("web-1", namespace))
        async with opened(Watch(client, CONTROLLERREVISIONS, namespace, since), 3) as watch:
            changed = await client.merge(CONTROLLERREVISIONS, namespace, "web-1", {"revision": 2})
            await client.delete(CONTROLLERREVISIONS, namespace, "web-1")
        lines = watch.result()
        assert told(lines) == [("ADDED", "web-1"), ("MODIFIED", "web-1"), ("DELETED", "web-1")]
        assert [line.obj for line in lines[:2]] == [made, changed]
        assert lines[2].obj["revision"] == 2, "the last that it was"
        assert version_of(lines[2].obj) > version_of(changed), "by which a late line is known"

    async def test_a_watch_goes_on_from_a_version_and_tells_nothing_twice(self, client: Client, namespace: str) -> None:
        await client.create(CONTROLLERREVISIONS, namespace, revision("web-1", namespace))
        second = await client.create(CONTROLLERREVISIONS, namespace, revision("web-2", namespace))
        await client.create(CONTROLLERREVISIONS, namespace, revision("web-3", namespace))
        lines = await Watch(client, CONTROLLERREVISIONS, namespace, version_of(second)).first(1)
        assert told(lines) == [("ADDED", "web-3")]

    async def test_a_watch_by_label_tells_of_what_gets_and_what_loses_it(self, client: Client, namespace: str) -> None:
        _, since = await client.list(CONTROLLERREVISIONS, namespace)
        await client.create(CONTROLLERREVISIONS, namespace, revision("plain", namespace, release=""))
        await client.create(CONTROLLERREVISIONS, namespace, revision("other", namespace, release="other"))
        for value in ("web", None):
            change = {"metadata": {"labels": {LABEL: value}}}
            await client.merge(CONTROLLERREVISIONS, namespace, "plain", change)
        lines = await Watch(client, CONTROLLERREVISIONS, namespace, since, LABEL).first(3)
        assert told(lines) == [("ADDED", "other"), ("ADDED", "plain"), ("DELETED", "plain")]

    async def test_a_watch_from_a_version_that_is_forgotten_is_told_so(self, client: Client, namespace: str) -> None:
        ((kind, status),) = await Watch(client, RELEASES, namespace, 1).first(1)
        assert (kind, status["code"], status["reason"]) == ("ERROR", 410, "Expired")

    # ---- the view of it

    async def test_each_write_is_in_the_view_before_any_watch_tells_of_it(self, client: Client, namespace: str) -> None:
        cluster = Cluster(client, Store())
        made = await cluster.create(RELEASES, namespace, release("web", namespace))
        assert version_of(cluster.get(RELEASES, namespace, "web") or {}) == version_of(made)
        written = await cluster.merge(RELEASES, namespace, "web", {"status": {"phase": "Idle"}}, subresource="status")
        assert cluster.floor(RELEASES, namespace, "web") == version_of(written) > version_of(made)
        assert not cluster.store.put(RELEASES, made), "a late line does not undo it"
        await cluster.delete(RELEASES, namespace, "web")
        assert cluster.get(RELEASES, namespace, "web") is None

    async def test_what_somebody_else_wrote_is_in_the_view_after_a_fresh_read(
        self, client: Client, namespace: str
    ) -> None:
        cluster = Cluster(client, Store())
        await client.create(CONTROLLERREVISIONS, namespace, revision("web-1", namespace))
        assert cluster.get(CONTROLLERREVISIONS, namespace, "web-1") is None
        assert await cluster.fresh(CONTROLLERREVISIONS, namespace, "web-1")
        assert cluster.get(CONTROLLERREVISIONS, namespace, "web-1")
        await client.delete(CONTROLLERREVISIONS, namespace, "web-1")
        assert await cluster.fresh(CONTROLLERREVISIONS, namespace, "web-1") is None
        assert cluster.get(CONTROLLERREVISIONS, namespace, "web-1") is None

    async def test_what_a_finalizer_holds_is_in_the_view_on_its_way_out(self, client: Client, namespace: str) -> None:
        cluster = Cluster(client, Store())
        body = release("web", namespace)
        body["metadata"]["finalizers"] = [FINALIZER]
        await cluster.create(RELEASES, namespace, body)
        await cluster.delete(RELEASES, namespace, "web")
        seen = cluster.get(RELEASES, namespace, "web")
        assert seen
        assert seen["metadata"]["deletionTimestamp"]
        await cluster.merge(RELEASES, namespace, "web", {"metadata": {"finalizers": None}})
        assert await cluster.fresh(RELEASES, namespace, "web") is None
