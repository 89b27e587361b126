"""Prometheus, and what speaks its API (Thanos, Mimir, VictoriaMetrics).

Counters are read as raw samples (`selector[90000ms]`, at one instant) and followed in a `Tally` from one look to the
next, so a look every second asks for the last half minute only, and a hold of a day is not read again each time. What
is remembered is a cache: a new process reads the window again, in pieces.

Instants are ours, samples have Prometheus's: the two clocks should agree to a few seconds.
"""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections.abc import Callable, Mapping
from functools import cache

import httpx

from tidegate.api.connection import Prometheus, SecretValue
from tidegate.api.guard import Guard, Quantile, Ratio, Value
from tidegate.errors import Invalid, TidegateError, Transient
from tidegate.metrics import promql
from tidegate.metrics.answers import Answer, read
from tidegate.metrics.following import Followed, Tallies
from tidegate.metrics.port import Secrets, Window
from tidegate.metrics.wire import Wire
from tidegate.stats.counters import Labels, Tally, advance, begin
from tidegate.stats.measurement import Counts, Data, Histogram, Measurement, Shape
from tidegate.stats.measurement import Value as Number

LOOK_BACK = 300.0
"""Seconds before the window that are read, too, to tell a series that was there from one that is born in the window."""
OVERLAP = 30.0
"""Seconds that a look reads again: a sample is stamped when its scrape begins, and can be read when that has ended."""
PIECE = 1800.0
"""Seconds of raw samples that one request asks for, at most."""
SETTLING = 10.0
"""Counters must have been seen for so many seconds before "nothing was asked" is believed."""
LARGEST_ANSWER = 16 * 1024 * 1024
"""Bytes."""
REQUEST_TIMEOUT = 10.0
CONNECTIONS = 16
"""At once, of one source."""
SECRETS_FOR = 30.0
"""Seconds for which credentials are used before their Secret is read again."""


@cache
def _trust() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)  # costs 20 ms, so all connections share one


class PrometheusSource:
    """One Connection's Prometheus, with one pool of connections."""

    def __init__(
        self,
        name: str,
        spec: Prometheus,
        secrets: Secrets,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` gives seconds that only grow."""
        self._name = name
        self._spec = spec
        self._secrets = secrets
        self._credentials: tuple[float, httpx.Auth | None] | None = None
        self._clock = clock
        self._tallies = Tallies(clock)
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(REQUEST_TIMEOUT, connect=5.0),
            follow_redirects=False,
            trust_env=False,  # a proxy or a .netrc of the operator's surroundings is nobody's wish
            transport=transport or Wire(trust=_trust, connections=CONNECTIONS),
        )

    def __repr__(self) -> str:
        return f"PrometheusSource({self._name!r})"

    async def close(self) -> None:
        """See `Source`."""
        await self._client.aclose()

    async def measure(self, guard: Guard, values: Mapping[str, str], window: Window) -> Measurement:
        """See `Source`."""
        try:
            if guard.ratio is not None:
                return await self._ratio(guard.ratio, values, window)
            if guard.quantile is not None:
                return await self._quantile(guard.quantile, values, window)
            assert guard.value is not None
            return await self._value(guard.value, values, window)
        except Invalid as fault:
            return _measured(window, Data.BLIND, fault.message)
        except TidegateError as trouble:
            return _measured(window, Data.PROVIDER_ERROR, f"Connection {self._name}: {trouble.message}")

    async def reach(self, now: float) -> None:
        """See `Source`."""
        await self._ask("vector(1)", now)

    # ---- the three kinds of guard

    async def _ratio(self, ratio: Ratio, values: Mapping[str, str], window: Window) -> Measurement:
        part = promql.counter(ratio.bad or ratio.good or "", values, self._spec.matchers)
        total = promql.counter(ratio.total, values, self._spec.matchers)
        (parts, parts_partial), (all_, all_partial) = await asyncio.gather(
            self._follow(part, window), self._follow(total, window)
        )
        if trouble := _trouble(all_, total, window, partial=parts_partial or all_partial):
            return trouble
        if _unreadable(parts):  # that there are no series of it is fine: nothing of it has happened yet
            return _measured(window, Data.NAN, f"{part} has samples that are no finite number")
        interval = all_.interval or parts.interval
        return _counted(window, all_, Counts(part=parts.growth(interval), total=all_.growth(interval)), total)

    async def _quantile(self, quantile: Quantile, values: Mapping[str, str], window: Window) -> Measurement:
        selector = promql.buckets(quantile.histogram, values, self._spec.matchers)
        window = Window(window.since + (quantile.warm_up or 0.0), window.until)
        if window.until <= window.since:
            return _measured(window, Data.OK, "warming up: its latencies do not count yet", Histogram(()))
        tally, partial = await self._follow(selector, window)
        if trouble := _trouble(tally, selector, window, partial=partial):
            return trouble
        grown = tally.growth_by(_edge)
        rows = sorted((float(edge), count) for edge, count in grown.items())
        if len(rows) < 2 or not math.isinf(rows[-1][0]):
            return _measured(window, Data.NAN, f'{selector} has no edges with an le="+Inf" above them')
        return _counted(window, tally, Histogram(tuple(rows)), selector)

    async def _value(self, value: Value, values: Mapping[str, str], window: Window) -> Measurement:
        query = promql.expression(value.query, values, self._spec.matchers, window.until - window.since)
        asked = [self._ask(query.text, window.until)]
        if query.selectors:
            asked.append(self._ask(_fresh_until(query.selectors), window.until))
        answer, *fresh = await asyncio.gather(*asked)
        if answer.kind not in ("vector", "scalar"):
            raise Invalid(f"the query gives a {answer.kind}; write one that gives a number: {query.text}")
        if len(answer.found) > 1:
            raise Invalid(
                f"the query gives {len(answer.found)} numbers; put sum(), max() or the like around it: {query.text}"
            )
        if answer.partial:
            return _measured(window, Data.PARTIAL, _LEFT_OUT)
        if not answer.found:
            return _measured(window, Data.NO_SERIES, f"no series: {query.text}")
        for _, samples in fresh[0].found if fresh else ():
            if samples[-1].value < window.until:
                late = window.until - samples[-1].value
                return _measured(window, Data.STALE, f"its samples have been too old for {late:.0f} s: {query.text}")
        number = answer.found[0][1][-1].value
        if not math.isfinite(number):
            return _measured(window, Data.NAN, f"the query gives {number}, no finite number: {query.text}")
        return _measured(window, Data.OK, "", Number(number))

    # ---- reading

    async def _follow(self, selector: str, window: Window) -> tuple[Tally, bool]:
        """The tally of that selector since the window opened, up to its end; and whether something was left out.

        Each piece is remembered as it comes, so what a time-out cuts short goes on where it was at the next look.
        """
        followed = Followed(selector, window.since)
        partial = False
        tally = self._tallies.get(followed) or begin(window.since, LOOK_BACK + OVERLAP)
        while tally.through < window.until:
            begins = tally.through - (OVERLAP if tally.through > window.since - LOOK_BACK else 0.0)
            ends = min(begins + PIECE, window.until)
            answer = await self._ask(f"{selector}[{max(1, math.ceil((ends - begins) * 1000))}ms]", ends)
            if answer.native and not answer.found:
                raise Invalid(f"{selector} has native histograms, which are not read yet; name a classic histogram")
            partial = partial or answer.partial
            tally = advance(self._tallies.get(followed) or tally, answer.found, ends)  # two guards may follow one
            self._tallies.keep(followed, tally)
        return tally, partial

    async def _ask(self, query: str, at: float) -> Answer:
        """One instant query. Raises Transient."""
        form = {"query": query, "time": f"{at:.3f}", "timeout": f"{REQUEST_TIMEOUT:.0f}s"}
        url = self._spec.url.rstrip("/") + "/api/v1/query"
        try:
            auth = await self._auth()
            async with self._client.stream("POST", url, data=form, auth=auth) as response:
                if response.status_code in (401, 403):
                    self._credentials = None
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > LARGEST_ANSWER:
                        raise Transient(f"its answer is larger than {LARGEST_ANSWER // 2**20} MiB; narrow the query")
                return read(response.status_code, bytes(body))
        except httpx.TimeoutException:
            raise Transient(f"no answer within {REQUEST_TIMEOUT:.0f} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
            raise Transient(f"it can't be reached ({type(error).__name__})") from None

    async def _auth(self) -> httpx.Auth | None:
        now = self._clock()
        if self._credentials is None or now - self._credentials[0] > SECRETS_FOR:
            auth: httpx.Auth | None = None
            shown = self._spec.auth
            if shown is not None and shown.bearer_token is not None:
                auth = _Bearer(await self._secret(shown.bearer_token))
            elif shown is not None and (basic := shown.basic_auth) is not None:
                auth = httpx.BasicAuth(await self._secret(basic.username), await self._secret(basic.password))
            self._credentials = (now, auth)
        return self._credentials[1]

    async def _secret(self, value: SecretValue) -> str:
        name, key = value.secret_key_ref.name, value.secret_key_ref.key
        text = (await self._secrets(name, key)).strip()
        if not text or not text.isprintable() or not text.isascii():
            raise Transient(f"key {key} of Secret {name} can't be used: it is empty or not plain text")
        return text


class _Bearer(httpx.Auth):
    """Nothing that is printed or logged shows the token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request):  # type: ignore[no-untyped-def]
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


_LEFT_OUT = "Prometheus warns that its answer is not complete"


def _edge(labels: Labels) -> str | None:
    return next((value for name, value in labels if name == "le"), None)


def _unreadable(tally: Tally) -> bool:
    return tally.unreadable_at > 0 and tally.unreadable_at >= tally.newest


def _trouble(tally: Tally, selector: str, window: Window, *, partial: bool) -> Measurement | None:
    if partial:
        return _measured(window, Data.PARTIAL, _LEFT_OUT)
    if _unreadable(tally):
        return _measured(window, Data.NAN, f"{selector} has samples that are no finite number")
    if not tally.series:
        return _measured(window, Data.NO_SERIES, f"no series: {selector}")
    if tally.fresh_until() < window.until:
        return _measured(
            window, Data.STALE, f"the newest sample is {window.until - tally.newest:.0f} s old: {selector}"
        )
    return None


def _counted(window: Window, tally: Tally, shape: Counts | Histogram, selector: str) -> Measurement:
    if shape.samples == 0:
        if tally.observed < max(SETTLING, tally.interval or 0.0):
            return _measured(window, Data.OK, "nothing was scraped since this step began, or next to nothing", shape)
        return _measured(window, Data.NO_TRAFFIC, f"no requests since this step began: {selector}", shape)
    return _measured(window, Data.OK, "", shape)


def _measured(window: Window, data: Data, sentence: str, shape: Shape | None = None) -> Measurement:
    return Measurement(data, sentence, shape, since=window.since, through=window.until)


def _fresh_until(selectors: tuple[str, ...]) -> str:
    """A query for the instant from which on the oldest of these selectors' newest samples is too old: 30 s after it,
    or three scrape intervals (out of the number of samples in the last 5 minutes), but not more than 3 minutes."""
    each = (
        f"max(timestamp({selector})) + clamp_min(clamp_max(900 / max(count_over_time({selector}[5m])), 180), 30)"
        for selector in selectors[:8]
    )
    # A label of its own keeps each from hiding the others behind `or`.
    return "min(" + " or ".join(f'label_replace({it}, "i", "{i}", "", "")' for i, it in enumerate(each)) + ")"
