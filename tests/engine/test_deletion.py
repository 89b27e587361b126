"""Deletion at any phase leaves all traffic on the last good version, nothing orphaned, and ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.engine.loop import Loop, climb
from tests.engine.rules import broken_by
from tests.engine.world import QUICK, nothing, spec, version, with_road, world
from tidegate.engine.values import Act, Action, Debt, Forget, Gate, Phase, Verdict

A, B, C = version("A", "web"), version("B", "web"), version("C", "web")


def start() -> Loop:
    return climb(world(spec(A), stable=A), B, broken_by)


def preparing() -> Loop:
    loop = start().change(sick=frozenset({"B"}))
    return loop.until_phase(Phase.PREPARING)


def reverting() -> Loop:
    loop = start().until_weight(50).change(verdict=Verdict.BREACH)
    loop.turn(arrive=nothing)
    return loop


def lowered_by_hand() -> Loop:
    return start().until_weight(50).write_split(A=80, B=20).run(5)


def recalling() -> Loop:
    loop = start().edit(keep=10.0).until_stable("B").run(100).change(sick=frozenset({"A"}), kept=(B, A))
    loop.person(Action.ROLLBACK)
    return loop.run(5)


PHASES: dict[str, tuple[Callable[[], Loop], str]] = {
    "idle": (lambda: Loop(world(spec(A), stable=A), broken_by), "A"),
    "waiting": (lambda: start().change(start=Gate.SHUT).run(5), "A"),
    "preparing": (preparing, "A"),
    "at 10": (lambda: start().until_weight(10), "A"),
    "at 100": (lambda: start().until_weight(100), "A"),
    "paused": (lambda: start().until_weight(10).edit(paused=True).run(5), "A"),
    "reverting": (reverting, "A"),
    "reverted": (lambda: start().until_weight(10).change(verdict=Verdict.BREACH).until_rest(), "A"),
    "completed": (lambda: start().until_stable("B"), "B"),
    "lowered by hand": (lowered_by_hand, "A"),
    "recalling": (recalling, "B"),
    "superseded": (lambda: start().until_weight(50).edit(version=C), "A"),
}


@pytest.mark.parametrize("phase", PHASES)
def test_traffic_is_settled_on_the_last_good_version_and_then_it_is_let_go(phase: str) -> None:
    make, good = PHASES[phase]
    loop = make().edit(deleting=True).change(verdict=Verdict.UNKNOWN, step=Gate.UNKNOWN, start=Gate.UNKNOWN)
    loop.until_phase(Phase.GONE, within=30)
    assert loop.split() == {good: 100}
    assert loop.world.forgotten is True


def test_a_first_version_that_serves_is_left_to_serve() -> None:
    loop = Loop(world(spec(A)), broken_by)
    loop.until(lambda: loop.split() == {"A": 100}).edit(deleting=True).until_phase(Phase.GONE, within=30)
    assert loop.split() == {"A": 100}


def test_a_release_that_never_began_goes_at_once() -> None:
    loop = Loop(world(spec(A)), broken_by).change(start=Gate.SHUT).edit(deleting=True)
    loop.turn()
    assert loop.status.phase is Phase.GONE


def test_letting_go_is_said_again_until_the_object_is_gone() -> None:
    loop = Loop(world(spec(A), stable=A), broken_by).edit(deleting=True)
    loop.turn(arrive=nothing)
    assert loop.world.forgotten is None
    done = loop.crash(seconds=5).turn()
    assert done.decision.effects == (Forget(settled=True),)
    assert done.decision.wake_at is not None


@pytest.mark.parametrize("weight", [0, 50])
def test_a_target_that_never_answers_keeps_nobody_for_ever(weight: float) -> None:
    loop = start().until_weight(weight) if weight else Loop(world(spec(A), stable=A), broken_by).write_split(X=100)
    begun = loop.world.now
    loop.change(deaf=frozenset({"web"})).edit(deleting=True).until_phase(Phase.GONE)
    assert loop.world.now - begun == pytest.approx(QUICK.orphan, abs=5)
    assert loop.world.forgotten is False


def test_and_it_says_so_again_after_a_crash() -> None:
    loop = start().until_weight(50).change(deaf=frozenset({"web"})).edit(deleting=True).until_phase(Phase.GONE)
    done = loop.crash().turn(arrive=nothing)
    assert done.decision.effects == (Forget(settled=False),)


def test_nothing_begins_any_more() -> None:
    loop = Loop(world(spec(A), stable=A), broken_by).edit(deleting=True, version=B)
    loop.world = loop.world._replace(
        spec=loop.world.spec._replace(acts=(Act("u", Action.RETRY, "ana@example.com", "why", 2_000.0),))
    )
    loop.run(100)
    assert (loop.status.phase, loop.status.attempt) == (Phase.GONE, 1)


# ---- the route is gone before the Release, as when a namespace is deleted


def without_road(loop: Loop, *parts: str) -> Loop:
    for part in parts:
        loop.world = with_road(loop.world, loop.world.road(part)._replace(split=(), there=False))
    return loop


@pytest.mark.parametrize("phase", PHASES)
def test_a_route_that_is_gone_keeps_nobody(phase: str) -> None:
    make, _ = PHASES[phase]
    loop = without_road(make().edit(deleting=True), "web")
    loop.until_phase(Phase.GONE, within=3)
    assert loop.world.forgotten is True
    assert loop.crash().turn(arrive=nothing).decision.effects == (Forget(settled=True),)


@pytest.mark.parametrize("weight", [10, 50])
def test_of_two_the_one_that_is_there_is_settled_first(weight: float) -> None:
    one, two = version("A", "api", "web"), version("B", "api", "web")
    loop = climb(world(spec(one), stable=one, parts=("api", "web")), two, broken_by).until_weight(weight)
    without_road(loop.edit(deleting=True), "api").until_phase(Phase.GONE, within=10)
    assert loop.split("web") == {"A": 100}
    assert loop.world.forgotten is True


def test_who_does_not_delete_waits_for_a_route_that_is_gone_as_for_one_that_is_unknown() -> None:
    loop = without_road(start().until_weight(50), "web").run(30)
    assert (loop.status.phase, [debt for debt, _ in loop.status.owed]) == (Phase.PROGRESSING, [Debt.WRITE])
