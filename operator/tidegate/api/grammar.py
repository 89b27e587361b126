"""The small words of the API: Percent, Duration, Time, Version, names, and placeholders.

Inside the program a `Percent` counts thousandths of a percent (`FULL` is 100 %), a duration is a float of seconds, and
an instant is a float of seconds since the epoch, UTC. All have the precision of what is written, so that what was read
is written back the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

from tidegate.api.schema import Matching, Rule, Schema, words

_PERCENT: Final = re.compile(r"(\d{1,3})(?:\.(\d{1,3}))?%")
_DURATION: Final = re.compile(r"(?:\d{1,5}(?:h|m|s|ms)){1,4}")
_DURATION_PIECE: Final = re.compile(r"(\d{1,5})(h|ms|m|s)")
_UNITS: Final[Mapping[str, int]] = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_LONGEST: Final = 99_999 * _UNITS["h"]
_PLACEHOLDER: Final = re.compile(r"\$\$\(|\$\(([^()\s]*)\)|\$\(")

PLACEHOLDERS: Final = frozenset({"version", "revision", "release", "component", "service"})
IMAGE_PLACEHOLDERS: Final = frozenset({"version", "release", "component"})  # a revision is made of its images
QUERY_PLACEHOLDERS: Final = PLACEHOLDERS | {"window"}

PERCENT_MESSAGE: Final = (
    "write a percentage from 0 to 100: a whole number as in 10, or with a sign and at most three decimals as in 0.1%"
)
DURATION_MESSAGE: Final = "write a duration such as 30s, 15m, 1h30m or 500ms"
VERSION_MESSAGE: Final = (
    "write a version of up to 63 letters, digits, '.', '_' and '-', with a letter or digit first and last: "
    "it becomes an image tag and a label"
)
REFERENCE_MESSAGE: Final = "write the name of an object of this namespace, without a slash"
NAME_MESSAGE: Final = (
    "write a name of lower-case letters, digits and '-', with a letter first and a letter or digit last"
)


# ---- Percent


class Percent(int):
    """A share, in thousandths of a percent: `Percent(10_000)` is 10 %, `Percent.parse("0.1%")` is `Percent(100)`.

    Sums and differences are plain ints of thousandths; wrap them again.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> Percent:
        """`10` or `"0.1%"`, as they are written. Raises ValueError with a sentence that says what to write."""
        if isinstance(value, Percent):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            if 0 <= value <= 100:
                return cls(value * 1000)
        elif isinstance(value, str) and (match := _PERCENT.fullmatch(value)):
            thousandths = int(match[1]) * 1000 + int((match[2] or "").ljust(3, "0"))
            if thousandths <= 100_000:
                return cls(thousandths)
        raise ValueError(f"{value!r} is not a percentage; {PERCENT_MESSAGE}")

    @property
    def written(self) -> int | str:
        """The shortest form that `parse` reads back: `10`, `"0.1%"`."""
        return format_percent(self)

    @property
    def text(self) -> str:
        """For sentences: `10 %`, `0.1 %`."""
        return f"{format_percent(self)}".removesuffix("%") + " %"

    @property
    def fraction(self) -> float:
        """10 % as 0.1."""
        return self / 100_000

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.parse, serialization=core_schema.plain_serializer_function_ser_schema(format_percent, when_used="json")
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"x-kubernetes-int-or-string": True, "maxLength": 8, **words(PERCENT_RULE)}


def format_percent(thousandths: int) -> int | str:
    """The shortest form that `Percent.parse` reads back: 10_000 is `10`, 100 is `"0.1%"`."""
    whole, rest = divmod(thousandths, 1000)
    return f"{whole}.{rest:03}".rstrip("0") + "%" if rest else int(whole)


FULL: Final = Percent(100_000)
"""100 %."""
ZERO: Final = Percent(0)


# ---- Duration


def parse_duration(value: object) -> float:
    """`15m`, `1h30m`, `500ms` (Gateway API's form) as seconds.

    Raises ValueError with a sentence that says what to write.
    """
    if isinstance(value, str) and _DURATION.fullmatch(value):
        return sum(int(number) * _UNITS[unit] for number, unit in _DURATION_PIECE.findall(value)) / 1000
    raise ValueError(f"{value!r} is not a duration; {DURATION_MESSAGE}")


def format_duration(seconds: float) -> str:
    """Seconds in Gateway API's form, rounded to a millisecond: 5400 is `1h30m`. Raises ValueError below 0 or from 100
    000 h on."""
    left = round(seconds * 1000)
    if not 0 <= left <= _LONGEST:
        raise ValueError(f"{seconds!r} seconds can't be written as a duration; it must be from 0 to 99999 hours")
    pieces = []
    for unit, size in _UNITS.items():
        count, left = divmod(left, size)
        if count:
            pieces.append(f"{count}{unit}")
    return "".join(pieces) or "0s"


# ---- Time


def parse_time(value: object) -> float:
    """RFC 3339 as seconds since the epoch. Raises ValueError."""
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            parsed = None
        if parsed is not None and parsed.tzinfo is not None:
            return round(parsed.timestamp(), 3)
    raise ValueError(f'{value!r} is not an instant; write it as in "2026-12-01T14:00:00Z"')


def format_time(seconds: float) -> str:
    """Seconds since the epoch as RFC 3339 in UTC with milliseconds."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03}Z"


# ---- Placeholders


def expand(text: str, mapping: Mapping[str, str]) -> str:
    """The text with each `$(name)` replaced by `mapping[name]`, and `$$(` by a plain `$(`.

    Raises ValueError for a name that the mapping does not have, and for a `$(` without an end.
    """

    def fill(match: re.Match[str]) -> str:
        if match[0] == "$$(":
            return "$("
        if match[1] is None or match[1] not in mapping:
            raise ValueError(_unknown(match[0], mapping))
        return mapping[match[1]]

    return _PLACEHOLDER.sub(fill, text)


def placeholders(text: str) -> frozenset[str]:
    """The names of the placeholders in the text, known or not."""
    return frozenset(match[1] for match in _PLACEHOLDER.finditer(text) if match[1] is not None)


def check_placeholders(text: str, known: Collection[str] = PLACEHOLDERS) -> str:
    """The text itself, if `expand` would know every placeholder in it. Raises ValueError."""
    for match in _PLACEHOLDER.finditer(text):
        if match[0] != "$$(" and (match[1] is None or match[1] not in known):
            raise ValueError(_unknown(match[0], known))
    return text


def _unknown(found: str, known: Collection[str]) -> str:
    return f"{found} is not a placeholder here; known are {_listed(known)}; write $$( for a plain $("


def _listed(known: Collection[str]) -> str:
    return ", ".join(f"$({name})" for name in sorted(known))


# ---- the same, as fields of models

WIRE: Final = "wire"
"""Validation context of an object that came from outside: there a duration or an instant is text, never a number."""


_PERCENT_CEL: Final = "matches('^([0-9]{1,2}([.][0-9]{1,3})?|100([.]0{1,3})?)%$')"


def is_percent_cel(value: str) -> str:
    """CEL: whether `value` (CEL for an int-or-string) is a percentage."""
    return f"(type({value}) == int ? {value} >= 0 && {value} <= 100 : {value}.{_PERCENT_CEL})"


def percent_cel(value: str) -> str:
    """CEL: the percentage in `value` as a double. An error for what is none: ask `is_percent_cel` first."""
    return f"(type({value}) == int ? double({value}) : double({value}.replace('%', '')))"


PERCENT_RULE: Final = Rule(is_percent_cel("self"), PERCENT_MESSAGE)
DURATION_RULE: Final = Rule("self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$')", DURATION_MESSAGE)


def placeholder_rule(known: Collection[str]) -> Rule:
    """The rule that refuses what `check_placeholders` refuses."""
    # Each escaped and each known one is taken out; whatever `$(` is left is unknown.
    taken_out = "".join(f".replace('$({name})', '')" for name in sorted(known))
    return Rule(
        f"!self.replace('$$(', ''){taken_out}.contains('$(')",
        f"known placeholders are {_listed(known)}; write $$( for a plain $(",
    )


def _from_text(parse: Callable[[object], float]) -> BeforeValidator:
    def read(value: object, info: ValidationInfo) -> object:
        if info.context != WIRE and isinstance(value, int | float) and not isinstance(value, bool):
            return value
        return parse(value)

    return BeforeValidator(read)


Duration = Annotated[
    float,
    _from_text(parse_duration),
    PlainSerializer(format_duration, when_used="json"),
    WithJsonSchema({"type": "string", "maxLength": 32, **words(DURATION_RULE)}),
]
"""Seconds; `15m` outside."""

Time = Annotated[
    float,
    _from_text(parse_time),
    PlainSerializer(format_time, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""Seconds since the epoch; RFC 3339 outside."""

Version = Annotated[
    str,
    Field(min_length=1, max_length=63),
    Matching("[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", VERSION_MESSAGE),
]
"""What is both an image tag and a label value."""

Name = Annotated[str, Field(min_length=1, max_length=36), Matching("[a-z]([a-z0-9-]*[a-z0-9])?", NAME_MESSAGE)]
"""A name given here: of a component, a check, a guard."""

Reference = Annotated[
    str, Field(min_length=1, max_length=253), Matching("[a-z0-9]([a-z0-9.-]*[a-z0-9])?", REFERENCE_MESSAGE)
]
"""The name of another object of the same namespace."""

Template = Annotated[
    str,
    Field(min_length=1, max_length=2048),
    AfterValidator(check_placeholders),
    Schema(placeholder_rule(PLACEHOLDERS)),
]
"""Text in which placeholders are filled in."""

Query = Annotated[
    str,
    Field(min_length=1, max_length=2048),
    AfterValidator(partial(check_placeholders, known=QUERY_PLACEHOLDERS)),
    Schema(placeholder_rule(QUERY_PLACEHOLDERS)),
]
"""The same with `$(window)`."""
