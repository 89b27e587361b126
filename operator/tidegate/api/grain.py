"""What shares of traffic can be done by numbers of pods, where nothing but a Service splits it.

A Service spreads requests evenly over its ready pods, whatever version they are of. Stable keeps all of its pods while
a candidate climbs, so that the way back is open: beside n pods of stable, c of the candidate have c / (n + c). The
candidate has at most n, half of all traffic; the whole of it by a selector that leaves stable out.

Shares are thousandths of a percent, rounded down.
"""

from __future__ import annotations

from typing import Final

from tidegate.api.grammar import FULL

_ALL: Final = int(FULL)


def share_by_pods(candidate: int, stable: int) -> int:
    """Of the candidate, by so many pods of each; 0 where there are none at all."""
    return candidate * _ALL // (candidate + stable) if candidate + stable else 0


def pods_by_share(share: int, stable: int) -> int:
    """The most pods of the candidate, beside so many of stable, that have no more than the share; though at least one,
    and at most as many as stable has."""
    if share >= _ALL - 1:
        return max(stable, 1)
    within = -(-(share + 1) * stable // (_ALL - share - 1)) - 1
    return max(1, min(within, stable))


def share_done(share: int, replicas: int) -> int:
    """What becomes of a rung: the share that so many replicas really give."""
    return share if share in (0, _ALL) else share_by_pods(pods_by_share(share, replicas), replicas)


def most_share(candidate: int, stable: int) -> int:
    """The greatest share for which so many pods of the candidate suffice."""
    if not candidate:
        return 0
    return share_by_pods(candidate + 1, stable) - 1 if candidate < stable else _ALL
