"""Follows the metadata of ConfigMaps and Secrets: listed once, then watched from there.

Kopf watches whole objects only. Of these kinds a namespace may have thousands, and the right to follow them is no
reason to hold what is in them: the server is asked for metadata, and the store keeps that of the few that matter. What
a template names is then read one by one.

Where the right is missing, everything else goes on: the store says why these kinds are unseen, and who names one is
told.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from tidegate.errors import Denied, Expired, TidegateError
from tidegate.kube.client import Client
from tidegate.kube.resources import OUTLINED, Key, Object, Resource, key_of
from tidegate.kube.store import Store

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 60.0

logger = logging.getLogger(__name__)

Took = Callable[[Resource, str | None, Object], None]
"""Called with the kind, the event's type (None: from a list) and the object's metadata."""

Vanished = Callable[[Resource, Key, int], None]
"""Called for what a new list does not have any more, with the version it was known at."""


class Outlines:
    """In the given namespaces; none: in all."""

    def __init__(
        self,
        client: Client,
        store: Store,
        took: Took,
        vanished: Vanished,
        *,
        namespaces: Sequence[str] = (),
        dice: random.Random | None = None,
    ) -> None:
        self._client, self._store, self._took, self._vanished = client, store, took, vanished
        self._namespaces: Sequence[str | None] = namespaces or (None,)
        self._dice = dice or random.Random()
        self._waiting = {(resource, namespace) for resource in OUTLINED for namespace in self._namespaces}
        self._first_look = asyncio.Event()

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as group:
            for resource, namespace in sorted(self._waiting, key=str):
                group.create_task(self._follow(resource, namespace), name=f"outlines of {resource}")

    async def looked(self) -> None:
        """Return when each kind has been listed, or has turned out not to be ours to list."""
        await self._first_look.wait()

    async def _follow(self, resource: Resource, namespace: str | None) -> NoReturn:
        pause, version = FIRST_PAUSE, ""
        while True:
            try:
                if not version:
                    version = await self._list(resource, namespace)
                    self._seen(resource, namespace, "")
                async for line in self._client.watch(resource, namespace, version, metadata_only=True):
                    version = str(line.obj["metadata"]["resourceVersion"])
                    pause = FIRST_PAUSE
                    if line.type != "BOOKMARK":
                        self._took(resource, line.type, line.obj)
                continue
            except Expired:
                version = ""
            except Denied as error:
                version = ""
                self._seen(resource, namespace, error.message)
            except TidegateError as error:
                logger.warning("the watch of %s was broken off: %s", resource, error)
            await asyncio.sleep(pause * self._dice.uniform(0.8, 1.2))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _list(self, resource: Resource, namespace: str | None) -> str:
        """Gives the version to watch from. Page by page: only what the store keeps is held."""
        known = {key: self._store.version(resource, *key) for key in self._keys(resource, namespace)}
        version = ""
        async for page in self._client.pages(resource, namespace, metadata_only=True):
            for item in page.items:
                known.pop(key_of(item), None)
                self._took(resource, None, item)
            version = page.resource_version
        for key, last in known.items():
            if last <= int(version or 0):  # else it was made since, by ourselves
                self._vanished(resource, key, last)
        return version

    def _keys(self, resource: Resource, namespace: str | None) -> Sequence[Key]:
        if namespace is None:
            return self._store.keys(resource)
        return self._store.keys_within(resource, namespace)

    def _seen(self, resource: Resource, namespace: str | None, trouble: str) -> None:
        if trouble and trouble != self._store.unseen(resource):
            logger.warning("%s can't be followed: %s", resource, trouble)
        self._store.mark_unseen(resource, trouble)
        self._waiting.discard((resource, namespace))
        if not any(waiting for waiting, _ in self._waiting if waiting == resource):
            self._store.mark_synced(resource)
        if not self._waiting:
            self._first_look.set()
