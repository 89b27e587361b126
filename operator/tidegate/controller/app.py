"""The operator's process: watches, view, Lease, queue, health, and how all of it starts and ends.

Every replica watches and answers /readyz; the Lease decides whose queue works. On SIGTERM the passes that run end, the
Lease is left to the next, and the process ends with 0. On anything unforeseen it ends with 1, and starts afresh.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol, TypeAlias

from tidegate.api.meta import GROUP
from tidegate.controller import garbage, logs
from tidegate.controller.acting import limit_under
from tidegate.controller.admission import Admission
from tidegate.controller.assembly import build
from tidegate.controller.events import Reporter
from tidegate.controller.health import Health, Pulse
from tidegate.controller.inspecting import Inspector
from tidegate.controller.intake import Intake
from tidegate.controller.lease import Elector, LeaseLost
from tidegate.controller.metrics import Metrics
from tidegate.controller.namespaces import left_out, regained
from tidegate.controller.parts import Parts
from tidegate.controller.queue import LONGEST_PASS, Queue
from tidegate.controller.secrets import SecretValues
from tidegate.controller.settings import Settings
from tidegate.controller.sweep import Sweep
from tidegate.controller.tidying import Tidying
from tidegate.controller.underway import under_way
from tidegate.controller.watch import watch
from tidegate.errors import Permanent, TidegateError, Unavailable
from tidegate.kube.client import Client
from tidegate.kube.cluster import Cluster
from tidegate.kube.followers import Followers
from tidegate.kube.resources import HTTPROUTES, RELEASES, WATCHED, Key, Object, Resource
from tidegate.kube.store import Store

_HOME: Final = "tidegate-system"
_PATIENCE_AT_START: Final = 60.0
_SYNC_AT_MOST: Final = 600.0
_STUCK: Final = LONGEST_PASS + 60.0
_LATE: Final = 10.0
_LAST_WORDS: Final = 2.0

logger = logging.getLogger(__name__)


class Reconciler(Protocol):
    """The loop, as the process sees it."""

    async def reconcile(self, key: Key) -> float | None:
        """One pass over one Release, which may be gone. Returns when to look again, in seconds since the epoch."""

    def failed(self, key: Key, sentence: str, again_in: float) -> None:
        """A pass ended so, and will be tried again after so many seconds."""

    def gone(self, key: Key) -> None:
        """The Release was deleted: what is kept of it in memory can go."""

    async def close(self) -> None:
        """End what runs in the background, and all connections."""


Build: TypeAlias = Callable[[Parts], Reconciler]


class NotServed(Permanent):
    """The API server does not know a kind that we need."""


def run(settings: Settings) -> int:
    """The operator until it is told to stop. Returns the exit code: 0 when told to, else 1."""
    logs.configure(settings.log_level)
    garbage.look_seldom()
    garbage.set_aside()
    try:
        return asyncio.run(operate(settings, build))
    except TidegateError as error:
        logger.error("%s", error)
        return 1


async def operate(
    settings: Settings, build: Build, *, client: Client | None = None, stop: asyncio.Event | None = None
) -> int:
    """As `run`, in the loop that runs. It stops when `stop` is set, too. Raises NoAccess, NotServed, Unavailable."""
    metrics = Metrics()
    async with client or Client.from_environment(counted=metrics.requested) as client:
        await check_served(client)
        denied = await left_out(client, settings.namespaces)
        worked_in = tuple(namespace for namespace in settings.namespaces if namespace not in denied)
        process = Process(
            replace(settings, namespaces=worked_in), build, client, metrics, stop or asyncio.Event(), tuple(denied)
        )
        async with process.health:
            return await process.run()


async def check_served(client: Client) -> None:
    """Raises NotServed, with all kinds that are missing; Unavailable if no server answers for a minute."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _PATIENCE_AT_START
    missing: list[Resource] = []
    for resource in WATCHED:
        while True:
            try:
                if not await client.serves(resource):
                    missing.append(resource)
                break
            except Unavailable as error:
                if loop.time() > deadline:
                    raise
                logger.warning("waiting for the API server: %s", error)
                await asyncio.sleep(2.0)
    if missing:
        hints = []
        if any(resource.group == GROUP for resource in missing):
            hints.append("Tidegate's definitions with `kubectl apply -k crds`")
        if HTTPROUTES in missing:
            hints.append("the Gateway API (v1.0 or newer)")
        kinds = ", ".join(f"{resource.kind} ({resource.api_version})" for resource in missing)
        how = f": install {' and '.join(hints)}, then start again" if hints else ""
        raise NotServed(f"The API server does not serve {kinds}{how}")


class Process:
    """Everything of one process, wired. Made inside the event loop."""

    def __init__(
        self,
        settings: Settings,
        build: Build,
        client: Client,
        metrics: Metrics,
        stop: asyncio.Event,
        denied: Sequence[str] = (),
    ) -> None:
        """`denied` are the namespaces that are left out."""
        self._settings, self._denied = settings, denied
        self._client = client
        self._metrics = metrics
        self._stop = stop
        self._watch_started = asyncio.Event()
        self._began = asyncio.get_running_loop().time()
        self.store = Store()
        self.queue: Queue[Key] = Queue()
        self._intake = Intake(self.store, self.queue.add, self._gone, self._changed)
        self._sweep = Sweep(client, self._intake, metrics, namespaces=settings.namespaces, period=settings.sweep)
        self._followers = Followers(
            client, self.store, self._heard, self._vanished, self._came_or_went, namespaces=settings.namespaces
        )
        home = settings.lease_namespace or client.access.namespace or _HOME
        self._elector = Elector(
            client,
            home,
            settings.lease_name,
            settings.identity,
            term=settings.term,
        )
        self.gate = self._elector.gate
        self._pulse = Pulse(metrics)
        cluster = Cluster(client, self.store)
        limit = limit_under(settings.lease_duration)
        secret = SecretValues(client).read
        self._inspector = Inspector(cluster, self.gate, secret, limit=limit, period=settings.sweep)
        self._tidying = Tidying(cluster, self.gate, limit=limit, period=settings.sweep)
        self._events = Reporter(client, settings.identity)
        self._admission = Admission(client, self.queue.add, changed=self._all, told=metrics.admission)
        self._loop = build(
            Parts(settings, home, cluster, self.queue, self.gate, metrics, self._events, self._admission)
        )
        self.health = Health(
            metrics,
            address=settings.address,
            port=settings.port,
            alive=(self._work_goes_on, self._view_is_compared, self._loop_is_on_time),
            ready=(self._view_is_whole,),
        )
        metrics.watch(leads=lambda: self.gate.is_open, depth=lambda: self.queue.depth, oldest=lambda: self.queue.oldest)

    async def run(self) -> int:
        """Until told to stop (0), or until something ends that must not (1)."""
        watching = asyncio.create_task(
            watch(
                self._client.access,
                self._took,
                namespaces=self._settings.namespaces,
                started=self._watch_started,
                counted=self._metrics.requested,
            ),
            name="watches",
        )
        leading = asyncio.create_task(self._lead(), name="lead")
        stopping = asyncio.create_task(self._told_to_stop(), name="stop")
        try:
            await asyncio.wait({watching, leading, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                await self._drain()
            return max(_verdict("the watches", watching), _verdict("the work", leading))
        finally:
            # Nothing of ours works any more when the Lease is left to others.
            await _end(leading, stopping)
            await self._elector.release()
            await self._events.flush(_LAST_WORDS)
            await self._admission.close()
            await self._loop.close()
            await _end(watching)

    # ---- the work

    async def _lead(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pulse.run(), name="pulse")
            if self._denied:
                group.create_task(regained(self._client, self._denied, self._settings.sweep), name="regained")
            async with asyncio.TaskGroup() as syncing:
                for resource in WATCHED:
                    syncing.create_task(self._sweep.until_synced(resource), name=f"sync {resource}")
            # After the Releases: only what they name is kept.
            group.create_task(self._followers.run(), name="followers")
            await self._followers.looked()
            garbage.set_aside()
            logger.info("the view is whole: %d Releases", self.store.size(RELEASES))
            group.create_task(self._sweep.run(), name="sweep")
            group.create_task(self._elector.run(), name="elector")
            group.create_task(self._work(), name="work")
            group.create_task(self._tidying.run(), name="tidying")
            group.create_task(self._inspector.run(), name="inspector")
            group.create_task(self._admission.run(self.gate, self._settings.sweep), name="admission")

    async def _work(self) -> None:
        await self.gate.opened()
        for key in under_way(self.store):
            self.queue.add(key, first=True)
        self.queue.add_all(self.store.keys(RELEASES))
        await self.queue.run(self._loop.reconcile, gate=self.gate, watcher=self, workers=self._settings.workers)
        if not self._stop.is_set():
            raise LeaseLost(
                "The gate shut while this replica was at work. The process ends, so that it can start afresh"
            )

    def worked(self, key: Key, seconds: float, well: bool) -> None:
        self._metrics.reconciled(seconds, well)

    def failed(self, key: Key, sentence: str, again_in: float) -> None:
        self._loop.failed(key, sentence, again_in)

    # ---- what comes in

    def _took(self, resource: Resource, event: str | None, obj: Object) -> None:
        if event is None:
            self._sweep.relisted(resource)
        self._metrics.told(resource, self._intake.took(resource, event, obj))

    def _heard(self, resource: Resource, event: str | None, obj: Object) -> None:
        self._metrics.told(resource, self._intake.took(resource, event, obj))

    def _vanished(self, resource: Resource, key: Key, version: int) -> None:
        self._intake.drop(resource, key, version=version)

    def _changed(self, resource: Resource, key: Key) -> None:
        self._inspector.changed(resource, key)

    def _came_or_went(self, resource: Resource, namespace: str | None) -> None:
        """What was said of the kind, or by its absence, is out of date there."""
        if namespace is None:
            self._all()
        else:
            self.queue.add_all(self.store.keys_within(RELEASES, namespace))

    def _all(self) -> None:
        """Something is news to every Release."""
        self.queue.add_all(self.store.keys(RELEASES))

    def _gone(self, key: Key) -> None:
        self.queue.forget(key)
        self._metrics.forget(key)
        self._loop.gone(key)

    # ---- the end

    async def _told_to_stop(self) -> None:
        await self._watch_started.wait()
        # In the place of Kopf's own, which would end the watches under the passes that still run.
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(RuntimeError, ValueError):  # in a thread, as in tests, there are none to handle
                asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        await self._stop.wait()

    async def _drain(self) -> None:
        logger.info("told to stop: %d passes are to end", self.queue.working)
        self.queue.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain):
                await self.queue.idle()

    # ---- is all well

    def _view_is_whole(self) -> str | None:
        if self.store.all_synced:
            return None
        missing = [str(resource) for resource in WATCHED if not self.store.synced(resource)]
        return f"Not all that exists has arrived yet: {', '.join(missing)}"

    def _view_is_compared(self) -> str | None:
        if not self.store.all_synced:
            late = asyncio.get_running_loop().time() - self._began
            return f"The first listing has not arrived for {late:.0f} s" if late > _SYNC_AT_MOST else None
        if self._sweep.age > 3 * self._settings.sweep:
            return f"The view was last compared with the server {self._sweep.age:.0f} s ago"
        return None

    def _work_goes_on(self) -> str | None:
        if not self.gate.is_open:
            return None
        if self.queue.longest_pass > _STUCK:
            return f"A pass has run for {self.queue.longest_pass:.0f} s"
        if self.queue.oldest > _STUCK and self.queue.since_last_end > _STUCK:
            return f"No pass has ended for {self.queue.since_last_end:.0f} s, and {self.queue.depth} objects wait"
        return None

    def _loop_is_on_time(self) -> str | None:
        return f"The event loop was {self._pulse.lag:.0f} s late" if self._pulse.lag > _LATE else None


def _verdict(what: str, task: asyncio.Task[None]) -> int:
    """0 if the task runs or was cancelled, 1 if it ended by itself; then a log line says why."""
    if not task.done() or task.cancelled():
        return 0
    error = task.exception()
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, TidegateError):
        logger.error("%s ended: %s", what, error)
    elif error is not None:
        logger.error("%s ended: %s", what, error, exc_info=error)
    return 0 if error is None else 1


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
