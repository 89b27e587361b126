"""What every target must do, whatever it moves. A target's own test module inherits a class and gives a `world`.

`EngineContract` is what the engine relies on, and the loop that acts for it: what stands in for a target in their tests
passes it, too. `TargetContract` is all of it: that traffic really goes there, and what people rely on.

class TestKubernetes(TargetContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[World]: ...
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import pytest

from tidegate.engine.values import (
    FULL,
    Ensure,
    Instance,
    Part,
    Phase,
    Pin,
    Reading,
    Retire,
    Start,
    State,
    Status,
    Version,
)
from tidegate.errors import Conflict, TidegateError, Transient
from tidegate.targets.port import App, Sight, Target

PATIENCE = 60.0  # seconds


class EngineWorld(Protocol):
    """One component of one Release, that this test has for itself, and the hands of people in it."""

    part: str

    @property
    def target(self) -> Target: ...

    def app(self, version: str, status: Status) -> App:
        """The Release, asking for a version; the same uid each time."""

    def version(self, name: str) -> Version:
        """What the Release runs when it asks for that version."""

    async def refresh(self) -> None:
        """Let the target's cache be what is."""

    async def person_splits(self, split: Mapping[str, int]) -> None:
        """Somebody moves the traffic, by whole percents, without us; by content."""


@runtime_checkable
class World(EngineWorld, Protocol):
    """The same with customers."""

    async def served(self, requests: int) -> Mapping[str, int]:
        """How many of so many requests each version name has answered."""


class EngineContract:
    @pytest.fixture
    def story(self, world: EngineWorld) -> Story:
        return Story(world)

    async def test_what_was_never_started_is_absent_and_nothing_of_ours_is_on_the_route(self, story: Story) -> None:
        reading = (await story.look()).readings[story.part]
        assert reading.move == 0
        assert reading.pin == ""
        assert (await story.look()).instances == ()

    async def test_what_is_started_becomes_ready_with_its_claim_and_its_size(self, story: Story) -> None:
        first = await story.running("v1.0.0", share=10_000, claim=3)
        assert (first.state, first.claim) == (State.READY, 3)
        assert first.sized >= 10_000

    async def test_started_twice_is_started_once_and_the_newer_claim_stays(self, story: Story) -> None:
        first = await story.running("v1.0.0", claim=2)
        await story.start("v1.0.0", claim=5)
        await story.start("v1.0.0", claim=4)
        again = await story.instance(first.content)
        assert again is not None
        assert again.claim == 5

    async def test_it_grows_before_it_is_asked_to_and_a_late_start_for_less_takes_nothing_away(
        self, story: Story
    ) -> None:
        small = await story.running("v1.0.0", share=1000)
        assert small.sized < FULL
        assert (await story.state(small.content, share=FULL)) is State.SHORT
        await story.start("v1.0.0", share=FULL)
        await story.start("v1.0.0", share=1000)
        grown = await story.until_ready(small.content, share=FULL)
        assert grown.sized >= FULL

    @pytest.mark.parametrize("share", [10_000, 100, 33_333, 99_999])
    async def test_a_split_is_read_back_exactly_and_with_its_move(self, story: Story, share: int) -> None:
        await story.two_versions()
        await story.ensure(story.split(share), move=7)
        reading = await story.reading()
        assert (reading.split, reading.move) == (story.split(share), 7)

    async def test_the_same_again_changes_nothing(self, story: Story) -> None:
        await story.two_versions()
        await story.ensure(story.split(10_000), move=1)
        before = await story.reading()
        await story.ensure(story.split(10_000), move=1)
        assert await story.reading() == before

    async def test_a_write_decided_before_a_person_wrote_is_refused(self, story: Story) -> None:
        await story.two_versions()
        await story.ensure(story.split(50_000), move=1)
        seen = await story.reading()
        await story.world.person_splits({story.old.content: 100, story.new.content: 0})
        with pytest.raises(Transient):
            await story.ensure(story.split(80_000), move=2, expects=seen)
        await story.world.refresh()
        with pytest.raises(Transient):
            await story.ensure(story.split(80_000), move=2, expects=seen)
        reading = await story.reading()
        assert reading.split == story.split(0)
        assert reading.move == 1

    async def test_a_late_write_of_an_older_move_is_refused_though_the_value_is_as_it_expects(
        self, story: Story
    ) -> None:
        await story.two_versions()
        await story.ensure(story.split(50_000), move=1)
        stalled = await story.reading()
        await story.ensure(story.split(0), move=2)
        await story.ensure(story.split(50_000), move=3)
        with pytest.raises(Transient):
            await story.ensure(story.split(80_000), move=2, expects=stalled)
        assert (await story.reading()).move == 3

    async def test_a_stamp_of_another_uid_counts_as_none(self, story: Story) -> None:
        await story.two_versions()
        await story.ensure(story.split(50_000), move=9)
        stranger = App(**{**{name: getattr(story.app, name) for name in App.__slots__}, "uid": "another"})
        sight = await story.world.target.observe(stranger, {}, time.time())
        assert sight.readings[story.part].move == 0

    async def test_the_pin_is_set_read_and_moved(self, story: Story) -> None:
        await story.two_versions()
        for version in (story.old, story.new):
            await story.world.target.pin(story.app, Pin(story.part, version.content))
            assert (await story.reading()).pin == version.content

    async def test_nothing_is_taken_down_that_has_weight_or_a_pin_or_another_claim(self, story: Story) -> None:
        await story.two_versions()
        await story.ensure(story.split(10_000), move=1)
        with pytest.raises(TidegateError):
            await story.retire(story.new, claim=1)
        await story.ensure(story.split(0), move=2)
        await story.world.target.pin(story.app, Pin(story.part, story.new.content))
        with pytest.raises(TidegateError):
            await story.retire(story.new, claim=1)
        await story.world.target.pin(story.app, Pin(story.part, story.old.content))
        await story.drained(story.new.content)
        with pytest.raises(TidegateError):
            await story.retire(story.new, claim=2)
        assert (await story.instance(story.new.content)) is not None

    async def test_what_is_taken_down_is_gone_and_can_be_started_again_from_what_is_kept(self, story: Story) -> None:
        await story.two_versions()
        await story.ensure(story.split(10_000), move=1)
        await story.ensure(story.split(0), move=2)
        assert (await story.instance(story.new.content)).busy_until is not None  # type: ignore[union-attr]
        with pytest.raises(Transient):
            await story.retire(story.new, claim=1)
        await story.drained(story.new.content)
        await story.retire(story.new, claim=1)
        assert await story.instance(story.new.content) is None
        assert (await story.reading()).split == story.split(0)
        await story.retire(story.new, claim=1)  # again: what is not there is fine
        await story.world.target.start(story.asking("v1.0.0"), Start(story.part, story.new.content, 10_000, 2))
        again = await story.until_ready(story.new.content, share=10_000)
        assert again.claim == 2

    async def test_what_is_not_kept_cannot_be_started(self, story: Story) -> None:
        with pytest.raises(TidegateError):
            await story.world.target.start(story.asking("v1.0.0"), Start(story.part, "f" * 64, FULL, 1))


class TargetContract(EngineContract):
    """All of it."""

    async def test_of_what_runs_it_tells_where_it_is_reached_and_what_is_kept(self, story: Story) -> None:
        first = await story.running("v1.0.0", share=10_000)
        sight = await story.look({(story.part, first.content): 10_000})
        assert len(sight.sizes[story.part, first.content].endpoints) == sight.sizes[story.part, first.content].ready
        assert [kept.version for kept in sight.kept] == ["v1.0.0"]

    async def test_who_moved_the_traffic_beside_us_is_told(self, story: Story) -> None:
        await story.two_versions()
        await story.ensure(story.split(50_000), move=1)
        assert story.part not in (await story.look()).foreign
        await story.world.person_splits({story.old.content: 100, story.new.content: 0})
        assert (await story.look()).foreign[story.part]

    async def test_traffic_follows(self, story: Story) -> None:
        await story.two_versions()
        await story.ensure(story.split(25_000), move=1)
        await story.until(lambda counts: counts == {"v1.0.0": 75, "v1.1.0": 25}, requests=100)
        await story.ensure(story.split(0), move=2)
        await story.until(lambda counts: counts == {"v1.0.0": 100}, requests=100)

    async def test_when_a_release_goes_traffic_stays_on_stable_and_the_rest_is_removed(
        self, story: Story, shop: World
    ) -> None:
        await story.two_versions()
        await story.world.target.pin(story.app, Pin(story.part, story.old.content))
        await story.ensure(story.split(10_000), move=1)
        await story.ensure(story.split(0), move=2)
        await story.drained(story.new.content)
        await story.world.refresh()
        for _ in range(2):
            await story.world.target.forget(story.app, settled=True)
        await story.world.refresh()
        sight = await story.look()
        assert sight.kept == ()
        assert [instance.content for instance in sight.instances or ()] == [story.old.content]
        assert (await story.reading()).move == 0
        await story.until(lambda counts: counts == {"v1.0.0": 20}, requests=20)


class Story:
    """The words in which the contract is told: `old` serves, `new` is the candidate."""

    def __init__(self, world: EngineWorld) -> None:
        self.world, self.part = world, world.part
        self.old, self.new = world.version("v1.0.0"), world.version("v1.1.0")
        self.app = self.asking("v1.0.0")

    def asking(self, version: str, stable: Version | None = None, candidate: Version | None = None) -> App:
        status = Status(phase=Phase.IDLE, attempt=1, stable=stable, candidate=candidate, parts=(Part(self.part),))
        return self.world.app(version, status)

    def split(self, share: int) -> tuple[tuple[str, int], ...]:
        parts = ((self.old.content, FULL - share), (self.new.content, share))
        return tuple(sorted((content, part) for content, part in parts if part))

    # ---- looking

    async def look(self, demand: Mapping[tuple[str, str], int] | None = None) -> Sight:
        await self.world.refresh()
        return await self.world.target.observe(self.app, demand or {}, time.time())

    async def reading(self) -> Reading:
        return (await self.look()).readings[self.part]

    async def instance(self, content: str, share: int = FULL) -> Instance | None:
        found = (await self.look({(self.part, content): share})).instances or ()
        return next((each for each in found if (each.part, each.content) == (self.part, content)), None)

    async def state(self, content: str, share: int = FULL) -> State:
        instance = await self.instance(content, share)
        return instance.state if instance else State.ABSENT

    async def until_ready(self, content: str, share: int = FULL) -> Instance:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = await self.instance(content, share)
            if found is not None and found.state is State.READY:
                return found
            await asyncio.sleep(0.3)
        sight = await self.look({(self.part, content): share})
        raise AssertionError(f"not ready: {sight.instances}, {sight.problems}")

    async def until(self, good: Callable[[Mapping[str, int]], bool], requests: int) -> None:
        """Until customers see it so, of so many requests."""
        assert isinstance(self.world, World), "nobody asks anything in this world"
        end = time.monotonic() + PATIENCE
        counts: Mapping[str, int] = {}
        while time.monotonic() < end:
            counts = await self.world.served(requests)
            if good(counts):
                return
            await asyncio.sleep(0.3)
        raise AssertionError(f"served {counts}")

    async def drained(self, content: str) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = await self.instance(content)
            if found is not None and found.busy_until is None:
                return
            await asyncio.sleep(0.3)
        raise AssertionError(f"{content} is never drained")

    # ---- doing

    async def start(self, version: str, share: int = FULL, claim: int = 1) -> None:
        content = self.world.version(version).content
        for again in range(5):
            try:
                await self.world.target.start(self.asking(version), Start(self.part, content, share, claim))
                return
            except Conflict:  # somebody else wrote the object meanwhile: as the loop does, look and try again
                if again == 4:
                    raise
                await self.world.refresh()

    async def running(self, version: str, share: int = FULL, claim: int = 1) -> Instance:
        await self.start(version, share, claim)
        return await self.until_ready(self.world.version(version).content, share)

    async def two_versions(self) -> None:
        """Both run, and all traffic is on the old one."""
        await self.start("v1.0.0")
        await self.start("v1.1.0", share=10_000)
        await self.until_ready(self.old.content)
        await self.until_ready(self.new.content, share=10_000)
        self.app = self.asking("v1.1.0", stable=self.old, candidate=None)
        await self.ensure(self.split(0), move=0)

    async def ensure(self, split: tuple[tuple[str, int], ...], move: int, expects: Reading | None = None) -> None:
        expected = expects or await self.reading()
        await self.world.target.ensure(self.app, [Ensure(self.part, split, move, expected)], time.time())

    async def retire(self, version: Version, claim: int) -> None:
        await self.world.refresh()
        await self.world.target.retire(self.app, Retire(self.part, version.content, claim))
