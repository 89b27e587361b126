"""What is wrong with real pods, in sentences."""

from __future__ import annotations

import asyncio
import time

import pytest

from hack.stage import shop
from tests.integration.kubernetes_shop import Shop
from tests.targets.contract import Story
from tidegate.engine.values import FULL, Part, Phase, Start, State, Status
from tidegate.errors import Rejected
from tidegate.kube import (
    PODS,
    Key,
    Resource,
)
from tidegate.targets.kubernetes import KubernetesTarget
from tidegate.targets.port import Sight

pytestmark = pytest.mark.pods

QUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota")


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
