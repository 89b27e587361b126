"""Requests that are marked for the candidate, through a real gateway."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import aiohttp
import pytest

from tests.integration.kubernetes_shop import Shop
from tests.targets.contract import PATIENCE, Story
from tidegate.api.meta import short
from tidegate.engine.values import FULL, Preview
from tidegate.errors import Conflict
from tidegate.kube import HTTPROUTES
from tidegate.targets.kubernetes.traffic import InUse

pytestmark = pytest.mark.pods

HEADER = "x-tidegate-version"


@pytest.fixture
def story(world: Shop) -> Story:
    world.component["kubernetes"]["preview"] = {}
    return Story(world)


async def test_a_marked_request_reaches_the_candidate_at_weight_0_and_no_other_does(world: Shop, story: Story) -> None:
    await story.two_versions()
    assert (await story.reading()).preview == ""
    await preview(world, story, story.new.content)
    reading = await story.reading()
    assert (reading.preview, reading.split) == (story.new.content, ((story.old.content, FULL),))
    for value in ("v1.1.0", short(story.new.content)):
        await until_answered(world, value, "v1.1.0")
    await until_answered(world, "v1.0.0", "v1.0.0")
    assert await world.served(20) == {"v1.0.0": 20}


async def test_the_same_again_writes_nothing_and_weights_leave_it_as_it_is(world: Shop, story: Story) -> None:
    await story.two_versions()
    await preview(world, story, story.new.content)
    generation = (await world.route())["metadata"]["generation"]
    await preview(world, story, story.new.content)
    assert (await world.route())["metadata"]["generation"] == generation
    await story.ensure(story.split(10_000), move=1)
    reading = await story.reading()
    assert (reading.preview, reading.split, reading.move) == (story.new.content, story.split(10_000), 1)


async def test_a_late_preview_gives_way_to_a_newer_split(world: Shop, story: Story) -> None:
    await story.two_versions()
    await story.ensure(story.split(10_000), move=2)
    with pytest.raises(Conflict, match="has move 2 of web already"):
        await preview(world, story, story.new.content, move=1)
    assert (await story.reading()).preview == ""


async def test_what_people_write_beside_it_stays_and_a_preview_they_lost_is_unclear_until_it_is_put_back(
    world: Shop, story: Story
) -> None:
    await story.two_versions()
    await preview(world, story, story.new.content)
    (own, marked) = (await world.route())["spec"]["rules"]
    theirs = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/old"}, "headers": [{"name": HEADER, "value": "v9"}]}],
        "backendRefs": [{"name": "legacy", "port": 80}],
    }
    marked["matches"] = marked["matches"][:1]
    marked["matches"][0]["headers"][0]["value"] = short(story.new.content)
    await world.person_patches(HTTPROUTES, "web", {"spec": {"rules": [theirs, own, marked]}})
    before = (await world.route())["spec"]["rules"][0]
    assert (await story.reading()).preview == "?"
    await preview(world, story, story.new.content)
    assert (await story.reading()).preview == story.new.content
    await preview(world, story, "")
    assert [before, own] == (await world.route())["spec"]["rules"]


async def test_it_is_gone_before_the_candidate_is_and_when_the_release_is(world: Shop, story: Story) -> None:
    await story.two_versions()
    before = (await world.route())["spec"]["rules"]
    await preview(world, story, story.new.content)
    with pytest.raises(InUse, match="sent marked requests"):
        await story.retire(story.new, claim=1)
    assert (await world.route())["spec"]["rules"] == before
    await preview(world, story, story.new.content)
    end = time.monotonic() + PATIENCE
    while (await story.reading()).preview and time.monotonic() < end:
        with suppress(Conflict, InUse):  # what still drains is kept for now
            await world.target.forget(story.app, settled=True)
    assert len((await world.route())["spec"]["rules"]) == 1


async def preview(world: Shop, story: Story, content: str, move: int = 0) -> None:
    await world.refresh()
    await world.target.preview(story.app, Preview("web", content, move), time.time())
    await world.refresh()


async def until_answered(world: Shop, mark: str, version: str) -> None:
    """Until a request with this value in the header is answered by that version."""
    headers = {"Host": f"{world.namespace}.example", HEADER: mark}
    address, end, seen = await world.address(), time.monotonic() + PATIENCE, ""
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < end:
            async with session.get(address, headers=headers) as answer:
                seen = answer.headers.get("X-Version", str(answer.status))
            if seen == version:
                return
            await asyncio.sleep(0.2)
    raise AssertionError(f"{mark} is answered by {seen}")
