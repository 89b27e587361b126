"""Releases by the hundred: one component of one pod, one route, and a guard that judges by one sample."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from tidegate.errors import Unavailable
from tidegate.kube import HTTPROUTES, RELEASES, SERVICES, Client, Key, Object, Resource

NAMESPACES = Resource("", "v1", "namespaces", "Namespace")
ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
CONNECTIONS = Resource("tidegate.dev", "v1alpha1", "connections", "Connection")

PER_NAMESPACE = 100
AT_ONCE = 24
PORT = 8080

STAY = ({"weight": 10, "hold": "23h"}, {"weight": 100})
"""A ladder that stands at 10 % until something happens."""
UP = ({"weight": 10, "hold": "2s"}, {"weight": 50, "hold": "2s"}, {"weight": 100, "hold": "2s"})

T = TypeVar("T")


def key(number: int) -> Key:
    return Key(f"bench-{number // PER_NAMESPACE:03d}", f"r-{number:05d}")


def keys(count: int) -> Sequence[Key]:
    return [key(number) for number in range(count)]


async def each(items: Iterable[T], work: Callable[[T], Awaitable[object]], at_once: int = AT_ONCE) -> None:
    """Do it with all of them, so many at a time."""
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker())


async def make(client: Client, resource: Resource, namespace: str | None, body: Object) -> Object:
    """Create it; a server that is not ready for it, as with a kind that was defined a moment ago, is asked again."""
    for left in reversed(range(30)):
        try:
            return await client.create(resource, namespace, body)
        except Unavailable:
            if not left:
                raise
            await asyncio.sleep(1.0)
    raise AssertionError("the last try returns or raises")


async def open_namespaces(client: Client, count: int, source: str) -> None:
    """The namespaces for so many Releases, each with a Connection to the source."""
    await open_these(client, sorted({key.namespace for key in keys(count)}), source)


async def open_these(client: Client, names: Sequence[str], source: str) -> None:
    """These namespaces, each with a Connection to the source."""

    async def one(namespace: str) -> None:
        meta = {"namespace": namespace}
        await make(client, NAMESPACES, None, {**_head(NAMESPACES), "metadata": {"name": namespace}})
        # What the controllers would make: pods are refused without it.
        await make(client, ACCOUNTS, namespace, {**_head(ACCOUNTS), "metadata": {**meta, "name": "default"}})
        connection = {"prometheus": {"url": source}, "allow": [{"guards": ["*"]}]}
        body = {**_head(CONNECTIONS), "metadata": {**meta, "name": "prometheus"}, "spec": connection}
        await make(client, CONNECTIONS, namespace, body)

    await each(names, one)


async def declare(client: Client, key: Key, version: str, steps: Sequence[Mapping[str, Any]]) -> None:
    """One app as its owner declares it: Service, route, Release."""
    await make(client, SERVICES, key.namespace, service(key))
    await make(client, HTTPROUTES, key.namespace, route(key))
    await make(client, RELEASES, key.namespace, release(key, version, steps))


async def ask_for(client: Client, key: Key, version: str, steps: Sequence[Mapping[str, Any]] | None = None) -> None:
    """The one line that a release is."""
    spec: dict[str, Any] = {"version": version}
    if steps is not None:
        spec["steps"] = list(steps)
    await client.merge(RELEASES, *key, {"spec": spec})


def service(key: Key) -> Object:
    labels = {"tidegate.dev/release": key.name}
    return {
        **_head(SERVICES),
        "metadata": {"name": key.name, "namespace": key.namespace, "labels": labels},
        "spec": {"ports": [{"name": "http", "port": PORT, "targetPort": PORT}]},
    }


def route(key: Key) -> Object:
    return {
        **_head(HTTPROUTES),
        "metadata": {"name": key.name, "namespace": key.namespace},
        "spec": {
            "parentRefs": [{"name": "tidegate", "namespace": "gateway"}],
            "hostnames": [f"{key.name}.example"],
            "rules": [{"backendRefs": [{"name": key.name, "port": PORT}]}],
        },
    }


def release(key: Key, version: str, steps: Sequence[Mapping[str, Any]]) -> Object:
    container = {
        "name": "app",
        "image": "registry.example/app:$(version)",
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": PORT}},
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
    }
    kubernetes = {
        "replicas": 1,
        "port": PORT,
        "service": key.name,
        "template": {"metadata": {"labels": {"app": key.name}}, "spec": {"containers": [container]}},
        "traffic": {"httpRoute": {"name": key.name}},
        "drain": "1s",
    }
    guard = {
        "name": "errors",
        "connection": "prometheus",
        "value": {"query": 'app_errors{release="$(release)",revision="$(revision)"}'},
        "revert": "0.5",
    }
    return {
        **_head(RELEASES),
        "metadata": {"name": key.name, "namespace": key.namespace},
        "spec": {
            "version": version,
            "steps": list(steps),
            "keepPrevious": "1s",
            "components": [{"name": "web", "kubernetes": kubernetes}],
            "guards": [guard],
        },
    }


def _head(resource: Resource) -> dict[str, str]:
    return {"apiVersion": resource.api_version, "kind": resource.kind}
