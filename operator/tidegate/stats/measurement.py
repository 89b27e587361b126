"""What a metric source says about one version in one window of time.

The shapes keep what was counted, not what was made of it: a later test needs the numbers, not their ratio.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Data(StrEnum):
    """What is the matter with the data. Only OK is judged; nothing else is ever good news."""

    OK = "OK"
    NO_TRAFFIC = "NoTraffic"  # the series are there and did not move: nothing was asked
    NO_SERIES = "NoSeries"  # the query selects nothing
    NAN = "NaN"  # the answer is no finite number
    STALE = "Stale"  # the newest sample, or the newest answer, is too old
    PARTIAL = "Partial"  # the source says that it left something out
    PROVIDER_ERROR = "ProviderError"  # the source did not answer, or not with an answer
    AWAITED = "Awaited"  # asked, and not answered yet
    NOT_PERMITTED = "NotPermitted"  # the Connection is not there, or does not allow it
    BLIND = "Blind"  # the guard could not see an effect: its query has to be changed
    NO_BASELINE = "NoBaseline"  # there is no stable version, or nothing is known of it, to compare with


@dataclass(frozen=True, slots=True)
class Counts:
    """Events in the window: `part` of `total`. The part is the bad ones or the good ones, as the guard asks."""

    part: float
    total: float

    @property
    def samples(self) -> int:
        """How many events this stands on."""
        return int(self.total)

    @property
    def ratio(self) -> float:
        """`part / total`; 0 of nothing is 0."""
        return self.part / self.total if self.total > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Histogram:
    """Observations in the window, cumulative: `(upper edge, how many are at or below it)`, rising to the edge +Inf."""

    buckets: tuple[tuple[float, float], ...]

    @property
    def samples(self) -> int:
        """How many observations this stands on."""
        return int(self.buckets[-1][1]) if self.buckets else 0


@dataclass(frozen=True, slots=True)
class Value:
    """One finite number, as the query gives it."""

    value: float

    @property
    def samples(self) -> int:
        """A value is one sample."""
        return 1


Shape = Counts | Histogram | Value


@dataclass(frozen=True, slots=True)
class Measurement:
    """One version in the window from `since` to `through` (seconds since the epoch).

    `shape` is None unless the data is OK or NoTraffic. `sentence` says what is the matter; it is empty when nothing is.
    """

    data: Data
    sentence: str = ""
    shape: Shape | None = None
    since: float = 0.0
    through: float = 0.0

    @property
    def samples(self) -> int:
        """How many samples it stands on; none unless the data is OK."""
        return self.shape.samples if self.shape is not None and self.data is Data.OK else 0
