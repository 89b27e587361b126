"""Plain functions over numbers: what was measured, how counters grow, where a quantile lies. No clock, no I/O."""

from tidegate.stats.counters import Sample, Series, Tally, advance, begin
from tidegate.stats.measurement import Counts, Data, Histogram, Measurement, Shape, Value
from tidegate.stats.quantiles import Between, quantile

__all__ = [
    "Between",
    "Counts",
    "Data",
    "Histogram",
    "Measurement",
    "Sample",
    "Series",
    "Shape",
    "Tally",
    "Value",
    "advance",
    "begin",
    "quantile",
]
