"""The small worlds of the model are explored beside the other tests, in idle time of the processor, and judged late.

They take minutes of processor time, and most tests wait for a cluster. So all that was asked for is begun once it is
known, in processes that give way to everything else.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import pytest

from hack.model.__main__ import explored, hunted
from hack.model.bugs import BUGS
from hack.model.explore import Found
from hack.model.scenarios import ALL, Scenario

MODEL = Path(__file__).with_name("test_model.py")


class Beside:
    """The explorations that were begun, by what was asked for."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._worlds: dict[str, Sequence[Future[Found]]] = {}
        self._bugs: dict[str, Future[Found]] = {}

    def begin(self, items: Sequence[pytest.Item]) -> None:
        asked = {item.callspec.id for item in items if item.path == MODEL and isinstance(item, pytest.Function)
                 and hasattr(item, "callspec")}  # fmt: skip
        if not asked:
            return
        pool = self._pool = ProcessPoolExecutor(os.cpu_count(), initializer=_give_way)
        for world in (world for world in ALL if world.name in asked):
            self._worlds[world.name] = [pool.submit(explored, world.name, form) for form in range(len(world.reduced))]
        for number, bug in enumerate(BUGS):
            if bug.design in asked:
                self._bugs[bug.design] = pool.submit(hunted, number)

    def reduced(self, world: Scenario) -> Sequence[Found]:
        return [future.result() for future in self._worlds[world.name]]

    def hunted(self, design: str) -> Found:
        return self._bugs[design].result()

    def end(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _give_way() -> None:
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


_beside = Beside()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path == MODEL)  # stable: the rest keeps its order


def pytest_collection_finish(session: pytest.Session) -> None:
    if not session.config.option.collectonly:
        _beside.begin(session.items)


def pytest_sessionfinish() -> None:
    _beside.end()


@pytest.fixture(scope="session")
def beside() -> Beside:
    return _beside
