"""Stable's record: what stable was like during the climb, kept for the time when it has no traffic of its own.

It stands in `status` as a line of text of at most `LARGEST` bytes, with its version in front: a text that cannot be
read (of a newer Tidegate, or cut off) is no record, never an error.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Final

from tidegate.stats.measurement import Counts, Histogram, Measurement, Shape, Value

LARGEST: Final = 2048
"""Bytes of a record in `status`."""
_FORMAT: Final = "1:"


@dataclass(frozen=True, slots=True)
class Record:
    """What was measured of stable. `content` is its revision: a record of another one is none."""

    content: str
    since: float
    through: float
    shape: Shape

    @classmethod
    def of(cls, content: str, measurement: Measurement) -> Record | None:
        """The record of what was measured; None where there is nothing to keep."""
        if measurement.shape is None:
            return None
        return cls(content, measurement.since, measurement.through, measurement.shape)

    def encode(self) -> str:
        """As it stands in `status`. A histogram with too many edges for that gives up every other one: what is left is
        exact, the quantiles in it coarser."""
        shape = self.shape
        while len(text := _FORMAT + json.dumps(self._document(shape), separators=(",", ":"))) > LARGEST:
            assert isinstance(shape, Histogram)  # the others are a hundred bytes
            shape = Histogram((*shape.buckets[:-1:2], shape.buckets[-1]))
        return text

    def _document(self, shape: Shape) -> list[Any]:
        return [self.content, round(self.since, 3), round(self.through, 3), *_pack(shape)]

    @classmethod
    def decode(cls, text: str) -> Record | None:
        """The record in that text, if it is one."""
        if not text.startswith(_FORMAT):
            return None
        try:
            content, since, through, kind, *numbers = json.loads(text.removeprefix(_FORMAT))
            return cls(str(content), float(since), float(through), _unpack(kind, [float(number) for number in numbers]))
        except (ValueError, TypeError):
            return None


def _pack(shape: Shape) -> list[Any]:
    match shape:
        case Counts(part, total):
            return ["c", _short(part), _short(total)]
        case Value(value):
            return ["v", value]
        case Histogram(buckets):
            return ["h", *(number for edge, count in buckets for number in (_edge(edge), _short(count)))]


def _edge(edge: float) -> float | str:
    return "inf" if math.isinf(edge) else edge  # JSON has no infinity


def _unpack(kind: object, numbers: list[float]) -> Shape:
    if kind == "c" and len(numbers) == 2:
        return Counts(numbers[0], numbers[1])
    if kind == "v" and len(numbers) == 1:
        return Value(numbers[0])
    if kind == "h" and len(numbers) % 2 == 0:
        return Histogram(tuple(zip(numbers[::2], numbers[1::2], strict=True)))
    raise ValueError(kind)


def _short(number: float) -> float | int:
    return int(number) if number == int(number) else number
