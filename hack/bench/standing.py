"""What Releases cost that nothing happens to, and how soon a new process decides among thousands of them."""

import asyncio
import time
from collections.abc import Sequence

import aiohttp

from hack.bench import audit, fleet, seeding
from hack.bench.figures import Figure
from hack.bench.stage import Late, Stage, populate
from tidegate.kube import Key


async def seeded(stage: Stage, count: int) -> Sequence[Key]:
    """So many at rest: a few by the operator, which is then stopped, and copies of them."""
    stage.start_operator()
    first = await populate(stage, 1)
    await asyncio.sleep(3)
    await stage.stop_operator()
    keys = fleet.keys(count)
    left = sorted({key.namespace for key in keys} - {first[0].namespace})
    await fleet.open_these(stage.client, left, stage.source.url)
    began = time.monotonic()
    async with aiohttp.ClientSession() as session:
        etcd = seeding.Etcd(session, stage.plane.endpoints.etcd_url)
        pattern = await seeding.pattern_of(stage.client, etcd, first[0])
        await seeding.copy(etcd, stage.node, pattern, keys[1:])
    await stage.until(lambda key: stage.stands(key, "v1"), keys, 300, "the copies seen")
    print(f"bench: {count} made in {time.monotonic() - began:.0f} s", flush=True)
    return keys


async def standing(stage: Stage, count: int, seconds: float) -> list[Figure]:
    """Start over `count` Releases of which one has something to decide; then look at all of them at rest."""
    keys = await seeded(stage, count)
    busy = keys[-1]
    await fleet.ask_for(stage.client, busy, "v2")
    began = time.time()
    stage.start_operator()
    await stage.until(lambda key: stage.phase(key) == "Preparing", [busy], 900, "a decision")
    decided = time.time() - began
    print(f"bench: decided after {decided:.1f} s", flush=True)
    await stage.until(lambda key: stage.climbs(key, "v2"), [busy], 900, "its climb")
    started = stage.used()
    await fleet.ask_for(stage.client, busy, "v1")
    await stage.until(lambda key: stage.stands(key, "v1"), [busy], 900, "rest")
    await _still(stage)
    wrote = [each for each in await stage.asked(began) if each.is_write and each.name and busy.name not in each.name]
    # Connections are no copies: each is told once that it was looked at.
    stray = [each for each in wrote if each.resource not in ("leases", "events", "connections/status")]
    if stray:
        raise Late(f"the copies are not at rest: {audit.summary(stray)}")
    before, since = stage.used(), time.time()
    await asyncio.sleep(seconds)
    after, until = stage.used(), time.time()
    asked = await stage.asked(since, until)
    other = [each for each in asked if each.resource != "leases" and each.verb not in ("watch", "list")]
    print("bench: at rest it asked:", audit.summary(asked), flush=True)
    return [
        Figure(f"start-{count}", decided, "s"),
        Figure(f"CPU from start to rest, {count}", started.cpu, "s"),
        Figure(f"rest-{count}-cpu", 100 * (after.cpu - before.cpu) / (until - since), "% of a core"),
        Figure(f"rest-{count}-requests", len(other)),
        Figure(f"rest-{count} Lease, watch and sweep requests", 60 * (len(asked) - len(other)) / seconds, "a minute"),
        Figure(f"rss-{count}", after.rss, "MiB"),
        Figure(f"peak RSS with {count}", after.peak, "MiB"),
    ]


async def _still(stage: Stage) -> None:
    """Until it has done all that it wants to."""
    while True:
        before = stage.used().cpu
        await asyncio.sleep(5)
        if stage.used().cpu - before < 0.1:
            return
