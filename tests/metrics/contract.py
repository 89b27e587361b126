"""What every metric source must do, whatever it asks. A source's own test module inherits this class and gives a
`world`: an app whose numbers are known to the last one, and the system that counts them.

class TestPrometheus(SourceContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[World]: ...
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Mapping
from enum import StrEnum
from typing import Protocol

import pytest

from tidegate.api import Guard
from tidegate.errors import NotFound, Transient
from tidegate.metrics import Secrets, Source, Window
from tidegate.stats import Counts, Data, Histogram, Measurement, Value

SECRET = "token-that-nobody-may-see"
"""What the source sends to show who it is, where the system asks for that."""
WORDS = "words-of-the-answer"
"""Stands in each answer that is none: it may come from anybody, and must not find its way into a status."""
HOSTILE = (
    'v"1', "v\\1", "v\\", "v\n1", "}", '"} or up{a="', "`", "'", "ü😀", "a.b", "a|b", ".*", "(", "$(version)", "s0",
)  # fmt: skip


class Trouble(StrEnum):
    """What can be the matter with the system, or with the way to it."""

    UNREACHABLE = "the connection breaks"
    SILENT = "it takes the question and never answers"
    REFUSES = "it does not take our credentials"
    FAILS = "it says that it could not"
    NONSENSE = "something else answers"


class World(Protocol):
    """Time passes in it by `tick` and the two `until_…` alone, or as in the real world."""

    connection: str  # its name
    trouble: Trouble | None  # of all sources of this world, from now on
    ratio: Guard  # on the bad ones of all requests
    good: Guard  # the same, by the good ones
    quantile: Guard
    level: Guard  # on a value
    unanswerable: Guard  # a guard whose question the system could never answer

    def open(self, secrets: Secrets) -> Source:
        """A source that needs a secret: key `token` of Secret `access`."""

    @property
    def now(self) -> float: ...  # seconds since the epoch

    def answered(self, version: str, *, good: int, bad: int | None = None) -> None:
        """The version answers so many more requests; None: nobody has counted a bad one of it yet."""

    def took(self, version: str, rows: Mapping[float, int]) -> None:
        """So many more of its requests took at most that many seconds, and more than the edge below."""

    def stands_at(self, version: str, number: float) -> None:
        """The level of that version."""

    async def tick(self) -> None:
        """What has happened is collected."""

    async def until_settled(self) -> None:
        """Time passes and all is collected on and on, until that nothing happens can be believed."""

    async def until_old(self) -> None:
        """Nothing is collected any more, until what was is too old."""


def flaws(measured: Measurement, guard: Guard, window: Window, connection: str) -> list[str]:
    """What is wrong with the measurement whatever was measured; nothing, of a good source."""
    found: list[str] = []
    has, said = measured.data in (Data.OK, Data.NO_TRAFFIC), measured.sentence
    kind = Counts if guard.ratio else Histogram if guard.quantile else Value
    if (measured.shape is not None) is not has:
        found.append(f"{measured.data} with the shape {measured.shape}")
    if measured.shape is not None and not isinstance(measured.shape, kind):
        found.append(f"{measured.shape} in the place of {kind.__name__}")
    if not said and (measured.data is not Data.OK or not measured.samples):
        found.append("a sentence is missing")
    if measured.data is Data.PROVIDER_ERROR and not said.startswith(f"Connection {connection}: "):
        found.append("the sentence does not begin with the Connection's name")
    if SECRET in said or WORDS in said:
        found.append("the sentence shows what nobody may see")
    if not window.since <= measured.since or measured.through != window.until:
        found.append(f"it tells of {measured.since} to {measured.through}")
    found += _flaws_of_shape(measured)
    return [f"{flaw}: {measured}" for flaw in found]


def _flaws_of_shape(measured: Measurement) -> list[str]:
    match measured.shape:
        case Counts(part, total):
            good, idle = 0 <= part < math.inf and 0 <= total < math.inf, total == 0
        case Histogram(rows):
            good, idle = list(rows) == sorted(rows) and (not rows or rows[-1][0] == math.inf), measured.samples == 0
        case Value(number):
            good, idle = math.isfinite(number), False
        case _:
            good, idle = True, False
    found = [] if good else ["there are no such numbers"]
    return found if idle or measured.data is not Data.NO_TRAFFIC else [*found, "traffic where there is none"]


class Story:
    """The words in which the contract is told. Whatever is measured must be without flaws."""

    def __init__(self, world: World) -> None:
        self.world, self.since, self._opened = world, world.now, list[Source]()
        self.source = self.another()

    def another(self, secrets: Secrets | None = None) -> Source:
        """One more source of the same system."""
        self._opened.append(self.world.open(secrets or _secret))
        return self._opened[-1]

    async def close(self) -> None:
        for source in self._opened:
            await source.close()

    async def begin(self, *versions: str) -> None:
        """These are there, and idle; the window opens."""
        for version in versions:
            self.world.answered(version, good=100, bad=10)
            self.world.took(version, {0.1: 30, 0.5: 20, math.inf: 10})
        await self.world.tick()
        self.since = self.world.now
        await self.world.tick()

    async def measure(self, guard: Guard, version: str = "v2") -> Measurement:
        window = Window(self.since, self.world.now)
        measured = await self.source.measure(guard, {"version": version}, window)
        assert not flaws(measured, guard, window, self.world.connection)
        return measured

    async def all_kinds(self) -> list[Measurement]:
        world = self.world
        guards = (world.ratio, world.good, world.quantile, world.level)
        return list(await asyncio.gather(*(self.measure(guard) for guard in guards)))


class SourceContract:
    @pytest.fixture
    async def story(self, world: World) -> AsyncIterator[Story]:
        story = Story(world)
        yield story
        await story.close()

    # ---- numbers

    async def test_bad_requests_are_counted_out_of_all_of_that_version_alone(self, world: World, story: Story) -> None:
        await story.begin("v1", "v2")
        world.answered("v1", good=70, bad=30)
        world.answered("v2", good=8, bad=2)
        await world.tick()
        assert (await story.measure(world.ratio)).shape == Counts(part=2, total=10)
        assert (await story.measure(world.good)).shape == Counts(part=8, total=10)
        assert (await story.measure(world.ratio, "v1")).shape == Counts(part=30, total=100)

    async def test_that_none_was_ever_bad_is_none_bad_and_not_no_data(self, world: World, story: Story) -> None:
        await story.begin("v1")
        world.answered("v2", good=40)  # it is new
        await world.tick()
        assert (await story.measure(world.ratio)).shape == Counts(part=0, total=40)

    async def test_latencies_are_a_histogram_from_its_lowest_edge_to_infinity(self, world: World, story: Story) -> None:
        await story.begin("v1", "v2")
        world.took("v1", {0.1: 1000})
        world.took("v2", {0.1: 5, 0.5: 3, math.inf: 2})
        await world.tick()
        measured = await story.measure(world.quantile)
        assert measured.shape == Histogram(((0.1, 5), (0.5, 8), (math.inf, 10)))
        assert measured.samples == 10

    async def test_a_level_is_the_number_of_that_version(self, world: World, story: Story) -> None:
        world.stands_at("v1", 900)
        world.stands_at("v2", 42.5)
        await story.begin()
        assert (await story.measure(world.level)).shape == Value(42.5)

    async def test_a_strange_name_selects_itself_and_nothing_else(self, world: World, story: Story) -> None:
        await story.begin("v1")
        for number, version in enumerate(HOSTILE):
            world.answered(version, good=number)
            world.stands_at(version, number)
        await world.tick()
        for number, version in enumerate(HOSTILE):
            counted = (await story.measure(world.ratio, version)).shape
            assert isinstance(counted, Counts)
            assert counted.total == number, version
            assert (await story.measure(world.level, version)).shape == Value(number), version

    async def test_asked_again_or_at_the_same_time_or_by_another_it_says_the_same(
        self, world: World, story: Story
    ) -> None:
        await story.begin("v2")
        until = []
        for _ in range(3):
            world.answered("v2", good=5, bad=1)
            await world.tick()
            until.append((await story.measure(world.ratio)).through)
        window = Window(story.since, until[-1])
        asked = [story.source.measure(world.ratio, {"version": "v2"}, window) for _ in range(4)]
        asked.append(story.another().measure(world.ratio, {"version": "v2"}, window))
        assert {measured.shape for measured in await asyncio.gather(*asked)} == {Counts(part=3, total=18)}

    # ---- what is no number

    async def test_of_a_version_that_nobody_knows_there_is_no_data(self, world: World, story: Story) -> None:
        await story.begin("v1")
        assert [measured.data for measured in await story.all_kinds()] == [Data.NO_SERIES] * 4

    async def test_that_nobody_asks_a_version_is_no_traffic(self, world: World, story: Story) -> None:
        await story.begin("v2")
        await world.until_settled()
        measured = await story.measure(world.ratio)
        assert (measured.data, measured.shape) == (Data.NO_TRAFFIC, Counts(0, 0))
        slow = await story.measure(world.quantile)
        assert (slow.data, slow.shape and slow.shape.samples) == (Data.NO_TRAFFIC, 0)

    async def test_right_after_the_window_opened_nothing_is_concluded_from_nothing(
        self, world: World, story: Story
    ) -> None:
        await story.begin("v2")
        measured = await story.measure(world.ratio)
        assert (measured.data, measured.samples) == (Data.OK, 0)

    async def test_numbers_that_no_longer_come_are_stale(self, world: World, story: Story) -> None:
        world.stands_at("v2", 42)
        await story.begin("v2")
        world.answered("v2", good=10)
        await world.tick()
        await world.until_old()
        *counted, level = await story.all_kinds()
        assert [measured.data for measured in counted] == [Data.STALE] * 3
        assert level.data in (Data.STALE, Data.NO_SERIES), "of a level, a system may forget that it ever was"

    @pytest.mark.parametrize("number", [math.nan, math.inf])
    async def test_a_number_that_is_none_is_no_data(self, world: World, story: Story, number: float) -> None:
        world.stands_at("v2", number)
        await story.begin()
        assert (await story.measure(world.level)).data is Data.NAN

    async def test_a_question_that_can_never_be_answered_is_the_authors_to_mend(
        self, world: World, story: Story
    ) -> None:
        await story.begin("v2")
        assert (await story.measure(world.unanswerable)).data is Data.BLIND

    # ---- trouble

    async def test_trouble_is_a_state_with_a_sentence_and_passes_without_a_trace(
        self, world: World, story: Story
    ) -> None:
        world.stands_at("v2", 42)
        await story.begin("v2")
        for number, trouble in enumerate(Trouble, 1):
            world.trouble = trouble
            world.answered("v2", good=10, bad=5)
            await world.tick()
            assert [measured.data for measured in await story.all_kinds()] == [Data.PROVIDER_ERROR] * 4, trouble
            world.trouble = None
            assert (await story.measure(world.ratio)).shape == Counts(part=5 * number, total=15 * number)
            assert (await story.measure(world.level)).shape == Value(42)

    async def test_whether_it_can_be_reached_is_known_without_any_number(self, world: World, story: Story) -> None:
        await story.source.reach(world.now)
        for trouble in Trouble:
            world.trouble = trouble
            with pytest.raises(Transient) as error:
                await story.source.reach(world.now)
            assert error.value.message, trouble
            assert SECRET not in error.value.message, trouble
            assert WORDS not in error.value.message, trouble
            world.trouble = None
            await story.source.reach(world.now)
        with pytest.raises(NotFound, match="Secret access is not there"):
            await story.another(_no_secret).reach(world.now)

    async def test_a_question_that_is_given_up_leaves_the_source_as_it_was(self, world: World, story: Story) -> None:
        await story.begin("v2")
        world.answered("v2", good=10, bad=5)
        await world.tick()
        await story.measure(world.ratio)
        await world.tick()
        world.trouble = Trouble.SILENT
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await story.measure(world.ratio)
        world.trouble = None
        assert (await story.measure(world.ratio)).shape == Counts(part=5, total=15)

    # ---- secrets

    async def test_a_secret_that_is_not_there_is_named(self, world: World, story: Story) -> None:
        await story.begin("v2")
        story.source = story.another(_no_secret)
        for measured in await story.all_kinds():
            assert measured.data is Data.PROVIDER_ERROR
            assert measured.sentence == f"Connection {world.connection}: Secret access is not there"

    async def test_a_secret_is_in_no_log_and_in_no_repr(
        self, world: World, story: Story, caplog: pytest.LogCaptureFixture
    ) -> None:
        await story.begin("v2")
        with caplog.at_level(logging.DEBUG):
            for trouble in (None, Trouble.REFUSES, Trouble.NONSENSE):
                world.trouble = trouble
                await story.all_kinds()
        assert SECRET not in caplog.text
        assert SECRET not in repr(story.source) + repr(vars(story.source))

    async def test_it_is_closed_once_or_twice(self, world: World, story: Story) -> None:
        await story.begin("v2")
        await story.measure(world.ratio)
        for _ in range(2):
            await story.source.close()


async def _secret(name: str, key: str) -> str:
    assert (name, key) == ("access", "token")
    return SECRET


async def _no_secret(name: str, key: str) -> str:
    raise NotFound(f"Secret {name} is not there")
