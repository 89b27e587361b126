"""The cluster as the loop and the adapters see it: reads from the store, writes through it.

Each answer to a write goes into the store before the caller has it: whoever decides next sees it, however far the
watch lags behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import NamedTuple

from tidegate.errors import NotFound, Unavailable
from tidegate.kube.client import Client, Propagation
from tidegate.kube.resources import Key, Object, Resource, key_of, uid_of, version_of
from tidegate.kube.store import Store


class _Place(NamedTuple):
    resource: Resource
    key: Key


class Cluster:
    """Reads are of the store and take no time, but `fresh` and `read`. Writes raise what `Client` raises."""

    def __init__(self, client: Client, store: Store) -> None:
        self.client = client
        self.store = store
        self._unsure: set[_Place] = set()

    # ---- reads

    def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """The object as the store has it: of ConfigMaps and Secrets its metadata."""
        return self.store.get(resource, namespace, name)

    def text(self, resource: Resource, namespace: str, name: str) -> bytes | None:
        """As `get`, in JSON as it lies in the store."""
        return self.store.text(resource, namespace, name)

    def of_release(self, resource: Resource, namespace: str, release: str) -> Sequence[Object]:
        """All objects of the namespace that carry the release's label."""
        return self.store.of_release(resource, namespace, release)

    def within(self, resource: Resource, namespace: str) -> Sequence[Object]:
        """All objects of the namespace."""
        return self.store.within(resource, namespace)

    def follows(self, resource: Resource, namespace: str) -> bool:
        """Whether all there is in a namespace of a kind that may be missing is in the store; if not, it is wanted from
        now on."""
        return self.store.trouble(resource, namespace) == "" or self.store.want(resource, namespace)

    async def fresh(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """The object as the server has it now, or None. Raises Denied, Unavailable."""
        before = self.floor(resource, namespace, name)
        try:
            obj = await self.client.get(resource, namespace, name)
        except NotFound:
            self._settled(resource, namespace, name)
            self.store.drop(resource, namespace, name, version=before)
            return None
        self._settled(resource, namespace, name)
        self.store.put(resource, obj)
        return self._newest(resource, obj)

    async def read(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """From the store; from the server what the store does not hold whole, and where a write of ours to it has ended
        without an answer."""
        if self.unsure(resource, namespace, name) or not self.store.holds(resource):
            return await self.fresh(resource, namespace, name)
        return self.get(resource, namespace, name)

    def unsure(self, resource: Resource, namespace: str, name: str) -> bool:
        """Whether our last write to it ended without an answer: the store may be behind our own write.

        A fresh read, or a later write that is answered, ends it.
        """
        return _Place(resource, Key(namespace, name)) in self._unsure

    def floor(self, resource: Resource, namespace: str, name: str) -> int:
        """The version that no later read here is below: that of our newest answered write, or what was seen since."""
        return self.store.version(resource, namespace, name) if self.store.watches(resource) else 0

    # ---- writes

    async def create(self, resource: Resource, namespace: str, body: Object) -> Object:
        """Raises AlreadyExists."""
        name = str(body["metadata"].get("name", ""))
        return await self._written(resource, namespace, name, self.client.create(resource, namespace, body))

    async def merge(
        self, resource: Resource, namespace: str, name: str, body: Object, *, subresource: str | None = None
    ) -> Object:
        """Merge patch; with `metadata.resourceVersion` in it a compare-and-swap. Raises Conflict."""
        call = self.client.merge(resource, namespace, name, body, subresource=subresource)
        return await self._written(resource, namespace, name, call)

    async def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        propagation: Propagation = "Background",
    ) -> None:
        """Make it be gone: what is not there is no error. Raises Conflict where it is another one by now."""
        known = uid or (self.store.uid(resource, namespace, name) if self.store.watches(resource) else "")
        call = self.client.delete(
            resource, namespace, name, uid=uid, resource_version=resource_version, propagation=propagation
        )
        try:
            answer = await self._answered(resource, namespace, name, call)
        except NotFound:
            self.store.drop(resource, namespace, name, known)
            return
        if answer.get("kind") == resource.kind and answer["metadata"].get("deletionTimestamp"):
            self.store.put(resource, answer)  # on its way out: a finalizer or a grace period holds it
        else:
            self.store.drop(resource, namespace, name, known)

    # ---- inside

    async def _written(self, resource: Resource, namespace: str, name: str, call: Awaitable[Object]) -> Object:
        before = self.floor(resource, namespace, name)
        try:
            obj = await self._answered(resource, namespace, name, call)
        except NotFound:
            self.store.drop(resource, namespace, name, version=before)
            raise
        self.store.put(resource, obj)
        return obj

    async def _answered(self, resource: Resource, namespace: str, name: str, call: Awaitable[Object]) -> Object:
        """The answer. Where none comes, be it by a time-out of the caller's, the write may have been done."""
        place = _Place(resource, Key(namespace, name))
        try:
            answer = await call
        except (Unavailable, asyncio.CancelledError):
            self._unsure.add(place)
            raise
        self._unsure.discard(place)
        return answer

    def _settled(self, resource: Resource, namespace: str, name: str) -> None:
        self._unsure.discard(_Place(resource, Key(namespace, name)))

    def _newest(self, resource: Resource, obj: Object) -> Object:
        """What was read, unless the watch was faster."""
        if not self.store.holds(resource):
            return obj
        key = key_of(obj)
        known = self.store.get(resource, key.namespace, key.name)
        if known is not None and uid_of(known) == uid_of(obj) and version_of(known) > version_of(obj):
            return known
        return obj
