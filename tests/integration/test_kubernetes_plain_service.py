"""The Kubernetes target with nothing but a Service, on real pods: the contract of all targets, and what is its own."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

import pytest

from hack.stage import shop
from tests.integration.kubernetes_shop import Shop
from tests.targets.contract import PATIENCE, Story, TargetContract
from tidegate.engine.values import FULL, Ensure, Part, Reading, Start, Status, Version
from tidegate.errors import Transient
from tidegate.kube import DEPLOYMENTS, HTTPROUTES, SERVICES, Client, Object
from tidegate.targets.kubernetes.traffic import InUse

pytestmark = pytest.mark.pods


class PlainShop(Shop):
    """Its Service is all that leads to its pods."""

    def __init__(self, client: Client, namespace: str) -> None:
        super().__init__(client, namespace)
        self.component["kubernetes"]["traffic"] = {"service": {}}
        self.component["kubernetes"]["drain"] = "2s"

    async def service(self) -> Object:
        return await self.client.get(SERVICES, self.namespace, "web")

    async def selector(self) -> Mapping[str, str]:
        found: Mapping[str, str] = (await self.service())["spec"]["selector"]
        return found

    async def pods(self, content: str) -> int:
        return int((await self.client.get(DEPLOYMENTS, self.namespace, self.name(content)))["spec"]["replicas"])

    async def person_splits(self, split: Mapping[str, int]) -> None:
        """All to one: that is all that can be said by a selector."""
        (content,) = (content for content, share in split.items() if share)
        await self.person_patches(SERVICES, "web", {"spec": {"selector": {"tidegate.dev/revision": content[:10]}}})

    async def address(self) -> str:
        return f"http://{(await self.service())['spec']['clusterIP']}:{shop.PORT}/"


@pytest.fixture
async def world() -> AsyncIterator[PlainShop]:
    world = PlainShop(Client.from_environment(), f"plain-{uuid.uuid4().hex[:8]}")
    await world.open()
    yield world
    await world.close()


class TestContract(TargetContract):
    """All of it but what a Service alone can't do: it has no pin beside its split, and chooses by chance."""

    async def test_what_was_never_started_is_absent_and_nothing_of_ours_is_on_the_route(self, story: Story) -> None:
        reading = (await story.look()).readings[story.part]
        assert (reading.move, reading.pin) == (0, None)
        assert (await story.look()).instances == ()

    async def test_traffic_follows(self, story: Story) -> None:
        await story.two_versions()
        await story.ensure(story.split(25_000), move=1)
        await story.until(lambda counts: set(counts) == {"v1.0.0", "v1.1.0"}, requests=40)
        await story.ensure(story.split(0), move=2)
        await story.until(lambda counts: counts == {"v1.0.0": 40}, requests=40)

    async def test_the_pin_is_set_read_and_moved(self, story: Story) -> None:
        """All to the one, and all to the other: that is a pin."""
        await story.two_versions()
        for move, (share, version) in enumerate(((0, story.old), (FULL, story.new)), start=1):
            await story.ensure(story.split(share), move)
            selector = await story.world.selector()  # type: ignore[attr-defined]
            assert selector["tidegate.dev/revision"] == version.content[:10]


async def test_before_the_first_weight_ready_pods_are_asked_by_nobody_and_the_way_back_is_one_write(
    world: PlainShop, story: Story
) -> None:
    await story.two_versions()
    await story.until(lambda counts: counts == {"v1.0.0": 30}, requests=30)
    await story.ensure(story.split(50_000), move=1)
    assert await world.selector() == {"tidegate.dev/release": "storefront", "tidegate.dev/component": "web"}
    version = (await world.service())["metadata"]["resourceVersion"]
    deployment = await world.client.get(DEPLOYMENTS, world.namespace, world.name(story.new.content))
    await story.ensure(story.split(0), move=2)
    assert (await world.service())["metadata"]["resourceVersion"] != version
    after = await world.client.get(DEPLOYMENTS, world.namespace, world.name(story.new.content))
    assert after["metadata"]["generation"] == deployment["metadata"]["generation"]


async def test_it_takes_all_only_when_as_many_pods_as_stable_has_are_ready(world: PlainShop, story: Story) -> None:
    world.component["kubernetes"]["replicas"] = 3
    story.app = story.asking("v1.0.0")
    await story.two_versions()
    await story.ensure(story.split(10_000), move=1)
    await story.ensure(story.split(FULL), move=2)
    assert await world.pods(story.new.content) == 3
    reading = await story.reading()
    assert "tidegate.dev/revision" not in await world.selector()
    assert (reading.move, reading.split) == (1, story.split(50_000))
    await story.until_ready(story.new.content)
    await story.ensure(story.split(FULL), move=2)
    assert (await world.selector())["tidegate.dev/revision"] == story.new.content[:10]
    assert (await story.reading()).split == story.split(FULL)


async def test_a_start_gives_no_weight(world: PlainShop, story: Story) -> None:
    world.component["kubernetes"]["replicas"] = 3
    story.app = story.asking("v1.0.0")
    await story.two_versions()
    await story.ensure(story.split(10_000), move=1)
    climbing = story.asking("v1.1.0", stable=story.old, candidate=story.new)
    await world.refresh()
    await world.target.start(climbing, Start("web", story.new.content, FULL, 5))
    assert await world.pods(story.new.content) == 1
    assert (await story.instance(story.new.content)).claim == 5  # type: ignore[union-attr]


async def test_a_late_raise_by_pods_finds_the_service_gone_on(world: PlainShop, story: Story) -> None:
    world.component["kubernetes"]["replicas"] = 3
    story.app = story.asking("v1.0.0")
    await story.two_versions()
    await story.ensure(story.split(10_000), move=1)
    stalled = await story.reading()
    await story.ensure(story.split(0), move=2)
    await world.refresh()
    with pytest.raises(Transient):
        await story.ensure(story.split(50_000), move=1, expects=stalled)
    assert await world.pods(story.new.content) == 1


async def test_a_raise_over_what_a_person_scaled_is_refused(world: PlainShop, story: Story) -> None:
    world.component["kubernetes"]["replicas"] = 3
    story.app = story.asking("v1.0.0")
    await story.two_versions()
    await story.ensure(story.split(40_000), move=1)
    seen = await story.reading()
    await world.person_patches(DEPLOYMENTS, world.name(story.new.content), {"spec": {"replicas": 1}})
    for _ in range(2):
        with pytest.raises(Transient):
            await story.ensure(story.split(50_000), move=2, expects=seen)
        await world.refresh()
    reading = await story.reading()
    assert dict(reading.split or ())[story.new.content] == 25_000
    assert (await story.look()).foreign["web"] not in ("", "tidegate")
    assert await world.pods(story.new.content) == 1
    # a revert asks for no number of pods
    await story.ensure(story.split(0), move=3, expects=Reading(seen.split, 1, seen.token))
    assert (await story.reading()).split == story.split(0)


async def test_it_is_not_opened_while_a_third_revision_has_pods(world: PlainShop, story: Story) -> None:
    older = world.version("v1.2.0")
    await story.running("v1.2.0")
    await story.two_versions()
    await story.drained(older.content)
    await world.refresh()
    with pytest.raises(Transient):  # they are on their way out
        await story.ensure(story.split(50_000), move=1)
    assert (await world.selector())["tidegate.dev/revision"] == story.old.content[:10]
    assert await world.pods(older.content) == 0
    end = time.monotonic() + 60
    while (await story.reading()).split != story.split(50_000):
        assert time.monotonic() < end
        await world.refresh()
        try:
            await story.ensure(story.split(50_000), move=1)
        except Transient:
            continue
    await story.until(lambda counts: set(counts) == {"v1.0.0", "v1.1.0"}, requests=40)


async def test_a_service_that_is_missing_is_made_with_the_split(world: PlainShop, story: Story) -> None:
    await story.running("v1.0.0")
    await world.client.delete(SERVICES, world.namespace, "web")
    await world.refresh()
    story.app = world.app("v1.0.0", Status(stable=story.old, parts=(Part("web"),)))
    await world.target.ensure(
        story.app, [Ensure("web", ((story.old.content, FULL),), 4, await story.reading())], time.time()
    )
    reading = await story.reading()
    assert (reading.split, reading.move) == (((story.old.content, FULL),), 4)


async def test_a_route_of_somebody_that_names_a_revision_keeps_it_while_it_weighs_and_loses_it_else(
    world: PlainShop, story: Story
) -> None:
    """It is not the way by which the component's traffic comes, and still must not lead to nothing."""
    await story.two_versions()
    name, weights = world.name(story.new.content), {"web": 9, world.name(story.new.content): 1}
    theirs = [{"name": name, "port": shop.PORT, "weight": weight} for name, weight in weights.items()]
    await world.person_patches(HTTPROUTES, "web", {"spec": {"rules": [{"backendRefs": theirs}]}})
    with pytest.raises(InUse, match=f"HTTPRoute web still sends traffic to {name}"):
        await story.retire(story.new, claim=1)
    theirs[1]["weight"] = 0
    await world.person_patches(HTTPROUTES, "web", {"spec": {"rules": [{"backendRefs": theirs}]}})
    await story.drained(story.new.content)
    await until_gone(story, story.new)
    (rule,) = (await world.route())["spec"]["rules"]
    assert [ref["name"] for ref in rule["backendRefs"]] == ["web"]


async def until_gone(story: Story, version: Version) -> None:
    """A gateway has to report what people wrote first."""
    end = time.monotonic() + PATIENCE
    while await story.instance(version.content) is not None:
        assert time.monotonic() < end
        with suppress(Transient):
            await story.retire(version, claim=1)
