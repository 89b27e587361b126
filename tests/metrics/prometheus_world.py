"""The contract's app as Prometheus sees it: series that only grow, and levels. How they are collected is left to a
world around it, be it a real Prometheus or a small one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.metrics.contract import Trouble
from tidegate.api import Guard, Prometheus
from tidegate.metrics.promql import quote

ACCESS = {"auth": {"bearerToken": {"secretKeyRef": {"name": "access", "key": "token"}}}}


class Series(NamedTuple):
    """A name, and its labels in their order."""

    name: str
    labels: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"{self.name}{{{','.join(f'{name}={quote(value)}' for name, value in self.labels)}}}"


def guard(**fields: Any) -> Guard:
    return Guard.model_validate({"name": "g", "connection": "metrics", "revert": "+25%", **fields})


class PrometheusWorld:
    connection = "metrics"
    ratio = guard(
        ratio={
            "bad": 'answers_total{version="$(version)",code="500"}',
            "total": 'answers_total{version="$(version)"}',
        }
    )
    good = guard(
        ratio={
            "good": 'answers_total{version="$(version)",code="200"}',
            "total": 'answers_total{version="$(version)"}',
        }
    )
    quantile = guard(quantile={"percentile": 95, "histogram": 'seconds{version="$(version)"}'})
    level = guard(value={"query": 'max(level{version="$(version)"})'})
    unanswerable = guard(value={"query": '"only text"'})

    def __init__(self) -> None:
        self.trouble: Trouble | None = None
        self.page: dict[Series, float] = {}

    def spec(self, url: str) -> Prometheus:
        return Prometheus.model_validate({"url": url, **ACCESS})

    def answered(self, version: str, *, good: int, bad: int | None = None) -> None:
        for code, count in (("200", good), ("500", bad)):
            if count is not None:
                self._grow(Series("answers_total", (("version", version), ("code", code))), count)

    def took(self, version: str, rows: Mapping[float, int]) -> None:
        for edge in (0.1, 0.5, math.inf):
            labels = (("version", version), ("le", "+Inf" if math.isinf(edge) else f"{edge:g}"))
            self._grow(Series("seconds_bucket", labels), sum(count for top, count in rows.items() if top <= edge))

    def stands_at(self, version: str, number: float) -> None:
        self.page[Series("level", (("version", version),))] = number

    def _grow(self, series: Series, count: int) -> None:
        self.page[series] = self.page.get(series, 0) + count
