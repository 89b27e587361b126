"""Who serves behind a Service before us.

Pods that are not ours are not watched, nor is any ReplicaSet or EndpointSlice: they are asked for when it matters, and
it matters only before a component's first version. A pass does not wait for the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from tidegate.api.meta import LABEL_RELEASE
from tidegate.errors import TidegateError
from tidegate.kube import DEPLOYMENTS, ENDPOINTSLICES, PODS, REPLICASETS, Cluster, Key, Object
from tidegate.kube.resources import uid_of
from tidegate.targets.kubernetes.health import is_ready
from tidegate.targets.kubernetes.names import labels_of, section
from tidegate.targets.kubernetes.templates import selector_text

SERVICE_OF: Final = "kubernetes.io/service-name"
"""Label of an EndpointSlice: whose endpoints are in it."""


class Neighbour(NamedTuple):
    """What serves behind a Service, beside ours; and what of it is the Deployment's that may be taken over."""

    pods: int  # ready ones
    strangers: int = 0  # those among them that are not that Deployment's
    running: tuple[Mapping[str, Any], ...] = ()  # its pod templates of which there are pods
    deployment: Object | None = None  # as the server had it then
    written: int = 0  # ready endpoints that somebody has written for a Service without a selector


class Unknown(NamedTuple):
    why: str


@dataclass(slots=True)
class _Look:
    found: Neighbour | None = None
    trouble: str = ""
    looked_at: float = float("-inf")  # loop time
    looking: asyncio.Task[None] | None = None


class Neighbours:
    """One for the operator."""

    AGAIN: Final = 10.0  # seconds
    SOON: Final = 1.0  # where the Deployment is another than it was

    def __init__(self, cluster: Cluster, wake: Callable[[Key], None]) -> None:
        self._cluster = cluster
        self._wake = wake
        self._looks: dict[tuple[Key, str], _Look] = {}

    def look(self, key: Key, service: Object, deployment: Object | None) -> Neighbour | Unknown:
        """What serves there, seen while the Deployment was as it is given here."""
        name = service["metadata"]["name"]
        look = self._looks.setdefault((key, name), _Look())
        now = asyncio.get_running_loop().time()
        stale = look.found is not None and not _same(look.found.deployment, deployment)
        if look.looking is None and now - look.looked_at >= (self.SOON if stale else self.AGAIN):
            look.looking = asyncio.create_task(
                self._see(key, service, deployment, look), name=f"neighbours {key.namespace}/{name}"
            )
        if look.found is None or stale:
            return Unknown(look.trouble or "its pods are being asked for")
        return look.found

    def forget(self, key: Key) -> None:
        for place in [place for place in self._looks if place[0] == key]:
            look = self._looks.pop(place)
            if look.looking is not None:
                look.looking.cancel()

    async def close(self) -> None:
        tasks = [look.looking for look in self._looks.values() if look.looking is not None]
        for key, _ in list(self._looks):
            self.forget(key)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _see(self, key: Key, service: Object, deployment: Object | None, look: _Look) -> None:
        loop = asyncio.get_running_loop()
        try:
            look.found, look.trouble = await self._ask(key, service, deployment), ""
        except TidegateError as error:
            look.found, look.trouble = None, error.message
        finally:
            look.looking, look.looked_at = None, loop.time()
        self._wake(key)
        if look.found is None or look.found.pods or look.found.written:
            loop.call_later(self.AGAIN, self._wake, key)

    async def _ask(self, key: Key, service: Object, deployment: Object | None) -> Neighbour:
        if not section(service, "spec").get("selector"):
            return Neighbour(0, written=await self._written(key.namespace, service["metadata"]["name"]))
        client, chosen = self._cluster.client, {"matchLabels": section(service, "spec")["selector"]}
        pods = (await client.list(PODS, key.namespace, labels=selector_text(chosen))).items
        others = [pod for pod in pods if labels_of(pod).get(LABEL_RELEASE) != key.name and is_ready(pod)]
        if deployment is None:
            return Neighbour(len(others), len(others))
        # In this order: what the Deployment is about to do, it has not done in what is read before.
        asked = selector_text(section(deployment, "spec").get("selector") or {})
        sets = (await client.list(REPLICASETS, key.namespace, labels=asked)).items
        seen = await client.get(DEPLOYMENTS, key.namespace, deployment["metadata"]["name"])
        mine = [one for one in sets if _controller(one) == uid_of(seen)]
        uids = {uid_of(one) for one in mine}
        strangers = [pod for pod in others if _controller(pod) not in uids]
        running = tuple(section(one, "spec")["template"] for one in mine if _has_pods(one))
        return Neighbour(len(others), len(strangers), running, seen)

    async def _written(self, namespace: str, service: str) -> int:
        """Endpoints that nobody says are not ready; Endpoints of the old kind stand there, too, as slices."""
        asked = selector_text({"matchLabels": {SERVICE_OF: service}})
        slices = (await self._cluster.client.list(ENDPOINTSLICES, namespace, labels=asked)).items
        endpoints = [endpoint for one in slices for endpoint in one.get("endpoints") or ()]
        return sum((endpoint.get("conditions") or {}).get("ready") is not False for endpoint in endpoints)


def _same(one: Object | None, other: Object | None) -> bool:
    if one is None or other is None:
        return one is other
    return uid_of(one) == uid_of(other) and one["metadata"].get("generation") == other["metadata"].get("generation")


def _controller(obj: Object) -> str:
    owners: Sequence[Mapping[str, Any]] = obj["metadata"].get("ownerReferences") or ()
    return next((str(owner.get("uid", "")) for owner in owners if owner.get("controller")), "")


def _has_pods(replica_set: Object) -> bool:
    return bool(section(replica_set, "spec").get("replicas") or section(replica_set, "status").get("replicas"))
