"""Who leads: at most one at any instant, and soon another when one is lost."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kube.fake import FakeApi, Seen, refusal
from tidegate.controller.lease import Elector, LeaseLost, Term
from tidegate.errors import AlreadyExists, Conflict, NotFound, Unavailable
from tidegate.kube import LEASES, Client, Object, Resource

SYSTEM = "tidegate-system"


def now() -> float:
    return asyncio.get_running_loop().time()


class Server:
    """One Lease on a server in memory, under the moved clock: compare-and-swap is all that matters."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.writes = 0

    def store(self, body: Object) -> Object:
        self.version += 1
        self.writes += 1
        metadata = {**body["metadata"], "resourceVersion": str(self.version)}
        self.lease = {**copy.deepcopy(dict(body)), "metadata": metadata}
        return copy.deepcopy(self.lease)


class Line:
    """The way from one replica to the server: it may be slow, cut, or lose answers."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.cut = False
        self.loses_answers = False
        self.delay = 0.0

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        await self._way()
        if self.server.lease is None:
            raise NotFound("no Lease")
        return copy.deepcopy(self.server.lease)

    async def create(self, resource: Resource, namespace: str, body: Object) -> Object:
        await self._way()
        if self.server.lease is not None:
            raise AlreadyExists("there is one")
        return await self._answered(self.server.store(body))

    async def replace(self, resource: Resource, namespace: str, name: str, body: Object) -> Object:
        await self._way()
        known = self.server.lease
        if known is None:
            raise NotFound("no Lease")
        if known["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise Conflict("it has changed")
        return await self._answered(self.server.store(body))

    async def _way(self) -> None:
        await asyncio.sleep(self.delay)
        if self.cut:
            await asyncio.sleep(1)
            raise Unavailable("no answer")

    async def _answered(self, answer: Object) -> Object:
        if self.loses_answers:
            raise Unavailable("the answer was lost")
        return answer


class Replica:
    def __init__(self, server: Server, name: str) -> None:
        self.line = Line(server)
        self.elector = Elector(self.line, SYSTEM, "tidegate", name, clock=now, wall=lambda: 0.0)  # type: ignore[arg-type]
        self.gate = self.elector.gate
        self.task = asyncio.create_task(self.elector.run())

    async def leaves(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})


@pytest.fixture
async def server() -> Server:
    return Server()


@pytest.fixture
async def start(server: Server) -> AsyncIterator[Callable[[str], Replica]]:
    replicas: list[Replica] = []

    def make(name: str) -> Replica:
        replicas.append(Replica(server, name))
        return replicas[-1]

    yield make
    for replica in replicas:
        await replica.leaves()


Start = Callable[[str], Replica]


@pytest.mark.looptime
class TestUnderAMovedClock:
    async def test_the_first_leads_and_the_second_waits(self, server: Server, start: Start) -> None:
        first = start("one")
        await first.gate.opened()
        second = start("two")
        await asyncio.sleep(600)
        assert first.gate.is_open
        assert not second.gate.is_open
        assert second.gate.holder == "one"

    async def test_the_heartbeat_is_one_write_in_two_seconds_and_a_bit(self, server: Server, start: Start) -> None:
        await start("one").gate.opened()
        start("two")
        before = server.writes
        await asyncio.sleep(60)
        assert 24 <= server.writes - before <= 30

    async def test_the_lease_of_a_dead_leader_runs_out_and_the_epoch_counts(self, start: Start) -> None:
        first = start("one")
        await first.gate.opened()
        second = start("two")
        await asyncio.sleep(30)
        await first.leaves()  # killed: nothing is released
        died = now()
        await second.gate.opened()
        assert 12 <= now() - died <= 18
        assert second.gate.epoch == first.gate.epoch + 1

    async def test_a_graceful_leader_is_followed_at_once(self, start: Start) -> None:
        first = start("one")
        await first.gate.opened()
        second = start("two")
        await asyncio.sleep(30)
        await first.leaves()
        await first.elector.release()
        assert not first.gate.is_open
        left = now()
        await second.gate.opened()
        assert now() - left <= 2.5

    async def test_a_leader_that_is_cut_off_shuts_its_gate_before_another_opens_his(self, start: Start) -> None:
        first = start("one")
        await first.gate.opened()
        second = start("two")
        await asyncio.sleep(30)
        first.line.cut = True
        while not second.gate.is_open:
            assert not (first.gate.is_open and second.gate.is_open)
            await asyncio.sleep(0.1)
        assert not first.gate.is_open
        with pytest.raises(LeaseLost, match="could not be renewed for 10 s"):
            await first.task

    async def test_a_stalled_process_finds_its_gate_shut_by_the_clock_alone(self, start: Start) -> None:
        first = start("one")
        await first.gate.opened()
        assert first.gate.safe_for(5)
        first.task.cancel()  # nothing runs any more that could shut it
        await asyncio.sleep(10.1)
        assert not first.gate.is_open
        assert not first.gate.safe_for(0)

    async def test_an_effect_that_may_outlast_the_lease_is_not_safe(self, start: Start) -> None:
        first = start("one")
        await first.gate.opened()
        assert first.gate.safe_for(14)
        assert not first.gate.safe_for(14.5)
        first.line.cut = True
        await asyncio.sleep(8)
        assert first.gate.is_open
        assert not first.gate.safe_for(8)
        assert first.gate.safe_for(4)

    async def test_a_lost_answer_does_not_cost_the_lead(self, start: Start) -> None:
        first = start("one")
        await first.gate.opened()
        first.line.loses_answers = True
        await asyncio.sleep(7)
        first.line.loses_answers = False
        await asyncio.sleep(30)
        assert first.gate.is_open
        assert first.gate.epoch == 0

    async def test_a_leader_whose_first_answer_was_lost_finds_that_it_leads(self, start: Start, server: Server) -> None:
        first = start("one")
        first.line.loses_answers = True
        await asyncio.sleep(1)
        assert server.lease is not None
        assert not first.gate.is_open
        first.line.loses_answers = False
        await first.gate.opened()
        assert first.gate.epoch == 0

    async def test_who_sees_another_holder_shuts_its_gate_at_once(self, start: Start, server: Server) -> None:
        first = start("one")
        await first.gate.opened()
        assert server.lease is not None
        server.store({**server.lease, "spec": {**server.lease["spec"], "holderIdentity": "thief"}})
        with pytest.raises(LeaseLost, match="thief holds the Lease"):
            await first.task
        assert not first.gate.is_open

    async def test_an_edit_by_hand_does_not_cost_the_lead(self, start: Start, server: Server) -> None:
        first = start("one")
        await first.gate.opened()
        assert server.lease is not None
        server.store({**server.lease, "metadata": {**server.lease["metadata"], "labels": {"by": "hand"}}})
        await asyncio.sleep(20)
        assert first.gate.is_open

    async def test_a_deleted_lease_is_made_again(self, start: Start, server: Server) -> None:
        first = start("one")
        await first.gate.opened()
        server.lease = None
        await asyncio.sleep(20)
        assert first.gate.is_open
        assert server.lease is not None

    async def test_the_clock_of_another_machine_does_not_matter(self, start: Start, server: Server) -> None:
        spec = {"holderIdentity": "other", "leaseDurationSeconds": 15, "renewTime": "1999-01-01T00:00:00.000000Z"}
        server.store({"metadata": {"name": "tidegate"}, "spec": spec})
        second = start("two")
        await asyncio.sleep(10)
        assert not second.gate.is_open
        await second.gate.opened()

    async def test_nothing_is_written_when_a_replica_that_does_not_lead_leaves(
        self, start: Start, server: Server
    ) -> None:
        await start("one").gate.opened()
        second = start("two")
        await asyncio.sleep(5)
        before = server.writes
        await second.elector.release()
        assert server.writes == before

    async def test_a_hanging_request_does_not_outlive_the_deadline(self, start: Start) -> None:
        first = start("one")
        await first.gate.opened()
        first.line.delay = 10_000
        began = now()
        with pytest.raises(LeaseLost):
            await first.task
        assert now() - began <= 13

    @given(
        st.lists(
            st.tuples(
                st.integers(0, 2), st.sampled_from(["cut", "heal", "slow", "lose", "kill", "stop"]), st.integers(1, 20)
            ),
            max_size=12,
        )
    )
    @settings(max_examples=60, deadline=None)
    async def test_two_never_lead_at_once(self, faults: list[tuple[int, str, int]]) -> None:
        server = Server()
        replicas = [Replica(server, str(number)) for number in range(3)]
        try:
            for number, fault, seconds in faults:
                await _do(fault, server, replicas, number)
                for _ in range(seconds * 4):
                    await asyncio.sleep(0.25)
                    assert sum(replica.gate.is_open for replica in replicas) <= 1
                    assert sum(replica.gate.safe_for(4) for replica in replicas) <= 1
        finally:
            for replica in replicas:
                await replica.leaves()


async def _do(fault: str, server: Server, replicas: list[Replica], number: int) -> None:
    replica = replicas[number]
    replica.line.cut = fault == "cut"
    replica.line.delay = 3.0 if fault == "slow" else 0.0
    replica.line.loses_answers = fault == "lose"
    if fault in ("kill", "stop"):
        await replica.leaves()
        if fault == "stop":
            await replica.elector.release()
        replicas[number] = Replica(server, f"{number}-{server.version}")


def test_durations_that_contradict_each_other_are_refused() -> None:
    for wrong in [(15, 15, 2), (15, 10, 8), (10, 15, 2), (15, 10, 0)]:
        with pytest.raises(ValueError, match="as in 15/10/2 s"):
            Term(*wrong)


QUICK = Term(lease=0.8, renew=0.5, retry=0.05)


async def _elected(api: FakeApi, client: Client, name: str) -> tuple[Elector, asyncio.Task[None]]:
    elector = Elector(client, SYSTEM, "tidegate", name, term=QUICK, clock=now)
    return elector, asyncio.create_task(elector.run())


async def test_over_the_wire_one_leads_and_the_other_follows_on_release() -> None:
    async with FakeApi() as api, api.client() as client:
        first, first_task = await _elected(api, client, "one")
        await first.gate.opened()
        second, second_task = await _elected(api, client, "two")
        await asyncio.sleep(0.3)
        assert second.gate.holder == "one"
        first_task.cancel()
        await asyncio.wait({first_task})
        await first.release()
        async with asyncio.timeout(5):
            await second.gate.opened()
        spec = api.objects[LEASES, SYSTEM, "tidegate"]["spec"]
        assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("two", first.gate.epoch + 1)
        second_task.cancel()
        await asyncio.wait({second_task})


async def test_a_renewal_that_arrived_though_it_was_cut_off_does_not_keep_the_lease_from_others() -> None:
    async with FakeApi() as api, api.client() as client:
        first, task = await _elected(api, client, "one")
        await first.gate.opened()
        task.cancel()
        await asyncio.wait({task})
        api.put(LEASES, api.objects[LEASES, SYSTEM, "tidegate"])  # ours, and nobody heard the answer
        await first.release()
        assert api.objects[LEASES, SYSTEM, "tidegate"]["spec"]["holderIdentity"] == ""


async def test_a_lease_that_another_holds_by_now_is_left_to_him() -> None:
    async with FakeApi() as api, api.client() as client:
        first, task = await _elected(api, client, "one")
        await first.gate.opened()
        task.cancel()
        await asyncio.wait({task})
        lease = api.objects[LEASES, SYSTEM, "tidegate"]
        api.put(LEASES, {**lease, "spec": {**lease["spec"], "holderIdentity": "two"}})
        await first.release()
        assert api.objects[LEASES, SYSTEM, "tidegate"]["spec"]["holderIdentity"] == "two"


async def test_a_lease_made_anew_has_an_epoch_above_that_of_the_deleted_one() -> None:
    async with FakeApi() as api, api.client() as client:
        first, first_task = await _elected(api, client, "one")
        await first.gate.opened()
        first_task.cancel()
        await asyncio.wait({first_task})
        del api.objects[LEASES, SYSTEM, "tidegate"]
        late = Elector(client, SYSTEM, "tidegate", "two", term=QUICK, wall=lambda: time.time() + 120)
        task = asyncio.create_task(late.run())
        async with asyncio.timeout(5):
            await late.gate.opened()
        assert late.gate.epoch > first.gate.epoch
        task.cancel()
        await asyncio.wait({task})


async def test_over_the_wire_a_server_that_only_fails_ends_the_lead() -> None:
    async with FakeApi() as api, api.client() as client:
        elector, task = await _elected(api, client, "one")
        await elector.gate.opened()

        async def fault(seen: Seen) -> web.Response:
            return refusal(503, "ServiceUnavailable", Retry_After="0")

        api.faults.append(fault)
        with pytest.raises(LeaseLost):
            await task
        assert not elector.gate.is_open
