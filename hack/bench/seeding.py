"""Thousands of Releases at rest within a minute: copies of one that the operator itself brought there.

A copy has its own name, uids, route and revision, and all that the operator would have made for it. The copies are put
straight into etcd, byte for byte but for those words: each has the length of what it replaces, so that what is stored
as protobuf stays whole. (Services keep the address of the first one, which nobody asks.) That a copy is right is proved
by the operator: it starts over the copies and writes nothing.
"""

import base64
import json
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import aiohttp

from hack.bench import fleet
from hack.bench.node import Node
from tidegate.api import parse_release
from tidegate.api.meta import short
from tidegate.api.revision import artifact, revision
from tidegate.kube import DEPLOYMENTS, RELEASES, Client, Key, Object

_UID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Pattern:
    """One Release at rest, and everything that belongs to it: values of etcd by their keys."""

    key: Key
    release: Object
    stored: Mapping[bytes, bytes]
    deployments: Sequence[Object]


class Etcd:
    """The little of etcd's JSON interface that copying needs."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url

    async def with_prefix(self, prefix: bytes) -> dict[bytes, bytes]:
        end = prefix[:-1] + bytes([prefix[-1] + 1])
        answer = await self._post("range", {"key": _encoded(prefix), "range_end": _encoded(end)})
        return {base64.b64decode(kv["key"]): base64.b64decode(kv["value"]) for kv in answer.get("kvs") or ()}

    async def put(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """All of them in one transaction, and so under one resourceVersion."""
        puts = [{"request_put": {"key": _encoded(key), "value": _encoded(value)}} for key, value in pairs]
        await self._post("txn", {"success": puts})

    async def _post(self, what: str, body: Mapping[str, object]) -> dict[str, list[dict[str, str]]]:
        async with self._session.post(f"{self._url}/v3/kv/{what}", json=body) as answer:
            answer.raise_for_status()
            found: dict[str, list[dict[str, str]]] = await answer.json()
            return found


async def pattern_of(client: Client, etcd: Etcd, key: Key) -> Pattern:
    """Of a Release that is at rest."""
    everything = await etcd.with_prefix(b"/registry/")
    # Not Events, nor the addresses that were given out.
    mine = {
        path: value
        for path, value in everything.items()
        if f"/{key.namespace}/{key.name}".encode() in path and b"/events/" not in path
    }
    deployments = (await client.list(DEPLOYMENTS, key.namespace)).items
    return Pattern(key, await client.get(RELEASES, *key), mine, deployments)


async def copy(etcd: Etcd, node: Node, pattern: Pattern, keys: Sequence[Key]) -> None:
    """Make a copy for each key. The namespaces are there already."""
    for key in keys:
        for deployment in pattern.deployments:
            name = deployment["metadata"]["name"]
            words = _words(pattern, key)
            copied = Key(key.namespace, _replaced(name.encode(), words).decode())
            node.adopt(copied, int(deployment["spec"]["replicas"]), int(deployment["metadata"]["generation"]))
    # A watch that goes on from a resourceVersion would miss a second object of the same one.
    await fleet.each(keys, lambda key: etcd.put(_copies(pattern, key)))


def _copies(pattern: Pattern, key: Key) -> Iterable[tuple[bytes, bytes]]:
    words = dict(_words(pattern, key))
    # Each object's own uid, and whatever tells of another's.
    uids = sorted({uid for value in pattern.stored.values() for uid in _UID.findall(value)})
    words |= {uid: str(uuid.uuid4()).encode() for uid in uids}
    for path, value in pattern.stored.items():
        yield _replaced(path, words), _replaced(value, words)


def _words(pattern: Pattern, key: Key) -> Mapping[bytes, bytes]:
    """What stands in the pattern, and what stands in the copy in its place; longer words first."""
    named = {pattern.key.namespace.encode(): key.namespace.encode(), pattern.key.name.encode(): key.name.encode()}
    copied = json.loads(_replaced(json.dumps(pattern.release).encode(), named))
    (old, old_artifact), (new, new_artifact) = _hashes(pattern.release), _hashes(copied)
    hashed = {old: new, old_artifact: new_artifact, short(old): short(new)}
    words = {before.encode(): after.encode() for before, after in hashed.items()} | named
    assert all(len(before) == len(after) for before, after in words.items())
    return words


def _hashes(release: Object) -> tuple[str, str]:
    """(revision, artifact of its one component)."""
    parsed = parse_release(release)
    return revision(parsed), artifact(parsed.spec.components[0], parsed.spec.version)


def _replaced(value: bytes, by: Mapping[bytes, bytes]) -> bytes:
    for old, new in by.items():
        value = value.replace(old, new)
    return value


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
