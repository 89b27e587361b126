"""Where a quantile lies in a histogram."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.stats import Between, Histogram, quantile

INF = math.inf


@pytest.mark.parametrize(
    ("rows", "share", "expected"),
    [
        # the answers of histogram_quantile() in Prometheus 2.42 for the same buckets
        (((0.1, 10), (0.5, 20), (1.0, 40), (INF, 40)), 0.5, Between(0.1, 0.5, 0.5)),
        (((0.1, 10), (0.5, 20), (1.0, 40), (INF, 40)), 0.75, Between(0.5, 1.0, 0.75)),
        (((0.1, 10), (0.5, 20), (1.0, 40), (INF, 40)), 0.125, Between(0.0, 0.1, 0.05)),
        (((0.1, 10), (0.5, 20), (1.0, 30), (INF, 40)), 0.95, Between(1.0, INF, 1.0)),
        (((0.1, 0), (0.5, 0), (1.0, 40), (INF, 40)), 0.5, Between(0.5, 1.0, 0.75)),
        (((-2.0, 10), (1.0, 20), (INF, 20)), 0.25, Between(-INF, -2.0, -2.0)),
        # nothing to say
        ((), 0.5, None),
        (((INF, 40),), 0.5, None),
        (((0.1, 0), (INF, 0)), 0.5, None),
        (((0.1, 10), (0.5, 20)), 0.5, None),
        # a count that falls is taken for the one before it
        (((0.1, 30), (0.5, 20), (1.0, 40), (INF, 40)), 0.9, Between(0.5, 1.0, 0.8)),
    ],
)
def test_a_quantile_lies_where_prometheus_says(
    rows: tuple[tuple[float, float], ...], share: float, expected: Between | None
) -> None:
    found = quantile(Histogram(rows), share)
    assert found == (pytest.approx(expected) if expected is not None else None)


@given(
    st.lists(st.floats(0.001, 100), min_size=1, max_size=200),
    st.lists(st.floats(0.001, 100), min_size=1, max_size=12, unique=True),
    st.floats(0.01, 0.99),
)
def test_the_true_quantile_is_always_between_the_edges(seen: list[float], edges: list[float], share: float) -> None:
    rows = [(edge, float(sum(1 for number in seen if number <= edge))) for edge in [*sorted(edges), INF]]
    found = quantile(Histogram(tuple(rows)), share)
    assert found is not None
    true = sorted(seen)[max(0, math.ceil(share * len(seen)) - 1)]
    assert max(found.low, 0.0) <= true <= found.high
    assert found.low <= found.estimate <= found.high
