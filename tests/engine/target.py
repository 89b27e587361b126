"""The engine's world behind the port of targets, so that it can be held to what a real target does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tests.engine.world import Road, World, act, edit_split, instances, nature, readings, spec
from tests.targets.sample import UID, app, component, release, version_of
from tidegate.api import Release
from tidegate.engine.values import Effect, Ensure, Forget, Instance, Pin, Preview, Retire, Start, State, Status, Version
from tidegate.errors import Conflict, NotFound, Transient
from tidegate.targets.port import App, Resolved, Sight, Size

DRAIN = 0.2  # seconds


class WorldTarget:
    """What is asked for is done by `act`, with its fences. What a fence refuses is raised."""

    def __init__(self, world: World, uid: str) -> None:
        self.world, self._uid = world, uid
        self.kept = {instance.content for instance in world.running}

    async def resolve(self, release: Release) -> Resolved:
        return Resolved(release)

    async def observe(self, app: App, demand: Mapping[tuple[str, str], int], now: float) -> Sight:
        self.world = self.world._replace(now=now)
        seen = dict(readings(self.world))
        if app.uid != self._uid:  # the stamps are another's
            seen = {part: reading._replace(move=reading.move and 0) for part, reading in seen.items()}
        running = instances(self.world, demand)
        sizes = {(each.part, each.content): _size(each) for each in running}
        return Sight(readings=seen, instances=running, sizes=sizes)

    async def ensure(self, app: App, writes: Sequence[Ensure], now: float) -> None:
        """All of them or none: the parts live in one object."""
        after = self.world._replace(now=now)
        for write in writes:
            after = act(after, write)
            road = after.road(write.part)
            if (road.split, road.stamp) != (tuple(sorted(write.split)), write.move):
                raise Conflict(f"the route of {write.part} is not as it was")
        self.world = after

    async def pin(self, app: App, pin: Pin) -> None:
        self._do(pin)

    async def preview(self, app: App, preview: Preview, now: float) -> None:
        self._do(preview)

    async def start(self, app: App, start: Start) -> None:
        if start.content not in (self.kept | {app.revision}):
            raise NotFound(f"revision {start.content} is not kept")
        self.kept.add(start.content)
        self._do(start)

    async def retire(self, app: App, retire: Retire) -> None:
        self._do(retire)
        if self.world.instance(retire.part, retire.content) is not None:
            raise Transient(f"{retire.part} of {retire.content} is in use")

    async def forget(self, app: App, settled: bool) -> None:
        self._do(Forget(settled))

    def _do(self, effect: Effect) -> None:
        self.world = act(self.world, effect)


def _size(instance: Instance) -> Size:
    ready = {State.READY: 2, State.SHORT: 1}.get(instance.state, 0)
    return Size(f"shop-{instance.part}-{instance.content}", ready, 2)


class Place:
    """One component `web` in a world where nothing is yet, for the contract."""

    part = "web"

    def __init__(self, over: Callable[[World, str], WorldTarget]) -> None:
        nothing = World(spec(self.version("v1.0.0")), Status(), (Road(self.part, ()),), drain=DRAIN)
        self.target = over(nothing, UID)

    def app(self, version: str, status: Status) -> App:
        return app(release(version, component(self.part)), status)

    def version(self, name: str) -> Version:
        return version_of(release(name, component(self.part)))

    async def refresh(self) -> None:
        self.target.world = nature(self.target.world)

    async def person_splits(self, split: Mapping[str, int]) -> None:
        self.target.world = edit_split(self.target.world, self.part, **split)
