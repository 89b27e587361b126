"""A Prometheus of the tests' own, what it scrapes, and a way to it on which things go wrong.

That of the cluster scrapes pods, which cannot be told to misbehave in a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import aiohttp
import httpx
import pytest
from aiohttp import web

from hack.cluster.layout import current_layout
from hack.cluster.packages import unpack
from hack.cluster.progress import Progress
from tests.metrics.contract import WORDS, Trouble
from tests.metrics.prometheus_world import PrometheusWorld, Series
from tidegate.metrics import PrometheusSource, Secrets

INTERVAL = 0.5
PODS = ("a", "b", "c", "strange", "histogram", "queue", "late", "contract")


class App:
    """Pods by name, each a page of metrics; a pod that is not there answers 404."""

    def __init__(self) -> None:
        self.pages: dict[str, list[str]] = {}
        pages = self.pages

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = pages.get(self.path.strip("/"))
                self.send_response(200 if page is not None else 404)
                self.end_headers()
                self.wfile.write("".join(f"{line}\n" for line in page or ()).encode())

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.server_address[1]}"

    def serve(self, pod: str, version: str, ok: int, failed: int | None = None) -> None:
        self.pages[pod] = [f'requests_total{{version={exposed(version)},code="200"}} {ok}']
        if failed is not None:
            self.pages[pod].append(f'requests_total{{version={exposed(version)},code="500"}} {failed}')


def exposed(value: str) -> str:
    """A label's value as a page of metrics has it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


@contextlib.contextmanager
def prometheus(app: App, folder: Path) -> Iterator[str]:
    """One that scrapes the app's pods. Gives its url."""
    port = _free_port()
    jobs = [
        {"job_name": pod, "metrics_path": f"/{pod}", "honor_timestamps": True,
         "static_configs": [{"targets": [app.address]}]}
        for pod in PODS
    ]  # fmt: skip
    interval = f"{int(INTERVAL * 1000)}ms"
    config = {"global": {"scrape_interval": interval, "scrape_timeout": interval}, "scrape_configs": jobs}
    (folder / "prometheus.json").write_text(json.dumps(config))
    program = unpack(current_layout(), Progress()).command("prometheus")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [program, f"--config.file={folder}/prometheus.json", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{port}"],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        _wait_for_start(process, f"http://127.0.0.1:{port}", folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_start(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Until every pod is scraped; finding them takes Prometheus 5 s."""
    for _ in range(300):
        assert process.poll() is None, log.read_text()
        try:
            answer = httpx.get(f"{url}/api/v1/query", params={"query": "count(up)"}, trust_env=False)
            if answer.status_code == 200 and f'"{len(PODS)}"' in answer.text:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail(f"Prometheus did not start: {log.read_text()}")


async def scraped(url: str) -> None:
    """Until a scrape of every pod that began an interval from now, or later, has ended."""
    wanted = time.time() + INTERVAL
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(200):
            answer = await client.get(f"{url}/api/v1/query", params={"query": "min(timestamp(up))"})
            if float(answer.json()["data"]["result"][0]["value"][1]) > wanted:
                return
            await asyncio.sleep(INTERVAL / 5)
    pytest.fail("Prometheus does not scrape any more")


class Collected(PrometheusWorld):
    """The contract's app, scraped by the real Prometheus, which is asked by a way that can be in trouble. Of all other
    worlds on the same Prometheus it is kept apart by a label, which its Connection forces on every query."""

    def __init__(self, app: App, url: str, mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self._app, self._url, self._mark, self._patch = app, url, mark, monkeypatch
        self._patch.setattr("tidegate.metrics.prometheus.REQUEST_TIMEOUT", 3.0)
        self._patch.setattr("tidegate.metrics.prometheus.SETTLING", 6.0)

    @property
    def now(self) -> float:
        return time.time()

    def open(self, secrets: Secrets) -> PrometheusSource:
        spec = self.spec(self._way).model_copy(update={"matchers": {"world": self._mark}})
        return PrometheusSource(self.connection, spec, secrets)

    async def tick(self) -> None:
        self._app.pages["contract"] = [f"{self._line(series)} {number}" for series, number in self.page.items()]
        await scraped(self._url)

    async def until_settled(self) -> None:
        await asyncio.sleep(6.5)
        await self.tick()

    async def until_old(self) -> None:
        del self._app.pages["contract"]
        self._patch.setattr("tidegate.stats.counters.STALE_AFTER", 1.0)
        await asyncio.sleep(2.5)

    def _line(self, series: Series) -> str:
        labels = (*series.labels, ("world", self._mark))
        return f"{series.name}{{{','.join(f'{name}={exposed(value)}' for name, value in labels)}}}"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        application = web.Application()
        application.router.add_post("/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self._way = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._session.close()
        self._app.pages.pop("contract", None)

    async def _pass_on(self, request: web.Request) -> web.Response:
        shown = f"{WORDS} {request.headers['Authorization']}"
        match self.trouble:
            case Trouble.UNREACHABLE:
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case Trouble.SILENT:
                await asyncio.sleep(30)
            case Trouble.REFUSES:
                return web.Response(status=401, text=shown)
            case Trouble.FAILS:
                return web.json_response({"status": "error", "errorType": "execution", "error": shown}, status=422)
            case Trouble.NONSENSE:
                return web.Response(text=f"<html>{shown}</html>")
        form = {name: str(value) for name, value in (await request.post()).items()}
        async with self._session.post(self._url + request.path, data=form) as answer:
            body = await answer.read()
            return web.Response(status=answer.status, body=body, content_type=answer.content_type)
