"""Limits of guards: `+0.5pp`, `-10%`, `1%`, `800ms`, `80`, `<10`.

A limit says its own kind and direction; which kinds fit a guard is the guard's business (`tidegate.api.guard`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from tidegate.api.grammar import parse_duration
from tidegate.api.schema import Rule, words

LIMIT_MESSAGE: Final = (
    "write a limit: +0.5pp (points against stable), +25% or -10% (relative to stable), 1% (of the total), "
    '800ms or 2s (a latency), or a number as in 80, "0.8" or "<10"'
)

_POINTS: Final = r"[+-][0-9]{1,3}([.][0-9]{1,3})?pp"
_RELATIVE: Final = r"[+-][0-9]{1,4}([.][0-9]{1,3})?%"
_SHARE: Final = r"([0-9]{1,2}([.][0-9]{1,3})?|100([.]0{1,3})?)%"
_SECONDS: Final = r"([0-9]{1,5}(h|m|s|ms)){1,4}"
_NUMBER: Final = r"<?-?[0-9]{1,15}([.][0-9]{1,9})?"


class LimitKind(StrEnum):
    """What a limit is compared with, and so what it fits."""

    POINTS = "Points"
    """Difference to stable, for a ratio; `value` 0.005 is half a percentage point."""
    RELATIVE = "Relative"
    """Difference to stable, as a part of stable, for any guard; `value` 0.25 is a quarter."""
    SHARE = "Share"
    """The candidate's own ratio; `value` 0.01 is one percent of the total."""
    SECONDS = "Seconds"
    """The candidate's own quantile, in seconds."""
    NUMBER = "Number"
    """The candidate's own value, as the query gives it."""


class Direction(StrEnum):
    """On which side of the limit the breach is."""

    ABOVE = "Above"
    BELOW = "Below"


# Order matters: a share is what is left of `…%` without a sign, a number what is left of everything.
_KINDS: Final = (
    (LimitKind.POINTS, re.compile(_POINTS)),
    (LimitKind.RELATIVE, re.compile(_RELATIVE)),
    (LimitKind.SHARE, re.compile(_SHARE)),
    (LimitKind.SECONDS, re.compile(_SECONDS)),
    (LimitKind.NUMBER, re.compile(_NUMBER)),
)

LIMIT_RULE: Final = Rule(
    f"type(self) == int || self.matches('^({_POINTS}|{_RELATIVE}|{_SHARE}|{_SECONDS}|{_NUMBER})$')", LIMIT_MESSAGE
)


@dataclass(frozen=True)
class Limit:
    """A parsed limit. `value` is never negative for points and relative limits; `written` is what the user wrote."""

    kind: LimitKind
    direction: Direction
    value: float
    written: int | str

    @classmethod
    def parse(cls, value: object) -> Limit:
        """Raises ValueError with a sentence that says what to write."""
        if isinstance(value, Limit):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return cls(LimitKind.NUMBER, Direction.ABOVE, float(value), value)
        if isinstance(value, str):
            for kind, pattern in _KINDS:
                if pattern.fullmatch(value):
                    return cls(kind, _direction(kind, value), _value(kind, value), value)
        raise ValueError(f"{value!r} is not a limit; {LIMIT_MESSAGE}")

    @property
    def against_stable(self) -> bool:
        """Whether it takes a baseline to judge it."""
        return self.kind in (LimitKind.POINTS, LimitKind.RELATIVE)

    def __str__(self) -> str:
        return str(self.written)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda limit: limit.written, when_used="json"
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"x-kubernetes-int-or-string": True, "maxLength": 32, **words(LIMIT_RULE)}


def stricter(one: Limit, other: Limit) -> Limit | None:
    """The one that is crossed wherever the other is; None where their kinds or directions can't be compared."""
    if (one.kind, one.direction) != (other.kind, other.direction):
        return None
    if one.kind is LimitKind.NUMBER and one.direction is Direction.BELOW:
        return one if one.value >= other.value else other
    return one if one.value <= other.value else other


def _direction(kind: LimitKind, written: str) -> Direction:
    down = written.startswith("<") if kind is LimitKind.NUMBER else written.startswith("-")
    return Direction.BELOW if down else Direction.ABOVE


def _value(kind: LimitKind, written: str) -> float:
    if kind is LimitKind.SECONDS:
        return parse_duration(written)
    if kind is LimitKind.NUMBER:
        return float(written.removeprefix("<"))
    return float(written.lstrip("+-").removesuffix("pp").removesuffix("%")) / 100
