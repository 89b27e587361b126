"""What one look at the cache tells, on objects as the API server would give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from tests.targets.sample import NAME, NAMESPACE, app, component, release, version_of
from tidegate.api.release import Release
from tidegate.engine.values import FULL, Part, Phase, Status, Version
from tidegate.kube import (
    CONTROLLERREVISIONS,
    DEPLOYMENTS,
    HTTPROUTES,
    PODS,
    SERVICES,
    Client,
    Cluster,
    Object,
    Resource,
    Store,
)
from tidegate.targets.kubernetes import KubernetesTarget, revisions, workload
from tidegate.targets.port import App, Sight

NOW = 1_800_000_000.0


class World:
    """One component `web`; all that is in it lies in the cache."""

    def __init__(self) -> None:
        self.cluster = Cluster(cast(Client, None), Store())  # a look asks no server
        self.target = KubernetesTarget(self.cluster, lambda _: None)
        self._version = 0

    def put(self, resource: Resource, obj: Object) -> None:
        self._version += 1
        obj["metadata"] = {
            "namespace": NAMESPACE,
            "uid": f"{resource.plural}/{obj['metadata']['name']}",
            **obj["metadata"],
            "resourceVersion": str(self._version),
        }
        self.cluster.store.put(resource, obj)

    def runs(self, found: Release, *, number: int = 1, pods: int = 1) -> Version:
        """A revision as `start` makes it, with so many ready pods."""
        made, version = app(found), version_of(found)
        part, content = found.spec.components[0], version.content
        self.put(CONTROLLERREVISIONS, revisions.body(made, number))
        self.put(SERVICES, workload.service(made, part, content, version.name))
        deployment = workload.deployment(made, part, content, version.name, pods, 1)
        deployment["status"] = {"conditions": []}
        self.put(DEPLOYMENTS, deployment)
        for index in range(pods):
            labels = deployment["spec"]["template"]["metadata"]["labels"]
            conditions = [{"type": "Ready", "status": "True"}]
            ready = {"phase": "Running", "podIP": f"10.0.0.{index}", "conditions": conditions}
            name = f"{deployment['metadata']['name']}-{index}"
            self.put(PODS, {"metadata": {"name": name, "labels": labels}, "status": ready})
        return version

    def route(self, *refs: Mapping[str, Any], name: str = "web", followed: int = 1, **metadata: Any) -> None:
        parents = [{"conditions": [{"type": "Accepted", "status": "True", "observedGeneration": followed}]}]
        self.put(
            HTTPROUTES,
            {
                "metadata": {"name": name, "generation": 1, **metadata},
                "spec": {"rules": [{"backendRefs": [dict(ref) for ref in refs]}]},
                "status": {"parents": parents},
            },
        )

    async def look(self, seen: App, now: float = NOW) -> Sight:
        return await self.target.observe(seen, {}, now)


@pytest.fixture
def world() -> World:
    return World()


def web(version: str, port: int = 8080, **changes: Any) -> Release:
    return release(version, component("web", port=port, **changes))


def at_rest(stable: Version, previous: Version | None = None) -> Status:
    return Status(phase=Phase.COMPLETED, attempt=2, stable=stable, previous=previous, parts=(Part("web"),))


def ref(name: str, weight: int, port: int = 80) -> dict[str, Any]:
    return {"name": name, "port": port, "weight": weight}


# ---- a route that is not there


async def test_a_route_that_is_not_there_is_absent_and_one_on_its_way_out_is_not_known(world: World) -> None:
    stable = world.runs(web("v1"))
    seen = app(web("v1"), at_rest(stable))
    gone = (await world.look(seen)).readings["web"]
    assert (gone.split, gone.absent) == (None, True)
    world.route(ref("web", 1), deletionTimestamp="2026-11-23T10:00:00Z")
    leaving = (await world.look(seen)).readings["web"]
    assert (leaving.split, leaving.absent) == (None, False)
    world.route(ref("web", 1))
    assert not (await world.look(seen)).readings["web"].absent


# ---- another route


@pytest.mark.parametrize("change", [{"traffic": {"httpRoute": {"name": "other"}}}, {"service": "other"}])
async def test_a_component_whose_route_the_spec_changes_is_refused_and_read_by_the_old_one(
    world: World, change: Mapping[str, Any]
) -> None:
    stable = world.runs(web("v1"))
    world.route(ref(f"{NAME}-web-{stable.content[:10]}", 100))
    seen = app(web("v2", **change), at_rest(stable))
    sight = await world.look(seen)
    (refusal,) = [found for found in sight.refusals if found.reason == "RouteChanged"]
    assert "Write web and web again" in refusal.sentence
    assert sight.readings["web"].split == ((stable.content, FULL),)


async def test_a_first_version_may_be_given_another_route(world: World) -> None:
    world.runs(web("v1"))
    world.route(ref("web", 1), name="other")
    sight = await world.look(app(web("v2", traffic={"httpRoute": {"name": "other"}})))
    assert not sight.refusals
