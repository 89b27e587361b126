"""Guards: one number about the candidate, and the limits at which the ladder holds or reverts."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import ConfigDict, Field, model_validator

from tidegate.api.grammar import Duration, Name, Percent, Query, Reference, Template
from tidegate.api.limit import Limit, LimitKind
from tidegate.api.schema import Model, Rule, words


class Mode(StrEnum):
    """Whether a verdict acts."""

    ENFORCE = "Enforce"
    OBSERVE = "Observe"


class Ratio(Model):
    """A part of a total, out of counters."""

    model_config = ConfigDict(
        json_schema_extra=words(
            Rule(
                "has(self.bad) != has(self.good)",
                "write either bad or good: the counter of what failed, or of what went well",
            )
        )
    )

    bad: Template | None = None
    """Selector of the counter of what went wrong, as in http_requests_total{version="$(version)",code=~"5.."}. No
    rate(), no increase()."""
    good: Template | None = None
    """Selector of the counter of what went well; instead of bad."""
    total: Template
    """Selector of the counter of everything."""

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.bad is None) == (self.good is None):
            raise ValueError("write either bad or good: the counter of what failed, or of what went well")
        return self


class Quantile(Model):
    """A quantile of a classic histogram."""

    model_config = ConfigDict(
        json_schema_extra=words(
            Rule(
                "type(self.percentile) == int ? self.percentile > 0 && self.percentile < 100 : "
                "(!self.percentile.matches('^0([.]0*)?%$|^00([.]0*)?%$|^100'))",
                "write a percentile above 0 and below 100, as in 95 or 99.9%",
                ".percentile",
            )
        )
    )

    percentile: Percent
    """Which one: 95, or "99.9%"."""
    histogram: Template
    """Selector of the histogram, without _bucket and without rate(), as in
    http_request_duration_seconds{version="$(version)"}."""
    warm_up: Duration | None = None
    """For so long after each step has shifted traffic latencies are not looked at: new pods are cold then."""

    @model_validator(mode="after")
    def _inside(self) -> Self:
        if not 0 < self.percentile < 100_000:
            raise ValueError("write a percentile above 0 and below 100, as in 95 or 99.9%")
        return self


class Value(Model):
    """Whatever a query gives."""

    query: Query
    """A query that gives one number; $(window) is the time since the step began."""


UNION_MESSAGE: Final = "write exactly one of ratio, quantile and value: it says what the guard looks at"
LIMITS_MESSAGE: Final = "write hold (stop climbing), revert (go back), or both"
SAMPLES_MESSAGE: Final = "a value has no samples to count: leave minSamples out"

# Which kinds of limit fit which guard, and the sentence for one that does not.
FITTING: Final = {
    "ratio": (
        frozenset({LimitKind.POINTS, LimitKind.RELATIVE, LimitKind.SHARE}),
        "for a ratio write +0.5pp (points against stable), +25% or -10% (relative to stable), or 1% (of the total)",
    ),
    "quantile": (
        frozenset({LimitKind.RELATIVE, LimitKind.SECONDS}),
        "for a quantile write +25% or -10% (relative to stable), or a latency as in 800ms or 2s",
    ),
    "value": (
        frozenset({LimitKind.RELATIVE, LimitKind.NUMBER}),
        'for a value write +25% or -10% (relative to stable), or a number as in 80, "0.8" or "<10"',
    ),
}
GOOD_MESSAGE: Final = (
    "1% is an upper bound and good counts what went well: write it of bad, or write a limit against stable as in -10%"
)

_SHAPES: Final = {
    # The grammar of the limit is refused by its own rule; here it is enough to tell the kinds apart.
    "ratio": "type(self.{f}) == string && self.{f}.matches('(%|pp)$')",
    "quantile": "type(self.{f}) == string && self.{f}.matches('^([+-].*%|[0-9].*[hms])$')",
    "value": "type(self.{f}) == int || self.{f}.matches('^([+-].*%|[<0-9.-]*[0-9])$')",
}


def _limit_rules() -> list[Rule]:
    rules = []
    for member, shape in _SHAPES.items():
        for field in ("hold", "revert"):
            rules.append(
                Rule(
                    f"!has(self.{member}) || !has(self.{field}) || {shape.format(f=field)}",
                    FITTING[member][1],
                    f".{field}",
                )
            )
    for field in ("hold", "revert"):
        rules.append(
            Rule(
                f"!has(self.ratio) || !has(self.ratio.good) || !has(self.{field}) || type(self.{field}) == int"
                f" || !self.{field}.matches('^[0-9].*%$')",
                GOOD_MESSAGE,
                f".{field}",
            )
        )
    return rules


class Guard(Model):
    """One number about the candidate, and the limits at which the ladder holds or reverts. No data is never good
    news."""

    model_config = ConfigDict(
        json_schema_extra=words(
            Rule("[has(self.ratio), has(self.quantile), has(self.value)].filter(x, x).size() == 1", UNION_MESSAGE),
            Rule("has(self.hold) || has(self.revert)", LIMITS_MESSAGE),
            Rule("!has(self.value) || !has(self.minSamples)", SAMPLES_MESSAGE, ".minSamples"),
            *_limit_rules(),
        )
    )

    name: Name
    """Under this name the guard is shown."""
    connection: Reference
    """The Connection that is asked."""
    component: Name | None = None
    """The guard is judged on this component's ladder only; absent: on all."""
    ratio: Ratio | None = None
    """A part of a total: an error rate, a success rate."""
    quantile: Quantile | None = None
    """A quantile of a histogram: a latency."""
    value: Value | None = None
    """Whatever a query gives: a queue, connections, memory."""
    hold: Limit | None = None
    """Beyond this limit the ladder climbs no further and the hold does not count."""
    revert: Limit | None = None
    """Beyond this limit all traffic goes back to the stable version, and the revision is rejected."""
    min_samples: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    """So many samples of the candidate in this step, and of stable where it is compared with, are needed before the
    guard judges. Absent: 100."""
    mode: Mode | None = None
    """Enforce, or Observe: judged and shown, never acts. Absent: Enforce."""

    @property
    def enforced(self) -> bool:
        """Whether its verdict acts."""
        return self.mode is not Mode.OBSERVE

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The limits that are given, the hold first."""
        return tuple(limit for limit in (self.hold, self.revert) if limit is not None)

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything in which placeholders are filled in."""
        member: Any = self.ratio or self.quantile or self.value
        return tuple(text for text in member.model_dump().values() if isinstance(text, str))

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        members = [name for name in FITTING if getattr(self, name) is not None]
        if len(members) != 1:
            raise ValueError(UNION_MESSAGE)
        if not self.limits:
            raise ValueError(LIMITS_MESSAGE)
        if self.value is not None and self.min_samples is not None:
            raise ValueError(SAMPLES_MESSAGE)
        kinds, sentence = FITTING[members[0]]
        for field, limit in (("hold", self.hold), ("revert", self.revert)):
            if limit is None:
                continue
            if limit.kind not in kinds:
                raise ValueError(f"{field}: {limit} does not fit; {sentence}")
            if limit.kind is LimitKind.SHARE and self.ratio is not None and self.ratio.good is not None:
                raise ValueError(f"{field}: {GOOD_MESSAGE}")
        return self
