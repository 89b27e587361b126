"""Against a real HTTP server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from aiohttp import web

from tidegate.api.release import Probes
from tidegate.kube import Key
from tidegate.targets.kubernetes import probes
from tidegate.targets.kubernetes.probes import Asked, Prober, dependencies_down, read, version_told

KEY = Key("shop", "storefront")
ALL = Probes(health="/health", ready="/ready", version="/version")


class Pod:
    """What a candidate answers; tests change it."""

    def __init__(self) -> None:
        self.ready: tuple[int, str] = (200, "{}")
        self.version: tuple[int, str] = (200, '{"version": "v1.2.3"}')
        self.delay = 0.0
        self.asked = 0
        self.endpoint = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        await asyncio.sleep(self.delay)
        if request.path == "/moved":
            raise web.HTTPFound("/health")
        status, text = {"/ready": self.ready, "/version": self.version}.get(request.path, (200, "ok"))
        return web.Response(status=status, text=text)

    def ask(self, which: Probes = ALL, *, settled: bool = False) -> Asked:
        return Asked("uid-1", "web-1", self.endpoint, "v1.2.3", which, settled)


@pytest.fixture
async def pod() -> AsyncIterator[Pod]:
    pod = Pod()
    application = web.Application()
    application.router.add_get("/{path:.*}", pod.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    pod.endpoint = f"{host}:{port}"
    yield pod
    await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


async def test_a_pod_that_answers_well_passes(pod: Pod, client: httpx.AsyncClient) -> None:
    assert await read(client, pod.ask()) == ()


async def test_a_dependency_that_is_down_is_named(pod: Pod, client: httpx.AsyncClient) -> None:
    pod.ready = (503, '{"status":"down","dependencies":{"database":"down","cache":"ok"}}')
    (found,) = await read(client, pod.ask())
    assert found.reason == "DependencyDown"
    assert found.sentence == "/ready of pod web-1 (v1.2.3) answers 503: database is down"


async def test_another_version_than_was_asked_for_is_a_lasting_problem(pod: Pod, client: httpx.AsyncClient) -> None:
    pod.version = (200, "v1.2.2\n")
    (found,) = await read(client, pod.ask())
    assert (found.reason, found.lasting) == ("VersionMismatch", True)


async def test_a_redirect_is_not_followed(pod: Pod, client: httpx.AsyncClient) -> None:
    (found,) = await read(client, pod.ask(Probes(health="/moved")))
    assert found.sentence == "/moved of pod web-1 (v1.2.3) answers 302, not 200"


async def test_no_answer_in_time_and_no_one_there_are_told(
    pod: Pod, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "TIMEOUT", 0.1)
    pod.delay = 1
    (slow,) = await read(client, pod.ask(Probes(health="/health")))
    assert slow.sentence.endswith("does not answer: no answer within 0.1 s")
    pod.endpoint = "127.0.0.1:1"
    (gone,) = await read(client, pod.ask(Probes(health="/health")))
    assert gone.sentence.endswith("does not answer: ConnectError")


async def test_of_an_endless_body_no_more_than_the_limit_is_read(pod: Pod, client: httpx.AsyncClient) -> None:
    pod.version = (200, "v" * (probes.LONGEST_BODY * 4))
    (found,) = await read(client, pod.ask(Probes(version="/version")))
    assert found.reason == "VersionMismatch"
    assert len(found.sentence) < 300


async def test_a_look_never_waits_and_once_passed_a_ready_pod_is_left_alone(pod: Pod) -> None:
    woken: asyncio.Queue[Key] = asyncio.Queue()
    prober = Prober(woken.put_nowait)
    assert prober.look(KEY, [pod.ask(settled=True)]) == {"uid-1": False}
    assert await asyncio.wait_for(woken.get(), 5) == KEY
    asked = pod.asked
    assert prober.look(KEY, [pod.ask(settled=True)]) == {"uid-1": True}
    await asyncio.sleep(0.05)
    assert pod.asked == asked
    assert woken.empty()
    await prober.close()


async def test_a_pod_that_fails_is_asked_again_and_passes_when_it_is_well(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "AGAIN", 0.05)
    woken: asyncio.Queue[Key] = asyncio.Queue()
    prober = Prober(woken.put_nowait)
    pod.ready = (503, '{"dependencies":{"database":"down"}}')
    prober.look(KEY, [pod.ask()])
    await woken.get()
    assert [found.reason for found in prober.findings(KEY, {"uid-1"})] == ["DependencyDown"]
    assert prober.findings(KEY, {"another"}) == []
    pod.ready = (200, "")
    passed = False
    while not passed:
        await asyncio.wait_for(woken.get(), 5)
        passed = prober.look(KEY, [pod.ask()])["uid-1"]
    assert prober.findings(KEY, {"uid-1"}) == []
    await prober.close()


async def test_pods_that_are_no_longer_asked_for_are_forgotten(pod: Pod) -> None:
    prober = Prober(lambda key: None)
    pod.delay = 60
    prober.look(KEY, [pod.ask()])
    assert prober.look(KEY, []) == {}
    assert prober.findings(KEY, {"uid-1"}) == []
    await prober.close()


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b'{"dependencies":{"db":"down","cache":"ok","queue":false}}', ["db", "queue"]),
        (b'{"checks":[{"name":"db","status":"fail"},{"name":"x","status":"pass"}]}', ["db"]),
        (b'{"components":{"db":{"status":"DOWN"},"disk":{"status":"UP"}}}', ["db"]),
        (b'{"db":"down","message":"see the log","version":"v1"}', ["db"]),
        (b'{"status":"down"}', []),
        (b"[]", []),
        (b"not json", []),
        (b"\xff\xfe", []),
        (b'{"dependencies":7}', []),
    ],
)
def test_dependencies_are_read_from_the_shapes_in_use(body: bytes, names: list[str]) -> None:
    assert dependencies_down(body) == names


@pytest.mark.parametrize("body", [b"v1", b" v1\n", b'"v1"', b'{"version":"v1","commit":"abc"}'])
def test_versions_are_read_from_text_and_json(body: bytes) -> None:
    assert version_told(body) == "v1"
