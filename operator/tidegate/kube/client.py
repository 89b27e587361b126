"""A small async client of the API server: the few verbs that we need, on one aiohttp session of our own.

Reads are tried again a little where the server is busy. Writes never are: whoever wrote must look before he writes
again. Kopf's session is not shared, since Kopf closes it whenever it logs in anew.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Literal, NamedTuple, Self, TypeAlias

import aiohttp

from tidegate import __version__
from tidegate.api.meta import FIELD_MANAGER
from tidegate.errors import NotFound, Unavailable
from tidegate.kube.access import Access, from_environment
from tidegate.kube.answers import Request, failure, silence
from tidegate.kube.counting import Counted
from tidegate.kube.resources import Object, Resource

Propagation: TypeAlias = Literal["Background", "Foreground", "Orphan"]

CHUNK: Final = 50  # several kinds are listed at once, and a page of 500 parsed objects took 15 MiB of each
CONNECT_SECONDS: Final = 5.0
TOTAL_SECONDS: Final = 15.0
CONNECTIONS_AT_MOST: Final = 32
READ_TRIES: Final = 3
PATIENCE_SECONDS: Final = 5.0  # a longer Retry-After is the caller's to wait for

STREAM_SECONDS: Final = (240, 480)  # of one watch, at random: not all come back at the same time

_MERGE: Final = "application/merge-patch+json"
_METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
_METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


class Listing(NamedTuple):
    """All objects that a list gave, and the version of the list as a whole."""

    items: Sequence[Object]
    resource_version: str


class Line(NamedTuple):
    """One line of a watch: ADDED, MODIFIED, DELETED, or BOOKMARK, whose object tells a version and nothing else."""

    type: str
    obj: Object


class Client:
    """Objects are given and returned as JSON. All verbs raise the errors of `tidegate.errors` and nothing else:
    NotFound, Conflict (AlreadyExists), Denied, Rejected, Unavailable.

    After `Unavailable` from a write nobody knows whether it was done.
    """

    def __init__(self, access: Access, *, counted: Counted | None = None, manager: str = FIELD_MANAGER) -> None:
        """`manager` is who is seen to own the fields that are written."""
        self.access = access
        self._manager: Mapping[str, str] = {"fieldManager": manager}
        self._counted = counted
        self._session: aiohttp.ClientSession | None = None
        self._streams: aiohttp.ClientSession | None = None  # a watch keeps its connection: none of the few above
        self._authorization: str | None = None

    @classmethod
    def from_environment(cls, *, context: str | None = None, counted: Counted | None = None) -> Self:
        """By KUBECONFIG, the pod's ServiceAccount, or ~/.kube/config. Raises tidegate.kube.NoAccess."""
        return cls(from_environment(context=context), counted=counted)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End all connections. The client may be used again; it then opens new ones."""
        sessions = (self._session, self._streams)
        self._session = self._streams = None
        for session in sessions:
            if session is not None:
                await session.close()

    # ---- reads

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Object:
        """The object as it is now, by a quorum read. Raises NotFound."""
        request = Request("get", resource, namespace, name)
        return await self._read(request, resource.path(namespace, name), {}, "application/json")

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        resource_version: str | None = None,
        metadata_only: bool = False,
    ) -> Listing:
        """All objects of a namespace, or of all namespaces, in chunks.

        Items say their kind, which a server leaves out in lists. `labels` is a selector as kubectl takes it.
        `resource_version="0"` reads the server's cache: cheap, maybe old.
        """
        items: list[Object] = []
        version = ""
        async for page in self.pages(
            resource, namespace, labels=labels, resource_version=resource_version, metadata_only=metadata_only
        ):
            items.extend(page.items)
            version = page.resource_version
        return Listing(items, version)

    async def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        resource_version: str | None = None,
        metadata_only: bool = False,
    ) -> AsyncGenerator[Listing, None]:
        """As `list`, chunk by chunk, for who need not hold them all at once. Raises Expired after a long pause."""
        request = Request("list", resource, namespace, None)
        accept = _METADATA_LIST if metadata_only else "application/json"
        query = {"limit": str(CHUNK)}
        if labels is not None:
            query["labelSelector"] = labels
        if resource_version is not None:
            query["resourceVersion"] = resource_version
        named = {} if metadata_only else {"apiVersion": resource.api_version, "kind": resource.kind}
        while True:
            page = await self._read(request, resource.path(namespace), query, accept)
            metadata = page.get("metadata") or {}
            items = [{**named, **item} for item in page.get("items") or ()]
            yield Listing(items, str(metadata.get("resourceVersion", "")))
            token = metadata.get("continue")
            if not token:
                return
            query = {key: value for key, value in query.items() if key != "resourceVersion"} | {"continue": token}

    async def watch(
        self, resource: Resource, namespace: str | None, resource_version: str, *, metadata_only: bool = False
    ) -> AsyncIterator[Line]:
        """What happens to the kind from that version on, until the server ends the stream: go on from the last line's.

        Raises Expired, Denied, Unavailable.
        """
        request = Request("watch", resource, namespace, None)
        seconds = random.randint(*STREAM_SECONDS)
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(seconds),
        }
        headers = {"Accept": _METADATA if metadata_only else "application/json"}
        if authorization := self.access.authorization():
            headers["Authorization"] = authorization
        code, url = "none", self.access.server + resource.path(namespace)
        limits = aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS, sock_read=seconds + TOTAL_SECONDS)
        try:
            async with self._streaming().get(
                url, params=query, headers=headers, timeout=limits, allow_redirects=False
            ) as response:
                code = str(response.status)
                if response.status >= 400:
                    raise failure(request, response.status, await response.read(), None)
                async for line in _lines(response.content):
                    yield _line(request, line)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise silence(request, error, TOTAL_SECONDS) from None
        finally:
            if self._counted is not None:
                self._counted(request.verb, request.resource, code)

    async def serves(self, resource: Resource) -> bool:
        """Whether the API server knows the kind. Raises Unavailable."""
        group_version = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
        try:
            found = await self._read(Request("get", resource, None, None), group_version, {}, "application/json")
        except NotFound:
            return False
        return any(entry.get("name") == resource.plural for entry in found.get("resources") or ())

    # ---- writes

    async def create(self, resource: Resource, namespace: str | None, body: Object) -> Object:
        """`namespace` is None for a kind that has none. Raises AlreadyExists, and Rejected also for a field that the
        server does not know: left to itself it would drop a typo of the user's in silence."""
        request = Request("create", resource, namespace, body["metadata"].get("name"))
        query = {**self._manager, "fieldValidation": "Strict"}
        return await self._write(request, "POST", resource.path(namespace), body, "application/json", query)

    async def replace(self, resource: Resource, namespace: str, name: str, body: Object) -> Object:
        """The whole object; with `metadata.resourceVersion` only if it still has that one. Raises Conflict."""
        request = Request("update", resource, namespace, name)
        return await self._write(
            request, "PUT", resource.path(namespace, name), body, "application/json", self._manager
        )

    async def merge(
        self, resource: Resource, namespace: str, name: str, body: Object, *, subresource: str | None = None
    ) -> Object:
        """Merge patch. With `metadata.resourceVersion` in it a compare-and-swap. Raises Conflict, NotFound."""
        request = Request("patch", resource, namespace, name, subresource)
        return await self._write(
            request, "PATCH", resource.path(namespace, name, subresource), body, _MERGE, self._manager
        )

    async def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        propagation: Propagation = "Background",
    ) -> Object:
        """Ask for deletion, where given only of just this uid and version. Returns the object or a `Status`.

        Raises NotFound, and Conflict where it is another one by now.
        """
        wanted = {"uid": uid, "resourceVersion": resource_version}
        preconditions = {key: value for key, value in wanted.items() if value is not None}
        body: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if preconditions:
            body["preconditions"] = preconditions
        request = Request("delete", resource, namespace, name)
        return await self._write(request, "DELETE", resource.path(namespace, name), body, "application/json", {})

    # ---- the wire

    async def _read(self, request: Request, path: str, query: Mapping[str, str], accept: str) -> Object:
        for left in reversed(range(READ_TRIES)):
            try:
                return await self._exchange(request, "GET", path, query, {"Accept": accept}, None)
            except Unavailable as error:
                pause = error.retry_after
                if left == 0 or (pause is not None and pause > PATIENCE_SECONDS):
                    raise
                await asyncio.sleep(random.uniform(0.1, 0.5) if pause is None else pause)
        raise AssertionError("the last try returns or raises")

    async def _write(
        self, request: Request, method: str, path: str, body: object, content_type: str, query: Mapping[str, str]
    ) -> Object:
        data = json.dumps(body, separators=(",", ":")).encode()
        return await self._exchange(request, method, path, query, {"Content-Type": content_type}, data)

    async def _exchange(
        self,
        request: Request,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        data: bytes | None,
    ) -> Object:
        """One request, or two where the first is not let in and the token on disk is another by now."""
        used = self._authorization or self.access.authorization()
        code, body, retry_after = await self._send(request, method, path, query, headers, data, used)
        if code == 401 and (renewed := self.access.authorization()) != used:
            used = renewed
            code, body, retry_after = await self._send(request, method, path, query, headers, data, used)
        self._authorization = None if code == 401 else used
        if code >= 400:
            raise failure(request, code, body, retry_after)
        try:
            answer = json.loads(body)
        except ValueError:
            raise Unavailable(
                f"The answer to {request.verb} {request.subject} is not JSON: is a proxy between?"
            ) from None
        if not isinstance(answer, dict):
            raise Unavailable(f"The answer to {request.verb} {request.subject} is no object")
        return answer

    async def _send(
        self,
        request: Request,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        data: bytes | None,
        authorization: str | None,
    ) -> tuple[int, bytes, float | None]:
        extra = {"Authorization": authorization} if authorization else {}
        code = "none"
        try:
            async with self._opened().request(
                method,
                self.access.server + path,
                params=dict(query),
                headers={**headers, **extra},
                data=data,
                allow_redirects=False,
            ) as response:
                body = await response.read()
                code = str(response.status)
                return response.status, body, _seconds(response.headers.get("Retry-After"))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise silence(request, error, TOTAL_SECONDS) from None
        finally:
            if self._counted is not None:
                self._counted(request.verb, request.resource, code)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = self._new_session(CONNECTIONS_AT_MOST)
        return self._session

    def _streaming(self) -> aiohttp.ClientSession:
        if self._streams is None or self._streams.closed:
            self._streams = self._new_session(limit=0)
        return self._streams

    def _new_session(self, limit: int) -> aiohttp.ClientSession:
        tls = self.access.tls()
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limit, ssl=True if tls is None else tls),
            timeout=aiohttp.ClientTimeout(total=TOTAL_SECONDS, connect=CONNECT_SECONDS),
            headers={"User-Agent": f"tidegate/{__version__}", "Accept": "application/json"},
            trust_env=False,
        )


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Line by line. A line may be longer than the reader's own limit: annotations alone may have 256 KiB."""
    rest = b""
    async for piece in content.iter_any():
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if line:
                yield line


def _line(request: Request, text: bytes) -> Line:
    """Raises Expired and what else the server may say in the midst of a stream."""
    try:
        line = json.loads(text)
        type_, obj = str(line["type"]), line["object"]
    except (ValueError, KeyError, TypeError):
        raise Unavailable(f"A line of the watch of {request.subject} is not JSON: is a proxy between?") from None
    if type_ == "ERROR":
        raise failure(request, int(obj.get("code") or 500), json.dumps(obj).encode(), None)
    return Line(type_, obj)


def _seconds(retry_after: str | None) -> float | None:
    """The header's number; its other form, a date, is not used by API servers."""
    return float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
