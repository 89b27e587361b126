"""Follows kinds that the API server may not serve, and that may come later or go: those of an Istio.

Kopf asks but once what there is, and comes back for a quarter of an hour from a kind that is gone before it ends the
process. So these are listed and watched here. One that is not served is looked for at the start, and from then on only
while a Release wants it: a cluster without Istio is asked nothing at rest.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from tidegate.errors import Denied, Expired, NotFound, TidegateError
from tidegate.kube.client import Client
from tidegate.kube.outlines import FIRST_PAUSE, LONGEST_PAUSE, Took, Vanished
from tidegate.kube.resources import OPTIONAL, Resource, key_of
from tidegate.kube.store import Store

AGAIN: Final = 5.0  # seconds until a kind that is wanted is looked for again

logger = logging.getLogger(__name__)

CameOrWent = Callable[[Resource], None]
"""Called when all there is of a kind has been taken in, and when the kind is served no more."""


class Latecomers:
    """In the given namespaces; none: in all."""

    def __init__(
        self,
        client: Client,
        store: Store,
        took: Took,
        vanished: Vanished,
        came_or_went: CameOrWent,
        *,
        namespaces: Sequence[str] = (),
        resources: Sequence[Resource] = OPTIONAL,
        dice: random.Random | None = None,
    ) -> None:
        self._client, self._store, self._took, self._vanished = client, store, took, vanished
        self._came_or_went = came_or_went
        self._namespaces: Sequence[str | None] = namespaces or (None,)
        self._resources = resources
        self._dice = dice or random.Random()
        self._waiting = set(resources)
        self._told: dict[Resource, bool] = {}  # whether the kind was followed when that was told last
        self._first_look = asyncio.Event()

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as group:
            for resource in self._resources:
                group.create_task(self._attend(resource), name=f"latecomer {resource}")

    async def looked(self) -> None:
        """Return when each kind has been taken in, or has turned out not to be served, or not to us."""
        await self._first_look.wait()

    async def _attend(self, resource: Resource) -> NoReturn:
        while True:
            try:
                async with asyncio.TaskGroup() as group:
                    listed = [asyncio.Event() for _ in self._namespaces]
                    for namespace, event in zip(self._namespaces, listed, strict=True):
                        group.create_task(self._follow(resource, namespace, event), name=f"watch of {resource}")
                    for event in listed:
                        await event.wait()
                    self._store.mark_synced(resource)
                    self._seen(resource)
            except* (NotFound, Denied) as errors:
                self._gone(resource, str(errors.exceptions[0]))
            self._seen(resource)
            await asyncio.sleep(AGAIN)
            await self._store.wants(resource)

    async def _follow(self, resource: Resource, namespace: str | None, listed: asyncio.Event) -> NoReturn:
        """Raises NotFound where the kind is not served, Denied where we may not list it."""
        pause, version = FIRST_PAUSE, ""
        while True:
            try:
                if not version:
                    version = await self._list(resource, namespace)
                    listed.set()
                async for line in self._client.watch(resource, namespace, version):
                    version = str(line.obj["metadata"]["resourceVersion"])
                    pause = FIRST_PAUSE
                    if line.type != "BOOKMARK":
                        self._took(resource, line.type, line.obj)
                continue
            except (NotFound, Denied):
                raise
            except Expired:
                version = ""
            except TidegateError as error:
                logger.warning("the watch of %s was broken off: %s", resource, error)
            await asyncio.sleep(pause * self._dice.uniform(0.8, 1.2))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _list(self, resource: Resource, namespace: str | None) -> str:
        """Gives the version to watch from."""
        keys = self._store.keys(resource) if namespace is None else self._store.keys_within(resource, namespace)
        known = {key: self._store.version(resource, *key) for key in keys}
        items, version = await self._client.list(resource, namespace)
        for item in items:
            known.pop(key_of(item), None)
            self._took(resource, None, item)
        for key, last in known.items():
            if last <= int(version or 0):  # else it was made since, by ourselves
                self._vanished(resource, key, last)
        return version

    def _gone(self, resource: Resource, why: str) -> None:
        if self._store.synced(resource):
            logger.warning("%s can't be followed any more: %s", resource, why)
        self._store.mark_missing(resource)
        for key in self._store.keys(resource):
            self._vanished(resource, key, self._store.version(resource, *key))

    def _seen(self, resource: Resource) -> None:
        self._waiting.discard(resource)
        if not self._waiting:
            self._first_look.set()
        followed = self._store.synced(resource)
        if self._told.get(resource) != followed:  # else all would look again, and ask for it again, without end
            self._told[resource] = followed
            self._came_or_went(resource)
