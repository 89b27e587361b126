"""The app's own Service: whether we may use it, what it selects, and what serves there before us.

Its selector is pinned to the pods of one revision, the stable one: who calls it directly never meets a candidate.
`port`, which routes and callers name, never moves; `targetPort` does, where a revision has another port.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tidegate.api.conditions import Reason
from tidegate.api.meta import LABEL_COMPONENT, LABEL_MANAGED_BY, LABEL_RELEASE, LABEL_REVISION, MANAGED_BY, short
from tidegate.api.permission import refusal
from tidegate.api.release import Component
from tidegate.errors import TidegateError
from tidegate.kube import PODS, Cluster, Key, Object
from tidegate.targets.kubernetes.health import is_ready
from tidegate.targets.kubernetes.names import LABEL_NAME, app_service_name, labels_of, section, selector
from tidegate.targets.port import App, Problem

NOT_KNOWN_YET: Final = "ServiceNotKnownYet"


def may_use(app: App, service: Object | None, name: str) -> str | None:
    """None if the Release may use the Service, or if there is none; else the sentence that says why not."""
    if service is None:
        return None
    return refusal("Service", app.namespace, name, labels_of(service), app.name)


def pinned_to(service: Object | None, release: str, part: str, contents: Sequence[str]) -> str:
    """The content among these that the Service selects; "" if none."""
    found: Mapping[str, str] = section(service, "spec").get("selector") or {} if service else {}
    digits = found.get(LABEL_REVISION)
    content = next((content for content in contents if short(content) == digits), "")
    return content if content and found == selector(release, part, content) else ""


def pinned_body(app: App, component: Component, content: str, port: int, target: int) -> Object:
    """The Service, made because there is none. `port` is the one that routes name, `target` that of the content."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": app_service_name(app.name, component),
            "namespace": app.namespace,
            "labels": {
                LABEL_NAME: component.name,
                LABEL_MANAGED_BY: MANAGED_BY,
                LABEL_RELEASE: app.name,
                LABEL_COMPONENT: component.name,
            },
        },
        "spec": {
            "selector": selector(app.name, component.name, content),
            "ports": [{"name": "http", "port": port, "targetPort": target}],
        },
    }


def pin_patch(service: Object, release: str, part: str, content: str, old: int | None, target: int) -> Object:
    """A merge patch of the Service as it was read: our selector, and nothing else in it but the port of the pods, where
    that moves along with them from `old` (None: not known) to `target`."""
    wanted: dict[str, Any] = dict.fromkeys(section(service, "spec").get("selector") or {})
    wanted |= selector(release, part, content)
    ports: Sequence[dict[str, Any]] = section(service, "spec").get("ports") or ()
    retargeted = [_retargeted(entry, _is_made(service), old, target) for entry in ports]
    spec = {"selector": wanted} | ({"ports": retargeted} if retargeted != list(ports) else {})
    return {"metadata": {"resourceVersion": service["metadata"]["resourceVersion"]}, "spec": spec}


def _retargeted(entry: dict[str, Any], made: bool, old: int | None, target: int) -> dict[str, Any]:
    """In a Service that is the user's, a name, and a number that is none of ours, say what he meant."""
    there = entry.get("targetPort")
    return {**entry, "targetPort": target} if made or (isinstance(there, int) and there == old) else entry


def _is_made(service: Object) -> bool:
    return labels_of(service).get(LABEL_MANAGED_BY) == MANAGED_BY


def selects_others(service: Object | None, release: str) -> bool:
    """Whether a Service has a selector that is none of our pins: something else may serve behind it.

    A Service without a selector counts as free. Endpoints that somebody wrote for it by hand can't be seen without the
    right to read endpointslices, which nothing else here needs; docs/releases.md says so.
    """
    found: Mapping[str, str] = section(service, "spec").get("selector") or {} if service else {}
    return bool(found) and not (found.get(LABEL_RELEASE) == release and LABEL_REVISION in found)


def occupied(part: str, name: str, pods: int) -> Problem:
    sentence = (
        f"Service {name} already selects ready pods that are not of this Release ({pods}), and the first version would "
        "take all traffic from them at once. Name another Service, or scale down what serves there."
    )
    return Problem(part, "", Reason.SERVICE_IN_USE, sentence, lasting=True)


@dataclass(slots=True)
class _Look:
    pods: int | None = None  # ready ones; None: not known yet
    trouble: str = ""
    looked_at: float = float("-inf")  # loop time
    looking: asyncio.Task[None] | None = None


class Neighbours:
    """Who serves behind a Service before us. Pods that are not ours are not watched, so they are asked for when it
    matters.

    It matters only before a component's first version; a pass does not wait for the answer.
    """

    AGAIN: Final = 10.0  # seconds

    def __init__(self, cluster: Cluster, wake: Callable[[Key], None]) -> None:
        self._cluster = cluster
        self._wake = wake
        self._looks: dict[tuple[Key, str], _Look] = {}

    def look(self, key: Key, part: str, service: Object) -> Problem | None:
        """What serves there already; a passing problem while that is not known; None if nothing does."""
        name = service["metadata"]["name"]
        look = self._looks.setdefault((key, name), _Look())
        now = asyncio.get_running_loop().time()
        if look.looking is None and now - look.looked_at >= self.AGAIN:
            chosen = section(service, "spec").get("selector") or {}
            labels = ",".join(f"{label}={value}" for label, value in sorted(chosen.items()))
            look.looking = asyncio.create_task(
                self._count(key, labels, look), name=f"neighbours {key.namespace}/{name}"
            )
        if look.pods is None:
            why = look.trouble or "its pods are being asked for"
            return Problem(
                part, "", NOT_KNOWN_YET, f"What Service {name} selects is not known yet: {why}", lasting=False
            )
        return occupied(part, name, look.pods) if look.pods else None

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

    async def _count(self, key: Key, labels: str, look: _Look) -> None:
        loop = asyncio.get_running_loop()
        try:
            listing = await self._cluster.client.list(PODS, key.namespace, labels=labels)
            others = [pod for pod in listing.items if labels_of(pod).get(LABEL_RELEASE) != key.name]
            look.pods, look.trouble = sum(map(is_ready, others)), ""
        except TidegateError as error:
            look.pods, look.trouble = None, error.message
        finally:
            look.looking, look.looked_at = None, loop.time()
        self._wake(key)
        if look.pods != 0:
            loop.call_later(self.AGAIN, self._wake, key)
