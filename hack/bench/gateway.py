"""The stand-in for a gateway: takes each route's weights a moment after it sees them, says so in the route's status,
and counts requests by them.

Requests are counted, not sent: each route has so many a second, evenly spaced, shared out by smooth weighted round
robin, as Traefik's are. So it is known to a tenth of a second which request was the candidate's last, for thousands of
routes at once. The wait before weights are taken is that of Traefik with a throttle of 100 ms.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hack.bench.watching import follow
from tidegate.errors import NotFound, TidegateError
from tidegate.kube import HTTPROUTES, Client, Key, Object, key_of

PER_SECOND = 10.0
"""Requests a second and route."""
TAKES = 0.1
"""Seconds from seeing weights to serving by them."""
CONTROLLER = "bench.tidegate.dev/gateway"


@dataclass(slots=True)
class Lane:
    """One route: what it says, and who served what. Instants are seconds since the epoch."""

    generation: int = 0
    said: dict[str, int] = field(default_factory=dict)  # weights as the newest spec has them, by Service
    taken: dict[str, int] = field(default_factory=dict)  # those that are served by
    credit: dict[str, float] = field(default_factory=dict)
    served: dict[str, int] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)  # by Service: its last request
    zero: dict[str, float] = field(default_factory=dict)  # by Service: when the route was seen to give it nothing
    until: float = 0.0  # requests are counted up to here

    def count(self, now: float) -> None:
        """Share out the requests since the last time."""
        total = sum(self.taken.values())
        if not total:
            self.until = now
            return
        while self.until + 1 / PER_SECOND <= now:
            self.until += 1 / PER_SECOND
            for service, weight in self.taken.items():
                self.credit[service] = self.credit.get(service, 0.0) + weight
            chosen = max(self.taken, key=lambda service: self.credit[service])
            self.credit[chosen] -= total
            self.served[chosen] = self.served.get(chosen, 0) + 1
            self.last[chosen] = self.until


class Gateway:
    """`run` it beside what is measured. `seen` is called with the key of a route whose weights have changed."""

    def __init__(self, client: Client, seen: Callable[[Key], None] = lambda key: None) -> None:
        self._client = client
        self._seen = seen
        self.lanes: dict[Key, Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        await follow(self._client, HTTPROUTES, self._took)

    def settle(self) -> None:
        """Count all requests up to now."""
        now = time.time()
        for lane in self.lanes.values():
            lane.count(now)

    def _took(self, event: str, route: Object) -> None:
        key, generation = key_of(route), int(route["metadata"]["generation"])
        if event == "DELETED":
            self.lanes.pop(key, None)
            return
        now = time.time()
        lane = self.lanes.setdefault(key, Lane(until=now))
        if generation <= lane.generation:
            return
        lane.generation = generation
        before, lane.said = lane.said, weights(route)
        for service, weight in before.items():
            if weight and not lane.said.get(service):
                lane.zero[service] = now
        if _taken(route) < generation:
            task = asyncio.create_task(self._take(key, generation))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            lane.taken = dict(lane.said)
        if before != lane.said:
            self._seen(key)

    async def _take(self, key: Key, generation: int) -> None:
        await asyncio.sleep(TAKES)
        lane = self.lanes.get(key)
        if lane is None or lane.generation != generation:
            return
        lane.count(time.time())
        lane.taken = dict(lane.said)
        try:
            await self._client.merge(HTTPROUTES, *key, {"status": route_status(generation)}, subresource="status")
        except NotFound:
            return
        except TidegateError as error:
            print(f"bench: the stand-in gateway could not write the status of {key}: {error}")


def weights(route: Object) -> dict[str, int]:
    """By Service, of all rules together."""
    found: dict[str, int] = {}
    for rule in route["spec"].get("rules") or ():
        for ref in rule.get("backendRefs") or ():
            found[ref["name"]] = found.get(ref["name"], 0) + int(ref.get("weight", 1))
    return found


def _taken(route: Object) -> int:
    """The generation that we took last, by the route's own status."""
    parents = (route.get("status") or {}).get("parents") or ()
    ours = [parent for parent in parents if parent.get("controllerName") == CONTROLLER]
    return max((c.get("observedGeneration", 0) for parent in ours for c in parent.get("conditions") or ()), default=0)


def route_status(generation: int) -> dict[str, Any]:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    conditions = [
        {
            "type": kind,
            "status": "True",
            "reason": kind,
            "message": "",
            "observedGeneration": generation,
            "lastTransitionTime": at,
        }
        for kind in ("Accepted", "ResolvedRefs")
    ]
    parent = {"name": "tidegate", "namespace": "gateway"}
    return {"parents": [{"parentRef": parent, "controllerName": CONTROLLER, "conditions": conditions}]}
