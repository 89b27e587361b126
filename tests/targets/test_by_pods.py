"""A split by numbers of pods, as the cache shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.targets.sample import NAME, app, component, release, version_of
from tests.targets.test_observing import World
from tidegate.api.release import Release
from tidegate.engine.values import FULL, Part, Phase, State, Status, Version
from tidegate.kube import DEPLOYMENTS, PODS, SERVICES
from tidegate.targets.kubernetes.stamp import Stamp, annotation
from tidegate.targets.port import App, Sight

NOW = 1_800_000_000.0
REPLICAS = 6
US, THEM = "tidegate", "kubectl"


def web(version: str, **changes: Any) -> Release:
    return release(version, component("web", replicas=REPLICAS, traffic={"service": {}}, **changes))


class Plain(World):
    """A Service `web`, and Deployments of so many pods."""

    def __init__(self) -> None:
        super().__init__()
        self.old, self.new, self.older = (version_of(web(name)) for name in ("v1", "v2", "v0"))

    def pods(self, version: Version, number: int, by: str = US, ready: int | None = None) -> None:
        content = version.content
        self.runs(web(version.name), pods=number)
        name = f"{NAME}-web-{content[:10]}"
        deployment = dict(self.cluster.get(DEPLOYMENTS, "shop", name) or {})
        fields: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
        managed = [{"manager": by, "time": "2027-01-15T08:00:00Z", "fieldsV1": fields}]
        self.put(DEPLOYMENTS, {**deployment, "metadata": {**deployment["metadata"], "managedFields": managed}})
        for index in range(number if ready is None else ready, number):
            self.cluster.store.drop(PODS, "shop", f"{name}-{index}")

    def service(self, *, pinned: Version | None = None, move: int = 0, share: int = 0, **selector: str) -> None:
        chosen = selector or {"tidegate.dev/release": NAME, "tidegate.dev/component": "web"}
        if pinned is not None:
            chosen = {**chosen, "tidegate.dev/revision": pinned.content[:10]}
        shares = {self.old.content[:10]: FULL - share, self.new.content[:10]: share}
        stamp = Stamp({"web": move}, NOW - 100, {"web": shares} if share else {})
        metadata = {
            "name": "web",
            "labels": {"tidegate.dev/release": NAME},
            "annotations": {annotation(NAME): stamp.written(app(web("v1")).uid)},
        }
        ports = [{"port": 8080, "targetPort": 8080}]
        self.put(SERVICES, {"metadata": metadata, "spec": {"selector": chosen, "ports": ports}})

    def climbing(self, weight: int, move: int = 3) -> App:
        part = Part("web", weight=weight, move=move)
        status = Status(
            phase=Phase.PROGRESSING, attempt=1, stable=self.old, candidate=self.new, parts=(part,), touched=True
        )
        return app(web("v2"), status)

    async def share(self, seen: App) -> int:
        """The candidate's."""
        return dict((await self.look(seen)).readings["web"].split or ()).get(self.new.content, 0)


@pytest.fixture
def world() -> Plain:
    return Plain()


async def test_a_pinned_service_gives_all_to_one_however_many_pods_the_other_has(world: Plain) -> None:
    world.pods(world.old, 6)
    world.pods(world.new, 6)
    world.service(pinned=world.old, move=3)
    sight = await world.look(world.climbing(10_000))
    assert sight.readings["web"].split == ((world.old.content, FULL),)
    assert (sight.readings["web"].move, sight.readings["web"].pin) == (3, None)
    assert sight.achieved == {}


async def test_an_open_one_is_as_was_said_and_what_ready_pods_give_is_told_beside_it(world: Plain) -> None:
    world.pods(world.old, 6, ready=5)
    world.pods(world.new, 1)
    world.service(move=3, share=10_000)
    sight = await world.look(world.climbing(10_000))
    assert dict(sight.readings["web"].split or ()) == {world.old.content: 90_000, world.new.content: 10_000}
    assert sight.achieved == {("web", world.old.content): 83_334, ("web", world.new.content): 16_666}


@pytest.mark.parametrize(
    ("stable", "candidate", "by", "seen"),
    [
        (6, 4, US, 40_000),
        (6, 2, THEM, 25_000),  # lowered by a person
        (6, 2, US, 40_000),  # fewer pods of ours are a larger stable's, or an app's that grew meanwhile
        (8, 4, US, 40_000),
        (6, 6, THEM, 50_000),  # raised
        (6, 5, US, 45_454),  # raised, though by us: of a move that was not said to stand
        (3, 4, THEM, 57_142),  # raised by taking from stable
    ],
)
async def test_pods_that_are_not_as_written_are_never_just_what_was_said(
    world: Plain, stable: int, candidate: int, by: str, seen: int
) -> None:
    world.pods(world.old, stable)
    world.pods(world.new, candidate, by)
    world.service(move=3, share=40_000)
    assert await world.share(world.climbing(40_000)) == seen


async def test_to_take_pods_from_stable_raises_also_the_least_weight(world: Plain) -> None:
    world.pods(world.old, 1, THEM)
    world.pods(world.new, 1)
    world.service(move=3, share=10_000)
    assert await world.share(world.climbing(10_000)) == 50_000
    assert (await world.look(world.climbing(10_000))).foreign["web"] == THEM


async def test_a_third_revision_behind_an_open_service_is_seen(world: Plain) -> None:
    world.pods(world.old, 6)
    world.pods(world.new, 1)
    world.pods(world.older, 5)
    world.service(move=3, share=10_000)
    split = dict((await world.look(world.climbing(10_000))).readings["web"].split or ())
    assert split == {world.older.content: 41_666, world.new.content: 8_333, world.old.content: 50_001}


async def test_a_selector_of_others_is_theirs(world: Plain) -> None:
    world.pods(world.old, 6)
    world.service(move=3, app="legacy")
    assert (await world.look(world.climbing(0))).readings["web"].split == (("?web", FULL),)


async def test_without_a_service_there_is_no_traffic_and_none_is_made_for_who_goes(world: Plain) -> None:
    world.pods(world.old, 6)
    assert (await world.look(world.climbing(0))).readings["web"].split == ()
    going = web("v2")
    metadata = going.metadata.model_copy(update={"deletion_timestamp": NOW})
    gone = app(going.model_copy(update={"metadata": metadata}), world.climbing(0).status)
    assert (await world.look(gone)).readings["web"].absent


async def sizes(world: Plain, seen: App, demand: Mapping[tuple[str, str], int]) -> Mapping[str, tuple[State, int]]:
    sight: Sight = await world.target.observe(seen, demand, NOW)
    return {instance.content: (instance.state, instance.sized) for instance in sight.instances or ()}


async def test_pods_are_capacity_before_the_first_weight_and_the_weight_itself_after_it(world: Plain) -> None:
    world.pods(world.old, 6)
    world.pods(world.new, 1)
    half = {("web", world.new.content): 50_000, ("web", world.old.content): FULL}
    world.service(pinned=world.old, move=3)
    before = await sizes(world, world.climbing(0), half)
    assert before[world.new.content] == (State.SHORT, 24_999)  # two pods would be a quarter
    world.service(move=3, share=10_000)
    after = await sizes(world, world.climbing(10_000), half)
    assert after == {world.old.content: (State.READY, FULL), world.new.content: (State.READY, FULL)}


async def test_by_a_number_a_service_cannot_lead_to_two_ports(world: Plain) -> None:
    world.pods(world.old, 6)
    world.service(pinned=world.old)
    moved = web("v2", port=9090)
    world.runs(moved)
    status = Status(phase=Phase.PREPARING, stable=world.old, candidate=version_of(moved), parts=(Part("web"),))
    (refusal,) = (await world.look(app(moved, status))).refusals
    assert refusal.reason == "PortsDiffer"
    assert "port 9090 now, and the stable version has 8080" in refusal.sentence


async def test_the_drain_counts_from_the_first_look_after_the_selector_left(world: Plain) -> None:
    world.pods(world.old, 6)
    world.pods(world.new, 1)
    world.service(pinned=world.old, move=3)
    (found,) = [
        each for each in (await world.look(world.climbing(0))).instances or () if each.content == world.new.content
    ]
    assert found.busy_until == NOW + 30
    world.service(move=3, share=10_000)
    (found,) = [
        each for each in (await world.look(world.climbing(10_000))).instances or () if each.content == world.new.content
    ]
    assert found.busy_until is None
