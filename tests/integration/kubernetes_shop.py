"""A namespace on the real cluster, with a Service and a route, as the tests of the Kubernetes target see it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import aiohttp

from hack.stage import shop
from hack.stage.api import Api
from tests.targets.mirror import mirror
from tests.targets.sample import app, release, version_of
from tidegate.api.release import Release
from tidegate.engine.values import Status, Version
from tidegate.kube import (
    HTTPROUTES,
    Client,
    Cluster,
    Key,
    Object,
    Resource,
    Store,
)
from tidegate.targets.kubernetes import KubernetesTarget
from tidegate.targets.port import App


class Shop:
    """A namespace with a Service and a route, and one component `web` of two pods."""

    part = "web"

    def __init__(self, client: Client, namespace: str) -> None:
        self.client, self.namespace = client, namespace
        self.people = Api()
        self.cluster = Cluster(client, Store())
        self.woken: list[Key] = []
        self.target = KubernetesTarget(self.cluster, self.woken.append)
        self.component: dict[str, Any] = shop.component(replicas=2)
        del self.component["kubernetes"]["probes"]

    async def open(self) -> None:
        self.people.apply(
            shop.namespace(self.namespace),
            shop.service(self.namespace, release="storefront"),
            shop.route(self.namespace),
        )

    async def close(self) -> None:
        await self.target.close()
        await self.client.close()
        self.people.delete("Namespace", "", self.namespace)
        self.people.close()

    def release(self, version: str, **spec: Any) -> Release:
        return release(version, self.component, namespace=self.namespace, **spec)

    def app(self, version: str, status: Status, **spec: Any) -> App:
        return app(self.release(version, **spec), status)

    def version(self, name: str) -> Version:
        return version_of(self.release(name))

    async def refresh(self) -> None:
        await mirror(self.cluster, self.namespace)

    async def route(self) -> Object:
        return await self.client.get(HTTPROUTES, self.namespace, "web")

    async def person_splits(self, split: Mapping[str, int]) -> None:
        rules = deepcopy((await self.route())["spec"]["rules"])
        weights = {self.name(content): weight for content, weight in split.items()}
        for ref in rules[0]["backendRefs"]:
            ref["weight"] = weights.get(ref["name"], 0)
        await self.person_patches(HTTPROUTES, "web", {"spec": {"rules": rules}})

    async def person_patches(self, resource: Resource, name: str, body: Object) -> None:
        """As kubectl edit does, under another manager's name than ours."""
        self.people.merge(resource.kind, self.namespace, name, body)

    def name(self, content: str) -> str:
        return f"storefront-web-{content[:10]}"

    async def address(self) -> str:
        """Where people ask."""
        return shop.GATEWAY

    async def served(self, requests: int) -> Mapping[str, int]:
        counts: Counter[str] = Counter()
        headers = {"Host": f"{self.namespace}.example"}
        address = await self.address()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
            for _ in range(requests):
                try:
                    async with session.get(address, headers=headers) as answer:
                        counts[answer.headers.get("X-Version", str(answer.status))] += 1
                except aiohttp.ClientConnectorError:
                    counts["refused"] += 1  # a Service whose first pods no node has heard of yet
        return dict(counts)
