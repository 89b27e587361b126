"""A number against a limit, and both in words."""

from __future__ import annotations

import math
import re
from enum import StrEnum

from tidegate.api.guard import Guard
from tidegate.api.limit import Direction, Limit, LimitKind
from tidegate.stats.measurement import Counts, Histogram, Shape, Value
from tidegate.stats.quantiles import Between, quantile

_END = math.inf


class Crossing(StrEnum):
    """On which side of a limit a number is."""

    WITHIN = "Within"
    BEYOND = "Beyond"
    UNSEEN = "Unseen"  # the histogram's edges end below where it would be seen


def compare(guard: Guard, limit: Limit, candidate: Shape, stable: Shape | None) -> Crossing:
    """Whether the candidate is beyond the limit. `stable` is needed for a limit against stable.

    A relative limit is a part of stable's number: where that is 0, any number above it is beyond `+25%`.
    """
    number, reference = _span(guard, candidate), _span(guard, stable) if stable is not None else None
    if number is None or (limit.against_stable and reference is None):
        return Crossing.UNSEEN
    threshold = _threshold(limit, reference.estimate if reference is not None else 0.0)
    if limit.direction is Direction.BELOW:
        # What lies above the last edge is not below anything that a histogram can show.
        below = number.estimate < threshold and not _same(number.estimate, threshold)
        return Crossing.BEYOND if below else Crossing.WITHIN
    if number.high < _END:
        beyond = number.estimate > threshold and not _same(number.estimate, threshold)
    else:
        beyond = number.low >= threshold  # it is above its low edge for certain
    if reference is not None and reference.high == _END:
        return Crossing.UNSEEN
    if beyond:
        return Crossing.BEYOND
    return Crossing.WITHIN if number.high < _END else Crossing.UNSEEN


def _same(number: float, threshold: float) -> bool:
    """0.1 % and 0.5 points more are 0.6 %, whatever floats make of it."""
    return math.isclose(number, threshold, rel_tol=1e-9, abs_tol=1e-12)


def _threshold(limit: Limit, stable: float) -> float:
    away = {
        LimitKind.POINTS: limit.value,
        LimitKind.RELATIVE: abs(stable) * limit.value,
    }.get(limit.kind)
    if away is None:
        return limit.value
    return stable + (away if limit.direction is Direction.ABOVE else -away)


def _span(guard: Guard, shape: Shape) -> Between | None:
    match shape:
        case Counts():
            return Between(shape.ratio, shape.ratio, shape.ratio)
        case Value(value):
            return Between(value, value, value)
        case Histogram():
            return quantile(shape, guard.quantile.percentile.fraction if guard.quantile is not None else 0.5)


# ---- in words


def spaced(limit: Limit) -> str:
    """The limit as it stands in a sentence: `+0.5 pp`."""
    return re.sub(r"(?<=[0-9])(?=pp|%)", " ", str(limit))


def show(guard: Guard, shape: Shape) -> str:
    """The number with its unit: `0.12 %`, `412 ms`, `> 10 s`, `83`."""
    span = _span(guard, shape)
    if span is None:
        return "none"
    if isinstance(shape, Counts):
        return f"{_digits(span.estimate * 100)} %"
    if isinstance(shape, Histogram):
        return f"{'> ' if span.high == _END else ''}{_latency(span.estimate)}"
    return _digits(span.estimate)


def describe(guard: Guard, limit: Limit, candidate: Shape, stable: Shape | None, name: str, stable_name: str) -> str:
    """Goes on after "latency-p95 of ": `v1.2.3 is 38 % above v1.2.2 (412 ms against 298 ms, 1 211 requests)`."""
    shown, stands_on = show(guard, candidate), _stands_on(candidate)
    if stable is None:
        return f"{name} is {shown}{f' ({stands_on})' if stands_on else ''}"
    number, reference = _span(guard, candidate), _span(guard, stable)
    if number is None or reference is None:
        return f"{name} is {shown}"
    against = f"{shown} against {show(guard, stable)}"
    inside = f" ({', '.join(text for text in (against, stands_on) if text)})"
    away = number.estimate - reference.estimate
    if away == 0:
        return f"{name} is as {stable_name}{inside}"
    where = "above" if away > 0 else "below"
    if limit.kind is LimitKind.POINTS:
        return f"{name} is {_digits(abs(away) * 100)} pp {where} {stable_name}{inside}"
    if reference.estimate == 0:
        return f"{name} is {where} {stable_name}{inside}"
    return f"{name} is {_digits(abs(away / reference.estimate) * 100)} % {where} {stable_name}{inside}"


def _stands_on(shape: Shape) -> str:
    if isinstance(shape, Value):
        return ""
    return f"{shape.samples:,} requests".replace(",", " ")


def _latency(seconds: float) -> str:
    return f"{_digits(seconds)} s" if seconds >= 1 else f"{_digits(seconds * 1000)} ms"


def _digits(number: float) -> str:
    """Three digits that matter, without an exponent for what people meet."""
    if number == 0:
        return "0"
    if abs(number) >= 1000:
        return f"{number:.0f}" if abs(number) < 1e15 else f"{number:.3g}"
    text = f"{number:.3g}"
    return text if "e" not in text else f"{number:.9f}".rstrip("0").rstrip(".") if abs(number) >= 1e-6 else text
