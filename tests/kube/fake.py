"""A small API server for faults that a real one can't be asked for: lost deletions, 410, old lines, silence.

Without a fault it does what the real one does, as far as `tests.kube.contract` tells, which both pass. It has neither
schemas nor admission, rights or garbage collection, and it remembers every request.
"""

from __future__ import annotations

import asyncio
import copy
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

from aiohttp import web

from tidegate.api.meta import LABEL_RELEASE
from tidegate.kube import (
    CONNECTIONS,
    CRONJOBS,
    DEPLOYMENTS,
    EVENTS,
    GATEWAYS,
    HTTPROUTES,
    INTERVENTIONS,
    JOBS,
    LEASES,
    OUTLINED,
    PODS,
    POLICIES,
    RELEASES,
    SERVICES,
    WATCHED,
    Access,
    Client,
    Resource,
)

NAMESPACES = Resource("", "v1", "namespaces", "Namespace")
DEFINITIONS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition")
SERVED = (*WATCHED, *OUTLINED, GATEWAYS, EVENTS, LEASES, NAMESPACES, DEFINITIONS)
"""The last two, or Kopf does not start."""
WRITES = ("POST", "PUT", "PATCH", "DELETE")
STATUS_APART = (RELEASES, INTERVENTIONS, HTTPROUTES, DEPLOYMENTS, JOBS, CRONJOBS, SERVICES, PODS)
COUNTED = (RELEASES, POLICIES, CONNECTIONS, INTERVENTIONS, HTTPROUTES, DEPLOYMENTS)  # their generation


class Seen(NamedTuple):
    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    content_type: str
    accept: str = ""

    @property
    def watches(self) -> bool:
        return self.query.get("watch") == "true"


class Line(NamedTuple):
    """One line of a watch. `before` is what the object was, if it was there."""

    version: int
    type: str
    obj: dict[str, Any]
    before: dict[str, Any] | None = None

    def to(self, selector: str) -> str | None:
        """What a watch by this label is told: what loses the label has gone, what gets it has come."""
        if not selector:
            return self.type
        is_in = _carries(self.obj, selector)
        was_in = self.before is not None and _carries(self.before, selector)
        if self.type == "DELETED" or not is_in:
            return "DELETED" if is_in or was_in else None
        return "ADDED" if self.before is not None and not was_in else self.type


Fault = Callable[[Seen], Awaitable[web.Response | None]]
_Place = tuple[Resource, str, str]


def thing(resource: Resource, name: str, *, namespace: str = "shop", release: str = "", **more: Any) -> dict[str, Any]:
    """A body to put or create."""
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if release:
        metadata["labels"] = {LABEL_RELEASE: release}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **more}


class FakeApi:
    """`async with FakeApi() as api`. `faults` are asked before each request: a response in place of the true one."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.faults: list[Fault] = []
        self.served = list(SERVED)
        self.version = 100
        self.chunk: int | None = None
        self.horizon = self.version  # watches from before this version get a 410
        self.objects: dict[_Place, dict[str, Any]] = {}
        self._lines: list[tuple[Resource, Line]] = []
        self._news = asyncio.Event()
        self._cuts = 0
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()
        assert self._runner is not None
        await self._runner.cleanup()

    def access(self) -> Access:
        return Access(server=self.url, namespace="tidegate-system", token="of-the-fake")

    def client(self) -> Client:
        return Client(self.access())

    # ---- the world, moved from outside

    def put(self, resource: Resource, body: Mapping[str, Any], *, told: bool = True) -> dict[str, Any]:
        """Create or replace, as somebody else would. Not `told`: watches do not hear of it."""
        obj = copy.deepcopy(dict(body))
        metadata = obj["metadata"]
        place = (resource, metadata.get("namespace", ""), metadata["name"])
        known = self.objects.get(place)
        metadata["uid"] = known["metadata"]["uid"] if known else metadata.get("uid") or str(uuid.uuid4())
        self.version += 1
        metadata["resourceVersion"] = str(self.version)
        self.objects[place] = obj
        if told:
            self.tell(resource, "MODIFIED" if known else "ADDED", obj, known)
        return copy.deepcopy(obj)

    def remove(self, resource: Resource, namespace: str, name: str, *, told: bool = True) -> dict[str, Any]:
        """Delete, as somebody else would."""
        obj = self.objects.pop((resource, namespace, name))
        self.version += 1
        gone = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}
        if told:
            self.tell(resource, "DELETED", gone)
        return gone

    def tell(self, resource: Resource, type_: str, obj: dict[str, Any], before: dict[str, Any] | None = None) -> None:
        """A line to all watches of the kind, true or not."""
        self._lines.append((resource, Line(self.version, type_, copy.deepcopy(obj), before)))
        self._ring()

    def expire(self) -> None:
        """Cut all watches, and let none go on from where it was: 410."""
        self.version += 1
        self.horizon = self.version
        self.cut()

    def cut(self) -> None:
        """End all watch streams."""
        self._cuts += 1
        self._ring()

    def writes(self) -> list[Seen]:
        return [seen for seen in self.seen if seen.method in WRITES]

    def _ring(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    # ---- requests

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        seen = Seen(
            request.method,
            request.path,
            dict(request.query),
            json.loads(raw) if raw else None,
            request.content_type,
            request.headers.get("Accept", ""),
        )
        self.seen.append(seen)
        for fault in list(self.faults):
            if (answer := await fault(seen)) is not None:
                return answer
        words = [word for word in request.path.split("/") if word]
        if len(words) <= 1 or (words[0] == "apis" and len(words) <= 3) or (words[0] == "api" and len(words) == 2):
            return self._discovery(words)
        group, version, rest = ("", words[1], words[2:]) if words[0] == "api" else (words[1], words[2], words[3:])
        namespace, rest = (rest[1], rest[2:]) if rest[0] == "namespaces" else (None, rest)
        resource = next((r for r in self.served if (r.group, r.version, r.plural) == (group, version, rest[0])), None)
        if resource is None:
            return web.Response(status=404, text="404 page not found")
        if len(rest) == 1:
            if seen.watches:
                return await self._watch(request, resource, namespace, seen)
            if seen.method == "POST":
                return self._create(resource, namespace or "", seen)
            return self._list(resource, namespace, seen, slim="PartialObjectMetadataList" in request.headers["Accept"])
        return self._one(resource, namespace or "", rest[1], seen, "".join(rest[2:]))

    def _discovery(self, words: list[str]) -> web.Response:
        groups = sorted({resource.group for resource in self.served if resource.group})
        if words == ["api"]:
            return web.json_response({"versions": ["v1"]})
        if words == ["apis"]:
            versions = {r.group: r.version for r in self.served}
            entries = [
                {
                    "name": group,
                    "versions": [{"version": versions[group]}],
                    "preferredVersion": {"version": versions[group]},
                }
                for group in groups
            ]
            return web.json_response({"groups": entries})
        found = [r for r in self.served if r.api_version == "/".join(words[1:])]
        if not found:
            return web.Response(status=404, text="404 page not found")
        verbs = ["get", "list", "watch", "patch"]
        return web.json_response(
            {
                "resources": [
                    {"name": r.plural, "singularName": "", "kind": r.kind, "namespaced": True, "verbs": verbs}
                    for r in found
                ]
            }
        )

    def _selected(self, resource: Resource, namespace: str | None, seen: Seen) -> list[dict[str, Any]]:
        selector = seen.query.get("labelSelector")
        return [
            obj
            for (kind, space, _), obj in sorted(self.objects.items(), key=lambda item: str(item[0]))
            if kind == resource and namespace in (None, space) and (not selector or _carries(obj, selector))
        ]

    def _list(self, resource: Resource, namespace: str | None, seen: Seen, *, slim: bool) -> web.Response:
        items = self._selected(resource, namespace, seen)
        start = int(seen.query.get("continue", "0"))
        size = self.chunk or int(seen.query.get("limit", "0")) or len(items) or 1
        metadata = {"resourceVersion": str(self.version)}
        if start + size < len(items):
            metadata["continue"] = str(start + size)
        left_out = {key for obj in items for key in obj if key != "metadata"} if slim else {"kind", "apiVersion"}
        bare = [{key: obj[key] for key in obj if key not in left_out} for obj in items]
        return web.json_response({"metadata": metadata, "items": bare[start : start + size]})

    async def _watch(
        self, request: web.Request, resource: Resource, namespace: str | None, seen: Seen
    ) -> web.StreamResponse:
        since, cuts = int(seen.query["resourceVersion"]), self._cuts
        response = web.StreamResponse()
        await response.prepare(request)
        if since < self.horizon:
            await _write(response, "ERROR", {"kind": "Status", "code": 410, "reason": "Expired"})
            return response
        sent = next((n for n, (_, line) in enumerate(self._lines) if line.version > since), len(self._lines))
        while self._cuts == cuts:
            bell = self._news
            for kind, line in self._lines[sent:]:
                mine = kind == resource and namespace in (None, line.obj["metadata"].get("namespace"))
                if mine and (told := line.to(seen.query.get("labelSelector", ""))):
                    await _write(response, told, line.obj)
            sent = len(self._lines)
            await bell.wait()
        return response

    def _create(self, resource: Resource, namespace: str, seen: Seen) -> web.Response:
        body = copy.deepcopy(seen.body)
        if (body["apiVersion"], body["kind"]) != (resource.api_version, resource.kind):
            return refusal(400, "BadRequest", f"{body['kind']} in the place of a {resource.kind}")
        metadata = body["metadata"]
        metadata["namespace"] = namespace
        if (resource, namespace, metadata["name"]) in self.objects:
            return refusal(409, "AlreadyExists", f"{metadata['name']} already exists")
        if resource in STATUS_APART:
            body.pop("status", None)
        if resource in COUNTED:
            metadata["generation"] = 1
        return web.json_response(self.put(resource, body), status=201)

    def _one(self, resource: Resource, namespace: str, name: str, seen: Seen, part: str) -> web.Response:
        known = self.objects.get((resource, namespace, name))
        if known is None:
            return refusal(404, "NotFound", f'{resource} "{name}" not found')
        if seen.method == "GET":
            return web.json_response(known)
        if seen.method == "DELETE":
            return self._delete(resource, known, (seen.body or {}).get("preconditions") or {})
        wanted = (seen.body or {}).get("metadata") or {}
        if wanted.get("resourceVersion", known["metadata"]["resourceVersion"]) != known["metadata"]["resourceVersion"]:
            return refusal(409, "Conflict", "the object has been modified")
        if not part and wanted.get("uid", known["metadata"]["uid"]) != known["metadata"]["uid"]:
            return refusal(422, "Invalid", "metadata.uid: field is immutable")
        changed = seen.body if seen.method == "PUT" else _merged(known, seen.body)
        changed = self._as_stored(resource, known, changed, part)
        if changed == known:
            return web.json_response(known)
        stored = self.put(resource, changed)
        if changed["metadata"].get("deletionTimestamp") and not changed["metadata"].get("finalizers"):
            self.remove(resource, namespace, name)
        return web.json_response(stored)

    def _delete(self, resource: Resource, known: dict[str, Any], preconditions: Mapping[str, str]) -> web.Response:
        metadata = known["metadata"]
        if any(metadata[field] != value for field, value in preconditions.items()):
            return refusal(409, "Conflict", "the object has been modified")
        if not metadata.get("finalizers"):
            self.remove(resource, metadata.get("namespace", ""), metadata["name"])
            return web.json_response({"kind": "Status", "status": "Success"})
        if metadata.get("deletionTimestamp"):
            return web.json_response(known)
        leaving = {**metadata, "deletionTimestamp": "2026-01-01T00:00:00Z"}
        return web.json_response(self.put(resource, {**known, "metadata": leaving}))

    def _as_stored(
        self, resource: Resource, known: dict[str, Any], changed: dict[str, Any], part: str
    ) -> dict[str, Any]:
        """The status is written by its own path, and by that nothing else is; the spec is counted."""
        if part == "status":
            return {**known, "status": changed["status"]} if "status" in changed else known
        metadata = {key: value for key, value in changed["metadata"].items() if value not in ({}, [])}
        changed = {**changed, "metadata": metadata}
        if resource in STATUS_APART:
            changed = {key: value for key, value in changed.items() if key != "status"}
            changed |= {"status": known["status"]} if "status" in known else {}
        if resource in COUNTED and changed.get("spec") != known.get("spec"):
            generation = known["metadata"].get("generation", 0) + 1
            changed["metadata"] = {**metadata, "generation": generation}
        return changed


def refusal(code: int, reason: str, message: str = "", **headers: str) -> web.Response:
    """An answer as the API server refuses."""
    status = {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": code}
    return web.json_response(status, status=code, headers={name.replace("_", "-"): v for name, v in headers.items()})


def _carries(obj: Mapping[str, Any], selector: str) -> bool:
    labels = obj["metadata"].get("labels") or {}
    key, _, value = selector.partition("=")
    return not selector or (labels.get(key) == value if value else key in labels)


def _merged(known: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(known) if isinstance(known, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged


async def _write(response: web.StreamResponse, type_: str, obj: Mapping[str, Any]) -> None:
    await response.write(json.dumps({"type": type_, "object": obj}).encode() + b"\n")
