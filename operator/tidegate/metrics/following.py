"""The counters that a source follows from one look to the next, and when it lets go of them."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from tidegate.stats.counters import Tally

FORGOTTEN_AFTER = 600.0
"""Seconds for which a tally is kept that nobody asks for: the step that it belongs to is over, or the Release gone."""
AT_MOST = 20_000
"""Tallies that are kept at once; the one that was not asked for the longest time is forgotten first."""


class Followed(NamedTuple):
    """What a tally is of: a selector, from that instant on (seconds since the epoch)."""

    selector: str
    since: float


class Tallies:
    """A cache: what is forgotten is read again. `clock` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[Followed, tuple[float, Tally]] = OrderedDict()  # by when they were asked for

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, followed: Followed) -> Tally | None:
        """The tally as it was left, if it is still known. That counts as asked for."""
        known = self._kept.get(followed)
        if known is None:
            return None
        self.keep(followed, known[1])
        return known[1]

    def keep(self, followed: Followed, tally: Tally) -> None:
        """Remember it, and forget what was not asked for in a long time."""
        now = self._clock()
        self._kept[followed] = (now, tally)
        self._kept.move_to_end(followed)
        while self._oldest() < now - FORGOTTEN_AFTER or len(self._kept) > AT_MOST:
            self._kept.popitem(last=False)

    def _oldest(self) -> float:
        return next(iter(self._kept.values()))[0]
