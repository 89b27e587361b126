"""Kopf, and what we let it do: log in, list, watch and come back after every kind of break.

One event handler a kind, which hands the object to the intake, and nothing else. Kopf's stateful half (change handlers,
timers, daemons, peering, its annotations and finalizers) writes to people's objects and keeps a task for each: it is
not used, and the settings here make sure that it could not write if it were.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import kopf
import kopf._core.reactor.inventory

from tidegate.api.meta import GROUP, LABEL_RELEASE
from tidegate.kube.access import Access
from tidegate.kube.counting import Counted, counting
from tidegate.kube.resources import LABELLED_ONLY, WATCHED, Object, Resource

NOBODYS_FINALIZER: Final = f"kopf.{GROUP}/unused"
"""Kopf takes this one off every object that it sees: it must be none that anybody uses, ours least of all."""

# About a quarter of an hour of an API server that is away; then the process ends and starts afresh.
_BACKOFFS: Final = (1, 1, 2, 3, 5, 8, 13, 21, 34, *(60,) * 13)

_KOPF: Final = str(Path(kopf.__file__).parent)
_FAREWELL: Final = 5.0
_ROUNDS: Final = 3

Took = Callable[[Resource, str | None, Object], None]
"""Called with the kind, the event's type (None: from a list) and the object."""


class NoDiffs(kopf.DiffBaseStorage):
    """Remembers no former state of any object, nowhere; and spares Kopf a deep copy of each at each event."""

    def build(self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        return None


class NoProgress(kopf.ProgressStorage):
    """Remembers no progress of any handler, nowhere."""

    def fetch(self, *, key: kopf.HandlerId, body: kopf.Body) -> kopf.ProgressRecord | None:
        return None

    def store(self, *, key: kopf.HandlerId, record: kopf.ProgressRecord, body: kopf.Body, patch: kopf.Patch) -> None:
        return None

    def purge(self, *, key: kopf.HandlerId, body: kopf.Body, patch: kopf.Patch) -> None:
        return None

    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: str | None) -> None:
        return None

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


class NoMemories(kopf._core.reactor.inventory.ResourceMemories):
    """Remembers no object: Kopf would keep a kilobyte of each that there is, for handlers of changes, timers, daemons.

    Kopf's interface has no name for this; it is pinned below its next minor release.
    """

    async def recall(self, raw_body: kopf.RawBody, **how: Any) -> kopf._core.reactor.inventory.ResourceMemory:
        return await super().recall(raw_body, **{**how, "ephemeral": True})


def pinned() -> kopf.OperatorSettings:
    """Kopf's settings. Each has a measured reason; a minor release of Kopf may change any default."""
    settings = kopf.OperatorSettings()
    settings.persistence.finalizer = NOBODYS_FINALIZER
    settings.persistence.diffbase_storage = NoDiffs()
    settings.persistence.progress_storage = NoProgress()
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.scanning.disabled = True  # no watch of definitions and namespaces: we ask for the kinds ourselves first
    settings.queueing.worker_limit = None  # with a limit an idle worker keeps its slot: 10 000 objects took 42 min
    settings.queueing.idle_timeout = 0.01  # an idle worker keeps its object, parsed: a start over thousands has many
    settings.queueing.exit_timeout = 5.0
    settings.watching.chunk_size = 50  # pages of 500 of eight kinds at once took 40 MiB that Python never gives back
    settings.watching.connect_timeout = 10.0
    settings.watching.initial_streaming = (
        False  # a stream cut in the middle resumes as a plain watch, and loses the rest
    )
    settings.networking.request_timeout = 30.0
    settings.networking.connect_timeout = 10.0
    settings.networking.error_backoffs = _BACKOFFS
    for resource in LABELLED_ONLY:
        settings.watching.label_selectors[resource.group, resource.version, resource.plural] = LABEL_RELEASE
    return settings


def registry(
    access: Access, took: Took, resources: Sequence[Resource] = WATCHED, counted: Counted | None = None
) -> kopf.OperatorRegistry:
    """The handlers: one to log in, one for each kind."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return credentials(access, counted)

    for resource in resources:
        kopf.on.event(
            group=resource.group, version=resource.version, plural=resource.plural, registry=handlers, id=str(resource)
        )(_handler(resource, took))
    return handlers


@dataclass(frozen=True, kw_only=True)
class Login(kopf.AiohttpSession):
    """A session of ours for Kopf. Two of one identity are the same to it: so it sees that what it was refused with is
    offered again, and ends, in place of trying for ever."""

    aiohttp_session: aiohttp.ClientSession = field(compare=False, repr=False)
    authorization: str | None = field(repr=False)


def credentials(access: Access, counted: Counted | None = None) -> Login:
    """The same server and identity for Kopf, with the token as it is now: after a 401 Kopf asks again."""
    tls, authorization = access.tls(), access.authorization()
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=True if tls is None else tls),
        headers={"Authorization": authorization} if authorization else {},
        trace_configs=[] if counted is None else [counting(counted)],
        trust_env=False,
    )
    return Login(
        server=access.server,
        default_namespace=access.namespace,
        aiohttp_session=session,
        authorization=authorization,
    )


async def watch(
    access: Access,
    took: Took,
    *,
    namespaces: Sequence[str] = (),
    started: asyncio.Event,
    resources: Sequence[Resource] = WATCHED,
    counted: Counted | None = None,
) -> None:
    """Watch until cancelled. Raises what Kopf does not come back from: then the process is to end.

    Before it sets `started`, Kopf has taken SIGTERM and SIGINT for itself; after one of those this returns.
    """
    # Not `kopf.operator`: when that ends, it takes every task of the process that is younger than it for its own, waits
    # 5 s for them, and cancels them.
    tasks = await kopf.spawn_tasks(
        registry=registry(access, took, resources, counted),
        settings=pinned(),
        memories=NoMemories(),
        clusterwide=not namespaces,
        namespaces=namespaces,
        standalone=True,
        ready_flag=started,
    )
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
    except Exception:
        await _end(tasks)
        await _end_orphans()
        raise
    finally:
        await _end(tasks)


async def _end(roots: Collection[asyncio.Task[Any]]) -> None:
    """Kopf's own tasks end all others; the last of them closes the connections."""
    left = [task for task in roots if not task.done()]
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=_FAREWELL)


async def _end_orphans() -> None:
    """When one watch has failed, Kopf leaves the others running without a parent."""
    for _ in range(_ROUNDS):
        orphans = {task for task in asyncio.all_tasks() if _is_kopfs(task)}
        if not orphans:
            return
        for task in orphans:
            task.cancel()
        await asyncio.wait(orphans, timeout=1.0)


def _is_kopfs(task: asyncio.Task[Any]) -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and str(code.co_filename).startswith(_KOPF)


def _handler(resource: Resource, took: Took) -> Callable[..., Any]:
    async def handle(event: kopf.RawEvent, **_: Any) -> None:
        # What a handler returns, Kopf would write into the object's status.
        took(resource, event["type"], event["object"])

    return handle
