"""Policies and Connections say in their Ready whether they can be used; what is told already is not written again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.controller.waiting import soon
from tests.kube.fake import FakeApi, thing
from tidegate.api.connection import Connection
from tidegate.controller.inspecting import AGAIN, Inspector
from tidegate.controller.lease import Gate, Term
from tidegate.errors import Denied, NotFound, NotPermitted, Permanent, TidegateError, Transient, Unavailable
from tidegate.kube import CONNECTIONS, POLICIES, Cluster, Key, Resource, Store
from tidegate.metrics import Secrets

GUARD = {"name": "errors", "connection": "prometheus", "revert": "1%"}
RATIO = {"bad": 'b{version="$(version)"}', "total": 't{version="$(version)"}'}


class Leader:
    def __init__(self) -> None:
        self.leads = asyncio.Event()
        self.leads.set()

    async def opened(self) -> None:
        await self.leads.wait()

    def safe_for(self, seconds: float) -> bool:
        return self.leads.is_set()


class Prometheus:
    """A source that fails as a test wants."""

    def __init__(self) -> None:
        self.fails: TidegateError | None = None
        self.asked = self.open = 0

    def opened(self, connection: Connection, secrets: Secrets) -> Any:
        self.open += 1
        return self

    async def reach(self, now: float) -> None:
        self.asked += 1
        if self.fails is not None:
            raise self.fails

    async def close(self) -> None:
        self.open -= 1


class World:
    def __init__(self, api: FakeApi, cluster: Cluster) -> None:
        self.api, self.cluster, self.leader, self.source = api, cluster, Leader(), Prometheus()
        self.inspector = Inspector(cluster, self.leader, self._secret, opener=self.source.opened, retry=0.0)

    async def _secret(self, connection: Connection, name: str, key: str) -> str:
        raise AssertionError("the source of this test asks for none")

    def put(self, resource: Resource, name: str, generation: int = 1, **spec: Any) -> None:
        body = thing(resource, name, spec=spec)
        body["metadata"]["generation"] = generation
        body["status"] = self.api.objects.get((resource, "shop", name), {}).get("status", {})
        self.cluster.store.put(resource, self.api.put(resource, body))
        self.inspector.changed(resource, Key("shop", name))

    def connection(self, name: str = "prometheus", **more: Any) -> None:
        self.put(CONNECTIONS, name, prometheus={"url": "http://p"}, allow=[{"guards": ["*"]}], **more)

    def ready(self, resource: Resource, name: str) -> tuple[str, str, str]:
        (condition,) = self.api.objects[resource, "shop", name]["status"]["conditions"]
        return condition["status"], condition["reason"], condition.get("message", "")

    def version(self, resource: Resource, name: str) -> str:
        return str(self.api.objects[resource, "shop", name]["metadata"]["resourceVersion"])

    async def look(self) -> None:
        await self.inspector.once()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with FakeApi() as api, api.client() as client:
        yield World(api, Cluster(client, Store()))


async def test_what_can_be_used_says_so_once(world: World) -> None:
    world.connection()
    world.put(POLICIES, "production", guards=[{**GUARD, "ratio": RATIO}])
    await world.look()
    assert world.ready(CONNECTIONS, "prometheus") == ("True", "Reachable", "")
    assert world.ready(POLICIES, "production") == ("True", "InForce", "")
    versions = world.version(CONNECTIONS, "prometheus"), world.version(POLICIES, "production")
    for resource, name in ((CONNECTIONS, "prometheus"), (POLICIES, "production")):
        world.inspector.changed(resource, Key("shop", name))
    await world.look()
    assert versions == (world.version(CONNECTIONS, "prometheus"), world.version(POLICIES, "production"))
    assert (world.source.asked, world.source.open) == (2, 0)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotFound("There is no Secret token in namespace shop; create it."), "SecretMissing"),
        (Permanent("Secret token has no key t; add it, or name another key in the Connection."), "SecretMissing"),
        (Denied("We may not get secrets"), "NotPermitted"),
        (NotPermitted("Secret token does not say that Connection prometheus may use it"), "NotPermitted"),
    ],
)
async def test_credentials_that_can_not_be_had_are_told_at_once(
    world: World, error: TidegateError, reason: str
) -> None:
    world.source.fails = error
    world.connection()
    await world.look()
    assert world.ready(CONNECTIONS, "prometheus") == ("False", reason, error.message)
    world.source.fails = None
    await world.look()
    assert world.ready(CONNECTIONS, "prometheus")[0] == "True"


async def test_a_source_that_does_not_answer_is_asked_twice_before_it_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidegate.controller.inspecting.AGAIN", 0.0)
    assert AGAIN > 1
    world.source.fails = Transient("it can't be reached (ConnectError)")
    world.connection()
    await world.look()
    assert "status" not in world.api.objects[CONNECTIONS, "shop", "prometheus"] or not world.api.objects[
        CONNECTIONS, "shop", "prometheus"
    ].get("status")
    await world.look()
    assert world.ready(CONNECTIONS, "prometheus") == ("False", "Unreachable", "it can't be reached (ConnectError)")
    version = world.version(CONNECTIONS, "prometheus")
    world.source.fails = Transient("no answer within 10 s")
    await world.look()
    assert world.version(CONNECTIONS, "prometheus") == version, "why it does not answer is no news"


async def test_an_api_server_that_is_away_says_nothing_of_the_source(world: World) -> None:
    world.connection()
    await world.look()
    world.source.fails = Unavailable("no answer")
    world.connection(generation=2)
    await world.look()
    assert world.ready(CONNECTIONS, "prometheus")[0] == "True"


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        ({"defaults": {"keepPrevious": "soon"}}, "Invalid", "spec.defaults.keepPrevious"),
        ({"defaults": {"keepPrevious": "1h"}}, "PolicyConflict", "1h, and 2h in policy other"),
        ({"guards": [{**GUARD, "ratio": {"bad": "sum(", "total": "t"}}]}, "GuardBlind", "guard errors: "),
        (
            {"guards": [{**GUARD, "connection": "nowhere", "ratio": RATIO}]},
            "ConnectionMissing",
            "no Connection nowhere",
        ),
    ],
)
async def test_a_policy_says_what_is_wrong_with_it(world: World, spec: dict[str, Any], reason: str, words: str) -> None:
    world.connection()
    world.put(POLICIES, "other", defaults={"keepPrevious": "2h"})
    world.put(POLICIES, "production", **spec)
    await world.look()
    status, why, message = world.ready(POLICIES, "production")
    assert (status, why) == ("False", reason)
    assert words in message


async def test_what_another_policy_or_a_connection_changes_is_told_of_this_one(world: World) -> None:
    world.put(POLICIES, "one", defaults={"keepPrevious": "1h"}, guards=[{**GUARD, "ratio": RATIO}])
    await world.look()
    assert world.ready(POLICIES, "one")[1] == "ConnectionMissing"
    world.connection()
    await world.look()
    assert world.ready(POLICIES, "one")[1] == "InForce"
    world.put(POLICIES, "two", defaults={"keepPrevious": "2h"})
    await world.look()
    assert world.ready(POLICIES, "one")[1] == world.ready(POLICIES, "two")[1] == "PolicyConflict"
    world.put(POLICIES, "two", generation=2, defaults={"keepPrevious": "1h"})
    await world.look()
    assert world.ready(POLICIES, "one")[1] == world.ready(POLICIES, "two")[1] == "InForce"


async def test_only_who_leads_looks_and_writes(world: World) -> None:
    world.leader.leads.clear()
    world.put(POLICIES, "production")
    work = asyncio.create_task(world.inspector.run())
    await asyncio.sleep(0.05)
    assert not world.api.objects[POLICIES, "shop", "production"]["status"]
    world.leader.leads.set()
    await soon(lambda: bool(world.api.objects[POLICIES, "shop", "production"]["status"]))
    world.put(POLICIES, "later")
    await soon(lambda: bool(world.api.objects[POLICIES, "shop", "later"]["status"]))
    work.cancel()


async def test_under_the_usual_lease_there_is_time_to_tell(world: World) -> None:
    """The default Lease is renewed all the time, and never ours for longer than its 15 s."""
    world.put(POLICIES, "production")
    term, now = Term(), 100.0
    gate = Gate(lambda: now + 2 * term.retry)
    gate.open(1, now + term.renew, now + term.lease * 0.95)
    inspector = Inspector(world.cluster, gate, world._secret)
    inspector.changed(POLICIES, Key("shop", "production"))
    await inspector.once()
    assert world.ready(POLICIES, "production")[0] == "True"


async def test_a_status_that_some_hand_has_spoilt_is_put_right_and_spoils_no_spec(world: World) -> None:
    world.put(POLICIES, "production")
    document = world.api.objects[POLICIES, "shop", "production"]
    document["status"] = {"conditions": [{"type": 5, "status": "Perhaps"}]}
    world.cluster.store.put(POLICIES, world.api.put(POLICIES, document))
    await world.look()
    assert world.ready(POLICIES, "production") == ("True", "InForce", "")
