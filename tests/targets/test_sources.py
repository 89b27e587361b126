"""What a Release names is resolved once, and anew when it changes; a Secret's hash is keyed, and outlives the key."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiohttp import web

from tests.kube.fake import FakeApi, Seen, refusal, thing
from tests.targets.sample import NAMESPACE, UID, component
from tidegate.api import parse_release
from tidegate.api.release import Release
from tidegate.api.revision import Named, artifact, revision
from tidegate.engine.values import Status
from tidegate.kube import CONFIGMAPS, CONTROLLERREVISIONS, RELEASES, SECRETS, Cluster, Object, Resource, Store
from tidegate.targets.kubernetes import KubernetesTarget, copies, revisions, sources
from tidegate.targets.kubernetes.copies import Copy
from tidegate.targets.kubernetes.seal import HOME, NAME, Seal
from tidegate.targets.kubernetes.sources import Sources
from tidegate.targets.port import App, Resolved


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with FakeApi() as api:
        yield api


class World:
    """A Release whose template names a ConfigMap and a Secret, and the store as the operator has it."""

    def __init__(self, api: FakeApi, cluster: Cluster) -> None:
        self.api, self.cluster = api, cluster
        self.sources = self.fresh_process()
        self.people_write(CONFIGMAPS, "settings", colour="green")
        self.people_write(SECRETS, "db", password="sesame")

    def fresh_process(self) -> Sources:
        return Sources(self.cluster, Seal(self.cluster.client, HOME))

    def people_write(self, resource: Resource, name: str, **data: str) -> Object:
        """Also told by the watch."""
        coded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        written = self.api.put(
            resource, thing(resource, name, namespace=NAMESPACE, data=coded if resource == SECRETS else data)
        )
        self.cluster.store.put(resource, written)
        return written

    def declared(self, *, optional: bool = False, **changes: Any) -> Release:
        more: Mapping[str, Any] = {"optional": True} if optional else {}
        container = {
            "name": "app",
            "image": "app:$(version)",
            "envFrom": [{"configMapRef": {"name": "settings", **more}}, {"secretRef": {"name": "db", **more}}],
        }
        document = {
            "metadata": {"name": "storefront", "namespace": NAMESPACE, "uid": UID},
            "spec": {
                "version": "v1",
                "components": [component(template={"spec": {"containers": [container]}}, **changes)],
            },
        }
        self.cluster.store.put(
            RELEASES,
            {**document, "metadata": {**document["metadata"], "resourceVersion": "1"}},  # type: ignore[dict-item]
        )
        return parse_release(document)

    async def resolved(self, **changes: Any) -> Resolved:
        return await self.sources.resolve(self.declared(**changes))

    async def revision(self, **changes: Any) -> str:
        found = await self.resolved(**changes)
        assert found.problems == ()
        return revision(found.release, found.named)

    def reads(self) -> list[str]:
        return [seen.path for seen in self.api.seen if seen.method == "GET"]

    async def copied(self, named: Named, sources: Sources | None = None) -> None:
        """As a start would."""
        sources = sources or self.sources
        source = await sources.read(NAMESPACE, named)
        assert source is not None
        body = await sources.copied(self.declared().metadata, named, source)
        await self.cluster.create(copies.resource_of(named.kind), NAMESPACE, body)


@pytest.fixture
async def world(api: FakeApi) -> AsyncIterator[World]:
    async with api.client() as client:
        yield World(api, Cluster(client, Store()))


async def test_a_changed_configmap_is_a_new_revision_and_the_old_content_is_the_old_one_again(world: World) -> None:
    before = await world.revision()
    world.people_write(CONFIGMAPS, "settings", colour="red")
    changed = await world.revision()
    assert changed != before
    world.people_write(CONFIGMAPS, "settings", colour="green")
    assert await world.revision() == before


async def test_a_changed_secret_is_a_new_revision_too(world: World) -> None:
    before = await world.revision()
    world.people_write(SECRETS, "db", password="open sesame")
    assert await world.revision() != before


async def test_nothing_is_asked_again_while_nothing_has_changed(world: World) -> None:
    await world.revision()
    reads = world.reads()
    for _ in range(5):
        await world.revision()
    assert world.reads() == reads


async def test_labels_of_a_source_are_no_content(world: World) -> None:
    before = await world.revision()
    body = thing(CONFIGMAPS, "settings", namespace=NAMESPACE, release="storefront", data={"colour": "green"})
    world.cluster.store.put(CONFIGMAPS, world.api.put(CONFIGMAPS, body))
    assert await world.revision() == before


async def test_the_artifact_of_a_component_is_another_under_another_configuration(world: World) -> None:
    found = await world.resolved()
    part = found.release.spec.components[0]
    named = found.named["graphql"]
    assert artifact(part, "v1", named) != artifact(part, "v1", (named[0]._replace(content="0" * 64), *named[1:]))
    assert artifact(part, "v1", named) != artifact(part, "v1")


async def test_what_is_not_there_is_told_in_a_sentence_that_says_what_to_do(world: World) -> None:
    world.api.remove(CONFIGMAPS, NAMESPACE, "settings")
    world.cluster.store.drop(CONFIGMAPS, NAMESPACE, "settings")
    (problem,) = (await world.resolved()).problems
    assert (problem.part, problem.reason, problem.lasting) == ("graphql", "ConfigurationMissing", True)
    assert problem.sentence == (
        "ConfigMap settings, which the template of graphql names, is not there. "
        "Create it in namespace shop, or mark it as optional."
    )


async def test_what_is_optional_may_be_missing_and_its_coming_is_a_change(world: World) -> None:
    world.api.remove(CONFIGMAPS, NAMESPACE, "settings")
    world.cluster.store.drop(CONFIGMAPS, NAMESPACE, "settings")
    before = await world.revision(optional=True)
    reads = world.reads()
    assert await world.revision(optional=True) == before
    assert world.reads() == reads, "what was found missing is not asked for at each look"
    world.people_write(CONFIGMAPS, "settings", colour="green")
    assert await world.revision(optional=True) != before


async def test_what_is_read_live_is_no_part_of_a_revision(world: World) -> None:
    before = await world.revision(live=[{"secret": "db"}])
    world.people_write(SECRETS, "db", password="open sesame")
    assert await world.revision(live=[{"secret": "db"}]) == before
    assert not [path for path in world.reads() if "secrets" in path]


async def test_the_hash_of_a_secret_can_not_be_guessed_from_its_content(world: World) -> None:
    (named,) = [each for each in (await world.resolved()).named["graphql"] if each.kind == "Secret"]
    text = copies.text_of(world.api.objects[SECRETS, NAMESPACE, "db"])
    assert named.content != hashlib.sha256(text).hexdigest()
    key = world.api.objects[SECRETS, HOME, NAME]
    assert len(base64.b64decode(key["data"]["key"])) == 32
    assert key["immutable"] is True


async def test_the_key_is_made_only_where_a_secret_is_named_and_once_by_several_replicas(world: World) -> None:
    await world.revision(live=[{"secret": "db"}])
    assert (SECRETS, HOME, NAME) not in world.api.objects
    first = await world.revision()
    world.sources = world.fresh_process()
    assert await world.revision() == first


async def test_a_lost_key_begins_no_climb(world: World) -> None:
    before = await world.resolved()
    for named in before.named["graphql"]:
        await world.copied(named)
    world.api.remove(SECRETS, HOME, NAME)
    body = thing(
        SECRETS, "db", namespace=NAMESPACE, release="moved", data=world.api.objects[SECRETS, NAMESPACE, "db"]["data"]
    )
    world.cluster.store.put(SECRETS, world.api.put(SECRETS, body))  # as a restored one, another version of it
    world.sources = world.fresh_process()
    assert (await world.resolved()).named == before.named
    world.people_write(SECRETS, "db", password="open sesame")
    assert (await world.resolved()).named != before.named


async def test_after_a_restart_nothing_that_was_copied_is_asked_for(world: World) -> None:
    before = await world.resolved()
    for named in before.named["graphql"]:
        await world.copied(named)
    reads = world.reads()
    world.sources = world.fresh_process()
    assert (await world.resolved()).named == before.named
    key = f"/api/v1/namespaces/{HOME}/secrets/{NAME}"
    assert set(world.reads()[len(reads) :]) == {key}, "but for the key, by which they are known to be ours"


async def test_what_can_not_be_read_now_is_a_passing_problem(world: World) -> None:
    async def away(seen: Seen) -> web.Response | None:
        return refusal(503, "ServiceUnavailable") if seen.path.endswith("/configmaps/settings") else None

    world.api.faults.append(away)
    (problem,) = (await world.resolved()).problems
    assert (problem.reason, problem.lasting) == ("ConfigurationUnknown", False)


async def test_where_secrets_can_not_be_followed_who_names_one_is_told_what_to_do(world: World) -> None:
    world.cluster.store.mark_followed(SECRETS, None, "A right is missing")
    (problem,) = (await world.resolved()).problems
    assert problem.lasting
    assert "write {secret: db} under `live`" in problem.sentence
    assert (await world.resolved(live=[{"secret": "db"}])).problems == ()


# ---- copies


def test_a_copys_name_fits_whatever_its_source_is_called() -> None:
    named = Named("ConfigMap", "c" * 253, "5d9f0c1e7b" + "0" * 54)
    name = copies.copy_name("storefront", named)
    assert len(name) == 253
    assert name != copies.copy_name("storefront", named._replace(name="c" * 252)), "though they are cut alike"


def test_no_two_releases_have_copies_of_one_name() -> None:
    """However their names and those of their sources are put together: a CA bundle has the same content for all."""
    one = copies.copy_name("shop", Named("ConfigMap", "web-ca", "a" * 64))
    assert one.startswith("shop-web-ca-")
    assert one != copies.copy_name("shop-web", Named("ConfigMap", "ca", "a" * 64))


async def test_the_same_password_has_another_hash_in_each_secret_and_namespace(world: World) -> None:
    """Else whoever may write Secrets elsewhere could try passwords there, and compare."""
    (db,) = [each for each in (await world.resolved()).named["graphql"] if each.kind == "Secret"]
    seal = Seal(world.cluster.client, HOME)
    text = copies.text_of(world.api.objects[SECRETS, NAMESPACE, "db"])
    assert await seal.digest(NAMESPACE, "db", text) == db.content
    others = [await seal.digest("elsewhere", "db", text), await seal.digest(NAMESPACE, "mine", text)]
    assert len({db.content, *others}) == 3


def forged(world: World, named: Named, **changes: Any) -> Copy:
    """A copy that somebody has put in the place of ours, with all that it says."""
    resource, name = copies.resource_of(named.kind), copies.copy_name("storefront", named)
    genuine = world.api.objects[resource, NAMESPACE, name]
    notes = {**genuine["metadata"]["annotations"], **changes.pop("annotations", {})}
    world.api.remove(resource, NAMESPACE, name)
    world.cluster.store.drop(resource, NAMESPACE, name)
    metadata = {"name": name, "namespace": NAMESPACE, "labels": genuine["metadata"]["labels"], "annotations": notes}
    body = {**{key: genuine[key] for key in ("apiVersion", "kind", "data")}, "metadata": metadata, **changes}
    world.cluster.store.put(resource, world.api.put(resource, body))
    found = copies.of_release(world.cluster, NAMESPACE, "storefront")[named]
    assert found.named == named
    return found


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
async def test_a_copy_in_which_something_else_was_put_is_not_whole(world: World, kind: str) -> None:
    before = await world.resolved()
    (named,) = [each for each in before.named["graphql"] if each.kind == kind]
    await world.copied(named)
    release = before.release.metadata
    genuine = copies.of_release(world.cluster, NAMESPACE, "storefront")[named]
    assert await world.sources.is_whole(release, genuine) is True
    reads = world.reads()
    assert await world.sources.is_whole(release, genuine) is True
    assert world.reads() == reads, "looked at once"
    assert await world.sources.is_whole(release, forged(world, named, data={"colour": "cmVk"})) is False


async def test_what_a_copy_says_of_its_source_is_believed_only_under_our_seal(world: World) -> None:
    before = await world.resolved()
    (named,) = [each for each in before.named["graphql"] if each.kind == "ConfigMap"]
    await world.copied(named)
    written = world.people_write(CONFIGMAPS, "settings", colour="red")
    newest = copies.origin_in(written)
    forged(world, named, annotations={copies.ANNOTATION_ORIGIN: newest})
    found = {each.kind: each.content for each in (await world.resolved()).named["graphql"]}
    assert found["ConfigMap"] != named.content, "the change is heard"


async def test_a_copy_is_immutable_ours_and_has_nothing_of_its_sources_metadata(world: World) -> None:
    world.people_write(SECRETS, "db", password="sesame")
    source = world.api.objects[SECRETS, NAMESPACE, "db"]
    source["type"] = "kubernetes.io/service-account-token"
    source["metadata"] |= {"labels": {"app.kubernetes.io/instance": "argo"}, "annotations": {"managed": "yes"}}
    (named,) = [each for each in (await world.resolved()).named["graphql"] if each.kind == "Secret"]
    await world.copied(named)
    made = world.api.objects[SECRETS, NAMESPACE, copies.copy_name("storefront", named)]
    assert made["immutable"] is True
    assert made["type"] == "Opaque"
    assert made["data"] == source["data"]
    assert made["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "tidegate",
        "tidegate.dev/release": "storefront",
    }
    assert "managed" not in made["metadata"]["annotations"]
    assert "ownerReferences" not in made["metadata"]
    found = copies.of_release(world.cluster, NAMESPACE, "storefront")
    assert set(found) == {named}


async def test_reads_that_hang_delay_one_look_by_one_patience_and_the_next_not_at_all(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many hang: a revert waits for the look."""
    monkeypatch.setattr(sources, "PATIENCE", 0.3)

    async def hang(seen: Seen) -> web.Response | None:
        if seen.method == "GET" and seen.path.rpartition("/")[2] in ("settings", "db"):
            await asyncio.sleep(60)
        return None

    world.api.faults.append(hang)
    began = time.monotonic()
    first = await world.resolved()
    assert time.monotonic() - began < 0.3 * 2
    assert [problem.reason for problem in first.problems] == ["ConfigurationUnknown"] * 2
    asked = len(world.reads())
    second = await world.resolved()
    assert [problem.reason for problem in second.problems] == ["ConfigurationUnknown"] * 2
    assert len(world.reads()) - asked < 2, "what hung is left alone for a while"


async def test_what_came_while_no_release_named_it_is_found_by_the_next_one(world: World) -> None:
    """A Release that was deleted together with its ConfigMap is made anew, the ConfigMap first."""
    world.api.remove(CONFIGMAPS, NAMESPACE, "settings")
    world.cluster.store.drop(CONFIGMAPS, NAMESPACE, "settings")
    assert (await world.resolved()).problems
    world.api.put(CONFIGMAPS, thing(CONFIGMAPS, "settings", namespace=NAMESPACE, data={"colour": "green"}))
    world.sources.forget(NAMESPACE)  # the Release is gone
    assert (await world.resolved()).problems == ()


async def test_a_spec_whose_configuration_was_pruned_may_still_ask_for_the_version_that_was_made_with_it(
    world: World,
) -> None:
    """So that to write the old one back is heard while the candidate climbs."""
    first = await world.resolved()
    app = App(NAMESPACE, "storefront", UID, first, Status(), revision(first.release, first.named))
    world.cluster.store.put(CONTROLLERREVISIONS, world.api.put(CONTROLLERREVISIONS, revisions.body(app, 1)))
    world.api.remove(CONFIGMAPS, NAMESPACE, "settings")
    world.cluster.store.drop(CONFIGMAPS, NAMESPACE, "settings")
    target = KubernetesTarget(world.cluster, lambda key: None)
    again = await target.resolve(world.declared())
    other = await target.resolve(world.declared(port=9090))
    await target.close()
    assert [problem.reason for problem in again.problems] == ["ConfigurationMissing"]
    assert again.may_mean == {app.revision: True}
    assert other.may_mean == {app.revision: False}
