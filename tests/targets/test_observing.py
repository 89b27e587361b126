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
from tidegate.targets.kubernetes.departures import Departures
from tidegate.targets.kubernetes.stamp import Stamp, annotation
from tidegate.targets.kubernetes.view import Place, View
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
        metadata = {
            "namespace": NAMESPACE,
            "uid": f"{resource.plural}/{obj['metadata']['name']}",
            **obj["metadata"],
            "resourceVersion": str(self._version),
        }
        self.cluster.store.put(resource, {**obj, "metadata": metadata})

    def runs(self, found: Release, *, number: int = 1, pods: int = 1) -> Version:
        """A revision as `start` makes it, with so many ready pods."""
        made, version = app(found), version_of(found)
        part, content = found.spec.components[0], version.content
        self.put(CONTROLLERREVISIONS, revisions.body(made, number))
        self.put(SERVICES, workload.service(made, part, content, version.name))
        deployment = workload.deployment(made, part, content, version.name, pods, 1)
        self.put(DEPLOYMENTS, deployment)
        for index in range(pods):
            labels = deployment["spec"]["template"]["metadata"]["labels"]
            conditions = [{"type": "Ready", "status": "True"}]
            ready = {"phase": "Running", "podIP": f"10.0.0.{index}", "conditions": conditions}
            name = f"{deployment['metadata']['name']}-{index}"
            self.put(PODS, {"metadata": {"name": name, "labels": labels}, "status": ready})
        return version

    def route(
        self, *refs: Mapping[str, Any], name: str = "web", generation: int = 1, followed: int = 1, **metadata: Any
    ) -> None:
        parents = [{"conditions": [{"type": "Accepted", "status": "True", "observedGeneration": followed}]}]
        self.put(
            HTTPROUTES,
            {
                "metadata": {"name": name, "generation": generation, **metadata},
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


# ---- ports


async def test_pods_of_a_revision_are_asked_on_the_port_that_it_had(world: World) -> None:
    old, new = world.runs(web("v1", port=8080)), world.runs(web("v2", port=9090), number=2)
    world.route(ref(f"{NAME}-web-{new.content[:10]}", 100))
    sight = await world.look(app(web("v2", port=9090), at_rest(new, previous=old)))
    assert sight.sizes["web", old.content].endpoints == ("10.0.0.0:8080",)
    assert sight.sizes["web", new.content].endpoints == ("10.0.0.0:9090",)


def test_without_its_service_the_port_is_that_of_the_kept_revision(world: World) -> None:
    old = world.runs(web("v1", port=8080))
    world.cluster.store.drop(SERVICES, NAMESPACE, f"{NAME}-web-{old.content[:10]}")
    assert View(world.cluster, app(web("v2", port=9090)), Departures()).port(Place("web", old.content)) == 8080


# ---- the drain

WRITTEN = NOW - 100.0  # when our move of the traffic was written


async def busy_until(world: World, seen: App, content: str, now: float) -> float | None:
    (found,) = [instance for instance in (await world.look(seen, now)).instances or () if instance.content == content]
    return found.busy_until


async def test_the_drain_counts_from_when_the_gateway_was_seen_to_follow_and_not_from_our_write(world: World) -> None:
    old, new = world.runs(web("v1", drain="30s")), world.runs(web("v2", drain="30s"), number=2)
    seen = app(web("v2", drain="30s"), at_rest(new, previous=old))
    refs = ref(f"{NAME}-web-{old.content[:10]}", 0), ref(f"{NAME}-web-{new.content[:10]}", 100)
    stamped = {annotation(NAME): Stamp({"web": 1}, WRITTEN).written(seen.uid)}
    world.route(*refs, annotations=stamped, generation=3, followed=2)
    assert await busy_until(world, seen, old.content, NOW) == NOW + 1  # long after the write, and not followed yet
    world.route(*refs, annotations=stamped, generation=3, followed=3)
    assert await busy_until(world, seen, old.content, NOW + 50) == NOW + 80
    assert await busy_until(world, seen, old.content, NOW + 79) == NOW + 80
    assert await busy_until(world, seen, old.content, NOW + 80) is None
    world.route(*refs, annotations=stamped, generation=4, followed=4)  # an edit that moves no traffic
    assert await busy_until(world, seen, old.content, NOW + 81) is None


async def test_after_a_restart_the_drain_counts_from_the_first_look(world: World) -> None:
    old, new = world.runs(web("v1", drain="30s")), world.runs(web("v2", drain="30s"), number=2)
    seen = app(web("v2", drain="30s"), at_rest(new, previous=old))
    stamped = {annotation(NAME): Stamp({"web": 1}, WRITTEN).written(seen.uid)}
    world.route(
        ref(f"{NAME}-web-{old.content[:10]}", 0), ref(f"{NAME}-web-{new.content[:10]}", 100), annotations=stamped
    )
    for restart in (NOW, NOW + 20):
        world.target = KubernetesTarget(world.cluster, lambda _: None)
        assert await busy_until(world, seen, old.content, restart) == restart + 30


async def test_each_move_of_traffic_begins_the_drain_anew(world: World) -> None:
    old, new = world.runs(web("v1", drain="30s")), world.runs(web("v2", drain="30s"), number=2)
    seen = app(web("v2", drain="30s"), at_rest(new, previous=old))
    refs = ref(f"{NAME}-web-{old.content[:10]}", 0), ref(f"{NAME}-web-{new.content[:10]}", 100)
    entry = {"manager": "kubectl-edit", "fieldsV1": {"f:spec": {"f:rules": {}}}}
    forged = {annotation(NAME): Stamp({"web": 1}, 253_402_300_799).written(seen.uid)}  # a time that never comes
    for later, metadata in (
        (0, {"annotations": {annotation(NAME): Stamp({"web": 1}, WRITTEN).written(seen.uid)}}),
        (40, {"annotations": {annotation(NAME): Stamp({"web": 3}, WRITTEN + 5).written(seen.uid)}}),
        (80, {"managedFields": [{**entry, "time": "2027-01-15T08:00:10Z"}]}),
        (120, {"annotations": forged}),
    ):
        world.route(*refs, **metadata)
        assert await busy_until(world, seen, old.content, NOW + later) == NOW + later + 30
        assert await busy_until(world, seen, old.content, NOW + later + 30) is None
