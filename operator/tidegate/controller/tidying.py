"""Removes Interventions that are done with: their answer was there for 30 days, or for 30 days there was no Release
that could give one. The leader does it, every ten minutes; it decides nothing and nothing waits for it."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import Final, NoReturn, Protocol

from tidegate.api.parse import parse_intervention, parse_meta
from tidegate.controller.acting import EFFECT_TIMEOUT
from tidegate.errors import Invalid, TidegateError
from tidegate.kube.cluster import Cluster
from tidegate.kube.resources import INTERVENTIONS, RELEASES, Key, Object, uid_of

KEPT: Final = 30 * 86_400.0
"""Seconds for which an Intervention is kept once nothing comes of it any more."""

logger = logging.getLogger(__name__)


class Leadership(Protocol):
    async def opened(self) -> None: ...
    def safe_for(self, seconds: float) -> bool: ...


class Tidying:
    """`limit` is what one removal may take, `period` how often is looked, in seconds; `wall` gives seconds since the
    epoch."""

    def __init__(
        self,
        cluster: Cluster,
        leadership: Leadership,
        *,
        limit: float = EFFECT_TIMEOUT,
        period: float = 600.0,
        wall: Callable[[], float] = time.time,
        dice: random.Random | None = None,
    ) -> None:
        self._cluster, self._leadership, self._limit = cluster, leadership, limit
        self._period, self._wall, self._dice = period, wall, dice or random.Random()

    async def run(self) -> NoReturn:
        """For ever, once we lead. What fails is tried again next time."""
        await self._leadership.opened()
        while True:
            await self.once()
            await asyncio.sleep(self._period * self._dice.uniform(0.8, 1.2))

    async def once(self) -> int:
        """Remove what can go. Gives how many that were."""
        removed = 0
        for key in self._cluster.store.keys(INTERVENTIONS):
            document = self._cluster.get(INTERVENTIONS, *key)
            if document is None:
                continue
            try:
                removed += await self._removed(key, document)
            except (TidegateError, TimeoutError) as error:
                logger.warning("Intervention %s could not be removed: %s", key, str(error) or "no answer in time")
        return removed

    async def _removed(self, key: Key, document: Object) -> bool:
        since = _done_since(document)
        if since is None:
            name = str(((document.get("spec") or {}).get("targetRef") or {}).get("name"))
            since = parse_meta(document).creation_timestamp or self._wall()
            # The cheap look first; that a Release is not there is believed to the server alone.
            if self._kept(since) or await self._exists(Key(key.namespace, name)):
                return False
        if self._kept(since) or not self._leadership.safe_for(self._limit):
            return False
        async with asyncio.timeout(self._limit):
            await self._cluster.delete(INTERVENTIONS, *key, uid=uid_of(document))
        return True

    def _kept(self, since: float) -> bool:
        return self._wall() < since + KEPT

    async def _exists(self, release: Key) -> bool:
        if self._cluster.get(RELEASES, *release) is not None:
            return True
        return await self._cluster.fresh(RELEASES, *release) is not None


def _done_since(document: Object) -> float | None:
    """When it was answered; None if it was not, or can't be read."""
    try:
        intervention = parse_intervention(document)
    except Invalid:
        return None
    status = intervention.status
    return (status.at or intervention.metadata.creation_timestamp) if status.outcome else None
