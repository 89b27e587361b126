"""How many pods a share of all traffic needs."""

from __future__ import annotations

from tidegate.engine.values import FULL


def pods_for(share: int, replicas: int) -> int:
    """Rounded up, and never none: capacity comes before traffic."""
    return max(1, -(-replicas * min(share, FULL) // FULL))


def share_of(pods: int, replicas: int) -> int:
    """The greatest share for which so many pods suffice. Above FULL where there are more than the spec asks for."""
    return pods * FULL // replicas
