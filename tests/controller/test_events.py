"""Events: one a transition, told once however often, and nobody waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from tests.controller.waiting import soon
from tests.kube.fake import FakeApi, Seen, refusal, thing
from tidegate.controller import events
from tidegate.controller.events import Reporter
from tidegate.kube import EVENTS, RELEASES


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with FakeApi() as api:
        yield api


def release(attempt: int, move: int) -> dict[str, Any]:
    body = thing(RELEASES, "web", status={"attempt": attempt, "move": move})
    body["metadata"] |= {"uid": "u1", "resourceVersion": "7"}
    return body


def written(api: FakeApi) -> list[dict[str, Any]]:
    return [obj for (resource, _, _), obj in api.objects.items() if resource == EVENTS]


async def test_an_event_says_what_happened_to_which_object(api: FakeApi) -> None:
    async with api.client() as client:
        reporter = Reporter(client, "pod-1")
        reporter.record(release(1, 3), "Reverting", "error-rate is 25 %", action="Reverting", warning=True)
        await reporter.flush(5)
    (event,) = written(api)
    assert event["regarding"] == {
        "apiVersion": "tidegate.dev/v1alpha1",
        "kind": "Release",
        "namespace": "shop",
        "name": "web",
        "uid": "u1",
        "resourceVersion": "7",
    }
    assert (event["reason"], event["type"], event["note"]) == ("Reverting", "Warning", "error-rate is 25 %")
    assert (event["reportingController"], event["reportingInstance"]) == ("tidegate.dev/operator", "pod-1")


async def test_the_same_transition_told_again_after_a_crash_is_the_same_event(
    api: FakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    async with api.client() as client:
        for instance in ("before", "after"):
            reporter = Reporter(client, instance)
            reporter.record(release(1, 3), "Reverting", "…", action="Reverting")
            await reporter.flush(5)
    assert len(written(api)) == 1
    assert caplog.text == ""


async def test_another_move_reason_or_occasion_is_another_event(api: FakeApi) -> None:
    async with api.client() as client:
        reporter = Reporter(client, "pod-1")
        reporter.record(release(1, 3), "WeightRaised", "…", action="Raise")
        reporter.record(release(1, 4), "WeightRaised", "…", action="Raise")
        reporter.record(release(1, 4), "Completed", "…", action="Complete")
        reporter.record(release(1, 4), "Completed", "…", action="Complete", occasion="other")
        await reporter.flush(5)
    assert len(written(api)) == 4


async def test_what_can_not_be_written_is_logged_and_delays_nobody(
    api: FakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    async def fault(seen: Seen) -> web.Response:
        await asyncio.sleep(0.3)
        return refusal(500, "InternalError", "etcd is away")

    api.faults.append(fault)
    async with api.client() as client:
        reporter = Reporter(client, "pod-1")
        began = asyncio.get_running_loop().time()
        reporter.record(release(1, 3), "Reverting", "the note", action="Reverting")
        assert asyncio.get_running_loop().time() - began < 0.1
        await soon(lambda: "an Event was not written: Reverting: the note" in caplog.text)


async def test_events_take_few_connections_and_do_not_pile_up(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    at_once = most = 0

    async def fault(seen: Seen) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.02)
        at_once -= 1

    api.faults.append(fault)
    monkeypatch.setattr(events, "_WAITING_AT_MOST", 20)
    async with api.client() as client:
        reporter = Reporter(client, "pod-1")
        for move in range(30):
            reporter.record(release(1, move), "WeightRaised", "…", action="Raise")
        await reporter.flush(5)
    assert most <= 4
    assert len(written(api)) == 20
    assert caplog.text.count("too many Events wait") == 10


async def test_a_long_note_is_cut_to_what_the_server_takes(api: FakeApi) -> None:
    async with api.client() as client:
        reporter = Reporter(client, "pod-1")
        reporter.record(release(1, 3), "Reverting", "é" * 900, action="Reverting")
        await reporter.flush(5)
    assert len(written(api)[0]["note"].encode()) <= 1024
