from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.api.grain import most_share, pods_by_share, share_by_pods, share_done

FULL = 100_000
sizes = st.integers(1, 10_000)
shares = st.integers(1, FULL - 1)


@pytest.mark.parametrize(
    ("share", "replicas", "pods", "done"),
    [
        (10_000, 6, 1, 14_285),  # the least that six pods can do
        (10_000, 9, 1, 10_000),
        (25_000, 6, 2, 25_000),
        (33_333, 6, 3, 33_333),
        (40_000, 6, 4, 40_000),
        (49_999, 6, 5, 45_454),
        (50_000, 6, 6, 50_000),
        (75_000, 6, 6, 50_000),  # stable keeps its pods: half is the most until it is left out
        (100, 1_000, 1, 99),
        (10_000, 1, 1, 50_000),
    ],
)
def test_a_rung_is_rounded_down_to_whole_pods_but_not_to_none(share: int, replicas: int, pods: int, done: int) -> None:
    assert pods_by_share(share, replicas) == pods
    assert share_done(share, replicas) == done


def test_nothing_and_everything_are_exact() -> None:
    assert (share_done(0, 3), share_done(FULL, 3)) == (0, FULL)
    assert share_by_pods(0, 0) == 0


@given(shares, sizes)
def test_never_more_than_asked_but_by_the_least_pod(share: int, replicas: int) -> None:
    pods = pods_by_share(share, replicas)
    assert 1 <= pods <= replicas
    assert pods == 1 or share_by_pods(pods, replicas) <= share
    if pods < replicas:
        assert share_by_pods(pods + 1, replicas) > share


@given(sizes, st.data())
def test_pods_and_their_share_go_there_and_back(replicas: int, data: st.DataObject) -> None:
    pods = data.draw(st.integers(1, replicas))
    assert pods_by_share(share_by_pods(pods, replicas), replicas) == pods


@given(sizes, st.data())
def test_so_many_pods_suffice_for_the_greatest_share_and_for_no_more(replicas: int, data: st.DataObject) -> None:
    pods = data.draw(st.integers(1, replicas))
    most = most_share(pods, replicas)
    assert pods_by_share(most, replicas) <= pods
    assert most == FULL or pods_by_share(most + 1, replicas) > pods
