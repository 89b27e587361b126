"""How long a bad candidate goes on serving: from the instant at which the source turns bad."""

import asyncio
import random
import time
from collections.abc import Sequence
from functools import partial

from hack.bench import audit, fleet
from hack.bench.audit import Asked
from hack.bench.figures import Figure, quantile
from hack.bench.stage import Stage, populate
from tidegate.kube import Key

PATIENCE = 600.0


async def latency(stage: Stage, count: int, tick: float, rounds: int, *, at_rest: int = 0) -> list[Figure]:
    """`count` Releases revert at once, `rounds` times, among `at_rest` others. Each begins its climb at an instant of
    its own within a tick, so that their looks are as spread as those of people's releases."""
    stage.start_operator(TIDEGATE_TICK=f"{tick:g}s")
    keys = (await populate(stage, max(count, at_rest)))[:count]
    zeros: list[float] = []
    lasts: list[float] = []
    costs: list[tuple[int, int]] = []
    removals: list[tuple[int, int]] = []
    climbs: list[int] = []
    cpu: list[float] = []
    for number in range(rounds):
        version = f"v{number + 2}"
        asked_at = time.time()
        await _ask_spread(stage, keys, version, tick)
        await stage.until(partial(_climbs, stage, version), keys, PATIENCE, "all at 10 %")
        standing = time.time()
        await asyncio.sleep(tick * random.uniform(1.0, 2.0))
        before = stage.used().cpu
        turned = stage.source.turn_bad()
        await stage.until(lambda key: stage.phase(key) == "Reverted", keys, PATIENCE, "all reverted")
        cpu.append((stage.used().cpu - before) / count)
        over = time.time()
        await _quiet(stage)
        stage.source.turn_good()
        stage.gateway.settle()
        for key in keys:
            lane = stage.gateway.lanes[key]
            candidate = max(lane.zero, key=lambda service: lane.zero[service])
            zeros.append(lane.zero[candidate] - turned)
            lasts.append(max(lane.last.get(candidate, turned) - turned, 0.0))
        asked = await stage.asked(asked_at)
        for key in keys:
            mine = [each for each in asked if each.namespace == key.namespace and key.name in each.name]
            climbs.append(sum(each.counts for each in mine if each.at <= standing))
            cost, removal = _cost([each for each in mine if each.at > turned])
            costs.append(cost)
            removals.append(removal)
        print(f"bench: round {number + 1} of {rounds}: reverted in {over - turned:.1f} s; a revert asked", flush=True)
        print("bench:  ", audit.summary(each for each in asked if each.at > turned), flush=True)
    where = f"{tick:g}s-{count}"
    note = f"{len(zeros)} reverts"
    return [
        Figure(f"zero-{where}-p50", quantile(zeros, 0.5), note=note),
        Figure(f"zero-{where}-p99", quantile(zeros, 0.99), note=note),
        Figure(f"last-{where}-p50", quantile(lasts, 0.5), note=note),
        Figure(f"last-{where}-p99", quantile(lasts, 0.99), note=note),
        Figure("revert-writes", _mean([writes for writes, _ in costs]), note="mean"),
        Figure("revert-gets", _mean([gets for _, gets in costs]), note="mean"),
        Figure("climb-writes", _mean(climbs), note="mean"),
        Figure("removal of the candidate: writes", _mean([writes for writes, _ in removals])),
        Figure("removal of the candidate: GETs", _mean([gets for _, gets in removals])),
        Figure("CPU a revert", _mean([seconds * 1000 for seconds in cpu]), "ms"),
    ]


def _climbs(stage: Stage, version: str, key: Key) -> bool:
    return stage.climbs(key, version)


async def _ask_spread(stage: Stage, keys: Sequence[Key], version: str, tick: float) -> None:
    async def one(key: Key) -> None:
        await asyncio.sleep(random.uniform(0.0, tick))
        await fleet.ask_for(stage.client, key, version)

    await asyncio.gather(*(one(key) for key in keys))


async def _quiet(stage: Stage, seconds: float = 3.0) -> None:
    """Until the candidates are taken down, and the operator asks for nothing any more."""
    while True:
        before = stage.used().cpu
        await asyncio.sleep(seconds)
        if stage.used().cpu - before < 0.03 * seconds:
            return


def _cost(asked: Sequence[Asked]) -> tuple[tuple[int, int], tuple[int, int]]:
    """(writes, GETs) of the revert, up to the status that calls it done, and of the removal after that."""
    told = [each.at for each in asked if each.resource == "releases/status"]
    done = told[1] if len(told) > 1 else float("inf")  # the first says that it reverts, the second that it has
    until = [each for each in asked if each.at <= done]
    after = [each for each in asked if each.at > done]
    return (
        (sum(each.counts for each in until), sum(each.verb == "get" for each in until)),
        (sum(each.is_write and each.resource != "events" for each in after), sum(each.verb == "get" for each in after)),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
