"""Ladders: the steps by which a weight rises, and how long each is held."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from tidegate.api.grammar import FULL, Duration, Percent, format_duration, is_percent_cel, percent_cel
from tidegate.api.schema import Model, Rule, Schema


class Step(Model):
    """One rung of a ladder."""

    weight: Percent
    """The candidate's share of the traffic: 10, or "0.1%"."""
    hold: Duration | None = None
    """So long, counted only while guards see data and pass, before the next step; at 100 it is the bake. Absent:
    none."""


RISE_MESSAGE: Final = (
    "steps must rise: each weight must be greater than the one before it, and the first greater than 0"
)
LAST_MESSAGE: Final = "the last step must have weight 100"


def _rising(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    weights = [0, *(step.weight for step in steps)]
    if any(upper <= lower for lower, upper in pairwise(weights)):
        raise ValueError(RISE_MESSAGE)
    if weights[-1] != FULL:
        raise ValueError(LAST_MESSAGE)
    return steps


_HERE = percent_cel("step.weight")
_BELOW = percent_cel("self[i - 1].weight")
_LAST = percent_cel("self[self.size() - 1].weight")
# What is no percentage is refused where it stands; to compare it would only add an error that nobody understands.
_UNREADABLE: Final = f"self.exists(step, !{is_percent_cel('step.weight')})"

Ladder = Annotated[
    tuple[Step, ...],
    Field(min_length=1, max_length=20),
    AfterValidator(_rising),
    Schema(
        Rule(f"{_UNREADABLE} || self.all(i, step, {_HERE} > (i == 0 ? 0.0 : {_BELOW}))", RISE_MESSAGE),
        Rule(f"{_UNREADABLE} || {_LAST} == 100.0", LAST_MESSAGE),
        # One value: half of one ladder and half of another is none that anybody wrote.
        list_type="atomic",
    ),
]
"""1 to 20 steps that rise to 100."""

DEFAULT_LADDER: Final[tuple[Step, ...]] = tuple(
    Step(weight=Percent.parse(weight), hold=15 * 60.0) for weight in (10, 50, 100)
)
"""10, 50 and 100 %, a quarter of an hour each: what counts when neither the Release nor a policy says otherwise."""


def ladder_text(steps: Iterable[Step]) -> str:
    """A ladder in a sentence, as in "10 % for 15m, 100 %"."""
    return ", ".join(
        f"{step.weight.text} for {format_duration(step.hold)}" if step.hold else step.weight.text for step in steps
    )
