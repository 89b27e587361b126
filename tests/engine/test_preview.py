"""Marked requests reach the candidate while it climbs, and never what does not serve or is to go."""

from __future__ import annotations

import pytest

from tests.engine.loop import Loop, climb
from tests.engine.rules import broken_by
from tests.engine.world import spec, version, with_road, world
from tidegate.engine.values import Ensure, Preview, Retire, Verdict

A, B = version("A", "web"), version("B", "web")


def climbing() -> Loop:
    before = world(spec(A, keep=0), stable=A)
    roads = tuple(road._replace(preview="") for road in before.roads)
    return climb(before._replace(roads=roads), B, broken_by)


def test_the_candidate_is_previewed_before_it_has_weight_and_no_longer_than_it_climbs() -> None:
    loop = climbing().until_stable("B").until_rest()
    told = [effect for turn in loop.turns for effect in turn.decision.effects if isinstance(effect, Preview)]
    assert [effect.content for effect in told] == ["B", ""]
    first = next(turn for turn in loop.turns if told[0] in turn.decision.effects)
    assert dict(first.after.road("web").split) == {"A": 100_000}
    assert loop.world.road("web").preview == ""


def test_after_a_revert_the_preview_goes_before_the_candidate_does() -> None:
    loop = climbing().until_weight(10).change(verdict=Verdict.BREACH).until_rest()
    effects = [effect for turn in loop.turns for effect in turn.decision.effects]
    ended = next(i for i, effect in enumerate(effects) if isinstance(effect, Preview) and not effect.content)
    retired = next(i for i, effect in enumerate(effects) if isinstance(effect, Retire) and effect.content == "B")
    assert ended < retired
    assert loop.world.road("web").preview == ""


def test_no_preview_is_written_beside_weights_so_that_a_revert_never_loses_that_race() -> None:
    loop = climbing().until_weight(10).change(verdict=Verdict.BREACH).until_rest()
    for turn in loop.turns:
        assert len({type(effect) for effect in turn.decision.effects} & {Ensure, Preview}) < 2


@pytest.mark.parametrize("lost", ["", "?", "A"])
def test_a_preview_that_others_took_or_changed_is_put_back(lost: str) -> None:
    loop = climbing().until_weight(10)
    loop.world = with_road(loop.world, loop.world.road("web")._replace(preview=lost))
    loop.until_weight(50)
    assert loop.world.road("web").preview == "B"


def test_where_requests_can_not_be_marked_nothing_is_done_about_it() -> None:
    loop = climb(world(spec(A), stable=A), B, broken_by).until_stable("B").until_rest()
    assert not any(isinstance(effect, Preview) for turn in loop.turns for effect in turn.decision.effects)
