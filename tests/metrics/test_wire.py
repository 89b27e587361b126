"""The wire under httpx: real servers, well and unwell ones."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from aiohttp import web

from tidegate.metrics.prometheus import _trust
from tidegate.metrics.wire import Wire

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    runners = []

    async def start(handler: Handler) -> str:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}/"

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    wire = Wire(trust=_trust, connections=4)
    async with httpx.AsyncClient(transport=wire, timeout=httpx.Timeout(0.5), trust_env=False) as opened:
        yield opened


async def test_a_form_and_its_headers_arrive_as_httpx_wrote_them(serve: Serve, client: httpx.AsyncClient) -> None:
    async def echo(request: web.Request) -> web.Response:
        form = await request.post()
        return web.json_response({"form": dict(form), "headers": dict(request.headers), "path": request.path_qs})

    url = await serve(echo)
    answer = await client.post(url + "a%20b?x=%2B", data={"query": 'r{v="é+ü"}'}, auth=("u", "p"))
    told = answer.json()
    assert told["form"] == {"query": 'r{v="é+ü"}'}
    assert told["path"] == "/a%20b?x=%2B"
    assert told["headers"]["Authorization"] == "Basic dTpw"
    assert told["headers"]["User-Agent"].startswith("python-httpx/")
    assert told["headers"]["Content-Type"] == "application/x-www-form-urlencoded"


async def test_a_compressed_answer_is_unpacked_once(serve: Serve, client: httpx.AsyncClient) -> None:
    async def packed(request: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b"hello" * 100), headers={"Content-Encoding": "gzip"})

    assert (await client.get(await serve(packed))).text == "hello" * 100


async def test_a_redirect_is_given_and_not_followed(serve: Serve, client: httpx.AsyncClient) -> None:
    async def elsewhere(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/other"})

    answer = await client.get(await serve(elsewhere))
    assert (answer.status_code, answer.headers["location"]) == (302, "/other")


async def test_connections_are_used_again_and_an_answer_cut_short_costs_one(
    serve: Serve, client: httpx.AsyncClient
) -> None:
    peers = set()

    async def large(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.Response(body=b"x" * 5_000_000)

    url = await serve(large)
    for _ in range(3):
        assert len((await client.get(url)).content) == 5_000_000
    assert len(peers) == 1
    async with client.stream("GET", url) as answer:
        async for _ in answer.aiter_bytes():
            break
    await client.get(url)
    assert len(peers) == 2


async def test_no_cookie_of_one_answer_goes_with_the_next_request_but_httpxs_own(serve: Serve) -> None:
    async def sets(request: web.Request) -> web.Response:
        response = web.Response(text=request.headers.get("Cookie", "none"))
        response.set_cookie("a", "b")
        return response

    url = await serve(sets)
    wire = Wire(trust=_trust, connections=1)
    async with httpx.AsyncClient(transport=wire, trust_env=False) as first:
        await first.get(url)
        first.cookies.clear()
        assert (await first.get(url)).text == "none"


async def test_silence_is_a_time_out_before_the_answer_and_within_it(serve: Serve, client: httpx.AsyncClient) -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if request.path == "/half":
            await response.prepare(request)
            await response.write(b"half")
        await asyncio.sleep(5)
        return response

    url = await serve(silent)
    for path in ("none", "half"):
        with pytest.raises(httpx.ReadTimeout):
            await client.get(url + path)


async def test_who_cannot_be_reached_or_hangs_up_is_an_error_of_httpx(serve: Serve, client: httpx.AsyncClient) -> None:
    async def hangs_up(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    with pytest.raises(httpx.ReadError):
        await client.get(await serve(hangs_up))
    with pytest.raises(httpx.ConnectError):
        await client.get("http://127.0.0.1:1/")
    with pytest.raises((httpx.ConnectError, httpx.ConnectTimeout)):  # some resolvers never answer
        await client.get("http://no-such-host.invalid/")
