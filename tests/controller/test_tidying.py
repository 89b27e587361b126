"""Interventions do not pile up: neither those that were answered, nor those that nobody will ever answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
from aiohttp import web

from tests.controller.waiting import soon
from tests.kube.fake import FakeApi, Seen, refusal, thing
from tidegate.api.grammar import format_time
from tidegate.controller.lease import Gate, Term
from tidegate.controller.tidying import KEPT, Tidying
from tidegate.kube import INTERVENTIONS, RELEASES, Cluster, Store

BEGAN = 1_795_000_000.0


class Leader:
    def __init__(self) -> None:
        self.leads = asyncio.Event()
        self.leads.set()

    async def opened(self) -> None:
        await self.leads.wait()

    def safe_for(self, seconds: float) -> bool:
        return self.leads.is_set()


class World(NamedTuple):
    api: FakeApi
    cluster: Cluster
    leader: Leader

    def written(self, name: str, *, answered: float | None = None, **status: Any) -> None:
        """An Intervention from the beginning of time."""
        spec = {"targetRef": {"kind": "Release", "name": "web"}, "action": "Pause", "by": "ana", "reason": "lunch"}
        body = thing(INTERVENTIONS, name, spec=spec)
        body["metadata"]["creationTimestamp"] = format_time(BEGAN)
        if answered is not None:
            body["status"] = {"outcome": "Done", "at": format_time(answered)}
        if status:
            body["status"] = status
        self.cluster.store.put(INTERVENTIONS, self.api.put(INTERVENTIONS, body))

    def release(self) -> None:
        self.cluster.store.put(RELEASES, self.api.put(RELEASES, thing(RELEASES, "web")))

    async def tidied(self, after: float) -> list[str]:
        """What is left."""
        await Tidying(self.cluster, self.leader, wall=lambda: BEGAN + after).once()
        left = sorted(name for resource, _, name in self.api.objects if resource == INTERVENTIONS)
        assert sorted(key.name for key in self.cluster.store.keys(INTERVENTIONS)) == left
        return left


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with FakeApi() as api, api.client() as client:
        yield World(api, Cluster(client, Store()), Leader())


async def test_under_the_usual_lease_there_is_time_to_remove(world: World) -> None:
    """The default Lease is renewed all the time, and never ours for longer than its 15 s."""
    world.release()
    world.written("old", answered=BEGAN)
    term, now = Term(), 100.0
    gate = Gate(lambda: now + 2 * term.retry)
    gate.open(1, now + term.renew, now + term.lease * 0.95)
    assert await Tidying(world.cluster, gate, wall=lambda: BEGAN + KEPT + 1).once() == 1


async def test_an_answer_stands_for_thirty_days(world: World) -> None:
    world.release()
    world.written("old", answered=BEGAN)
    world.written("young", answered=BEGAN + 100)
    assert await world.tidied(KEPT - 1) == ["old", "young"]
    assert await world.tidied(KEPT) == ["young"]
    assert await world.tidied(KEPT + 100) == []


async def test_what_waits_for_an_answer_of_a_release_that_is_there_waits_as_long_as_it_takes(world: World) -> None:
    world.release()
    world.written("waiting")
    assert await world.tidied(100 * KEPT) == ["waiting"]


@pytest.mark.parametrize("status", [{}, {"outcome": "Banana"}])
async def test_what_nobody_can_answer_goes_after_thirty_days(world: World, status: dict[str, Any]) -> None:
    world.written("orphan", **status)
    assert await world.tidied(KEPT - 1) == ["orphan"]
    assert world.api.writes() == []
    assert await world.tidied(KEPT) == []


async def test_a_release_that_the_view_does_not_know_yet_is_asked_for(world: World) -> None:
    world.api.put(RELEASES, thing(RELEASES, "web"))
    world.written("waiting")
    assert await world.tidied(KEPT) == ["waiting"]


async def test_another_of_the_same_name_stays(world: World) -> None:
    world.release()
    world.written("act", answered=BEGAN)
    known = world.cluster.get(INTERVENTIONS, "shop", "act")
    assert known is not None
    world.api.remove(INTERVENTIONS, "shop", "act")
    world.api.put(INTERVENTIONS, thing(INTERVENTIONS, "act"))
    await Tidying(world.cluster, world.leader, wall=lambda: BEGAN + KEPT).once()
    assert (INTERVENTIONS, "shop", "act") in world.api.objects


async def test_who_does_not_lead_removes_nothing(world: World) -> None:
    world.written("old", answered=BEGAN)
    world.leader.leads.clear()
    assert await world.tidied(KEPT) == ["old"]
    running = asyncio.create_task(Tidying(world.cluster, world.leader, wall=lambda: BEGAN + KEPT).run())
    await asyncio.sleep(0.1)
    assert world.api.writes() == []
    world.leader.leads.set()
    await soon(lambda: not world.cluster.store.keys(INTERVENTIONS))
    running.cancel()


async def test_one_that_cannot_be_removed_does_not_keep_the_others(world: World) -> None:
    async def refuses(seen: Seen) -> web.Response | None:
        return refusal(403, "Forbidden") if seen.path.endswith("/a") else None

    world.api.faults.append(refuses)
    world.written("a", answered=BEGAN)
    world.written("b", answered=BEGAN)
    assert await world.tidied(KEPT) == ["a"]
