"""What every kind of check must do, whoever is asked. A kind's own test module inherits this class and gives a `world`:
a Release that climbs, one check of it, and somebody who answers.

class TestHTTP(CheckerContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[World]: ...
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from typing import Protocol

import pytest

from tests.targets.sample import app
from tidegate.checks import Checker, CheckResult, Reachable
from tidegate.engine.values import CheckKey, Outcome
from tidegate.errors import TidegateError
from tidegate.targets.port import App

PATIENCE = 60.0  # seconds


class Reply(StrEnum):
    """What whoever is asked will say."""

    YES = "yes"
    NO = "no"
    NEVER = "nothing, ever"


class World(Protocol):
    app: App
    key: CheckKey  # of the check, at the attempt and move as they are
    other: App  # the same Release with a check of that name, but of another kind
    quick: bool  # whether it is asked and answers in no time

    def open(self) -> Checker:
        """One checker more, as a process that has just begun would make it."""

    @property
    def sizes(self) -> Mapping[tuple[str, str], Reachable]: ...

    def will_say(self, reply: Reply) -> None:
        """From now on, to all who ask. The check waits for two seconds at most."""

    def take_away(self) -> None:
        """There is nobody to ask."""

    def asked(self) -> int:
        """How many times anybody was asked."""

    async def refresh(self) -> None:
        """Let the caches be what is; what goes on by itself goes on."""


class Story:
    def __init__(self, world: World) -> None:
        self.world, self.checker = world, world.open()

    async def run(self, key: CheckKey | None = None) -> None:
        await self.world.refresh()
        await self.checker.run(self.world.app, key or self.world.key, self.world.sizes)

    async def known(self, key: CheckKey | None = None) -> CheckResult | None:
        await self.world.refresh()
        wanted = key or self.world.key
        known = self.checker.observe(self.world.app, [wanted])
        assert set(known) <= {wanted}
        return known.get(wanted)

    async def answer(self, key: CheckKey | None = None) -> CheckResult:
        """Ask, look and look again, as the loop does."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            await self.run(key)
            found = await self.known(key)
            if found is not None and found.outcome is not Outcome.RUNNING:
                return found
            await asyncio.sleep(0.02 if self.world.quick else 0.3)
        raise AssertionError("it was never answered")


class CheckerContract:
    @pytest.fixture
    def story(self, world: World) -> Story:
        return Story(world)

    async def test_of_what_was_never_asked_nothing_is_known(self, world: World, story: Story) -> None:
        assert await story.known() is None
        assert world.asked() == 0

    async def test_a_yes_passes_it_is_asked_once_and_the_answer_stays(self, world: World, story: Story) -> None:
        world.will_say(Reply.YES)
        for _ in range(3):
            await story.run()
        found = await story.answer()
        assert found.outcome is Outcome.PASSED
        assert world.key.name in found.message
        assert found.message.endswith(".")
        world.will_say(Reply.NO)
        for _ in range(3):
            await story.run()
        assert await story.known() == found
        assert world.asked() == 1

    async def test_a_no_fails_and_says_so_in_a_sentence(self, world: World, story: Story) -> None:
        world.will_say(Reply.NO)
        found = await story.answer()
        assert found.outcome is Outcome.FAILED
        assert world.key.name in found.message
        assert found.message.endswith(".")

    async def test_while_there_is_no_answer_it_runs_and_nobody_waits_and_then_its_time_is_over(
        self, world: World, story: Story
    ) -> None:
        world.will_say(Reply.NEVER)
        began = time.monotonic()
        await story.run()
        assert time.monotonic() - began < 1.5, "a pass waited for the answer"
        running = await story.known()
        assert running is not None
        assert (running.outcome, running.message) == (Outcome.RUNNING, "")
        found = await story.answer()
        assert found.outcome is Outcome.FAILED
        assert world.key.name in found.message

    async def test_an_answer_is_of_its_attempt_its_move_and_its_release_alone(self, world: World, story: Story) -> None:
        world.will_say(Reply.YES)
        await story.answer()
        assert await story.known(world.key._replace(attempt=world.key.attempt + 1)) is None
        assert await story.known(world.key._replace(name="another")) is None
        anew = app(world.app.release, world.app.status, uid="of-another")
        assert story.checker.observe(anew, [world.key]) == {}

    async def test_another_attempt_is_another_question(self, world: World, story: Story) -> None:
        world.will_say(Reply.YES)
        await story.answer()
        world.will_say(Reply.NO)
        again = world.key._replace(attempt=world.key.attempt + 1)
        assert (await story.answer(again)).outcome is Outcome.FAILED
        assert world.asked() == 2

    async def test_a_check_of_another_kind_is_none_of_its_business(self, world: World, story: Story) -> None:
        await world.refresh()
        await story.checker.run(world.other, world.key, world.sizes)
        await world.refresh()
        assert story.checker.observe(world.other, [world.key]) == {}
        assert world.asked() == 0

    async def test_that_nobody_is_there_to_be_asked_is_told(self, world: World, story: Story) -> None:
        world.take_away()
        try:
            await story.run()
        except TidegateError as error:
            told = error.message
            assert await story.known() is None
        else:
            found = await story.known()
            assert found is not None
            assert found.outcome is Outcome.FAILED
            told = found.message
        assert world.key.name in told
        assert world.asked() == 0

    async def test_without_a_candidate_nobody_is_asked(self, world: World, story: Story) -> None:
        world.app = replace(world.app, status=world.app.status._replace(candidate=None))
        with suppress(TidegateError):  # it may say so
            await story.run()
        assert await story.known() is None
        assert world.asked() == 0

    async def test_the_next_operator_comes_to_the_same_answer(self, world: World, story: Story) -> None:
        world.will_say(Reply.YES)
        await story.run()
        story.checker = world.open()
        assert (await story.answer()).outcome is Outcome.PASSED
        assert 1 <= world.asked() <= 2, "asked again at most, where no object remembers"
