"""What was measured of whom: the guards, versions and measurements that tests of guards are made of."""

import math
from typing import Any

from tidegate.api import Guard
from tidegate.engine.guards import Arm, Ask, Side
from tidegate.stats import Counts, Data, Histogram, Measurement, Value

RATIO = {"bad": 'r{version="$(version)",code=~"5.."}', "total": 'r{version="$(version)"}'}
LATENCY = {"percentile": 95, "histogram": 'd{version="$(version)"}'}
WHY = "Connection prometheus: the reason why"
VALUE = {"query": 'max(q{version="$(version)"})'}


def guard(**fields: Any) -> Guard:
    return Guard.model_validate({"name": "g", "connection": "prometheus", **fields})


def arm(name: str) -> Arm:
    return Arm(name, f"content-of-{name}", (("version", name), ("revision", name[-3:]), ("release", "shop")))


def ask(of: Guard, promised: int = 10_000, *, stable: str | None = "v1") -> Ask:
    return Ask(of, "", Side("", arm("v2"), arm(stable) if stable else None, promised, since=0.0))


def counts(part: float, total: float) -> Measurement:
    data, sentence = (Data.OK, "") if total else (Data.NO_TRAFFIC, "no requests since this step began")
    return Measurement(data, sentence, Counts(part, total), through=60.0)


def latencies(*rows: tuple[float, float]) -> Measurement:
    return Measurement(Data.OK, "", Histogram(rows), through=60.0)


def value(number: float) -> Measurement:
    return Measurement(Data.OK, "", Value(number), through=60.0)


def nothing(data: Data) -> Measurement:
    return Measurement(data, WHY, through=60.0)


FAST = latencies((0.1, 500), (0.2, 990), (0.5, 1000), (math.inf, 1000))
SLOW = latencies((0.1, 100), (0.2, 500), (0.5, 1000), (math.inf, 1000))
SLOWEST = latencies((0.1, 100), (0.2, 500), (0.5, 600), (math.inf, 1000))
IDLE, BUSY, GONE, DOWN = counts(0, 0), counts(1, 1000), nothing(Data.NO_SERIES), nothing(Data.PROVIDER_ERROR)
STALE = nothing(Data.STALE)
