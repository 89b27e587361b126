"""A proxy between one operator and the API server, which records every write and can make one of them go wrong.

Plain http on loopback to the operator, https to the server with the authority of its kubeconfig. Whoever asks keeps his
own Authorization header. Watches are passed on as they come, never gathered. One proxy serves one operator, so that
each write is known to be his.
"""

import asyncio
import contextlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

import aiohttp
from aiohttp import web

_PASSED_ON = ("Authorization", "Accept", "Content-Type", "User-Agent")
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_APART = ("leases", "events")
_BIGGEST = 8 * 2**20


class Wrong(StrEnum):
    """What can happen to a write."""

    KILL_AFTER = "kill-after"  # the server did it, and the operator is killed before it has the answer
    CUT_BEFORE = "cut-before"  # the server never hears of it, nor of any later write in that namespace until `mend`
    CUT_AFTER = "cut-after"  # the server did it, and hears of no later write in that namespace until `mend`
    ANSWER_LOST = "answer-lost"  # the server did it, and the connection breaks before the answer
    CONFLICT = "conflict"  # 409, not done
    UNAVAILABLE = "503"  # not done
    FORBIDDEN = "403"  # not done
    HELD = "held"  # it is on its way until `let_go`


@dataclass(frozen=True, slots=True)
class Write:
    """One mutating request. `code` is the server's (0: it never heard of it); `answer` is the object that it gave."""

    at: float  # seconds since the epoch
    verb: str
    resource: str
    subresource: str
    namespace: str
    name: str
    body: Mapping[str, Any] = field(repr=False)
    code: int = 0
    answer: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def what(self) -> str:
        """`patch releases/status shop`, for people and to find the same write in another run."""
        return f"{self.verb} {'/'.join(filter(None, (self.resource, self.subresource)))} {self.name}"

    @property
    def done(self) -> bool:
        return 200 <= self.code < 300


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, once: at the `nth` write from now on. With `what` (or how that begins), `phase` (of a status)
    and `namespace` at the `nth` that is such a one."""

    wrong: Wrong
    nth: int = 1
    what: str = ""
    phase: str = ""
    namespace: str = ""

    def hits(self, write: Write) -> bool:
        if self.namespace not in ("", write.namespace):
            return False
        if self.phase and (write.body.get("status") or {}).get("phase") != self.phase:
            return False
        return write.what.startswith(self.what)

    def __str__(self) -> str:
        which = " ".join(filter(None, (self.what, self.phase))) or "any"
        return f"{self.wrong.value} at write {self.nth} of: {which}"


@dataclass(slots=True)
class _Armed:
    """A fault, how many writes it lets pass yet, and the one that it hit."""

    fault: Fault
    left: int
    fired: Write | None = None


class FaultProxy:
    """In a thread of its own, between `with` and the end of it. `kill` ends the operator at once."""

    def __init__(self, server: str, authority: str | None, *, kill: Callable[[], None] = lambda: None) -> None:
        """`authority` is who signed the server's certificate, as PEM; None: an authority of the system's."""
        self._server, self._authority, self.kill = server, authority, kill
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="fault proxy")
        self._lock = threading.Lock()
        self._let_go = asyncio.Event()
        self.refused: frozenset[str] = frozenset()
        """Resources whose writes are answered with 403, as long as they stand here."""
        self._forget()

    def _forget(self) -> None:
        self._writes: list[Write] = []
        self._apart: list[Write] = []
        self._armed: list[_Armed] = []
        self._cut: set[str] = set()

    # ---- for the test

    @property
    def writes(self) -> list[Write]:
        """All that came since `begin`, but for Leases and Events, in the order in which they were answered."""
        with self._lock:
            return list(self._writes)

    @property
    def apart(self) -> list[Write]:
        """The writes of Leases and Events."""
        with self._lock:
            return list(self._apart)

    def begin(self, *faults: Fault) -> None:
        """Forget what was recorded; the faults count from here. A write is hit by the first that fits it."""
        with self._lock:
            self._forget()
            self._armed = [_Armed(fault, fault.nth) for fault in faults]

    @property
    def fired(self) -> Write | None:
        """The write that went wrong, once one did."""
        return self.fired_in("")

    def fired_in(self, namespace: str) -> Write | None:
        """The same, in that namespace."""
        with self._lock:
            hit = (armed.fired for armed in self._armed if armed.fired)
            return next((write for write in hit if namespace in ("", write.namespace)), None)

    @property
    def cut(self) -> frozenset[str]:
        """The namespaces of which the server hears nothing. Leases are not cut: who leads goes on to lead."""
        with self._lock:
            return frozenset(self._cut)

    def mend(self) -> None:
        """Let the server hear again of all namespaces."""
        with self._lock:
            self._cut.clear()

    def let_go(self) -> None:
        """What is held goes on to the server."""
        self._loop.call_soon_threadsafe(self._let_go.set)

    def quiet_for(self) -> float:
        """Seconds since the last write that counts."""
        with self._lock:
            return time.time() - self._writes[-1].at if self._writes else float("inf")

    def __enter__(self) -> Self:
        self._thread.start()
        self.url = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    # ---- inside

    async def _open(self) -> str:
        trust = ssl.create_default_context(cadata=self._authority)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trust, limit=0),
            timeout=aiohttp.ClientTimeout(total=None, connect=10),
            auto_decompress=False,
            trust_env=False,
        )
        app = web.Application(client_max_size=_BIGGEST)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def _close(self) -> None:
        await self._session.close()  # first: it ends the watches
        await self._runner.cleanup()
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        with contextlib.suppress(aiohttp.ClientError, ConnectionError):
            if request.method in _VERBS:
                return await self._write(request)
            return await self._stream(request)
        return _reset(request)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        async with self._ask(request, b"") as upstream:
            response = web.StreamResponse(status=upstream.status, headers=_headers(upstream))
            await response.prepare(request)
            async for chunk in upstream.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response

    async def _write(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        write = _described(request, raw)
        if write.namespace in self.cut and write.resource != "leases":
            return _reset(request)
        armed = self._hit(write)
        wrong = armed.fault.wrong if armed else None
        if wrong is Wrong.HELD:
            self._fire(armed, write)
            armed = wrong = None
            await self._let_go.wait()
        if wrong is Wrong.CUT_BEFORE:
            self._note(write, armed=armed)
            return _reset(request)
        refusal = _refusal(Wrong.FORBIDDEN if write.resource in self.refused else wrong, write)
        if refusal is not None:
            self._note(write, code=refusal.status, armed=armed)
            return refusal
        async with self._ask(request, raw) as upstream:
            body = await upstream.read()
            self._note(write, code=upstream.status, body=body, armed=armed)
            if wrong is Wrong.KILL_AFTER:
                self.kill()
            if wrong is not None:
                return _reset(request)
            return web.Response(status=upstream.status, body=body, headers=_headers(upstream))

    def _ask(self, request: web.Request, raw: bytes) -> Any:
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        return self._session.request(
            request.method, self._server + request.raw_path, data=raw or None, headers=headers, allow_redirects=False
        )

    def _hit(self, write: Write) -> _Armed | None:
        """The fault whose turn has come with this write."""
        if write.resource in self.refused or write.resource in _APART:
            return None
        with self._lock:
            armed = next((one for one in self._armed if one.left and one.fault.hits(write)), None)
            if armed is None:
                return None
            armed.left -= 1
            return armed if armed.left == 0 else None

    def _note(self, write: Write, *, code: int = 0, body: bytes = b"", armed: _Armed | None) -> None:
        answer: Mapping[str, Any] = {}
        with contextlib.suppress(ValueError):
            answer = json.loads(body) if body else {}
        noted = replace(write, code=code, answer=answer)
        with self._lock:
            (self._apart if write.resource in _APART else self._writes).append(noted)
        self._fire(armed, noted)

    def _fire(self, armed: _Armed | None, write: Write) -> None:
        if armed is None:
            return
        with self._lock:
            if armed.fault.wrong in (Wrong.CUT_BEFORE, Wrong.CUT_AFTER):
                self._cut.add(write.namespace)
            armed.fired = write


def _described(request: web.Request, raw: bytes) -> Write:
    words = request.path.strip("/").split("/")
    words = words[3:] if words[0] == "apis" else words[2:]
    namespace = ""
    if words[0] == "namespaces" and len(words) > 2:
        namespace, words = words[1], words[2:]
    body: Mapping[str, Any] = {}
    with contextlib.suppress(ValueError):
        body = json.loads(raw) if raw else {}
    name = words[1] if len(words) > 1 else str(body.get("metadata", {}).get("name", ""))
    subresource = words[2] if len(words) > 2 else ""
    return Write(time.time(), _VERBS[request.method], words[0], subresource, namespace, name, body)


def _refusal(wrong: Wrong | None, write: Write) -> web.Response | None:
    if wrong not in (Wrong.CONFLICT, Wrong.UNAVAILABLE, Wrong.FORBIDDEN):
        return None
    code, reason = {
        Wrong.CONFLICT: (409, "Conflict"),
        Wrong.UNAVAILABLE: (503, "ServiceUnavailable"),
        Wrong.FORBIDDEN: (403, "Forbidden"),
    }[wrong]
    status = {
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "reason": reason,
        "code": code,
        "message": f"the fault proxy refuses to {write.what}",
    }
    return web.json_response(status, status=code)


def _headers(upstream: aiohttp.ClientResponse) -> dict[str, str]:
    kept = ("Content-Type", "Content-Encoding", "Retry-After")
    return {name: upstream.headers[name] for name in kept if name in upstream.headers}


def _reset(request: web.Request) -> web.Response:
    """The connection breaks, without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)
