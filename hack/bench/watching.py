"""A list and a watch of one kind, for the stand-ins: what exists and then every change, until cancelled."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import aiohttp

from tidegate.kube import Client, Object, Resource

Took = Callable[[str, Object], None]
"""Called with ADDED, MODIFIED or DELETED, and the object."""


async def follow(client: Client, resource: Resource, took: Took, labels: str | None = None) -> None:
    """A watch that ends goes on where it was; one whose place is lost begins with a list again."""
    while True:
        listing = await client.list(resource, labels=labels)
        for item in listing.items:
            took("ADDED", item)
        version = listing.resource_version
        with suppress(_Lost):
            while True:
                version = await _watch(client, resource, version, took, labels)


class _Lost(Exception):
    """The server does not know that version any more."""


async def _watch(client: Client, resource: Resource, version: str, took: Took, labels: str | None) -> str:
    query = {"watch": "1", "allowWatchBookmarks": "true", "resourceVersion": version}
    if labels is not None:
        query["labelSelector"] = labels
    access = client.access
    headers = {"Authorization": access.authorization() or ""}
    tls: ssl.SSLContext | bool = access.tls() or True
    timeout = aiohttp.ClientTimeout(total=None, connect=10)
    with suppress(aiohttp.ClientError, asyncio.TimeoutError):
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
            session.get(access.server + resource.path(), params=query, ssl=tls) as response,
        ):
            if response.status == 410:
                raise _Lost
            async for line in _lines(response):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise _Lost
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    took(event["type"], event["object"])
    await asyncio.sleep(0.1)
    return version


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Of any length, which aiohttp's own are not."""
    rest = b""
    async for chunk in response.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
