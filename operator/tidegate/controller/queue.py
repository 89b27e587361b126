"""The work queue: which objects want a look, now or at an instant. One set and one heap for all, no task per object.

A key is never handed out twice at once. What happens to an object while it is worked on brings it back afterwards, so
nothing is missed; how often it happened does not matter, so nothing piles up. All instants are those of the event
loop's clock, which tests can move.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from tidegate.controller import logs
from tidegate.errors import TidegateError

K = TypeVar("K", bound=tuple[str, ...])
K_contra = TypeVar("K_contra", bound=tuple[str, ...], contravariant=True)

FIRST_BACKOFF: Final = 1.0
LONGEST_BACKOFF: Final = 60.0
LONGEST_SLEEP: Final = 300.0  # the clocks of a suspended machine stand still: no wake-up is trusted for longer
LONGEST_PASS: Final = 120.0
_SOONEST_AFTER_FAILURE: Final = 1.0

logger = logging.getLogger(__name__)


class Gate(Protocol):
    """Says whether this replica may work."""

    @property
    def is_open(self) -> bool: ...


class Watcher(Protocol[K_contra]):
    """Is told how the work goes."""

    def worked(self, key: K_contra, seconds: float, well: bool) -> None:
        """A pass over the key has ended."""

    def failed(self, key: K_contra, sentence: str, again_in: float) -> None:
        """The pass failed, for what the sentence says, and will be tried again after so many seconds."""


class Closed(Exception):
    """The queue hands nothing out any more."""


class _Backoff(NamedTuple):
    failures: int
    since: float  # the last failure


class Queue(Generic[K]):
    """`owns` says which keys are this replica's; what it does not own is not taken in."""

    def __init__(self, *, owns: Callable[[K], bool] = lambda key: True, dice: random.Random | None = None) -> None:
        self.owns = owns
        self._dice = dice or random.Random()
        self._urgent: dict[K, float] = {}  # key -> since when it waits; both in the order of arrival
        self._ready: dict[K, float] = {}
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []  # may hold what `_due` no longer says
        self._order = itertools.count()
        self._working: dict[K, float] = {}
        self._again: dict[K, bool] = {}  # key that is worked on -> whether it is urgent
        self._backoffs: dict[K, _Backoff] = {}
        self._bell = asyncio.Event()  # rings while something is urgent or ready, and once the queue is closed
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._last_end = 0.0

    # ---- what wants a look

    def add(self, key: K, first: bool = False) -> None:
        """It wants a look now; with `first` before all others. While it is worked on: right after."""
        if not self.owns(key):
            return
        if key in self._working:
            self._again[key] = first or self._again.get(key, False)
            return
        backoff = self._backoffs.get(key)
        if backoff is not None and not first and self._now() < backoff.since + _SOONEST_AFTER_FAILURE:
            # A failing object whose own writes wake it must not spin; a revert does not wait for this.
            self.add_at(key, backoff.since + _SOONEST_AFTER_FAILURE)
            return
        self._due.pop(key, None)
        if first and key not in self._urgent:
            since = self._ready.pop(key, None)
            self._urgent[key] = self._now() if since is None else since
        elif not first and key not in self._ready and key not in self._urgent:
            self._ready[key] = self._now()
        self._bell.set()

    def add_all(self, keys: Iterable[K]) -> None:
        """All of them want a look."""
        for key in keys:
            self.add(key)

    def add_at(self, key: K, when: float, replace: bool = False) -> None:
        """It wants a look at that instant of the loop's clock. The earliest counts, unless `replace`."""
        if not self.owns(key) or key in self._ready or key in self._urgent:
            return
        if not replace and self._due.get(key, when + 1) <= when:
            return
        if when <= self._now():
            self._due.pop(key, None)
            self.add(key)
            return
        self._due[key] = when
        heapq.heappush(self._heap, (when, next(self._order), key))
        if len(self._heap) > 2 * len(self._due) + 1000:
            self._heap = [entry for entry in self._heap if self._due.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)
        self._set_timer()

    def forget(self, key: K) -> None:
        """The object is gone: no wake-up and no failure of it is remembered. A look that is due still comes."""
        self._due.pop(key, None)
        self._backoffs.pop(key, None)

    # ---- handing out

    async def pop(self) -> K:
        """The next key: urgent ones first, then in the order of arrival. Its earlier wake-ups are void: the pass sets
        new ones. Raises Closed."""
        while self._closed or not self.depth:
            if self._closed:
                raise Closed
            await self._bell.wait()
        waiting = self._urgent or self._ready
        key = next(iter(waiting))
        del waiting[key]
        if not self.depth:
            self._bell.clear()
        self._due.pop(key, None)
        self._working[key] = self._now()
        self._idle.clear()
        return key

    def done(self, key: K) -> None:
        """The pass over the key has ended, well or not."""
        del self._working[key]
        self._last_end = self._now()
        if not self._working:
            self._idle.set()
        again = self._again.pop(key, None)
        if again is not None:
            self.add(key, first=again)

    def succeeded(self, key: K) -> None:
        """What failed before is forgotten."""
        self._backoffs.pop(key, None)

    def failed(self, key: K) -> float:
        """Look again later: 1 s, 2 s, 4 s … 60 s, and up to a quarter of that. Returns how much later."""
        failures = self._backoffs[key].failures + 1 if key in self._backoffs else 1
        self._backoffs[key] = _Backoff(failures, self._now())
        delay = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(failures - 1, 10)) * self._dice.uniform(1.0, 1.25)
        self.add_at(key, self._now() + delay)
        return delay

    async def run(
        self,
        handler: Callable[[K], Awaitable[float | None]],
        *,
        gate: Gate,
        watcher: Watcher[K],
        workers: int = 16,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Work until `close`, or until the gate shuts. The handler returns when it wants to be called again: seconds
        since the epoch, as `now` counts them, or None."""
        async with asyncio.TaskGroup() as group:
            for number in range(workers):
                group.create_task(self._work(handler, gate, watcher, now), name=f"queue worker {number}")

    def close(self) -> None:
        """Hand nothing out any more: `run` returns when what is worked on has ended."""
        self._closed = True
        self._bell.set()
        if self._timer is not None:
            self._timer.cancel()

    async def idle(self) -> None:
        """Return when nothing is worked on."""
        await self._idle.wait()

    # ---- how it goes

    @property
    def depth(self) -> int:
        """How many keys want a look now."""
        return len(self._urgent) + len(self._ready)

    @property
    def oldest(self) -> float:
        """For how many seconds the one that waits longest has waited."""
        first = [next(iter(waiting.values())) for waiting in (self._urgent, self._ready) if waiting]
        return self._now() - min(first) if first else 0.0

    @property
    def longest_pass(self) -> float:
        """For how many seconds the longest of the passes that run now has run."""
        return self._now() - next(iter(self._working.values())) if self._working else 0.0

    @property
    def working(self) -> int:
        """How many keys are worked on."""
        return len(self._working)

    @property
    def since_last_end(self) -> float:
        """Seconds since a pass ended."""
        return self._now() - self._last_end

    # ---- inside

    async def _work(
        self,
        handler: Callable[[K], Awaitable[float | None]],
        gate: Gate,
        watcher: Watcher[K],
        now: Callable[[], float],
    ) -> None:
        while True:
            try:
                key = await self.pop()
            except Closed:
                return
            if not gate.is_open:
                self.done(key)
                return
            with logs.bind(object="/".join(key)):
                await self._pass(key, handler, watcher, now)

    async def _pass(
        self,
        key: K,
        handler: Callable[[K], Awaitable[float | None]],
        watcher: Watcher[K],
        now: Callable[[], float],
    ) -> None:
        began = self._now()
        sentence = ""
        limit = asyncio.timeout(LONGEST_PASS)
        try:
            try:
                async with limit:
                    wake_at = await handler(key)
            except TidegateError as error:
                sentence = error.message
            except Exception as error:
                if limit.expired():
                    sentence = f"A pass took longer than {LONGEST_PASS:g} s and was ended"
                else:
                    sentence = f"An unforeseen error, please report it: {type(error).__name__}: {error}"
                    logger.exception("pass failed")
            else:
                self.succeeded(key)
                if wake_at is not None:
                    self.add_at(key, self._now() + min(max(wake_at - now(), 0.0), LONGEST_SLEEP))
            if sentence:
                # Before `done`: what was added meanwhile must already find the failure.
                again_in = self.failed(key)
                watcher.failed(key, sentence, again_in)
        finally:
            self.done(key)
        watcher.worked(key, self._now() - began, not sentence)

    def _set_timer(self) -> None:
        """One timer, for the head of the heap."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        if self._timer is not None:
            if self._heap and self._timer.when() == self._heap[0][0] and not self._timer.cancelled():
                return
            self._timer.cancel()
            self._timer = None
        if self._heap and not self._closed:
            self._timer = asyncio.get_running_loop().call_at(self._heap[0][0], self._ring)

    def _ring(self) -> None:
        self._timer = None
        while self._heap and self._heap[0][0] <= self._now():
            when, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == when:
                del self._due[key]
                self.add(key)
        self._set_timer()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
