"""The loop on a bench: the small API server, a target that a test turns, and a clock that it moves."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, cast

from hack.stage import shop
from tests.controller.scenes import NOW, picture, resting, sight
from tests.engine.target import WorldTarget
from tests.engine.world import Road, World, spec
from tests.kube.fake import FakeApi
from tidegate.api import Release, ReleaseStatus, Writer, parse_release
from tidegate.api.meta import FINALIZER
from tidegate.checks import Checks
from tidegate.controller.acting import Actor
from tidegate.controller.admission import Admission
from tidegate.controller.audience import News
from tidegate.controller.judging import Judging
from tidegate.controller.looking import Looker
from tidegate.controller.loop import Loop
from tidegate.controller.picture import Picture
from tidegate.controller.plan import wanted_version
from tidegate.controller.recording import compose
from tidegate.controller.sampling import Sampler
from tidegate.controller.settling import Settler
from tidegate.engine.values import FULL, Effect, Ensure, Forget, Phase, Status, Version
from tidegate.errors import TidegateError
from tidegate.kube import RELEASES, Client, Cluster, Key, Object, Store
from tidegate.targets.port import App, Problem, Resolved, Sight

KEY = Key("prod", "shop")


class Turned(WorldTarget):
    """A target that a test can turn: while `shows` is set that is what is seen, and nothing of what is asked for
    arrives. It notes what it is asked to do."""

    def __init__(self, world: World, uid: str) -> None:
        super().__init__(world, uid)
        self.kept |= {OLD.content, NEW.content}
        self.shows: Sight | None = None
        self.unresolved: tuple[Problem, ...] = ()
        self.may_mean: dict[str, bool] = {}
        self.error: TidegateError | None = None  # of writes of weights
        self.forgets: TidegateError | None = None
        self.writes: list[tuple[float, Ensure]] = []
        self.done: list[Effect | str] = []

    async def resolve(self, release: Release) -> Resolved:
        return Resolved(release, problems=self.unresolved, may_mean=self.may_mean)

    async def observe(self, app: App, demand: Mapping[tuple[str, str], int], now: float) -> Sight:
        if self.shows is None:
            return await super().observe(app, demand, now)
        shown = self.shows
        sized = tuple(i._replace(sized=FULL, claim=max(i.claim, app.status.attempt)) for i in shown.instances or ())
        return shown if shown.instances is None else replace(shown, instances=sized)

    async def ensure(self, app: App, writes: Sequence[Ensure], now: float) -> None:
        self.writes += [(now, write) for write in writes]
        if self.error is not None:
            raise self.error
        if self.shows is None:
            await super().ensure(app, writes, now)

    async def forget(self, app: App, settled: bool) -> None:
        if self.forgets is not None:
            raise self.forgets
        await super().forget(app, settled)
        self.done.append(f"forget {app.name}, settled: {settled}")

    def instants(self) -> list[float]:
        """When it was asked to write weights."""
        return [now for now, _ in self.writes]

    def _do(self, effect: Effect) -> None:
        if not isinstance(effect, Forget):
            self.done.append(effect)
        if self.shows is None:
            super()._do(effect)


def promised(status: Status) -> World:
    """All is as this status promises, and every pod is ready."""
    seen = sight(status)
    roads = tuple(
        Road(part, reading.split or (), reading.move or 0, pin=_pin(status, part))
        for part, reading in seen.readings.items()
    )
    wanted = status.candidate or status.stable
    assert wanted is not None
    return World(spec(wanted), status, roads, tuple(seen.instances or ()), now=NOW)


def _pin(status: Status, part: str) -> str:
    return (status.stable and status.stable.runs(part)) or ""


class Leader:
    epoch, holder, sure = 1, "me", True

    def safe_for(self, seconds: float) -> bool:
        return self.sure


class Told(NamedTuple):
    before: ReleaseStatus
    after: ReleaseStatus


class Listener:
    def __init__(self) -> None:
        self.pictures: list[Picture] = []
        self.recordings: list[Told] = []
        self.lost: list[Key] = []
        self.news: list[News] = []

    def recorded(self, document: Object, picture: Picture, before: ReleaseStatus, after: ReleaseStatus) -> None:
        self.recordings.append(Told(before, after))

    def acting(self, document: Object, picture: Picture, effects: Iterable[Effect]) -> None:
        return None

    def seen(self, key: Key, picture: Picture, status: ReleaseStatus) -> None:
        self.pictures.append(picture)

    def told(self, document: Object, item: News) -> None:
        self.news.append(item)

    def gone(self, key: Key) -> None:
        self.lost.append(key)


class Bench:
    """One Release `shop` without guards. `given` puts it there, `look` is one pass."""

    def __init__(
        self, server: FakeApi, client: Client, *, admission: Admission | None = None, world: World | None = None
    ) -> None:
        """`world` is how another bench has left it: this is the next operator in it."""
        self.server, self.now, self.hurried = server, NOW, 0
        self.cluster = Cluster(client, Store())
        self.target = Turned(world or promised(resting(stable=OLD)), "uid-1")
        self.leader, self.heard = Leader(), Listener()
        settler = Settler(self.cluster, self.target)
        sampler = Sampler(
            connection=lambda namespace, name: None, secret=cast(Any, None), wake=lambda key: None, tick=10.0
        )
        admission = admission or Admission(client, lambda key: None)
        checks = Checks(self.cluster, lambda key: None)  # of Jobs and of HTTP; the Release has none
        self.loop = Loop(
            self.cluster,
            Looker(self.cluster, self.target, checks, Judging(sampler), admission, 10.0),
            Actor(self.target, cast(Any, None), settler),
            settler,
            self.leader,
            self.heard,
            hurry=self._hurry,
            wall=lambda: self.now,
        )

    def _hurry(self, key: Key) -> None:
        self.hurried += 1

    # ---- what is

    def given(self, status: Status, wanted: str = "v2.0.0", **changes: Any) -> None:
        """The Release asks for that version, and its status was written by this leader."""
        made = document(wanted, **changes)
        asked = parse_release(made)
        seen = picture(status, wanted=wanted_version(Resolved(asked), status), release=asked)
        written = compose(seen, status, ReleaseStatus(), Writer(holder="me", epoch=1))
        self.declare({**made, "status": written.document()})
        self.target.world = promised(status)

    def declare(self, body: Mapping[str, Any]) -> None:
        """Somebody writes the object, and the watch tells of it."""
        self.cluster.store.put(RELEASES, self.server.put(RELEASES, body))

    def edit(self, **spec: Any) -> None:
        """Somebody changes its spec."""
        old = self.stored()
        self.declare({**old, "spec": {**old["spec"], **spec}})

    def stored(self) -> dict[str, Any]:
        return self.server.objects[RELEASES, KEY.namespace, KEY.name]

    def condition(self, kind: str) -> dict[str, Any]:
        return next(each for each in self.stored()["status"]["conditions"] if each["type"] == kind)

    @property
    def phase(self) -> Phase:
        return Phase(self.stored()["status"]["phase"])

    # ---- what happens

    async def look(self) -> float | None:
        return await self.loop.reconcile(KEY)

    async def run(self, seconds: float, most: int = 2000) -> list[float]:
        """Look whenever it wants to be looked at, for so long. Gives the instants of the looks."""
        until, looks = self.now + seconds, []
        while self.now < until:
            looks.append(self.now)
            assert len(looks) < most, "a hot loop"
            wake = await self.look()
            if wake is None:
                break
            self.now = max(wake, self.now + 0.001)
        return looks


def document(version: str, **changes: Any) -> dict[str, Any]:
    made = shop.release("prod", version, guards=[], **changes)
    made["metadata"] |= {"uid": "uid-1", "generation": 1, "finalizers": [FINALIZER]}
    return made


def made(version: str, stable: Version | None = None) -> Version:
    """What the Release runs when it asks for that version."""
    return wanted_version(Resolved(parse_release(document(version))), Status(stable=stable))


OLD, NEW = made("v1.0.0"), made("v2.0.0")


def gaps(instants: Sequence[float]) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(instants)]
