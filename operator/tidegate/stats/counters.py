"""How much counters grew in a window, out of their raw samples: exact integers where the samples are integers.

`increase()` of Prometheus extrapolates to fractions, and loses the first value of a counter that is born inside the
window. Here every series is followed by itself, so that a reset, a new pod and a vanished one are each told apart:

- A series that was there before the window counts from its **first sample inside** it. What happened between the
  opening of the window and that sample may belong to the time before; it is left out.
- A series that is born inside the window counts **from zero**: its first sample is growth. But where that first
  sample is the first scrape after the opening, it straddles the opening like everyone else's and is left out too,
  so that errors and requests of the same scrape are treated alike.
- A value below the one before it is a **reset**: the process began again at zero, the new value is growth.
- A series that **vanishes** keeps what it had grown.

A series that was there long ago, was not scraped for all of the look-back before the window, and comes back inside it,
looks newly born: its whole count is taken for growth. Nothing in the samples tells the two apart.

A tally may be advanced in pieces of any size, and pieces may overlap: a sample is counted once. (Property-tested.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import NamedTuple

UNKNOWN_INTERVAL = 60.0
"""Seconds between scrapes, where one sample is all there is: the default of Prometheus."""
STALE_AFTER = 30.0
"""Seconds, or three scrape intervals if those are longer: older than that, the newest sample says nothing of now."""

Labels = tuple[tuple[str, str], ...]
"""Sorted pairs of label and value: the identity of a series."""


class Sample(NamedTuple):
    at: float  # seconds since the epoch, by the clock of the source
    value: float


class Series(NamedTuple):
    """One counter, as far as it was read."""

    at: float  # the newest sample
    value: float
    before: bool  # it was there before the window
    first_at: float = 0.0  # its first sample inside the window; 0: none yet
    first: float = 0.0
    gained: float = 0.0  # growth from that first sample on
    gap: float | None = None  # the shortest time between two samples


@dataclass(frozen=True, slots=True)
class Tally:
    """All series of one selector, followed from `since`; samples up to `through` are in it."""

    since: float
    through: float
    series: Mapping[Labels, Series] = field(default_factory=dict)
    unreadable_at: float = 0.0  # the newest sample that was no finite number

    @property
    def newest(self) -> float:
        """The newest sample of all series; 0 if there is none."""
        return max((series.at for series in self.series.values()), default=0.0)

    @property
    def interval(self) -> float | None:
        """Seconds between scrapes, as the samples show them, or None if they don't."""
        gaps = [series.gap for series in self.series.values() if series.gap is not None]
        return median(gaps) if gaps else None

    @property
    def observed(self) -> float:
        """For so many seconds growth could have been seen: from the first to the newest sample inside the window."""
        inside = [series for series in self.series.values() if series.first_at]
        if not inside:
            return 0.0
        return max(series.at for series in inside) - min(series.first_at for series in inside)

    def fresh_until(self) -> float:
        """The instant from which on the newest sample is too old."""
        return self.newest + max(STALE_AFTER, 3 * (self.interval or UNKNOWN_INTERVAL / 2))

    def growth(self, interval: float | None = None) -> float:
        """What all series have grown by. `interval`: seconds between scrapes, where the caller knows better."""
        return sum(self._grown(series, interval) for series in self.series.values())

    def growth_by(self, key: Callable[[Labels], str | None]) -> Mapping[str, float]:
        """The same, summed for each `key(labels)`; series for which that is None are left out."""
        grown: dict[str, float] = {}
        for labels, series in self.series.items():
            if (name := key(labels)) is not None:
                grown[name] = grown.get(name, 0.0) + self._grown(series, None)
        return grown

    def _grown(self, series: Series, interval: float | None) -> float:
        opening = self.since + (interval or self.interval or UNKNOWN_INTERVAL)
        born = not series.before and series.first_at > opening
        return series.gained + (series.first if born else 0.0)


def begin(since: float, look_back: float) -> Tally:
    """An empty tally for the window that opens at `since`; it is to be fed from `look_back` seconds before that on."""
    return Tally(since=since, through=since - look_back)


def advance(tally: Tally, answer: Iterable[tuple[Labels, Sequence[Sample]]], through: float) -> Tally:
    """The tally with the samples of one more answer, which reaches up to `through`. Samples that it has are skipped."""
    series = dict(tally.series)
    unreadable_at = tally.unreadable_at
    for labels, samples in answer:
        known = series.get(labels)
        for sample in samples:
            if not math.isfinite(sample.value) or sample.value < 0:
                unreadable_at = max(unreadable_at, sample.at)
            elif known is None or sample.at > known.at:
                known = _followed(known, sample, tally.since)
        if known is not None:
            series[labels] = known
    return replace(tally, series=series, through=max(tally.through, through), unreadable_at=unreadable_at)


def _followed(known: Series | None, sample: Sample, since: float) -> Series:
    if known is None:
        inside = sample.at > since
        return Series(
            at=sample.at,
            value=sample.value,
            before=not inside,
            first_at=sample.at if inside else 0.0,
            first=sample.value if inside else 0.0,
        )
    gap = sample.at - known.at
    followed = known._replace(at=sample.at, value=sample.value, gap=gap if known.gap is None else min(gap, known.gap))
    if sample.at <= since:
        return followed
    if not known.first_at:
        return followed._replace(first_at=sample.at, first=sample.value)
    grown = sample.value - known.value
    return followed._replace(gained=known.gained + (grown if grown >= 0 else sample.value))
