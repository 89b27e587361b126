"""Where a quantile lies in a histogram with fixed edges."""

from __future__ import annotations

import math
from typing import NamedTuple

from tidegate.stats.measurement import Histogram


class Between(NamedTuple):
    """A quantile lies from `low` to `high`, the edges of its bucket; `estimate` is where it would be if the
    observations were spread evenly between them. In the bucket above the last edge, `high` is infinite and the
    estimate is `low`: at least that."""

    low: float
    high: float
    estimate: float


def quantile(histogram: Histogram, share: float) -> Between | None:
    """The number below which `share` (0 to 1) of the observations are, as `histogram_quantile()` of Prometheus has it.

    None where nothing was observed, or the histogram has no edges but +Inf. A count that falls from one edge to the
    next (pods that were scraped between two updates) is taken for the one before.
    """
    if not histogram.buckets or not math.isinf(histogram.buckets[-1][0]) or len(histogram.buckets) < 2:
        return None
    rank = share * max(count for _, count in histogram.buckets)
    if rank <= 0:
        return None
    low, below = -math.inf, 0.0
    for edge, count in histogram.buckets:
        if count >= rank and count > below:
            return _inside(low, edge, (rank - below) / (count - below))
        low, below = edge, max(below, count)
    return _inside(low, math.inf, 0.0)


def _inside(low: float, high: float, part: float) -> Between:
    if math.isinf(high):
        return Between(low, high, low)
    if math.isinf(low):  # the lowest bucket: from zero on, unless its edge is not above that
        if high <= 0:
            return Between(low, high, high)
        low = 0.0
    return Between(low, high, low + (high - low) * part)
