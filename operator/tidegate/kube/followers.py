"""Follows what Kopf does not: each kind in each namespace is listed once, then watched from there.

Of ConfigMaps and Secrets a namespace may have thousands, and Kopf watches whole objects only. The right to follow them
is no reason to hold what is in them: the server is asked for metadata, and the store keeps that of the few that matter.

The kinds of an Istio may not be served, may come later or go. Kopf asks but once what there is, and comes back for a
quarter of an hour from a kind that is gone before it ends the process. One that is not served is looked for at the
start, and from then on only while a Release wants it: a cluster without Istio is asked nothing at rest.

Where a right is missing, or a kind, everything else goes on: other namespaces too. The store says why this kind is not
seen in this namespace, and who needs it is told.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, NoReturn

from tidegate.errors import Denied, Expired, NotFound, TidegateError
from tidegate.kube.client import Client
from tidegate.kube.resources import OPTIONAL, OUTLINED, Key, Object, Resource, key_of
from tidegate.kube.store import Store

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 60.0
AGAIN: Final = 5.0  # seconds until a kind that is wanted is looked for again

logger = logging.getLogger(__name__)

Took = Callable[[Resource, str | None, Object], None]
"""Called with the kind, the event's type (None: from a list) and the object: its metadata, of what is only outlined."""

Vanished = Callable[[Resource, Key, int], None]
"""Called for what a new list does not have any more, with the version it was known at."""

CameOrWent = Callable[[Resource, str | None], None]
"""Called when all there is of a kind in a namespace (None: in all) has been taken in, and when it is seen no more."""


class _Place(NamedTuple):
    resource: Resource
    namespace: str | None


class Followers:
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
        resources: Sequence[Resource] = (*OUTLINED, *OPTIONAL),
        dice: random.Random | None = None,
    ) -> None:
        self._client, self._store, self._took, self._vanished = client, store, took, vanished
        self._came_or_went = came_or_went
        self._dice = dice or random.Random()
        self._places = [_Place(resource, namespace) for resource in resources for namespace in namespaces or (None,)]
        self._waiting = set(self._places)
        self._first_look = asyncio.Event()

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as group:
            for place in self._places:
                group.create_task(self._follow(place), name=f"follower of {place.resource}")

    async def looked(self) -> None:
        """Return when each kind has been taken in, or has turned out not to be served, or not to us."""
        await self._first_look.wait()

    async def _follow(self, place: _Place) -> NoReturn:
        outlined = place.resource in OUTLINED
        pause, version = FIRST_PAUSE, ""
        while True:
            try:
                if not version:
                    version = await self._list(place)
                    self._is(place, "")
                async for line in self._client.watch(*place, version, metadata_only=outlined):
                    version = str(line.obj["metadata"]["resourceVersion"])
                    pause = FIRST_PAUSE
                    if line.type != "BOOKMARK":
                        self._took(place.resource, line.type, line.obj)
                continue
            except Expired:
                version = ""
            except (Denied, NotFound) as error:
                version = ""
                if isinstance(error, NotFound):  # of what may only not be seen, the last that was known stays known
                    self._drop_all(place)
                self._is(place, error.message)
                if place.resource in OPTIONAL:
                    await asyncio.sleep(AGAIN)
                    await self._store.wants(*place)
                    continue
            except TidegateError as error:
                logger.warning("the watch of %s was broken off: %s", place.resource, error)
            await asyncio.sleep(pause * self._dice.uniform(0.8, 1.2))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _list(self, place: _Place) -> str:
        """Gives the version to watch from. Page by page: only what the store keeps is held."""
        known = {key: self._store.version(place.resource, *key) for key in self._keys(place)}
        version = ""
        async for page in self._client.pages(*place, metadata_only=place.resource in OUTLINED):
            for item in page.items:
                known.pop(key_of(item), None)
                self._took(place.resource, None, item)
            version = page.resource_version
        for key, last in known.items():
            if last <= int(version or 0):  # else it was made since, by ourselves
                self._vanished(place.resource, key, last)
        return version

    def _drop_all(self, place: _Place) -> None:
        for key in self._keys(place):
            self._vanished(place.resource, key, self._store.version(place.resource, *key))

    def _keys(self, place: _Place) -> Sequence[Key]:
        if place.namespace is None:
            return self._store.keys(place.resource)
        return self._store.keys_within(place.resource, place.namespace)

    def _is(self, place: _Place, trouble: str) -> None:
        """Seen, or not; what is still so is no news: else all would look again, and ask for it again, without end."""
        was = self._store.trouble(*place)
        if trouble and trouble != was and (was is not None or place.resource not in OPTIONAL):
            logger.warning("%s can't be followed: %s", place.resource, trouble)
        self._store.mark_followed(*place, trouble)
        self._waiting.discard(place)
        if not self._waiting:
            self._first_look.set()
        if was is None or bool(was) != bool(trouble):
            self._came_or_went(*place)
