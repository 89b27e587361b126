"""The sweep: compare the view with the server, and mend it. It only reads.

A watch that lost its place lists anew, and what was deleted in between is told by nobody; so the names are compared,
every ten minutes, and soon after each new listing. By the same comparison a starting process knows that its view is
whole: all that the server listed at the start has arrived by the watch.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from tidegate.api.meta import LABEL_RELEASE
from tidegate.controller.intake import Intake
from tidegate.controller.metrics import Metrics
from tidegate.errors import Denied, NotFound, TidegateError
from tidegate.kube.client import Client
from tidegate.kube.resources import LABELLED_ONLY, WATCHED, Key, Resource, key_of, version_of

_GRACE: Final = 5.0  # a watch may be so late before it counts as having missed something
_SETTLE: Final = 5.0  # after a new listing: its events are to be taken in first
_GLANCE: Final = 0.2
_AT_ONCE: Final = 8

logger = logging.getLogger(__name__)


class Found(NamedTuple):
    vanished: Sequence[Key]
    missed: Sequence[Key]


class Sweep:
    """Of all watched kinds, in the given namespaces (none: in all). One of several that is denied is told, and left
    out."""

    def __init__(
        self,
        client: Client,
        intake: Intake,
        metrics: Metrics,
        *,
        namespaces: Sequence[str] = (),
        period: float = 600.0,
        resources: Sequence[Resource] = WATCHED,
        dice: random.Random | None = None,
    ) -> None:
        self._client = client
        self._intake = intake
        self._metrics = metrics
        self._namespaces: Sequence[str | None] = namespaces or (None,)
        self._period = period
        self._resources = resources
        self._dice = dice or random.Random()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._first = asyncio.Lock()  # one kind after another: Kopf lists them all at this time, and pages take memory
        self._relisted: set[Resource] = set()
        self._bell = asyncio.Event()
        self._last = asyncio.get_running_loop().time()

    @property
    def age(self) -> float:
        """Seconds since all kinds were last compared."""
        return asyncio.get_running_loop().time() - self._last

    def relisted(self, resource: Resource) -> None:
        """A watch has listed the kind anew: what was deleted meanwhile, it will not tell."""
        if self._intake.store.synced(resource):
            self._relisted.add(resource)
            self._bell.set()

    async def run(self) -> None:
        """For ever. What the server does not answer is tried again next time."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self._jittered()
        while True:
            try:
                async with asyncio.timeout_at(due):
                    await self._bell.wait()
            except TimeoutError:
                resources: Sequence[Resource] = self._resources
                due = loop.time() + self._jittered()
            else:
                await asyncio.sleep(_SETTLE)
                resources = sorted(self._relisted, key=str)
                self._relisted.clear()
                self._bell.clear()
            whole = True
            for resource in resources:
                whole = await self._tried(resource) and whole
            if whole and resources is self._resources:
                self._last = loop.time()

    async def once(self, resource: Resource) -> Found:
        """Compare one kind. Raises what `Client` raises."""
        listed, denied = await self._listed(resource, cached=True)
        known = self._intake.store.keys(resource)
        vanished = [key for key in known if key not in listed and key.namespace not in denied]
        missed = self._behind(resource, listed)
        if missed:
            await asyncio.sleep(_GRACE)
            missed = self._behind(resource, listed)
        # The list came from the server's cache and may be old: each finding is confirmed.
        gone, news = await self._look(resource, vanished), await self._look(resource, missed)
        found = Found(tuple(key for key, changed in gone if changed), tuple(key for key, changed in news if changed))
        for kind, keys in found._asdict().items():
            for key in keys:
                self._metrics.found(resource, kind)
                logger.warning("the sweep found that %s %s %s", resource.kind, key, _TOLD[kind])
        return found

    async def until_synced(self, resource: Resource) -> None:
        """Return when all that the server has now has arrived by the watch; the store is then marked so.

        Raises what `Client` raises.
        """
        loop = asyncio.get_running_loop()
        async with self._first:
            listed, _ = await self._listed(resource, cached=False)
        missing = list(self._behind(resource, listed))
        quiet_since = loop.time()
        while missing:
            await asyncio.sleep(_GLANCE)
            before = len(missing)
            # Only as far as the next that is missing: all of them at each glance was a tenth of a start over thousands.
            while missing and self._intake.store.version(resource, *missing[-1]) >= listed[missing[-1]]:
                missing.pop()
            if len(missing) < before:
                quiet_since = loop.time()
            elif loop.time() > quiet_since + _GRACE:
                missing = [key for key in missing if self._intake.store.version(resource, *key) < listed[key]]
                if len(missing) == before:
                    # Nothing comes any more. What is still missing was deleted, or changed so that it is none of ours.
                    await self._look(resource, missing)
                    missing = []
                quiet_since = loop.time()
        self._intake.store.mark_synced(resource)

    # ---- inside

    async def _tried(self, resource: Resource) -> bool:
        try:
            await self.once(resource)
        except TidegateError as error:
            logger.warning("the sweep of %s was not completed: %s", resource, error)
            return False
        return True

    async def _listed(self, resource: Resource, *, cached: bool) -> tuple[Mapping[Key, int], frozenset[str]]:
        """What there is, with its version, and the namespaces that can't be listed."""
        labels = LABEL_RELEASE if resource in LABELLED_ONLY else None
        version = "0" if cached else None
        listed: dict[Key, int] = {}
        denied: set[str] = set()
        for namespace in self._namespaces:
            # Page by page: of thousands of objects nothing is kept but where they are, and which version.
            pages = self._client.pages(resource, namespace, labels=labels, resource_version=version, metadata_only=True)
            try:
                async for page in pages:
                    listed.update((key_of(item), version_of(item)) for item in page.items)
            except Denied as error:
                if namespace is None or len(denied) + 1 == len(self._namespaces):
                    raise
                denied.add(namespace)
                logger.warning("%s of namespace %s are left out: %s", resource, namespace, error)
        return listed, frozenset(denied)

    def _behind(self, resource: Resource, listed: Mapping[Key, int]) -> Sequence[Key]:
        store = self._intake.store
        return [key for key, version in listed.items() if store.version(resource, *key) < version]

    async def _look(self, resource: Resource, keys: Sequence[Key]) -> Sequence[tuple[Key, bool]]:
        """Ask the server about each, and take in what it says. Pairs of a key and whether that was news."""

        async def one(key: Key) -> tuple[Key, bool]:
            async with self._slots:
                return key, await self._confirmed(resource, key)

        return await asyncio.gather(*(one(key) for key in keys))

    async def _confirmed(self, resource: Resource, key: Key) -> bool:
        store = self._intake.store
        before = store.version(resource, *key)
        try:
            obj = await self._client.get(resource, *key)
        except NotFound:
            return self._intake.drop(resource, key, version=before)
        if version_of(obj) < before == store.version(resource, *key):
            # A quorum read that began after we knew a newer version: etcd was restored.
            self._intake.turn_back(resource, obj)
            return True
        return self._intake.put(resource, obj)

    def _jittered(self) -> float:
        return self._period * self._dice.uniform(0.8, 1.2)


_TOLD: Final[Mapping[str, str]] = {
    "vanished": "is gone, which no watch had told",
    "missed": "has changed, which no watch had told",
}
