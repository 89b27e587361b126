"""Since when traffic is seen to have left: from there a drain counts.

A write of ours moves nothing by itself; the gateway does, a moment or minutes later. What is remembered here is when a
look first saw that it had followed the last move of a route's traffic. It is in no status: after a restart the drain
counts from the first look, and so takes longer, never shorter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tidegate.kube import Key, Object
from tidegate.targets.kubernetes.stamp import Stamp, is_followed, last_change

RULES: Final = ("f:spec", "f:rules")


class Move(NamedTuple):
    """What the last move of a route's traffic is known by. Not the generation: to drop a ref without weight, or to edit
    a filter, moves none."""

    by_us: float
    by_others: float


@dataclass(slots=True)
class Departure:
    """One move, as seen by this process; seconds since the epoch."""

    move: Move
    seen: float  # when a look first met it
    followed: float | None = None  # when a look first saw that every gateway had taken it


@dataclass(slots=True)
class Departures:
    """Of all routes, by Release. The last move of each: by an older one nothing is drained any more."""

    _known: dict[Key, dict[str, Departure]] = field(default_factory=dict)

    def look(self, key: Key, route: Object, stamp: Stamp, now: float) -> Departure:
        """The last move of the route's traffic; `stamp` is the Release's own in it."""
        known = self._known.setdefault(key, {})
        move = Move(stamp.at, last_change(route, *RULES, by_us=False))
        departure = known.get(route["metadata"]["uid"])
        if departure is None or departure.move != move:
            departure = known[route["metadata"]["uid"]] = Departure(move, now)
        if departure.followed is None and is_followed(route):
            departure.followed = now
        return departure

    def forget(self, key: Key) -> None:
        self._known.pop(key, None)
