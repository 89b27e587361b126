"""The Kubernetes target and Istio's VirtualService: the contract of all targets, on a real API server with Istio's own
definition. No proxy obeys it here: who asks is told what the object says, and nothing is told of proxies."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from copy import deepcopy

import pytest

from hack.stage import istio, shop
from tests.integration.kubernetes_shop import Shop
from tests.targets.contract import Story, TargetContract
from tests.targets.sample import UID
from tidegate.engine.values import Ensure, Reading
from tidegate.errors import Permanent
from tidegate.kube import VIRTUALSERVICES, Client, Object
from tidegate.targets.kubernetes.stamp import stamp_of

pytestmark = pytest.mark.pods


class IstioShop(Shop):
    """Its route is a VirtualService."""

    def __init__(self, client: Client, namespace: str) -> None:
        super().__init__(client, namespace)
        self.component["kubernetes"]["traffic"] = {"istio": {"virtualService": "web"}}
        self.component["kubernetes"]["drain"] = "2s"

    async def open(self) -> None:
        istio.install(self.people)
        self.people.apply(
            shop.namespace(self.namespace),
            shop.service(self.namespace, release="storefront"),
            shop.virtual_service(self.namespace),
        )

    async def route(self) -> Object:
        return await self.client.get(VIRTUALSERVICES, self.namespace, "web")

    async def weights(self) -> Mapping[str, int]:
        return {
            each["destination"]["host"]: each.get("weight", 0)
            for each in (await self.route())["spec"]["http"][0]["route"]
        }

    async def person_splits(self, split: Mapping[str, int]) -> None:
        http = deepcopy((await self.route())["spec"]["http"])
        weights = {self.name(content): weight for content, weight in split.items()}
        for each in http[0]["route"]:
            each["weight"] = weights.get(each["destination"]["host"], 0)
        await self.person_patches(VIRTUALSERVICES, "web", {"spec": {"http": http}})

    async def served(self, requests: int) -> Mapping[str, int]:
        """As a proxy would split them, by the object."""
        weights = await self.weights()
        services = {item["metadata"]["name"]: item for item in self.people.list("Service", self.namespace)}
        total, counts = sum(weights.values()), Counter[str]()
        for host, weight in weights.items():
            if weight or len(weights) == 1:
                selector = services[host]["spec"]["selector"]
                labels = ",".join(f"{name}={value}" for name, value in selector.items())
                (pod, *_) = self.people.list("Pod", self.namespace, labels)
                version = pod["metadata"]["labels"]["app.kubernetes.io/version"]
                counts[version] += requests * weight // total if total else requests
        return dict(counts)


@pytest.fixture
async def world() -> AsyncIterator[IstioShop]:
    world = IstioShop(Client.from_environment(), f"istio-{uuid.uuid4().hex[:8]}")
    await world.open()
    yield world
    await world.close()


class TestContract(TargetContract):
    """All of it."""


async def test_one_write_splits_every_route_that_is_ours_and_leaves_all_else(world: IstioShop, story: Story) -> None:
    http = [
        {
            "name": "all",
            "match": [{"uri": {"prefix": "/"}}],
            "retries": {"attempts": 2, "perTryTimeout": "1s"},
            "mirror": {"host": "audit"},
            "mirrorPercentage": {"value": 10.0},
            "route": [
                {"destination": {"host": "legacy"}, "weight": 300},
                {
                    "destination": {"host": f"web.{world.namespace}.svc.cluster.local", "port": {"number": 8080}},
                    "weight": 100,
                    "headers": {"request": {"set": {"x-from": "istio"}}},
                },
            ],
        },
        {"name": "old", "match": [{"uri": {"prefix": "/old"}}], "redirect": {"uri": "/new"}},
    ]
    tls = [{"match": [{"sniHosts": ["shop.example"]}], "route": [{"destination": {"host": "web"}}]}]
    await world.person_patches(VIRTUALSERVICES, "web", {"spec": {"http": http, "tls": tls}})
    await story.two_versions()
    generation = (await world.route())["metadata"]["generation"]
    await story.ensure(story.split(10_000), move=1)
    route = await world.route()
    assert route["metadata"]["generation"] == generation + 1
    assert route["spec"]["tls"] == tls
    assert route["spec"]["http"][1] == http[1]
    ours, theirs = route["spec"]["http"][0], http[0]
    assert {key: value for key, value in ours.items() if key != "route"} == {
        key: value for key, value in theirs.items() if key != "route"
    }
    domain = f"{world.namespace}.svc.cluster.local"
    old, new = (f"{world.name(version.content)}.{domain}" for version in (story.old, story.new))
    assert await world.weights() == {"legacy": 300, f"web.{domain}": 0, old: 90, new: 10}
    assert all(each["headers"]["request"]["set"] == {"x-from": "istio"} for each in ours["route"][1:])
    assert (await story.reading()).split == story.split(10_000)


async def test_a_drain_counts_from_the_write_since_no_proxy_reports(world: IstioShop, story: Story) -> None:
    await story.two_versions()
    await story.ensure(story.split(10_000), move=1)
    await story.ensure(story.split(0), move=2)
    sight = await story.look()
    assert not [problem for problem in sight.problems if "Route" in problem.reason]
    (found,) = [each for each in sight.instances or () if each.content == story.new.content]
    assert found.busy_until is not None
    await story.drained(story.new.content)


async def test_nothing_can_be_sent_to_nothing(world: IstioShop, story: Story) -> None:
    await story.two_versions()
    with pytest.raises(Permanent, match="can't send requests to nothing"):
        await story.ensure((), move=1)
    assert (await story.reading()).split == story.split(0)


async def test_one_that_is_not_there_is_told_and_one_that_names_nothing_of_ours_is_refused(
    world: IstioShop, story: Story
) -> None:
    await story.running("v1.0.0")
    elsewhere = [{"route": [{"destination": {"host": "web.elsewhere.svc.cluster.local"}}]}]
    await world.person_patches(VIRTUALSERVICES, "web", {"spec": {"http": elsewhere}})
    (refusal,) = (await story.look()).refusals
    assert "VirtualService web names neither Service web nor a revision of it" in refusal.sentence
    await world.client.delete(VIRTUALSERVICES, world.namespace, "web")
    sight = await story.look()
    assert sight.readings["web"].absent
    (problem,) = [each for each in sight.problems if each.reason == "RouteMissing"]
    assert "VirtualService web is not there. Create it in namespace" in problem.sentence


async def test_without_istio_it_is_refused_and_nothing_is_read_but_what_is_there_goes_back(
    world: IstioShop, story: Story
) -> None:
    await story.running("v1.0.0")
    seen = await story.reading()
    world.cluster.store.mark_followed(VIRTUALSERVICES, None, "it is not served")
    sight = await world.target.observe(story.app, {}, 0)
    (refusal,) = sight.refusals
    assert refusal.reason == "IstioNotInstalled"
    assert (sight.readings["web"].split, sight.readings["web"].absent) == (None, False)
    await world.cluster.store.wants(VIRTUALSERVICES, None)
    back = Ensure("web", ((story.old.content, 100_000),), 1, Reading(None, None))
    await world.target.ensure(story.app, [back], 0)
    written = await world.client.get(VIRTUALSERVICES, world.namespace, "web")
    assert stamp_of(written, "storefront", UID).move("web") == 1, "not to see it for a while refuses no revert"
    await world.client.delete(VIRTUALSERVICES, world.namespace, "web")
    with pytest.raises(Permanent, match=r"does not serve networking\.istio\.io/v1"):
        await world.target.ensure(story.app, [Ensure("web", ((story.old.content, 100_000),), 1, seen)], 0)
