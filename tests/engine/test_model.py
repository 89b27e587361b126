"""The exhaustive model, in the size that CI can afford: small worlds whole, and every planted bug.

`make model` runs the whole. See hack/model.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple, get_type_hints

import pytest

from hack.model.bugs import BUGS, Bug
from hack.model.components import components
from hack.model.premises import PREMISES
from hack.model.scenarios import ALL, Scenario, named
from hack.model.states import FIELDS, NOW, Book, State
from tests.engine.conftest import Beside
from tests.engine.memory import Memory
from tests.engine.world import Road, Watch
from tidegate.engine import values

pytestmark = pytest.mark.timeout(1_200)  # seconds of CPU, and minutes where many share the cores

Premises = dict[str, Counter[str]]
"""By the world's name: how many different decisions put each rule to the test."""


@pytest.fixture(scope="module")
def explored() -> Premises:
    return {}


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name)
def test_no_rule_is_broken_in_a_small_world_and_all_comes_to_rest(
    scenario: Scenario, beside: Beside, explored: Premises
) -> None:
    for found in beside.reduced(scenario):
        assert (found.broken, found.way, found.cut) == ((), (), False)
        assert (found.states > 100, found.rests > 0) == (True, True)
        explored[scenario.name] = explored.get(scenario.name, Counter()) + found.premises


def test_every_rule_was_put_to_the_test(explored: Premises) -> None:
    if len(explored) < len(ALL):
        pytest.skip("only together with all worlds")
    held = sum(explored.values(), Counter[str]())
    assert {premise for premise in PREMISES if not held[premise]} == set()


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.design)
def test_a_planted_bug_is_caught(bug: Bug, beside: Beside) -> None:
    found = beside.hunted(bug.design)
    assert found.broken, f"{bug.design} is not caught in {found.states} states"


# ---- that what is one state in the model can go on in one way only


def test_every_counter_and_instant_of_the_engine_has_its_kind() -> None:
    """A number that is compared must be renumbered or set back, or the model would never end, or end too early."""
    shares = {"weight", "rest", "stood", "at", "to", "share", "sized", "promoted", "seen_step", "split"}
    spans = {"hold", "keep", "tick", "ready", "step", "orphan"}
    mine = (*(kind for kind in _tuples(values) if kind is not values.Decision), Road, Watch, Memory)
    unknown = {
        f"{kind.__name__}.{name}"
        for kind in mine
        for name, type_ in get_type_hints(kind).items()
        if re.search(r"\b(int|float)\b", str(type_)) and name not in shares | spans | set(FIELDS.get(kind, {}))
    }
    assert unknown == {"Road.token", "Watch.wake", "Watched.since", "Watched.last"}  # which `states` treats by name


def _tuples(module: object) -> list[type[NamedTuple]]:
    return [value for value in vars(module).values() if isinstance(value, type) and hasattr(value, "_fields")]


def test_the_date_makes_no_other_state_and_neither_do_gaps_between_counters() -> None:
    start = named("versions").start
    moved = start.status._replace(
        move=7, attempt=5, proved=5, parts=tuple(part._replace(move=7, landed=7) for part in start.status.parts)
    )
    roads = tuple(road._replace(stamp=7, token=9) for road in start.roads)
    running = tuple(instance._replace(claim=5) for instance in start.running)
    later = start._replace(now=NOW + 5_000, status=moved, roads=roads, running=running)
    book = Book(100.0, late_acts=False)
    assert book.write(State(later)) == book.write(State(start))


def test_the_order_of_counters_is_kept() -> None:
    start = named("versions").start
    ahead = start._replace(roads=tuple(road._replace(stamp=4) for road in start.roads))
    book = Book(100.0, late_acts=False)
    assert book.write(State(ahead)) != book.write(State(start))
    written = book.write(State(ahead)).world
    assert written.roads[0].stamp > written.status.move


def test_components_are_found_and_those_that_are_reached_come_first() -> None:
    graph = [[1], [2], [0, 3], [4], [3], [5]]
    assert [sorted(component) for component in components(graph)] == [[3, 4], [0, 1, 2], [5]]
    long = [[n + 1] for n in range(50_000)] + [[0]]
    assert len(components(long)) == 1
