"""A metric source that answers like Prometheus, and turns bad for everybody at one instant."""

import json
import time

from aiohttp import web

GOOD, BAD = 0.0, 1.0


class Source:
    """An HTTP server on a free port: `/api/v1/query`, by GET and POST. Every query gives one number."""

    def __init__(self) -> None:
        self.url = ""
        self.asked = 0
        self._bad = False
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/api/v1/query", self._query)
        app.router.add_route("*", "/api/v1/status/flags", self._flags)  # Flagger looks whether anybody is there
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def turn_bad(self) -> float:
        """From now on every answer is a breach. Returns that instant, in seconds since the epoch."""
        self._bad = True
        return time.time()

    def turn_good(self) -> None:
        self._bad = False

    async def _query(self, request: web.Request) -> web.Response:
        self.asked += 1
        try:
            form = await request.post()
        except ConnectionResetError:  # who asked has given up
            return web.Response(status=499)
        query = str(form.get("query") or request.query.get("query") or "")
        at = float(str(form.get("time") or request.query.get("time") or time.time()))
        # Tidegate asks until when a query's samples are fresh: they always are.
        value = at + 60 if "timestamp(" in query else BAD if self._bad else GOOD
        answer = {
            "status": "success",
            "data": {"resultType": "vector", "result": [{"metric": {}, "value": [at, f"{value:.3f}"]}]},
        }
        return web.Response(text=json.dumps(answer), content_type="application/json")

    async def _flags(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "success", "data": {}})
