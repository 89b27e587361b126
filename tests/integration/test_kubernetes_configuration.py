"""The configuration of a revision on real pods: copies that are its own, and what becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.kubernetes_shop import Shop
from tests.targets.contract import Story
from tests.targets.sample import UID
from tidegate.api.meta import LABEL_RELEASE
from tidegate.api.revision import artifact, revision
from tidegate.engine.values import FULL, Part, Phase, Piece, Start, State, Status, Version
from tidegate.errors import Permanent, Transient
from tidegate.kube import CONFIGMAPS, CONTROLLERREVISIONS, DEPLOYMENTS, SECRETS, Object, Resource
from tidegate.targets.kubernetes import KubernetesTarget
from tidegate.targets.port import App


class Configured:
    """A component whose pods read a ConfigMap by a variable and a Secret as files."""

    def __init__(self, world: Shop) -> None:
        self.world = world
        world.target = KubernetesTarget(world.cluster, world.woken.append, home=world.namespace)
        world.component["kubernetes"]["drain"] = "1s"
        spec: dict[str, Any] = world.component["kubernetes"]["template"]["spec"]
        (container,) = spec["containers"]
        container["envFrom"] = [{"configMapRef": {"name": "settings"}}]
        container["volumeMounts"] = [{"name": "db", "mountPath": "/etc/db"}]
        spec["volumes"] = [{"name": "db", "secret": {"secretName": "db"}}]

    async def people_write(self, colour: str, password: str = "sesame") -> None:
        for kind, name, data in (("ConfigMap", "settings", {"COLOUR": colour}), ("Secret", "db", {"p": password})):
            member = "data" if kind == "ConfigMap" else "stringData"
            metadata = {"name": name, "namespace": self.world.namespace}
            self.world.people.apply({"apiVersion": "v1", "kind": kind, "metadata": metadata, member: data})
        await self.world.refresh()

    async def app(self, version: str = "v1.0.0", stable: Version | None = None) -> App:
        """As the loop makes it: resolved, then hashed."""
        release = self.world.release(version)
        resolved = await self.world.target.resolve(release)
        assert resolved.problems == ()
        status = Status(phase=Phase.COMPLETED, stable=stable, parts=(Part("web"),) if stable else ())
        content = revision(release, resolved.named)
        return App(self.world.namespace, "storefront", UID, resolved, status, content)

    async def started(self, app: App, claim: int = 1) -> Version:
        await self.world.target.start(app, Start("web", app.revision, FULL, claim))
        await self.world.refresh()
        (part,) = app.release.spec.components
        piece = Piece("web", app.revision, artifact(part, app.release.spec.version, app.resolved.named["web"]))
        return Version(app.release.spec.version, app.revision, (piece,))

    async def let_go(self, app: App) -> None:
        """As the loop does: again and again, since what is on its way must drain, or was written meanwhile."""
        async with asyncio.timeout(60):
            while True:
                try:
                    await self.world.target.forget(app, settled=True)
                    return
                except Transient:
                    await asyncio.sleep(0.5)
                    await self.world.refresh()

    async def copies(self, resource: Resource) -> list[Object]:
        found = await self.world.client.list(resource, self.world.namespace, labels=f"{LABEL_RELEASE}=storefront")
        return list(found.items)

    async def copy(self, resource: Resource, app: App) -> str:
        """Name of the copy that a revision's Deployment names."""
        made = await self.world.client.get(DEPLOYMENTS, self.world.namespace, self.world.name(app.revision))
        spec = made["spec"]["template"]["spec"]
        if resource == SECRETS:
            return str(spec["volumes"][0]["secret"]["secretName"])
        return str(spec["containers"][0]["envFrom"][0]["configMapRef"]["name"])

    async def content(self, resource: Resource, name: str) -> Any:
        return (await self.world.client.get(resource, self.world.namespace, name))["data"]


@pytest.fixture
async def configured(world: Shop) -> AsyncIterator[Configured]:
    made = Configured(world)
    await made.people_write("green")
    yield made
    await made.world.target.close()


@pytest.mark.pods
async def test_each_revision_runs_with_copies_of_its_own_whatever_becomes_of_the_source(
    configured: Configured, story: Story
) -> None:
    first = await configured.app()
    stable = await configured.started(first)
    await configured.people_write("red", "open sesame")
    second = await configured.app(stable=stable)
    assert second.revision != first.revision, "the same version under another configuration is another revision"
    await configured.started(second, 2)
    for resource, name, old, new in (
        (CONFIGMAPS, "settings", {"COLOUR": "green"}, {"COLOUR": "red"}),
        (SECRETS, "db", {"p": "c2VzYW1l"}, {"p": "b3BlbiBzZXNhbWU="}),
    ):
        copies = [await configured.copy(resource, app) for app in (first, second)]
        assert [await configured.content(resource, copy) for copy in copies] == [old, new]
        assert await configured.content(resource, name) == new, "the source is its owner's alone"
        assert all(copy.startswith(f"storefront-{name}-") for copy in copies)
    await story.until_ready(first.revision)
    await story.until_ready(second.revision)
    kept = (await configured.world.client.list(CONTROLLERREVISIONS, configured.world.namespace)).items
    assert "sesame" not in str(kept)
    assert "c2VzYW1l" not in str(kept)


async def test_revisions_with_the_same_configuration_share_one_copy_and_its_source_may_go(
    configured: Configured,
) -> None:
    stable = await configured.started(await configured.app("v1.0.0"))
    await configured.started(await configured.app("v1.1.0", stable))
    assert [len(await configured.copies(resource)) for resource in (CONFIGMAPS, SECRETS)] == [1, 1]


@pytest.mark.pods
async def test_a_copy_that_was_deleted_is_made_again_while_its_source_is_as_it_was(
    configured: Configured, story: Story
) -> None:
    app = await configured.app()
    stable = await configured.started(app)
    await story.until_ready(app.revision)
    name = await configured.copy(CONFIGMAPS, app)
    configured.world.people.delete("ConfigMap", configured.world.namespace, name)
    await configured.world.refresh()
    app = await configured.app(stable=stable)
    (instance,) = (await configured.world.target.observe(app, {}, 0.0)).instances or ()
    assert (instance.state, instance.sized) == (State.SHORT, 0), "pods that run go on, and no new one starts"
    await configured.started(app)
    assert await configured.content(CONFIGMAPS, name) == {"COLOUR": "green"}
    (instance,) = (await configured.world.target.observe(app, {}, 0.0)).instances or ()
    assert (instance.state, instance.sized) == (State.READY, FULL)


async def test_a_revision_whose_copy_can_not_be_made_again_is_lost_and_that_is_told(configured: Configured) -> None:
    first = await configured.app()
    stable = await configured.started(first)
    name = await configured.copy(CONFIGMAPS, first)
    await configured.people_write("red")
    configured.world.people.delete("ConfigMap", configured.world.namespace, name)
    await configured.world.refresh()
    second = await configured.app(stable=stable)
    sight = await configured.world.target.observe(second, {}, 0.0)
    (told,) = [problem for problem in sight.problems if problem.reason == "ConfigurationLost"]
    assert told.lasting
    assert f"ConfigMap {name} is gone" in told.sentence
    assert first.revision in {each.content for each in sight.kept}, "it runs still"
    configured.world.people.delete("Deployment", configured.world.namespace, configured.world.name(first.revision))
    await configured.world.refresh()
    sight = await configured.world.target.observe(second, {}, 0.0)
    assert first.revision not in {each.content for each in sight.kept}, "there is nothing to roll back to"
    with pytest.raises(Permanent, match="has other content by now"):
        await configured.world.target.start(second, Start("web", first.revision, FULL, 3))


async def test_copies_stay_as_long_as_one_of_the_last_ten_revisions_needs_them(configured: Configured) -> None:
    for number in range(13):
        await configured.people_write(f"colour-{number}")
        app = await configured.app()
        await configured.started(app, number + 1)
        name = configured.world.name(app.revision)
        await configured.world.client.delete(DEPLOYMENTS, configured.world.namespace, name)
    await configured.world.refresh()
    await configured.started(await configured.app(), 20)
    assert len(await configured.copies(CONFIGMAPS)) == 10
    assert len(await configured.copies(SECRETS)) == 1
    assert {copy["data"]["COLOUR"] for copy in await configured.copies(CONFIGMAPS)} == {
        f"colour-{number}" for number in range(3, 13)
    }


@pytest.mark.parametrize(("policy", "left"), [("Keep", 1), ("Delete", 0)])
async def test_after_deletion_only_what_still_serves_keeps_its_copies(
    configured: Configured, policy: str, left: int
) -> None:
    stable = await configured.started(await configured.app())
    await configured.people_write("red")
    second = await configured.app(stable=stable)
    await configured.started(second, 2)
    release = configured.world.release("v1.0.0", deletionPolicy=policy)
    resolved = await configured.world.target.resolve(release)
    status = Status(phase=Phase.GONE, stable=stable, parts=(Part("web"),))
    app = App(configured.world.namespace, "storefront", UID, resolved, status, second.revision)
    await configured.let_go(app)
    assert [len(await configured.copies(resource)) for resource in (CONFIGMAPS, SECRETS)] == [left, left]
