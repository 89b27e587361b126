"""A small Prometheus that keeps samples and breaks on demand, and guards that ask it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import httpx

from tidegate.api import Guard, Prometheus
from tidegate.errors import NotFound
from tidegate.metrics import PrometheusSource, Window
from tidegate.stats import Measurement

SINCE, NOW = 10_000.0, 10_060.0
VALUES = {"version": "v2"}
RATIO = Guard.model_validate({
    "name": "errors", "connection": "p", "revert": "1%",
    "ratio": {"bad": 'r{v="$(version)",code="500"}', "total": 'r{v="$(version)"}'},
})  # fmt: skip
GOOD = Guard.model_validate({
    "name": "success", "connection": "p", "revert": "-10%",
    "ratio": {"good": 'r{v="$(version)",code="200"}', "total": 'r{v="$(version)"}'},
})  # fmt: skip
LATENCY = Guard.model_validate({
    "name": "latency", "connection": "p", "revert": "+25%",
    "quantile": {"percentile": 95, "histogram": 'd{v="$(version)"}'},
})  # fmt: skip
WARM = Guard.model_validate({
    "name": "latency", "connection": "p", "revert": "+25%",
    "quantile": {"percentile": 95, "histogram": 'd{v="$(version)"}', "warmUp": "30s"},
})  # fmt: skip
QUEUE = Guard.model_validate({
    "name": "queue", "connection": "p", "revert": 80,
    "value": {"query": 'max(max_over_time(q{v="$(version)"}[$(window)]))'},
})  # fmt: skip

Samples = list[tuple[float, float]]


def scrapes(growth: float, *, start: float = 9_705.0, end: float = 10_060.0, every: float = 5.0) -> Samples:
    """A counter that is scraped every so often and grows by so much each time."""
    count = int((end - start) / every) + 1
    return [(start + every * index, growth * index) for index in range(count)]


class Stub:
    """Answers selectors with a range out of what it was given, by the labels that the selector asks for; anything
    else out of `values`, by a word of the query."""

    def __init__(self) -> None:
        self.series: list[tuple[dict[str, str], Samples]] = []
        self.values: dict[str, Any] = {}
        self.warnings: list[str] = []
        self.requests: list[httpx.Request] = []
        self.answer: Callable[[httpx.Request], httpx.Response] | None = None

    @property
    def queries(self) -> list[str]:
        return [self.form(request)["query"] for request in self.requests]

    @staticmethod
    def form(request: httpx.Request) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(request.content.decode()).items()}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.answer is not None:
            return self.answer(request)
        form = self.form(request)
        result: Any
        if match := re.fullmatch(r"(\w+)\{(.*)\}\[(\d+)ms\]", form["query"], re.DOTALL):
            kind, result = "matrix", self.matrix(match[1], match[2], float(form["time"]), int(match[3]) / 1000)
        else:
            kind = "vector"
            found = next((value for word, value in self.values.items() if word in form["query"]), None)
            result = [] if found is None else [{"metric": {}, "value": [float(form["time"]), str(found)]}]
        document: dict[str, Any] = {"status": "success", "data": {"resultType": kind, "result": result}}
        if self.warnings:
            document["warnings"] = self.warnings
        return httpx.Response(200, json=document)

    def matrix(self, name: str, matchers: str, at: float, seconds: float) -> list[dict[str, Any]]:
        literals = re.findall(r'(\w+)=("(?:[^"\\]|\\.)*")', matchers)
        asked = {label: json.loads(literal) for label, literal in literals} | {"__name__": name}
        found = []
        for labels, samples in self.series:
            inside = [[t, str(value)] for t, value in samples if at - seconds < t <= at]
            if inside and asked.items() <= labels.items():
                found.append({"metric": labels, "values": inside})
        return found

    def add(self, samples: Samples, **labels: str) -> None:
        self.series.append((labels, samples))

    def requests_of(self, ok: Samples, failed: Samples | None = None, pod: str = "a") -> None:
        self.add(ok, __name__="r", v="v2", code="200", pod=pod)
        if failed is not None:
            self.add(failed, __name__="r", v="v2", code="500", pod=pod)


async def no_secrets(name: str, key: str) -> str:
    raise NotFound(f"Secret {name} is not there")


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("secret address", request=request)


def source(
    stub: Stub, secrets: Any = no_secrets, *, clock: Callable[[], float] = time.monotonic, **spec: Any
) -> PrometheusSource:
    return PrometheusSource(
        "metrics",
        Prometheus.model_validate({"url": "http://prometheus.example:9090/base/", **spec}),
        secrets,
        transport=httpx.MockTransport(stub),
        clock=clock,
    )


async def measure(stub: Stub, guard: Guard, since: float = SINCE, until: float = NOW, **spec: Any) -> Measurement:
    opened = source(stub, **spec)
    try:
        return await opened.measure(guard, VALUES, Window(since, until))
    finally:
        await opened.close()
