"""Asking metric sources in the background, so that no pass ever waits for one.

A *round* is all questions of one Release, asked at once. `latest` gives the newest finished round and begins the next
when that one is a tick old; the end of a round wakes the Release. Between rounds there is no task, no timer and no
open request, however many Releases there are.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from tidegate.api.connection import Connection
from tidegate.api.guard import Guard
from tidegate.engine.guards import Arm, Ask, blindness
from tidegate.engine.values import Evidence
from tidegate.kube.resources import Key
from tidegate.metrics import Source, Window, faults, open_source
from tidegate.metrics.port import Secrets
from tidegate.stats.measurement import Data, Measurement

logger = logging.getLogger(__name__)

AT_ONCE: Final = 8
"""Questions that one Connection is asked at the same time; the others wait for their turn."""
PATIENCE: Final = 10.0
"""Seconds that one question may take, or nine tenths of a tick if that is less, but never less than 2."""
OLD: Final = 30.0
"""Seconds, or three ticks if those are longer: an older answer says nothing of now."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of one question. None: not measured (a blind guard is not asked; stable where it is not needed)."""

    ask: Ask
    candidate: Measurement | None
    stable: Measurement | None


@dataclass(frozen=True, slots=True)
class Round:
    """The answers to all questions of one Release, for that evidence and nothing else."""

    evidence: Evidence
    asks: tuple[Ask, ...]
    until: float  # samples up to then were asked for; seconds since the epoch
    readings: tuple[Reading, ...]


@dataclass(slots=True)
class _Entry:
    evidence: Evidence
    asks: tuple[Ask, ...]
    newest: Round | None = None
    task: asyncio.Task[None] | None = None


@dataclass(slots=True)
class _Opened:
    """A Connection in use. `generation` tells whether it is still the one that was read."""

    generation: tuple[str, int]
    source: Source
    turns: asyncio.Semaphore


class Sampler:
    """`connection(namespace, name)` reads the store; `secret(connection, name, key)` is asked when a source needs it;
    `wake(key)` is called at the end of a round."""

    def __init__(
        self,
        *,
        connection: Callable[[str, str], Connection | None],
        secret: Callable[[Connection, str, str], Awaitable[str]],
        wake: Callable[[Key], None],
        tick: float,
        opener: Callable[[Connection, Secrets], Source] = open_source,
    ) -> None:
        self._connection, self._secret, self._wake, self._opener = connection, secret, wake, opener
        self._tick = tick
        self._patience = min(PATIENCE, max(2.0, 0.9 * tick))
        self._entries: dict[Key, _Entry] = {}
        self._opened: dict[tuple[str, str], _Opened] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def latest(self, key: Key, evidence: Evidence, asks: tuple[Ask, ...], now: float) -> Round | None:
        """The newest finished round for exactly this evidence and these questions, or None if there is none yet.

        Begins the next round if it is time. A round that is too old is given with every answer turned into none.
        """
        entry = self._entries.get(key)
        if entry is None or entry.evidence != evidence or entry.asks != asks:
            self.forget(key)
            entry = self._entries[key] = _Entry(evidence, asks)
        newest = entry.newest
        if entry.task is None and (newest is None or not 0 <= now - newest.until < self._tick):
            entry.task = asyncio.get_running_loop().create_task(self._round(key, entry, now))
        if newest is not None and now - newest.until > max(OLD, 3 * self._tick):
            return _too_old(newest, now)
        return newest

    def impediment(self, key: Key, ask: Ask) -> str | None:
        """Why the guard could not judge whatever is measured, and what to do; None if it could."""
        return next(iter(_faults(ask.guard)), None) or blindness(ask) or self.refusal(key, ask.guard.connection)

    def refusal(self, key: Key, name: str) -> str | None:
        """Why guards of this Release may not ask that Connection, in a sentence that says what to do."""
        connection = self._connection(key.namespace, name)
        if connection is None:
            return f"there is no Connection {name} in namespace {key.namespace} that can be read; create it"
        if connection.allows_guards_of(key.name):
            return None
        return (
            f"Connection {name} does not allow guards of Release {key.name}; "
            f"whoever owns it adds to its spec.allow: {{guards: [{key.name}]}}"
        )

    def forget(self, key: Key) -> None:
        """The Release climbs no more, or is gone. What is on its way for it is dropped."""
        entry = self._entries.pop(key, None)
        if entry is not None and entry.task is not None:
            entry.task.cancel()

    async def close(self) -> None:
        """End what is on its way and give all connections back."""
        tasks = [entry.task for entry in self._entries.values() if entry.task is not None]
        self._entries.clear()
        for task in tasks:
            task.cancel()
        for name in list(self._opened):
            self._shut(name)
        await asyncio.gather(*tasks, *self._closing, return_exceptions=True)

    # ---- one round

    async def _round(self, key: Key, entry: _Entry, now: float) -> None:
        try:
            readings = await asyncio.gather(*(self._reading(key, ask, now) for ask in entry.asks))
        except Exception:
            logger.exception("the guards of %s could not be asked", key)  # the next pass tries again
            return
        finally:
            entry.task = None
        entry.newest = Round(entry.evidence, entry.asks, now, tuple(readings))
        if self._entries.get(key) is entry:
            self._wake(key)

    async def _reading(self, key: Key, ask: Ask, now: float) -> Reading:
        if blindness(ask) is not None:
            return Reading(ask, None, None)
        opened = self._open(key, ask.guard.connection)
        if isinstance(opened, str):
            refused = Measurement(Data.NOT_PERMITTED, opened, through=now)
            return Reading(ask, refused, refused if ask.needs_stable else None)
        side = ask.side
        if side.stable is None or not ask.needs_stable:
            return Reading(ask, await self._measure(opened, ask, side.candidate, now), None)
        candidate, stable = await asyncio.gather(
            self._measure(opened, ask, side.candidate, now), self._measure(opened, ask, side.stable, now)
        )
        return Reading(ask, candidate, stable)

    async def _measure(self, opened: _Opened, ask: Ask, arm: Arm, now: float) -> Measurement:
        window = Window(min(ask.side.since, now), now)
        name = ask.guard.connection
        try:
            async with opened.turns, asyncio.timeout(self._patience):
                return await opened.source.measure(ask.guard, arm.mapping, window)
        except TimeoutError:
            sentence = f"Connection {name}: no answer within {self._patience:g} s"
        except Exception:
            # One guard's fault must not end the round, or the Release would wait for ever.
            logger.exception("guard %s could not be measured", ask.guard.name)
            sentence = f"Connection {name}: it could not be measured, by a fault of Tidegate's own; see its log"
        return Measurement(Data.PROVIDER_ERROR, sentence, since=window.since, through=now)

    # ---- connections

    def _open(self, key: Key, name: str) -> _Opened | str:
        """The Connection, or why it may not be used. Names are of the Release's own namespace, always."""
        where = (key.namespace, name)
        refusal, connection = self.refusal(key, name), self._connection(key.namespace, name)
        if connection is None:
            self._shut(where)
        if refusal is not None or connection is None:
            return refusal or ""
        generation = (connection.metadata.uid, connection.metadata.generation)
        opened = self._opened.get(where)
        if opened is None or opened.generation != generation:
            self._shut(where)
            source = self._opener(connection, self._secrets_of(connection))
            opened = self._opened[where] = _Opened(generation, source, asyncio.Semaphore(AT_ONCE))
        return opened

    def _secrets_of(self, connection: Connection) -> Secrets:
        return lambda name, key: self._secret(connection, name, key)

    def _shut(self, where: tuple[str, str]) -> None:
        opened = self._opened.pop(where, None)
        if opened is not None:
            task = asyncio.get_running_loop().create_task(opened.source.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


@lru_cache(maxsize=1024)
def _faults(guard: Guard) -> tuple[str, ...]:
    return faults(guard)


def _too_old(newest: Round, now: float) -> Round:
    """Nothing measured so long ago is an answer now."""
    sentence = f"the last answer is {now - newest.until:.0f} s old"

    def aged(measured: Measurement | None) -> Measurement | None:
        if measured is None or measured.data in (Data.NOT_PERMITTED, Data.BLIND):
            return measured
        said = measured.sentence if measured.data is Data.PROVIDER_ERROR else ""
        return replace(
            measured, data=Data.PROVIDER_ERROR, shape=None, sentence=f"{said}; {sentence}" if said else sentence
        )

    readings = (Reading(each.ask, aged(each.candidate), aged(each.stable)) for each in newest.readings)
    return replace(newest, readings=tuple(readings))
