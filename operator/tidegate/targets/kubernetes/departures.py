"""Since when traffic is seen to have left: from there a drain counts.

A write of ours moves nothing by itself; the data plane does, a moment or minutes later. What is remembered here is when
a look first saw that it had followed the last move of the traffic. It is in no status: after a restart the drain counts
from the first look, and so takes longer, never shorter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from tidegate.kube import Key


class Move(NamedTuple):
    """What the last move of traffic is known by: when it was written, in seconds since the epoch. Not the generation:
    to drop a ref without weight, or to edit a filter, moves none."""

    by_us: float
    by_others: float


@dataclass(slots=True)
class Departure:
    """One move, as seen by this process; seconds since the epoch."""

    move: Move
    seen: float  # when a look first met it
    followed: float | None = None  # when a look first saw that the whole data plane had taken it


@dataclass(slots=True)
class Departures:
    """Of all carriers, by Release. The last move of each: by an older one nothing is drained any more."""

    _known: dict[Key, dict[str, Departure]] = field(default_factory=dict)

    def look(self, key: Key, uid: str, move: Move, followed: bool, now: float) -> Departure:
        """The last move of the traffic that the object of that uid carries; `followed` by the data plane, as it is."""
        known = self._known.setdefault(key, {})
        departure = known.get(uid)
        if departure is None or departure.move != move:
            departure = known[uid] = Departure(move, now)
        if departure.followed is None and followed:
            departure.followed = now
        return departure

    def forget(self, key: Key) -> None:
        self._known.pop(key, None)
