"""A metric source out of memory, for faults and for counting who asks: its app, and what it says of it.

It passes the contract of all sources, so a test that is given its measurements is given nothing that none could give.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from tests.metrics.contract import Trouble
from tests.metrics.prometheus_world import PrometheusWorld
from tidegate.api import Guard
from tidegate.errors import TidegateError, Transient
from tidegate.metrics import Secrets, Window
from tidegate.stats import Counts, Data, Histogram, Measurement, Shape, Value

TICK, OLD = 10.0, 60.0  # seconds


class Answers(NamedTuple):
    """Requests of one version that were answered at that instant."""

    at: float
    version: str
    good: int
    bad: int


class Lasted(NamedTuple):
    """How long requests of one version took: how many of them by the edge."""

    at: float
    version: str
    rows: Mapping[float, int]


class Numbers:
    """The app, and all that was ever counted of it."""

    connection = "numbers"
    ratio, good = PrometheusWorld.ratio, PrometheusWorld.good
    quantile, level = PrometheusWorld.quantile, PrometheusWorld.level
    unanswerable = level.model_copy(update={"name": "unanswerable"})

    def __init__(self, now: float = 10_000.0) -> None:
        self.now = self.collected = now
        self.trouble: Trouble | None = None
        self.answers: list[Answers] = []
        self.lasted: list[Lasted] = []
        self.levels: dict[str, float] = {}

    def open(self, secrets: Secrets) -> NumbersSource:
        return NumbersSource(self, secrets)

    def answered(self, version: str, *, good: int, bad: int | None = None) -> None:
        self.answers.append(Answers(self.now, version, good, bad or 0))

    def took(self, version: str, rows: Mapping[float, int]) -> None:
        self.lasted.append(Lasted(self.now, version, rows))

    def stands_at(self, version: str, number: float) -> None:
        self.levels[version] = number

    async def tick(self) -> None:
        self.now = self.collected = self.now + TICK

    async def until_settled(self) -> None:
        await self.tick()

    async def until_old(self) -> None:
        self.now += OLD + TICK


class NumbersSource:
    """Answers when `gate` is open; notes who asks, and how many at the same time. `fails` is asked before each answer,
    and may raise what no source ever should."""

    def __init__(self, world: Numbers, secrets: Secrets | None = None, fails: Callable[[], None] | None = None) -> None:
        self._world, self._secrets, self._fails = world, secrets, fails
        self.asked: list[tuple[str, str, Window]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = self.most = 0
        self.closed = False

    async def measure(self, guard: Guard, values: Mapping[str, str], window: Window) -> Measurement:
        self.asked.append((guard.name, values["version"], window))
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        try:
            await self.gate.wait()
            if self._fails is not None:
                self._fails()
            return await self._measure(guard, values["version"], window)
        finally:
            self.waiting -= 1

    async def reach(self, now: float) -> None:
        if self._secrets is not None:
            await self._secrets("access", "token")
        if self._world.trouble is not None:
            raise Transient(self._world.trouble)

    async def close(self) -> None:
        self.closed = True

    async def _measure(self, guard: Guard, version: str, window: Window) -> Measurement:
        def no(data: Data, sentence: str) -> Measurement:
            return Measurement(data, sentence, since=window.since, through=window.until)

        world = self._world
        try:
            if self._secrets is not None:
                await self._secrets("access", "token")
        except TidegateError as error:
            return no(Data.PROVIDER_ERROR, f"Connection {world.connection}: {error.message}")
        if world.trouble is Trouble.SILENT:
            await asyncio.sleep(0.2)
        if world.trouble is not None:
            return no(Data.PROVIDER_ERROR, f"Connection {world.connection}: {world.trouble}")
        if guard.name == world.unanswerable.name:
            return no(Data.BLIND, f"guard {guard.name} asks what can't be answered")
        shape = self._shape(guard, version, window)
        if shape is None:
            return no(Data.NO_SERIES, f"nothing is known of {version}")
        if window.until > world.collected + OLD:
            return no(Data.STALE, f"the newest numbers of {version} are {window.until - world.collected:g} s old")
        if isinstance(shape, Value):
            if not math.isfinite(shape.value):
                return no(Data.NAN, f"{shape.value} is no finite number")
            return Measurement(Data.OK, "", shape, since=window.since, through=window.until)
        if shape.samples:
            return Measurement(Data.OK, "", shape, since=window.since, through=window.until)
        settled = window.until - window.since > TICK
        data, why = (Data.NO_TRAFFIC, "nobody asks it") if settled else (Data.OK, "the step has just begun")
        return Measurement(data, why, shape, since=window.since, through=window.until)

    def _shape(self, guard: Guard, version: str, window: Window) -> Shape | None:
        """None: nothing is known of that version."""
        world = self._world
        if guard.value is not None:
            return Value(world.levels[version]) if version in world.levels else None
        if guard.quantile is not None:
            known = [one for one in world.lasted if one.version == version]
            inside = [one for one in known if window.since <= one.at < window.until]
            edges = sorted({edge for one in known for edge in (*one.rows, math.inf)})
            counts = [sum(n for one in inside for edge, n in one.rows.items() if edge <= top) for top in edges]
            return Histogram(tuple(zip(edges, map(float, counts), strict=True))) if known else None
        if not any(one.version == version for one in world.answers):
            return None
        answers = [one for one in world.answers if one.version == version and window.since <= one.at < window.until]
        good, bad = sum(one.good for one in answers), sum(one.bad for one in answers)
        assert guard.ratio is not None
        return Counts(bad if guard.ratio.bad is not None else good, good + bad)
