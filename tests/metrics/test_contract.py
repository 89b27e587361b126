"""What stands in for a metric source passes the contract of all sources: the small Prometheus, and the numbers that the
tests of the controller are given. The real Prometheus does in tests/integration."""

from __future__ import annotations

import asyncio
import math

import httpx
import pytest

from tests.engine import measured
from tests.metrics.contract import WORDS, SourceContract, Trouble, flaws
from tests.metrics.numbers import Numbers
from tests.metrics.prometheus_world import PrometheusWorld
from tests.metrics.stub import Stub, unreachable
from tidegate.api import Guard
from tidegate.metrics import PrometheusSource, Secrets, Window
from tidegate.stats import Data, Measurement

EVERY = 5.0  # seconds between two scrapes


class Scraped(PrometheusWorld):
    """Collected by the small Prometheus, in a time that only `tick` and the others move."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 10_000.0
        self.stub = Stub()
        self._samples: dict[str, list[tuple[float, float]]] = {}

    def open(self, secrets: Secrets) -> PrometheusSource:
        return PrometheusSource(
            self.connection,
            self.spec("http://prometheus.example:9090"),
            secrets,
            transport=httpx.MockTransport(self._answer),
            clock=lambda: self.now,
        )

    async def tick(self) -> None:
        for _ in range(2):
            self.now += EVERY
            for series, number in self.page.items():
                self._collect(str(series), {"__name__": series.name, **dict(series.labels)}, number)

    async def until_settled(self) -> None:
        for _ in range(2):
            await self.tick()

    async def until_old(self) -> None:
        self.now += 40

    def _collect(self, name: str, labels: dict[str, str], number: float) -> None:
        if name not in self._samples:
            self._samples[name] = []
            self.stub.add(self._samples[name], **labels)
        self._samples[name].append((self.now, number))
        # What it can't work out itself: the newest number, and until when its sample is new enough.
        self.stub.values[f"max({name})"] = "NaN" if math.isnan(number) else number
        self.stub.values[f"timestamp({name})"] = self.now + 30

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        shown = f"{WORDS} {request.headers['authorization']}"
        match self.trouble:
            case Trouble.UNREACHABLE:
                return unreachable(request)
            case Trouble.SILENT:
                await asyncio.sleep(0.2)
                raise httpx.ReadTimeout(WORDS, request=request)
            case Trouble.REFUSES:
                return httpx.Response(401, text=shown)
            case Trouble.FAILS:
                error = {"status": "error", "errorType": "execution", "error": shown}
                return httpx.Response(422, json=error)
            case Trouble.NONSENSE:
                return httpx.Response(200, text=f"<html>{shown}</html>")
        if self.stub.form(request)["query"] == '"only text"':
            text = {"status": "success", "data": {"resultType": "string", "result": [self.now, "only text"]}}
            return httpx.Response(200, json=text)
        return self.stub(request)


class TestSmallPrometheus(SourceContract):
    @pytest.fixture
    def world(self) -> Scraped:
        return Scraped()


class TestNumbers(SourceContract):
    @pytest.fixture
    def world(self) -> Numbers:
        return Numbers()


# ---- what the tests of guards are made of


@pytest.mark.parametrize(
    ("measurement", "asked"),
    [
        *((made, {"ratio": measured.RATIO}) for made in (measured.IDLE, measured.BUSY, measured.GONE, measured.DOWN)),
        *((made, {"quantile": measured.LATENCY}) for made in (measured.FAST, measured.SLOW, measured.SLOWEST)),
        (measured.value(7), {"value": measured.VALUE}),
        (measured.STALE, {"value": measured.VALUE}),
    ],
)
def test_what_guards_are_tested_with_could_have_been_measured(
    measurement: Measurement, asked: dict[str, object]
) -> None:
    guard: Guard = measured.guard(revert="+25%" if "value" not in asked else 80, **asked)
    assert not flaws(measurement, guard, Window(0, 60), "prometheus")
    assert measurement.data is not Data.AWAITED
