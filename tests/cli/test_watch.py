"""How a watch tells a change, and what ends it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from rich.console import Console

from tests.cli import releases
from tests.kube.fake import FakeApi, Seen, refusal
from tidegate.cli.cluster import Reach
from tidegate.cli.exits import Exit
from tidegate.cli.view import view
from tidegate.cli.watch import end, line, watch
from tidegate.errors import NotFound
from tidegate.kube import RELEASES


def test_it_ends_when_it_is_ready_and_when_it_is_stalled() -> None:
    assert end(view(releases.completed())) is Exit.OK
    assert end(view(releases.reverted())) is Exit.NO


@pytest.mark.parametrize("release", [releases.climbing(), releases.new(), releases.completed(generation=42)])
def test_it_goes_on_while_it_is_on_its_way_or_nobody_has_looked(release: dict[str, Any]) -> None:
    assert end(view(release)) is None


def test_what_is_being_deleted_ends_only_when_it_is_gone() -> None:
    release = releases.reverted()
    release["metadata"]["deletionTimestamp"] = "2026-11-23T18:08:30Z"
    assert end(view(release)) is None


def test_a_line_says_phase_version_weight_step_guards_and_the_sentence() -> None:
    assert line(view(releases.climbing())) == (
        "Progressing v1.2.3 10 % step 1/3 [1 ok, 1 no data] "
        "v1.2.3 at 10 %, step 1 of 3; latency-p95: no data since 18:04:00 UTC, hold not counting"
    )
    assert line(view(releases.new())) == "Idle v1.2.3 0 % the operator has not looked at this yet"


# ---- with an API server that can be made to fail


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with FakeApi() as api:
        yield api


def here(api: FakeApi) -> Reach:
    return Reach(api.client(), "production")


def put(api: FakeApi, release: dict[str, Any]) -> None:
    release["metadata"] = {**release["metadata"], "generation": 41}
    api.put(RELEASES, release)


async def test_a_terminal_is_redrawn_and_the_last_drawing_stays(api: FakeApi) -> None:
    put(api, releases.climbing())
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=120, height=60, color_system=None)
    reach = here(api)
    async with reach.client:
        watching = asyncio.create_task(watch(reach, "storefront", "table", console))
        await until(lambda: "● 10 %" in shown.getvalue())
        put(api, releases.completed())
        assert await watching == Exit.OK
    assert "✔ 100 %" in shown.getvalue().rpartition("storefront in production")[2]


async def test_an_api_server_that_is_away_does_not_end_a_watch(
    api: FakeApi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidegate.cli.watch._POLL_SECONDS", 0.05)
    put(api, releases.climbing())
    reach = here(api)
    async with reach.client:
        watching = asyncio.create_task(watch(reach, "storefront", "table", Console(file=io.StringIO())))
        told: list[str] = []
        await until(lambda: "Progressing" in said(capsys, told))
        api.faults.append(away)
        await until(lambda: "trying again" in said(capsys, told))
        put(api, releases.reverted())
        api.faults.clear()
        assert await watching == Exit.NO
    assert "could not get Release production/storefront now (503)" in said(capsys, told)
    assert "v1.2.3 was reverted" in said(capsys, told)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - what is waited for is text on a terminal, and rings no bell
            await asyncio.sleep(0.02)


def said(capsys: pytest.CaptureFixture[str], told: list[str]) -> str:
    """All that was said so far, on both."""
    told += capsys.readouterr()
    return "".join(told)


async def away(_: Seen) -> web.Response:
    return refusal(503, "ServiceUnavailable", "starting", **{"Retry-After": "0"})


async def test_one_of_the_same_name_is_another_one(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidegate.cli.watch._POLL_SECONDS", 0.05)
    put(api, releases.climbing())
    reach = here(api)
    async with reach.client:
        watching = asyncio.create_task(watch(reach, "storefront", "json", Console(file=io.StringIO())))
        await asyncio.sleep(0.2)
        api.remove(RELEASES, "production", "storefront")
        other = releases.climbing()
        other["metadata"]["uid"] = "another"
        put(api, other)
        with pytest.raises(NotFound, match="one of the same name has taken its place"):
            await asyncio.wait_for(watching, 20)
