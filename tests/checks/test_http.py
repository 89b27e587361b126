"""Against a real HTTP server on loopback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
from aiohttp import web

from tests.checks.contract import CheckerContract, Reply
from tests.kube.fake import FakeApi
from tests.targets.sample import NAMESPACE, app, climbing, component, release, version_of
from tidegate.checks.http import HTTPChecks
from tidegate.engine.values import CheckKey, Outcome, When
from tidegate.errors import Transient
from tidegate.kube import GATEWAYS, HTTPROUTES, Client, Cluster, Key, Store
from tidegate.kube.access import Access
from tidegate.targets.port import App

ACCEPTED = {"type": "Accepted", "status": "True"}


class Reach(NamedTuple):
    endpoints: tuple[str, ...] = ()
    marked: bool = False


class Candidate:
    def __init__(self) -> None:
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.status = 200
        self.delay = 0.0
        self.endpoint = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.paths.append(request.path_qs)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        await asyncio.sleep(self.delay)
        if self.status == 302:
            raise web.HTTPFound("/elsewhere")
        return web.Response(status=self.status, text="x" * 1_000_000)


@pytest.fixture
async def candidate() -> AsyncIterator[Candidate]:
    candidate = Candidate()
    application = web.Application()
    application.router.add_get("/{path:.*}", candidate.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    candidate.endpoint = f"{host}:{port}"
    yield candidate
    await runner.cleanup()


def nobody() -> Cluster:
    """A store without a server: nothing here may ask one."""
    return Cluster(Client(Access(server="https://127.0.0.1:1")), Store())


class Asking:
    """One check of one Release, asked of the candidate."""

    def __init__(self, candidate: Candidate, cluster: Cluster | None = None, **check: Any) -> None:
        http = {"component": "graphql", "path": "/search?q=x", "timeout": "2s", **check}
        found = release("v2", component(preview={}), checks=[{"name": "find", "when": ["EachStep"], "http": http}])
        self.version = version_of(found)
        self.app: App = app(found, climbing(None, self.version))
        self.key = CheckKey("find", When.EACH_STEP, 1, "graphql", 4)
        self.sizes = {("graphql", self.version.content): Reach((candidate.endpoint,), marked=True)}
        self.woken: asyncio.Queue[Key] = asyncio.Queue()
        self.checks = HTTPChecks(cluster or nobody(), self.woken.put_nowait)

    async def outcome(self) -> tuple[Outcome, str]:
        await self.checks.run(self.app, self.key, self.sizes)
        await asyncio.wait_for(self.woken.get(), 10)
        found = self.checks.observe(self.app, [self.key])[self.key]
        await self.checks.close()
        return found.outcome, found.message


class Place:
    """The same as the contract knows it."""

    quick = True

    def __init__(self, candidate: Candidate) -> None:
        asking = Asking(candidate, timeout="1s")
        self.app, self.key, self.sizes = asking.app, asking.key, dict(asking.sizes)
        job = {"name": "find", "when": ["EachStep"], "job": {"cronJob": "find"}}
        self.other = app(release("v2", checks=[job]), self.app.status)
        self.opened: list[HTTPChecks] = []
        self._candidate = candidate

    def open(self) -> HTTPChecks:
        self.opened.append(HTTPChecks(nobody(), lambda key: None))
        return self.opened[-1]

    def will_say(self, reply: Reply) -> None:
        self._candidate.status = 200 if reply is Reply.YES else 500
        self._candidate.delay = 30.0 if reply is Reply.NEVER else 0.0

    def take_away(self) -> None:
        self.sizes.clear()

    def asked(self) -> int:
        return len(self._candidate.paths)

    async def refresh(self) -> None:
        await asyncio.sleep(0)


class TestContract(CheckerContract):
    @pytest.fixture
    async def world(self, candidate: Candidate) -> AsyncIterator[Place]:
        place = Place(candidate)
        yield place
        for checks in place.opened:
            await checks.close()


async def test_a_status_that_is_asked_for_passes(candidate: Candidate) -> None:
    assert await Asking(candidate).outcome() == (
        Outcome.PASSED,
        "Check find: GET /search?q=x of graphql answered 200.",
    )
    assert candidate.paths == ["/search?q=x"]


async def test_via_preview_the_gateway_is_asked_by_a_name_of_the_route_and_with_the_header(
    candidate: Candidate,
) -> None:
    async with FakeApi() as server, server.client() as client:
        cluster = Cluster(client, Store())
        address, port = candidate.endpoint.rsplit(":", 1)
        parent = {"parentRef": {"name": "front", "namespace": "gates"}, "conditions": [ACCEPTED]}
        route = {
            "metadata": {"name": "graphql", "namespace": NAMESPACE, "uid": "r", "resourceVersion": "3"},
            "spec": {"hostnames": ["shop.example"]},
            "status": {"parents": [parent]},
        }
        gateway = {
            "metadata": {"name": "front", "namespace": "gates"},
            "spec": {"listeners": [{"name": "web", "protocol": "HTTP", "port": int(port)}]},
            "status": {"addresses": [{"value": address}]},
        }
        cluster.store.put(HTTPROUTES, route)
        server.put(GATEWAYS, gateway)
        asking = Asking(candidate, cluster, via="Preview")
        assert await asking.outcome() == (
            Outcome.PASSED,
            "Check find: GET /search?q=x of graphql through its Gateway answered 200.",
        )
    (headers,) = candidate.headers
    assert (headers["host"], headers["x-tidegate-version"]) == ("shop.example", "v2")


async def test_via_preview_nothing_is_asked_before_the_preview_stands(candidate: Candidate) -> None:
    asking = Asking(candidate, via="Preview")
    waiting = {place: Reach(reach.endpoints) for place, reach in asking.sizes.items()}
    with pytest.raises(Transient, match="the preview of graphql does not stand yet"):
        await asking.checks.run(asking.app, asking.key, waiting)
    assert candidate.paths == []


async def test_any_other_status_fails_and_a_redirect_is_not_followed(candidate: Candidate) -> None:
    for status in (500, 302):
        candidate.status = status
        outcome, message = await Asking(candidate, status=[200, 204]).outcome()
        assert outcome is Outcome.FAILED
        assert message.endswith(f"answered {status}, not 200 or 204.")
    assert "/elsewhere" not in candidate.paths


async def test_no_answer_in_time_fails(candidate: Candidate) -> None:
    candidate.delay = 30
    outcome, message = await Asking(candidate, timeout="200ms").outcome()
    assert outcome is Outcome.FAILED
    assert message.endswith("got no answer within 0.2 s.")


async def test_a_refused_connection_is_tried_until_the_time_is_over(candidate: Candidate) -> None:
    candidate.endpoint = "127.0.0.1:1"
    began = time.monotonic()
    outcome, message = await Asking(candidate, timeout="700ms").outcome()
    assert outcome is Outcome.FAILED
    assert message.endswith("got no answer within 0.7 s (ConnectError).")
    assert time.monotonic() - began >= 0.6


async def test_placeholders_in_the_path_are_filled_in_as_escaped_text(candidate: Candidate) -> None:
    asking = Asking(candidate, path="/check/$(version)?r=$(revision)")
    await asking.outcome()
    assert candidate.paths == [f"/check/v2?r={asking.version.content[:10]}"]


async def test_without_a_ready_pod_it_waits(candidate: Candidate) -> None:
    asking = Asking(candidate)
    with pytest.raises(Transient, match="no pod of graphql is ready"):
        await asking.checks.run(asking.app, asking.key, {})
    assert asking.checks.observe(asking.app, [asking.key]) == {}
