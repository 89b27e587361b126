"""Every write of a whole life is cut off once before it is done and once after it: the end is the same as without.

The pods find no node, so that nothing runs: what is written is all that counts here.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest

from hack.stage import shop
from hack.stage.api import Api
from tests.targets.mirror import mirror
from tests.targets.sample import app, release, version_of
from tidegate.engine.values import FULL, Ensure, Part, Phase, Pin, Retire, Start, Status, Version
from tidegate.errors import TidegateError, Unavailable
from tidegate.kube import CONTROLLERREVISIONS, DEPLOYMENTS, HTTPROUTES, SERVICES, Client, Cluster, Object, Store
from tidegate.kube.access import from_environment
from tidegate.kube.answers import Request
from tidegate.targets.kubernetes import KubernetesTarget
from tidegate.targets.port import App

pytestmark = pytest.mark.pods

PATIENCE = 30.0  # seconds for one act, with all its repeats


class CutOff(Client):
    """The n-th write gets no answer: it was done, or it was not."""

    at, done, count = 0, False, 0

    async def _write(
        self, request: Request, method: str, path: str, body: object, content_type: str, query: Mapping[str, str]
    ) -> Object:
        self.count += 1
        cut = self.count == self.at
        if cut and not self.done:
            raise Unavailable("cut off before it was sent")
        answer = await super()._write(request, method, path, body, content_type, query)
        if cut:
            raise Unavailable("cut off before the answer came")
        return answer


class Life:
    """Two versions of one component, from the first start to the end of the Release."""

    def __init__(self, namespace: str, at: int = 0, done: bool = False) -> None:
        self.namespace = namespace
        self.client = CutOff(from_environment())
        self.client.at, self.client.done = at, done
        self.component: dict[str, Any] = shop.component(replicas=2)
        self.component["kubernetes"]["drain"] = "0s"
        self.component["kubernetes"]["template"]["spec"]["nodeSelector"] = {"nowhere": "at-all"}
        del self.component["kubernetes"]["probes"]
        self.old, self.new = self.version("v1.0.0"), self.version("v1.1.0")
        self.crash()

    def crash(self) -> None:
        """A new process: nothing is remembered, and what the last one wrote is seen."""
        self.cluster = Cluster(self.client, Store())
        self.target = KubernetesTarget(self.cluster, lambda key: None)

    def version(self, name: str) -> Version:
        return version_of(release(name, self.component, namespace=self.namespace))

    def app(self, name: str, stable: Version | None) -> App:
        status = Status(phase=Phase.IDLE, attempt=1, stable=stable, parts=(Part("web"),))
        return app(release(name, self.component, namespace=self.namespace), status)

    async def act(self, do: Callable[[], Awaitable[None]]) -> None:
        """Until it succeeds, with a new process after each failure."""
        end = time.monotonic() + PATIENCE
        while True:
            await mirror(self.cluster, self.namespace)
            try:
                await do()
                return
            except TidegateError as error:
                if time.monotonic() > end:
                    raise AssertionError(f"it never succeeds: {error.message}") from error
                self.crash()

    async def ensure(self, asked: App, move: int, **shares: int) -> None:
        reading = (await self.target.observe(asked, {}, time.time())).readings["web"]
        contents = {"old": self.old.content, "new": self.new.content}
        split = tuple(sorted((contents[name], share) for name, share in shares.items()))
        if (reading.split, reading.move) != (split, move):
            await self.target.ensure(asked, [Ensure("web", split, move, reading)], time.time())

    async def run(self) -> Mapping[str, Any]:
        first, second = self.app("v1.0.0", None), self.app("v1.1.0", self.old)
        await self.act(lambda: self.target.start(first, Start("web", self.old.content, FULL, 1)))
        await self.act(lambda: self.ensure(first, 1, old=FULL))
        await self.act(lambda: self.target.pin(first, Pin("web", self.old.content)))
        await self.act(lambda: self.target.start(second, Start("web", self.new.content, 10_000, 2)))
        await self.act(lambda: self.ensure(second, 2, old=90_000, new=10_000))
        await self.act(lambda: self.target.start(second, Start("web", self.new.content, FULL, 2)))
        await self.act(lambda: self.ensure(second, 3, old=FULL))
        await self.act(lambda: self.target.retire(second, Retire("web", self.new.content, 2)))
        retired = await self.state()
        await self.act(lambda: self.target.forget(second, settled=True))
        return {"retired": retired, "end": await self.state()}

    async def state(self) -> Mapping[str, Any]:
        """All that is there, without what differs from one life to the next."""
        names = {}
        for resource in (DEPLOYMENTS, SERVICES, CONTROLLERREVISIONS):
            listing = await self.client.list(resource, self.namespace)
            names[resource.kind] = sorted(item["metadata"]["name"] for item in listing.items)
        route = await self.client.get(HTTPROUTES, self.namespace, "web")
        service = await self.client.get(SERVICES, self.namespace, "web")
        annotations = route["metadata"].get("annotations") or {}
        return {
            **names,
            "refs": {ref["name"]: ref["weight"] for ref in route["spec"]["rules"][0]["backendRefs"]},
            "stamped": sorted(name for name in annotations if "tidegate" in name),
            "selector": service["spec"]["selector"],
        }


@pytest.fixture
async def lives() -> AsyncIterator[Callable[..., Awaitable[tuple[Mapping[str, Any], int]]]]:
    people = Api()
    made: list[str] = []

    async def live(**cut: Any) -> tuple[Mapping[str, Any], int]:
        namespace = f"life-{uuid.uuid4().hex[:8]}"
        made.append(namespace)
        people.apply(
            shop.namespace(namespace),
            shop.service(namespace, release="storefront"),
            shop.route(namespace),
        )
        life = Life(namespace, **cut)
        try:
            return await life.run(), life.client.count
        finally:
            await life.client.close()
            people.delete("Namespace", "", namespace)

    yield live
    people.close()


async def test_a_life_that_is_cut_off_at_any_write_ends_as_one_that_is_not(
    lives: Callable[..., Awaitable[tuple[Mapping[str, Any], int]]],
) -> None:
    whole, writes = await lives()
    old = whole["end"]["Deployment"]
    assert len(old) == 1
    assert whole["end"]["refs"] == {"web": 100}
    assert whole["end"]["ControllerRevision"] == []
    assert whole["end"]["stamped"] == []
    assert whole["retired"]["refs"] == {"web": 0, old[0]: 100}
    assert len(whole["retired"]["ControllerRevision"]) == 2
    assert writes >= 15
    for at in range(1, writes + 1):
        for done in (False, True):
            cut, _ = await lives(at=at, done=done)
            assert cut == whole, f"cut off at write {at}, {'after' if done else 'before'} it was done"
