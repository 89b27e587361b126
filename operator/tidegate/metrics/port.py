"""What every metric source can do: measure one guard's numbers for one version, in one window of time.

A source never says that something is well or not: that is judged in `tidegate.engine.guards`, out of what was counted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, Protocol

from tidegate.api.guard import Guard
from tidegate.stats.measurement import Measurement

Secrets = Callable[[str, str], Awaitable[str]]
"""`await secrets(name, key)`: a value from a Secret of the Connection's namespace. Raises a TidegateError."""


class Window(NamedTuple):
    """Seconds since the epoch. What happened at `since` or before is not looked at."""

    since: float
    until: float


class Source(Protocol):
    """One outside system, behind one Connection."""

    async def measure(self, guard: Guard, values: Mapping[str, str], window: Window) -> Measurement:
        """The guard's number for the version that `values` (placeholder to value) name.

        Raises nothing but cancellation: whatever goes wrong is a state of the data, with a sentence that names the
        Connection and holds no secret and nothing of the answer's text. A `ratio` gives Counts, a `quantile` gives a
        Histogram, a `value` gives a Value.
        """

    async def reach(self, now: float) -> None:
        """Ask something that costs nothing: the source answers, and takes the Connection's credentials.

        Raises a TidegateError whose sentence says why not, and holds no secret and nothing of the answer's text:
        NotFound, Denied or Permanent where the credentials can't be had.
        """

    async def close(self) -> None:
        """Give connections back. The source is not used after."""
