"""httpx's words over aiohttp's wire: a request costs a fifth of the processor time of httpx's own transport.

Every guard asks its source at every tick; with a thousand climbs that is most of what the operator does. Only the wire
is another: credentials, cookies, decoding and errors are httpx's as before.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Any

import aiohttp
import httpx


class Wire(httpx.AsyncBaseTransport):
    """One pool of connections; opened with the first request. Raises httpx's errors and no others."""

    def __init__(self, *, trust: Callable[[], ssl.SSLContext], connections: int, idle: float = 5.0) -> None:
        """At most so many `connections` at once; an unused one is closed after `idle` seconds, sooner than any server
        closes it. `trust` is asked for only where there is TLS: it takes 4 MiB."""
        self._trust, self._connections, self._idle = trust, connections, idle
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = await request.aread()
        try:
            answer = await self._opened().request(
                request.method,
                str(request.url),
                headers=[(name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers.raw],
                data=content or None,
                ssl=self._trust() if request.url.scheme == "https" else True,
                timeout=_timeout(request.extensions.get("timeout") or {}),
                allow_redirects=False,
            )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _as_httpx(error, request) from error
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=_Body(answer, request))

    async def aclose(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self.aclose()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._connections, keepalive_timeout=self._idle, use_dns_cache=False
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            )
        return self._session


class _Body(httpx.AsyncByteStream):
    """The answer's body, as it comes."""

    def __init__(self, answer: aiohttp.ClientResponse, request: httpx.Request) -> None:
        self._answer, self._request = answer, request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._answer.content.iter_any():
                yield chunk
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _as_httpx(error, self._request) from error

    async def aclose(self) -> None:
        # What was read to its end has given its connection back; of any other nothing more is read.
        self._answer.close()


def _timeout(limits: Mapping[str, Any]) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=None, connect=limits.get("pool"), sock_connect=limits.get("connect"), sock_read=limits.get("read")
    )


def _as_httpx(error: Exception, request: httpx.Request) -> httpx.HTTPError | httpx.InvalidURL:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return httpx.ConnectTimeout(str(error), request=request)
    if isinstance(error, TimeoutError):
        return httpx.ReadTimeout(str(error), request=request)
    if isinstance(error, aiohttp.InvalidURL):
        return httpx.InvalidURL(str(error))
    if isinstance(error, aiohttp.ClientConnectorError):
        return httpx.ConnectError(str(error), request=request)
    return httpx.ReadError(str(error), request=request)
