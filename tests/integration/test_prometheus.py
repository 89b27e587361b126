"""The Prometheus source against a real Prometheus, and an app whose counters are known to the last request."""

from __future__ import annotations

import asyncio
import math
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.integration.own_prometheus import INTERVAL, App, Collected, exposed, prometheus, scraped
from tests.metrics.contract import HOSTILE, SourceContract
from tidegate.api import Guard, Prometheus
from tidegate.engine.limits import show
from tidegate.metrics import PrometheusSource, Window
from tidegate.stats import Counts, Data, Histogram, Measurement, Value


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    app = App()
    yield app
    app.server.shutdown()
    app.server.server_close()


@pytest.fixture(scope="module")
def url(app: App, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prometheus(app, tmp_path_factory.mktemp("prometheus")) as url:
        yield url


class TestContract(SourceContract):
    @pytest.fixture
    async def world(self, url: str, app: App, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Collected]:
        async with Collected(app, url, uuid.uuid4().hex, monkeypatch) as world:
            yield world


def guard(**fields: Any) -> Guard:
    return Guard.model_validate({"name": "g", "connection": "p", "revert": "+25%", **fields})


RATIO = guard(
    ratio={
        "bad": 'requests_total{version="$(version)",code=~"5.."}',
        "total": 'requests_total{version="$(version)"}',
    }
)
QUEUE = guard(value={"query": 'max(queue_length{version="$(version)"})'})


async def no_secrets(name: str, key: str) -> str:
    raise AssertionError("nobody asked for one")


async def measure(
    url: str, guard: Guard, version: str, since: float, until: float | None = None, **spec: Any
) -> Measurement:
    source = PrometheusSource("p", Prometheus(url=url, **spec), no_secrets)
    try:
        return await source.measure(guard, {"version": version}, Window(since, until or time.time()))
    finally:
        await source.close()


async def test_every_request_is_counted_over_restarts_births_and_deaths_of_pods(url: str, app: App) -> None:
    app.serve("a", "v1", 1000)
    app.serve("b", "v1", 500, 3)
    await scraped(url)
    since = time.time()
    await scraped(url)
    app.serve("a", "v1", 1100, 7)  # its first errors: the series is born with them
    app.serve("b", "v1", 40, 1)  # it restarted
    app.serve("c", "v1", 25)  # it is new
    await scraped(url)
    app.serve("a", "v1", 1100, 9)
    del app.pages["c"]  # it is gone
    await scraped(url)
    measured = await measure(url, RATIO, "v1", since)
    assert measured.data is Data.OK, measured.sentence
    assert measured.shape == Counts(part=9 + 1, total=(100 + 9) + (40 + 1) + 25)


async def test_looking_twice_a_second_counts_the_same_as_looking_once(url: str, app: App) -> None:
    app.serve("a", "v2", 0, 0)
    await scraped(url)
    since = time.time()
    await scraped(url)
    source = PrometheusSource("p", Prometheus(url=url), no_secrets)
    for count in range(1, 9):
        app.serve("a", "v2", 10 * count if count < 5 else 10 * (count - 5), count)
        await scraped(url)
        await source.measure(RATIO, {"version": "v2"}, Window(since, time.time()))
    often = await source.measure(RATIO, {"version": "v2"}, Window(since, time.time()))
    await source.close()
    assert often == await measure(url, RATIO, "v2", since, often.through)
    assert often.shape == Counts(part=8, total=(40 + 30) + 8)


async def test_forced_matchers_hide_what_is_not_theirs(url: str, app: App) -> None:
    app.serve("a", "v4", 10)
    await scraped(url)
    since = time.time() - 60
    await scraped(url)
    assert (await measure(url, RATIO, "v4", since)).data is not Data.NO_SERIES
    assert (await measure(url, RATIO, "v4", since, matchers={"job": "b"})).data is Data.NO_SERIES


async def test_a_value_in_a_query_selects_itself_and_nothing_else(url: str, app: App) -> None:
    app.pages["strange"] = [f"strange{{label={exposed(value)}}} {number}" for number, value in enumerate(HOSTILE)]
    await scraped(url)
    for operator in ("=", "=~"):
        query = guard(value={"query": f'strange{{label{operator}"$(version)"}}'})
        for number, value in enumerate(HOSTILE):
            measured = await measure(url, query, value, time.time() - 10)
            assert measured.shape == Value(number), (operator, value, measured.sentence)


async def test_a_quantile_is_the_one_that_prometheus_gives(url: str, app: App) -> None:
    def page(factor: int) -> list[str]:
        rows = (("0.1", 700), ("0.25", 900), ("0.5", 960), ("1", 990), ("+Inf", 1000))
        return [f'latency_bucket{{version="v1",le="{edge}"}} {count * factor}' for edge, count in rows]

    app.pages["histogram"] = page(1)
    await scraped(url)
    since = time.time()
    await scraped(url)
    app.pages["histogram"] = page(2)
    await scraped(url)
    ours = guard(quantile={"percentile": 95, "histogram": 'latency{version="$(version)"}'})
    theirs = guard(value={"query": 'histogram_quantile(0.95, sum by (le) (latency_bucket{version="$(version)"}))'})
    measured, reference = await measure(url, ours, "v1", since), await measure(url, theirs, "v1", since)
    assert measured.shape == Histogram(((0.1, 700), (0.25, 900), (0.5, 960), (1.0, 990), (math.inf, 1000)))
    assert isinstance(reference.shape, Value)
    assert show(ours, measured.shape) == f"{reference.shape.value * 1000:.3g} ms"


async def test_a_value_whose_samples_are_old_is_stale_though_prometheus_still_gives_it(url: str, app: App) -> None:
    since = time.time()
    app.pages["queue"] = ['queue_length{version="v1"} 7']
    await scraped(url)
    fresh = await measure(url, QUEUE, "v1", since)
    assert (fresh.data, fresh.shape) == (Data.OK, Value(7))
    for _ in range(6):
        # A gateway that passes on what it once was told, with the time at which it was.
        app.pages["late"] = [f'queue_length{{version="v9"}} 7 {int((time.time() - 200) * 1000)}']
        await asyncio.sleep(INTERVAL)
    late = await measure(url, QUEUE, "v9", since)
    assert late.data is Data.STALE, late


@pytest.mark.parametrize(
    ("query", "data", "says"),
    [
        ("sum(nothing_at_all)", Data.NO_SERIES, "no series"),
        ('0 / sum(up{job="a"} * 0)', Data.NAN, "no finite number"),
        ("1 / sum(up * 0)", Data.NAN, "no finite number"),
        ("up", Data.BLIND, "numbers; put sum(), max()"),
        ("up * on () up", Data.PROVIDER_ERROR, "Connection p: Prometheus could not answer the query: execution"),
        ('"text"', Data.BLIND, "gives a string"),
        ("up[5m]", Data.BLIND, "gives a matrix"),
        ("scalar(vector(4))", Data.OK, ""),
    ],
)
async def test_what_is_no_number_is_no_data(url: str, app: App, query: str, data: Data, says: str) -> None:
    measured = await measure(url, guard(value={"query": query}), "v1", time.time() - 5)
    assert measured.data is data, measured
    assert says in measured.sentence
