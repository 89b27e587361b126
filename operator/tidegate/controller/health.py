"""/healthz, /readyz and /metrics, on one port.

Liveness asks whether the process still works: whether the event loop is on time, passes end, and the view is compared
with the server. Readiness asks whether its view is whole; a replica that does not lead is ready, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final, Self, TypeAlias

from aiohttp import web

from tidegate.controller.metrics import CONTENT_TYPE, Metrics

Check: TypeAlias = Callable[[], str | None]
"""None where all is well, else a sentence."""

_BEAT: Final = 1.0


class Health:
    """The server. Each check is asked at each request."""

    def __init__(
        self, metrics: Metrics, *, address: str, port: int, alive: Iterable[Check] = (), ready: Iterable[Check] = ()
    ) -> None:
        self.port = port
        """The port that is listened on, once it is."""
        self._metrics = metrics
        self._address = address
        self._alive = tuple(alive)
        self._ready = tuple(ready)
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/healthz", self._answer_alive)
        application.router.add_get("/readyz", self._answer_ready)
        application.router.add_get("/metrics", self._answer_metrics)
        self._runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._address, self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer_alive(self, request: web.Request) -> web.Response:
        return _verdict(self._alive)

    async def _answer_ready(self, request: web.Request) -> web.Response:
        return _verdict(self._ready)

    async def _answer_metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})


def _verdict(checks: Iterable[Check]) -> web.Response:
    complaints = [complaint for check in checks if (complaint := check()) is not None]
    if complaints:
        return web.Response(status=503, text="\n".join(complaints) + "\n")
    return web.Response(text="ok\n")


class Pulse:
    """Measures how late the event loop is."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._expected = asyncio.get_running_loop().time() + _BEAT
        self.lag = 0.0

    async def run(self) -> None:
        """For ever."""
        loop = asyncio.get_running_loop()
        while True:
            self._expected = loop.time() + _BEAT
            await asyncio.sleep(_BEAT)
            self.lag = max(0.0, loop.time() - self._expected)
            self._metrics.lag(self.lag)
