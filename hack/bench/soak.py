"""Releases that never stand still, for half an hour: does memory grow?"""

import asyncio
import time

from hack.bench import fleet
from hack.bench.figures import Figure, slope
from hack.bench.stage import Stage, populate
from tidegate.kube import Key

EVERY = 10.0
WARM = 1 / 3
"""The first part, in which caches fill, does not count for the slope."""


async def soak(stage: Stage, count: int, minutes: float) -> list[Figure]:
    """So many Releases climb to 100 %, one version after another; RSS is read every 10 s."""
    stage.start_operator(TIDEGATE_TICK="10s")
    keys = await populate(stage, count, seconds=1800)
    versions = dict.fromkeys(keys, 1)
    points: list[tuple[float, float]] = []
    began, cpu, sampled = time.monotonic(), stage.used().cpu, 0.0
    while time.monotonic() < began + 60 * minutes:
        await fleet.each([key for key in keys if stage.stands(key, f"v{versions[key]}")], _next(stage, versions))
        if time.monotonic() > sampled + EVERY:
            sampled = time.monotonic()
            points.append(((sampled - began) / 3600, stage.used().rss))
        await asyncio.sleep(1.0)
    took, used = time.monotonic() - began, stage.used()
    counted = [point for point in points if point[0] * 3600 > took * WARM]
    done = sum(versions.values()) - count
    return [
        Figure("soak-slope", slope(counted), "MiB an hour"),
        Figure("soak: RSS after a third, and at the end", counted[0][1], "MiB"),
        Figure("soak: RSS at the end", used.rss, "MiB"),
        Figure("soak: releases begun", done),
        Figure("soak: CPU", 100 * (used.cpu - cpu) / took, "% of a core"),
        Figure("soak: minutes", took / 60),
    ]


def _next(stage: Stage, versions: dict[Key, int]):  # type: ignore[no-untyped-def]
    async def ask(key: Key) -> None:
        versions[key] += 1
        await fleet.ask_for(stage.client, key, f"v{versions[key]}", fleet.UP)

    return ask
