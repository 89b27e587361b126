"""Thousands of Releases at rest without a day of waiting: copies of one that the operator itself brought there.

A copy has its own name, uid, route and revision, and all that the operator would have made for it. That it is right is
proved by the operator: it starts over the copies and writes nothing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hack.bench import fleet
from hack.bench.gateway import route_status
from hack.bench.node import Node, deployment_status, pod_status
from tidegate.api import parse_release
from tidegate.api.meta import short
from tidegate.api.revision import artifact, revision
from tidegate.kube import (
    CONTROLLERREVISIONS,
    DEPLOYMENTS,
    HTTPROUTES,
    PODS,
    RELEASES,
    SERVICES,
    Client,
    Key,
    Object,
    Resource,
)

_KINDS = (HTTPROUTES, SERVICES, DEPLOYMENTS, CONTROLLERREVISIONS, PODS)
_SERVERS_OWN = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink")


@dataclass(frozen=True)
class Pattern:
    """One Release at rest, and everything that belongs to it, as JSON text."""

    key: Key
    uid: str
    content: str
    artifact: str
    release: str
    others: Sequence[tuple[Resource, str]]


async def pattern_of(client: Client, key: Key) -> Pattern:
    """Of a Release that is at rest."""
    release = await client.get(RELEASES, *key)
    content, made = _hashes(release)
    others = []
    for resource in _KINDS:
        for item in (await client.list(resource, key.namespace)).items:
            if key.name in item["metadata"]["name"]:
                others.append((resource, _text(item)))
    return Pattern(key, release["metadata"]["uid"], content, made, _text(release), others)


async def copy(client: Client, node: Node, pattern: Pattern, keys: Sequence[Key]) -> None:
    """Make a copy for each key. `client` must write as the operator does: a route tells who wrote it."""
    await fleet.each(keys, lambda key: _copy_one(client, node, pattern, key))


async def _copy_one(client: Client, node: Node, pattern: Pattern, key: Key) -> None:
    named = {pattern.key.namespace: key.namespace, pattern.key.name: key.name}
    document = json.loads(_replaced(pattern.release, named))
    content, made = _hashes(document)
    hashed = {pattern.content: content, short(pattern.content): short(content), pattern.artifact: made}
    document = json.loads(_replaced(_replaced(pattern.release, hashed), named))
    created = await fleet.make(client, RELEASES, key.namespace, {**document, "status": {}})
    status = {"status": document["status"]}
    await client.merge(RELEASES, *key, status, subresource="status")
    every = {**hashed, **named, pattern.uid: created["metadata"]["uid"]}
    for resource, text in pattern.others:
        body = json.loads(_replaced(text, every))
        name = body["metadata"]["name"]
        if resource is DEPLOYMENTS:
            node.adopt(Key(key.namespace, name), int(body["spec"]["replicas"]))
        await fleet.make(client, resource, key.namespace, body)
        if resource in _STATUS:
            status = {"status": _STATUS[resource](body)}
            await client.merge(resource, key.namespace, name, status, subresource="status")


_STATUS: Mapping[Resource, Any] = {
    HTTPROUTES: lambda body: route_status(1),
    DEPLOYMENTS: lambda body: deployment_status(1, int(body["spec"]["replicas"])),
    PODS: lambda body: pod_status(),
}


def _hashes(release: Object) -> tuple[str, str]:
    """(revision, artifact of its one component)."""
    parsed = parse_release(release)
    return revision(parsed), artifact(parsed.spec.components[0], parsed.spec.version)


def _text(obj: Object) -> str:
    """Without what the server gives."""
    metadata = {name: value for name, value in obj["metadata"].items() if name not in _SERVERS_OWN}
    body = {**obj, "metadata": metadata}
    spec = dict(body.get("spec") or {})
    for given in ("clusterIP", "clusterIPs"):
        spec.pop(given, None)
    return json.dumps({**body, "spec": spec} if "spec" in body else body)


def _replaced(text: str, by: Mapping[str, str]) -> str:
    for old, new in by.items():
        text = text.replace(old, new)
    return text
