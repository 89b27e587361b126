"""The Kubernetes target and the route that it shares with people and others, on a real gateway."""

from __future__ import annotations

import time

import pytest

from hack.stage import shop
from tests.integration.kubernetes_shop import Shop
from tests.targets.contract import Story
from tidegate.engine.values import FULL, Ensure, Part, Phase, Pin, Status
from tidegate.errors import Permanent
from tidegate.kube import (
    HTTPROUTES,
    SERVICES,
)

pytestmark = pytest.mark.pods


async def test_one_write_for_all_parts_of_a_route_and_what_is_not_ours_stays(world: Shop, story: Story) -> None:
    rules = [
        {
            "matches": [{"path": {"type": "PathPrefix", "value": "/old"}}],
            "filters": [
                {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"add": [{"name": "a", "value": "b"}]}}
            ],
            "backendRefs": [{"name": "legacy", "port": 80}],
        },
        {
            "backendRefs": [
                {"name": "legacy", "port": 80, "weight": 300},
                {"name": "web", "port": 8080, "weight": 100},
                {"name": "legacy", "port": 81, "weight": 0},
            ]
        },
        {
            "matches": [{"path": {"type": "PathPrefix", "value": "/only"}}],
            "backendRefs": [{"name": "web", "port": 8080}],
        },
    ]
    await world.person_patches(HTTPROUTES, "web", {"spec": {"rules": rules}})
    before = (await world.route())["spec"]["rules"]
    await story.two_versions()
    generation = (await world.route())["metadata"]["generation"]
    await story.ensure(story.split(10_000), move=1)
    route = await world.route()
    assert route["metadata"]["generation"] == generation + 1
    after = route["spec"]["rules"]
    assert after[0] == before[0]
    old, new = world.name(story.old.content), world.name(story.new.content)
    refs = after[1]["backendRefs"]
    assert [refs[0], refs[-1]] == [before[1]["backendRefs"][0], before[1]["backendRefs"][-1]]
    assert {ref["name"]: ref["weight"] for ref in refs[1:-1]} == {"web": 0, old: 90, new: 10}
    assert {ref["name"]: ref["weight"] for ref in after[2]["backendRefs"]} == {"web": 0, old: 90, new: 10}
    assert (await story.reading()).split == story.split(10_000)


async def test_a_version_with_another_port_is_reached_by_its_own_also_behind_the_apps_service(
    world: Shop, story: Story
) -> None:
    await story.running("v1.0.0")
    await world.target.pin(story.app, Pin("web", story.old.content))
    kubernetes = world.component["kubernetes"]
    (container,) = kubernetes["template"]["spec"]["containers"]
    kubernetes["port"] = 9090
    container["env"] = [{"name": "ADDRESS", "value": ":9090"}]
    container["readinessProbe"]["httpGet"]["port"] = container["ports"][0]["containerPort"] = 9090
    story.new = world.version("v1.1.0")
    await story.running("v1.1.0")
    story.app = story.asking("v1.1.0", stable=story.old)
    for move, (share, served, port) in enumerate(((FULL, "v1.1.0", 9090), (0, "v1.0.0", 8080)), start=1):
        await story.ensure(story.split(share), move)
        await story.until(lambda counts, served=served: counts == {served: 20}, requests=20)  # type: ignore[misc]
        content = story.new.content if share else story.old.content
        await world.refresh()
        await world.target.pin(story.app, Pin("web", content))
        (entry,) = (await world.client.get(SERVICES, world.namespace, "web"))["spec"]["ports"]
        assert (entry["port"], entry["targetPort"]) == (8080, port)


async def test_a_gateways_status_between_look_and_write_refuses_nothing(world: Shop, story: Story) -> None:
    await story.two_versions()
    await story.ensure(story.split(10_000), move=1)
    seen = await story.reading()
    # The gateway has reported on that write meanwhile: resourceVersion is another, the token is not.
    for _ in range(3):
        await story.ensure(story.split(50_000), move=2, expects=seen)
    assert (await story.reading()).split == story.split(50_000)


async def test_one_of_two_rules_lowered_by_hand_is_read_as_lowered_and_raised_as_raised(
    world: Shop, story: Story
) -> None:
    two = [{"backendRefs": [{"name": "web", "port": 8080}]} for _ in range(2)]
    two[0]["matches"] = [{"path": {"type": "PathPrefix", "value": "/a"}}]
    await world.person_patches(HTTPROUTES, "web", {"spec": {"rules": two}})
    await story.two_versions()
    climbing = Status(
        phase=Phase.PROGRESSING,
        attempt=1,
        stable=story.old,
        candidate=story.new,
        parts=(Part("web", weight=50_000, move=1),),
    )
    story.app = world.app("v1.1.0", climbing)
    await story.ensure(story.split(50_000), move=1)
    for share in (20_000, 70_000):
        await world.person_splits({story.old.content: 100 - share // 1000, story.new.content: share // 1000})
        assert (await story.reading()).split == story.split(share)


async def test_a_route_that_is_gone_is_a_lasting_problem_and_no_reading(world: Shop, story: Story) -> None:
    await story.running("v1.0.0")
    await world.client.delete(HTTPROUTES, world.namespace, "web")
    sight = await story.look()
    assert sight.readings["web"].split is None
    (problem,) = [found for found in sight.problems if found.reason == "RouteMissing"]
    assert problem.lasting
    assert "HTTPRoute web is not there. Create it" in problem.sentence
    write = Ensure("web", ((story.old.content, FULL),), 1, sight.readings["web"])
    with pytest.raises(Permanent, match="HTTPRoute web is not there"):
        await world.target.ensure(story.app, [write], 0)


async def test_a_route_whose_gateway_is_not_there_is_told(world: Shop, story: Story) -> None:
    await world.person_patches(HTTPROUTES, "web", {"spec": {"parentRefs": [{"name": "nowhere"}]}})
    await story.running("v1.0.0")
    await world.client.delete(HTTPROUTES, world.namespace, "web")
    lonely = shop.route(world.namespace)
    lonely["spec"]["parentRefs"] = [{"name": "nowhere"}]
    await world.client.create(HTTPROUTES, world.namespace, lonely)
    reasons = {found.reason for found in (await story.look()).problems}
    assert reasons & {"RouteUnclaimed", "RouteNotAccepted"}
    later = await world.target.observe(story.app, {}, time.time() + 60)
    assert "RouteNotFollowed" in {found.reason for found in later.problems}
    assert (await story.instance(story.old.content)).busy_until is not None  # type: ignore[union-attr]
