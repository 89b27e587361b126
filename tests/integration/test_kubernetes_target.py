"""The Kubernetes target on real pods behind a real gateway: the contract of all targets, and what is its own."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.kubernetes_shop import Shop
from tests.targets.contract import Story, TargetContract
from tidegate.engine.values import FULL, Part, Pin, Retire, Start, State, Status
from tidegate.errors import NotPermitted, Permanent, Transient
from tidegate.kube import (
    CONTROLLERREVISIONS,
    DEPLOYMENTS,
    ENDPOINTSLICES,
    PODS,
    SERVICES,
)
from tidegate.targets.port import App

pytestmark = pytest.mark.pods


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


async def test_endpoints_written_by_hand_stand_before_a_first_version_until_they_are_gone(
    world: Shop, story: Story
) -> None:
    written = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "legacy", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": [
            {"addresses": ["192.0.2.1"]},
            {"addresses": ["192.0.2.2"], "conditions": {"ready": False}},
        ],
    }
    await world.client.create(ENDPOINTSLICES, world.namespace, written)

    async def occupied_by(reason: str) -> str:
        for _ in range(100):
            found = (await story.look()).occupied
            if [problem.reason for problem in found] == ([reason] if reason else []):
                return found[0].sentence if found else ""
            await asyncio.sleep(0.3)
        raise AssertionError(f"not seen: {reason or 'nothing'}")

    assert "endpoints that somebody has written for it (1)" in await occupied_by("ServiceInUse")
    await world.client.delete(ENDPOINTSLICES, world.namespace, "legacy")
    await occupied_by("")


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
    anew = App(world.namespace, "storefront", "another-uid", story.app.resolved, Status(), story.app.revision)
    await world.refresh()
    (seen,) = (await world.target.observe(anew, {}, 0)).instances or ()
    assert seen.claim == 0
    await world.target.start(anew, Start("web", seen.content, FULL, 1))
    await world.refresh()
    (claimed,) = (await world.target.observe(anew, {}, 0)).instances or ()
    assert claimed.claim == 1
    with pytest.raises(Transient):
        await world.target.retire(anew, Retire("web", seen.content, 0))
