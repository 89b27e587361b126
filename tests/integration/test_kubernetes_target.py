"""The Kubernetes target on real pods behind a real gateway: the contract of all targets, and what is its own."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from copy import deepcopy
from typing import Any

import aiohttp
import pytest

from hack.stage import shop
from hack.stage.api import Api
from tests.targets.contract import Story, TargetContract
from tests.targets.mirror import mirror
from tests.targets.sample import app, release, version_of
from tidegate.api.release import Release
from tidegate.engine.values import FULL, Ensure, Part, Phase, Pin, Retire, Start, State, Status, Version
from tidegate.errors import NotPermitted, Permanent, Rejected, Transient
from tidegate.kube import (
    CONTROLLERREVISIONS,
    DEPLOYMENTS,
    HTTPROUTES,
    PODS,
    SERVICES,
    Client,
    Cluster,
    Key,
    Object,
    Resource,
    Store,
)
from tidegate.targets.kubernetes import KubernetesTarget
from tidegate.targets.port import App, Sight

QUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota")


class Shop:
    """A namespace with a Service and a route, and one component `web` of two pods."""

    part = "web"

    def __init__(self, client: Client, namespace: str) -> None:
        self.client, self.namespace = client, namespace
        self.people = Api()
        self.cluster = Cluster(client, Store())
        self.woken: list[Key] = []
        self.target = KubernetesTarget(self.cluster, self.woken.append)
        self.component: dict[str, Any] = shop.component(replicas=2)
        del self.component["kubernetes"]["probes"]

    async def open(self) -> None:
        self.people.apply(
            shop.namespace(self.namespace),
            shop.service(self.namespace, release="storefront"),
            shop.route(self.namespace),
        )

    async def close(self) -> None:
        await self.target.close()
        await self.client.close()
        self.people.delete("Namespace", "", self.namespace)
        self.people.close()

    def release(self, version: str, **spec: Any) -> Release:
        return release(version, self.component, namespace=self.namespace, **spec)

    def app(self, version: str, status: Status, **spec: Any) -> App:
        return app(self.release(version, **spec), status)

    def version(self, name: str) -> Version:
        return version_of(self.release(name))

    async def refresh(self) -> None:
        await mirror(self.cluster, self.namespace)

    async def route(self) -> Object:
        return await self.client.get(HTTPROUTES, self.namespace, "web")

    async def person_splits(self, split: Mapping[str, int]) -> None:
        rules = deepcopy((await self.route())["spec"]["rules"])
        weights = {self.name(content): weight for content, weight in split.items()}
        for ref in rules[0]["backendRefs"]:
            ref["weight"] = weights.get(ref["name"], 0)
        await self.person_patches(HTTPROUTES, "web", {"spec": {"rules": rules}})

    async def person_patches(self, resource: Resource, name: str, body: Object) -> None:
        """As kubectl edit does, under another manager's name than ours."""
        self.people.merge(resource.kind, self.namespace, name, body)

    def name(self, content: str) -> str:
        return f"storefront-web-{content[:10]}"

    async def served(self, requests: int) -> Mapping[str, int]:
        counts: Counter[str] = Counter()
        headers = {"Host": f"{self.namespace}.example"}
        async with aiohttp.ClientSession() as session:
            for _ in range(requests):
                async with session.get(shop.GATEWAY, headers=headers) as answer:
                    counts[answer.headers.get("X-Version", str(answer.status))] += 1
        return dict(counts)


@pytest.fixture
async def world() -> AsyncIterator[Shop]:
    place = Shop(Client.from_environment(), f"target-{uuid.uuid4().hex[:8]}")
    try:
        await place.open()
        yield place
    finally:
        await place.close()


@pytest.fixture
def story(world: Shop) -> Story:
    return Story(world)


class TestContract(TargetContract):
    """All of it."""


# ---- what is made


async def test_what_serves_has_no_owner_and_nothing_of_the_release_and_its_pods_tell_who_they_are(
    world: Shop, story: Story
) -> None:
    first = await story.running("v1.0.0")
    name = world.name(first.content)
    deployment = await world.client.get(DEPLOYMENTS, world.namespace, name)
    service = await world.client.get(SERVICES, world.namespace, name)
    (pod, *_) = (await world.client.list(PODS, world.namespace)).items
    ours = {
        "app.kubernetes.io/name": "web",
        "app.kubernetes.io/version": "v1.0.0",
        "app.kubernetes.io/managed-by": "tidegate",
        "tidegate.dev/release": "storefront",
        "tidegate.dev/component": "web",
        "tidegate.dev/revision": first.content[:10],
    }
    for made in (deployment, service):
        assert "ownerReferences" not in made["metadata"]
        assert made["metadata"]["labels"] == ours
    assert ours.items() <= pod["metadata"]["labels"].items()
    assert pod["metadata"]["labels"]["app"] == "web"
    assert set(service["spec"]["selector"]) == {
        "tidegate.dev/release",
        "tidegate.dev/component",
        "tidegate.dev/revision",
    }


async def test_a_service_that_is_missing_is_made_when_it_is_pinned_by_the_port_that_the_route_names(
    world: Shop, story: Story
) -> None:
    await world.client.delete(SERVICES, world.namespace, "web")
    first = await story.running("v1.0.0")
    assert (await story.reading()).pin == ""
    await world.target.pin(story.app, Pin("web", first.content))
    made = await world.client.get(SERVICES, world.namespace, "web")
    assert made["metadata"]["labels"]["tidegate.dev/release"] == "storefront"
    assert (await story.reading()).pin == first.content


async def test_a_stable_version_whose_service_or_deployment_was_deleted_is_lost_and_comes_back(
    world: Shop, story: Story
) -> None:
    first = await story.running("v1.0.0")
    name = world.name(first.content)
    for resource in (SERVICES, DEPLOYMENTS):
        await world.client.delete(resource, world.namespace, name)
        gone = await story.instance(first.content)
        assert gone is not None
        assert (gone.state, gone.sized) == (State.LOST, 0)
        await world.target.start(story.asking("v1.1.0", stable=story.old), Start("web", first.content, FULL, 1))
        await story.until_ready(first.content)


async def test_more_replicas_in_the_spec_are_no_new_revision_and_are_followed_by_a_start(
    world: Shop, story: Story
) -> None:
    first = await story.running("v1.0.0")
    world.component["kubernetes"]["replicas"] = 4
    assert world.version("v1.0.0").content == first.content
    story.app = story.asking("v1.0.0")
    short = await story.instance(first.content)
    assert short is not None
    assert (short.state, short.sized) == (State.SHORT, FULL // 2)
    await story.running("v1.0.0")
    world.component["kubernetes"]["replicas"] = 1
    story.app = story.asking("v1.0.0")
    assert (await story.instance(first.content)).sized == 4 * FULL  # type: ignore[union-attr]
    await story.start("v1.0.0")
    assert (await story.instance(first.content)).sized == FULL  # type: ignore[union-attr]


async def test_ten_revisions_are_kept_and_stable_besides(world: Shop, story: Story) -> None:
    stable = story.old
    for number in range(13):
        version = f"v1.{number}.0"
        content = world.version(version).content
        started = world.app(version, Status(stable=stable, parts=(Part("web"),)))
        await world.target.start(started, Start("web", content, 1000, 1))
        await world.client.delete(DEPLOYMENTS, world.namespace, world.name(content))
    kept = (await world.client.list(CONTROLLERREVISIONS, world.namespace)).items
    numbers = sorted(revision["revision"] for revision in kept)
    assert numbers == [1, *range(4, 14)]
    assert {revision["data"]["version"] for revision in kept} >= {"v1.0.0", "v1.12.0"}


# ---- the route


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


# ---- who may name what


async def test_a_service_without_our_label_is_refused_with_the_command_and_never_touched(
    world: Shop, story: Story
) -> None:
    await world.person_patches(SERVICES, "web", {"metadata": {"labels": {"tidegate.dev/release": None}}})
    first = await story.running("v1.0.0")
    sight = await story.look()
    (refusal,) = sight.refusals
    assert refusal.reason == "NotPermitted"
    assert (
        f"kubectl label --namespace {world.namespace} service web tidegate.dev/release=storefront" in refusal.sentence
    )
    assert sight.readings["web"].split is None
    with pytest.raises(NotPermitted, match="kubectl label"):
        await world.target.pin(story.app, Pin("web", first.content))
    with pytest.raises(Permanent):
        await story.ensure(((first.content, FULL),), move=1)
    assert [ref["name"] for ref in (await world.route())["spec"]["rules"][0]["backendRefs"]] == ["web"]


async def test_a_label_that_is_taken_away_midway_does_not_stand_before_a_revert(world: Shop, story: Story) -> None:
    await story.two_versions()
    await story.ensure(story.split(50_000), move=1)
    await world.person_patches(SERVICES, "web", {"metadata": {"labels": {"tidegate.dev/release": None}}})
    await story.ensure(story.split(0), move=2)
    assert (await story.reading()).split == story.split(0)
    assert (await story.look()).refusals


async def test_what_serves_behind_the_service_already_stands_before_a_first_version(world: Shop, story: Story) -> None:
    legacy = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "legacy", "labels": {"app": "legacy"}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "app", "image": "tidegate.local/sample:v1.0.0", "imagePullPolicy": "IfNotPresent"}],
        },
    }
    await world.client.create(PODS, world.namespace, legacy)
    await world.person_patches(SERVICES, "web", {"spec": {"selector": {"app": "legacy"}}})
    reasons = []
    for _ in range(100):
        found = (await story.look()).occupied
        reasons += [problem.reason for problem in found]
        if "ServiceInUse" in reasons:
            break
        await asyncio.sleep(0.3)
    assert reasons[0] == "ServiceNotKnownYet"
    assert reasons[-1] == "ServiceInUse"
    assert world.woken


# ---- what is wrong with pods


async def problem_of(story: Story, content: str, reason: str) -> str:
    sight: Sight | None = None
    for _ in range(150):
        sight = await story.look({(story.part, content): FULL})
        for problem in sight.problems:
            if problem.reason == reason:
                return problem.sentence
        await asyncio.sleep(0.3)
    raise AssertionError(f"no {reason}: {sight and sight.problems}")


async def test_an_image_that_cannot_be_pulled_is_named(world: Shop, story: Story) -> None:
    await story.start("v9.9.9")
    sentence = await problem_of(story, world.version("v9.9.9").content, "ImagePullFailed")
    assert "Image tidegate.local/sample:v9.9.9 of container app" in sentence
    assert "can't be pulled" in sentence


async def test_pods_that_crash_are_told_with_their_exit_code(world: Shop, story: Story) -> None:
    version = "v2.2.0-crash"
    await story.start(version)
    sentence = await problem_of(story, world.version(version).content, "CrashLoop")
    assert "crashes again and again: it exited with code" in sentence


async def test_a_program_that_is_not_in_the_image_is_told(world: Shop, story: Story) -> None:
    (container,) = world.component["kubernetes"]["template"]["spec"]["containers"]
    container["command"] = ["/no-such-program"]
    await story.start("v1.0.0")
    content = world.version("v1.0.0").content
    assert "/no-such-program" in await problem_of(story, content, "ContainerConfigError")


async def test_a_field_that_the_server_does_not_know_is_refused_with_its_name(world: Shop, story: Story) -> None:
    (container,) = world.component["kubernetes"]["template"]["spec"]["containers"]
    container["readynessProbe"] = {"httpGet": {"path": "/ready", "port": 8080}}
    with pytest.raises(Rejected, match="readynessProbe"):
        await story.start("v1.0.0")


async def test_a_version_without_a_ready_pod_for_thirty_seconds_is_lost_also_after_a_restart_of_ours(
    world: Shop, story: Story
) -> None:
    first = await story.running("v1.0.0")
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    await world.client.create(QUOTAS, world.namespace, quota)
    await asyncio.sleep(1)
    began = time.time()
    for pod in (await world.client.list(PODS, world.namespace)).items:
        await world.client.delete(PODS, world.namespace, pod["metadata"]["name"])
    state = State.READY
    while state is not State.STARTING and time.time() < began + 20:
        await asyncio.sleep(0.2)
        state = await story.state(first.content)
    anew = KubernetesTarget(world.cluster, world.woken.append)
    demand = {("web", first.content): FULL}
    for later, expected in ((25, State.STARTING), (40, State.LOST)):
        (seen,) = (await anew.observe(story.app, demand, began + later)).instances or ()
        assert seen.state is expected


async def test_a_quota_without_room_is_told(world: Shop, story: Story) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    await world.client.create(QUOTAS, world.namespace, quota)
    await asyncio.sleep(1)
    await story.start("v1.0.0")
    sentence = await problem_of(story, world.version("v1.0.0").content, "QuotaExceeded")
    assert "exceeded quota: none" in sentence


async def test_a_dependency_that_is_down_is_named_and_its_pod_is_not_ready(world: Shop, story: Story) -> None:
    world.component = shop.component(replicas=1)
    (container,) = world.component["kubernetes"]["template"]["spec"]["containers"]
    del container["readinessProbe"]  # the kubelet sees nothing wrong: only we do
    version = "v2.3.0-unready"
    candidate = world.version(version)
    climbing = Status(phase=Phase.PREPARING, attempt=1, stable=None, candidate=candidate, parts=(Part("web"),))
    story.app = world.app(version, climbing)
    await world.target.start(story.app, Start("web", candidate.content, FULL, 1))
    sentence = await problem_of(story, candidate.content, "DependencyDown")
    assert "/ready of pod" in sentence
    assert "database is down" in sentence
    assert (await story.state(candidate.content)) is State.STARTING
    assert Key(world.namespace, "storefront") in world.woken


async def test_a_candidate_that_passes_our_probes_is_ready_and_one_of_another_version_is_not(
    world: Shop, story: Story
) -> None:
    world.component = shop.component(replicas=1)
    (container,) = world.component["kubernetes"]["template"]["spec"]["containers"]
    for image, reason in (
        ("tidegate.local/sample:$(version)", ""),
        ("tidegate.local/sample:v1.1.0", "VersionMismatch"),
    ):
        container["image"] = image
        candidate = world.version("v1.0.0")
        climbing = Status(phase=Phase.PREPARING, attempt=1, stable=None, candidate=candidate, parts=(Part("web"),))
        story.app = world.app("v1.0.0", climbing)
        await world.target.start(story.app, Start("web", candidate.content, FULL, 1))
        if not reason:
            await story.until_ready(candidate.content)
        else:
            assert "does not answer v1.0.0" in await problem_of(story, candidate.content, reason)
            assert (await story.state(candidate.content)) is State.STARTING


# ---- the end


async def test_a_split_that_a_person_made_stays_with_all_it_leads_to_when_the_release_goes(
    world: Shop, story: Story
) -> None:
    await story.two_versions()
    await world.target.pin(story.app, Pin("web", story.old.content))
    await story.ensure(story.split(0), move=1)
    await world.person_splits({story.old.content: 70, story.new.content: 30})
    await world.refresh()
    await world.target.forget(story.app, settled=True)
    refs = {ref["name"]: ref["weight"] for ref in (await world.route())["spec"]["rules"][0]["backendRefs"]}
    assert refs == {"web": 0, world.name(story.old.content): 70, world.name(story.new.content): 30}
    assert not [name for name in (await world.route())["metadata"].get("annotations", {}) if "tidegate" in name]
    left = (await world.client.list(DEPLOYMENTS, world.namespace)).items
    assert len(left) == 2


async def test_delete_takes_the_app_but_not_what_is_the_users(world: Shop, story: Story) -> None:
    await story.two_versions()
    await world.target.pin(story.app, Pin("web", story.old.content))
    await story.ensure(story.split(10_000), move=1)
    await world.refresh()
    gone = world.app("v1.1.0", story.app.status, deletionPolicy="Delete")
    for _ in range(2):
        await world.target.forget(gone, settled=True)
        await world.refresh()
    for resource in (DEPLOYMENTS, CONTROLLERREVISIONS):
        assert (await world.client.list(resource, world.namespace)).items == []
    services = (await world.client.list(SERVICES, world.namespace)).items
    assert [service["metadata"]["name"] for service in services] == ["web"]
    assert (await world.route())["spec"]["rules"][0]["backendRefs"][0]["weight"] == 100


async def test_a_release_made_anew_takes_over_what_the_old_one_left(world: Shop, story: Story) -> None:
    await story.running("v1.0.0", claim=7)
    anew = App(world.namespace, "storefront", "another-uid", story.app.release, Status(), story.app.revision)
    await world.refresh()
    (seen,) = (await world.target.observe(anew, {}, 0)).instances or ()
    assert seen.claim == 0
    await world.target.start(anew, Start("web", seen.content, FULL, 1))
    await world.refresh()
    (claimed,) = (await world.target.observe(anew, {}, 0)).instances or ()
    assert claimed.claim == 1
    with pytest.raises(Transient):
        await world.target.retire(anew, Retire("web", seen.content, 0))
