"""Python's search for cycles, as the operator sets it: in no test's process for longer than the test."""

import asyncio
import gc
import weakref
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from tidegate.controller import app, garbage
from tidegate.controller.settings import Settings


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


class Ring:
    def __init__(self) -> None:
        self.itself = self


def test_what_is_set_aside_is_not_looked_through_again_and_later_cycles_are_still_removed() -> None:
    kept = Ring()
    garbage.set_aside()
    assert not any(one is kept for one in gc.get_objects())
    later = weakref.ref(Ring())
    gc.collect()
    assert later() is None


def test_garbage_is_removed_before_the_rest_is_set_aside() -> None:
    dead = weakref.ref(Ring())
    garbage.set_aside()
    assert dead() is None


def test_what_is_set_aside_is_freed_as_ever_when_nobody_holds_it() -> None:
    kept = {"name": Ring.__new__(Ring)}
    watched = weakref.ref(kept["name"])
    garbage.set_aside()
    kept.clear()
    assert watched() is None


def test_an_operator_looks_seldom_and_has_set_aside_what_it_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(work: Coroutine[Any, Any, int]) -> int:
        work.close()
        return 0 if gc.get_threshold() == garbage.SELDOM and gc.get_freeze_count() > 10_000 else 1

    monkeypatch.setattr(asyncio, "run", found)
    assert app.run(Settings()) == 0
