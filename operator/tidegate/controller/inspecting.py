"""Whether policies and Connections can be used as they stand, told in their `Ready`.

The leader looks when one changes, and at Connections every ten minutes, or every minute while one is not well. Nothing
waits for it and nothing is decided by it: a Release finds out by itself. What is told already is not written again.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Literal, NamedTuple, NoReturn, Protocol

from tidegate.api.conditions import Condition, ConditionType, Reason
from tidegate.api.conflicts import conflicts
from tidegate.api.connection import Connection
from tidegate.api.parse import parse_connection, parse_meta, parse_policy
from tidegate.api.policy import ReleasePolicy
from tidegate.api.readiness import Readiness
from tidegate.controller.acting import EFFECT_TIMEOUT
from tidegate.errors import Conflict, Denied, Invalid, NotFound, NotPermitted, Permanent, TidegateError, Unavailable
from tidegate.kube.cluster import Cluster
from tidegate.kube.resources import CONNECTIONS, POLICIES, Key, Object, Resource
from tidegate.metrics import Secrets, Source, faults, open_source

AT_ONCE: Final = 4
"""Looks at the same time."""
PATIENCE: Final = 12.0
"""Seconds that a source may take to answer."""
SURE: Final = 2
"""Failures in a row before a source counts as not reachable; they are this many seconds apart:"""
AGAIN: Final = 5.0
NOT_SURE: Final = 1.0
"""Seconds until a write is tried again that was not made, since the Lease might have been lost meanwhile."""

logger = logging.getLogger(__name__)


class Leadership(Protocol):
    async def opened(self) -> None: ...
    def safe_for(self, seconds: float) -> bool: ...


class Verdict(NamedTuple):
    """What Ready is to say."""

    ready: bool
    reason: Reason
    message: str = ""


class _Place(NamedTuple):
    """One Connection, or all policies of a namespace (`name` is "")."""

    resource: Resource
    namespace: str
    name: str


class Inspector:
    """`secret(connection, name, key)` reads a Secret. `limit` is what one write may take, all in seconds; `wall` gives
    seconds since the epoch."""

    def __init__(
        self,
        cluster: Cluster,
        leadership: Leadership,
        secret: Callable[[Connection, str, str], Awaitable[str]],
        *,
        opener: Callable[[Connection, Secrets], Source] = open_source,
        limit: float = EFFECT_TIMEOUT,
        period: float = 600.0,
        retry: float = 60.0,
        wall: Callable[[], float] = time.time,
        dice: random.Random | None = None,
    ) -> None:
        self._cluster, self._leadership, self._secret, self._opener = cluster, leadership, secret, opener
        self._limit, self._period, self._retry = limit, period, retry
        self._wall, self._dice = wall, dice or random.Random()
        self._due: dict[_Place, float] = {}
        self._failures: dict[_Place, int] = {}
        self._bell = asyncio.Event()

    def changed(self, resource: Resource, key: Key) -> None:
        """A policy or a Connection came, went, or says something else."""
        if resource not in (POLICIES, CONNECTIONS):
            return
        now = asyncio.get_running_loop().time()
        self._due[_Place(POLICIES, key.namespace, "")] = now  # a policy is held against the others and its Connections
        if resource == CONNECTIONS:
            self._due[_Place(resource, *key)] = now
        self._bell.set()

    async def run(self) -> NoReturn:
        """For ever, once we lead. What fails is tried again."""
        await self._leadership.opened()
        for resource in (POLICIES, CONNECTIONS):
            for key in self._cluster.store.keys(resource):
                self.changed(resource, key)
        loop = asyncio.get_running_loop()
        while True:
            self._bell.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(self._due.values(), default=None)):
                    await self._bell.wait()
            due = [place for place, at in self._due.items() if at <= loop.time()]
            for first in range(0, len(due), AT_ONCE):
                await asyncio.gather(*(self._look(place) for place in due[first : first + AT_ONCE]))

    async def once(self) -> None:
        """Look at all that is due now."""
        now = asyncio.get_running_loop().time()
        for place in [place for place, at in self._due.items() if at <= now]:
            await self._look(place)

    # ---- one look

    async def _look(self, place: _Place) -> None:
        del self._due[place]
        try:
            if place.resource == POLICIES:
                again = await self._policies(place.namespace)
            else:
                again = await self._connection(place)
        except Conflict:
            again = NOT_SURE
        except (TidegateError, TimeoutError) as error:
            reason = str(error) or "no answer in time"
            logger.warning("%s in %s could not be told what it is: %s", place.resource, place.namespace, reason)
            again = self._retry
        except Exception:  # whatever a source answers, it must not end the leader
            logger.exception("%s in %s could not be looked at", place.resource, place.namespace)
            again = self._retry
        if again is not None:
            later = asyncio.get_running_loop().time() + again * self._dice.uniform(0.9, 1.1)
            self._due[place] = min(later, self._due.get(place, later))  # what changed meanwhile is due already

    async def _policies(self, namespace: str) -> float | None:
        readable: dict[str, ReleasePolicy] = {}
        verdicts: dict[str, Verdict] = {}
        documents = self._cluster.within(POLICIES, namespace)
        for document in documents:
            name = document["metadata"]["name"]
            try:
                readable[name] = parse_policy(document)
            except Invalid as error:
                verdicts[name] = Verdict(False, Reason.INVALID, error.message)
        against = conflicts(tuple(readable.values()))
        for name, policy in readable.items():
            verdicts[name] = self._of_policy(policy, against.get(name, ()))
        for document in documents:
            await self._tell(POLICIES, document, verdicts[document["metadata"]["name"]])
        return None

    def _of_policy(self, policy: ReleasePolicy, against: tuple[str, ...]) -> Verdict:
        if against:
            return Verdict(False, Reason.POLICY_CONFLICT, "; ".join(against))
        for guard in policy.spec.guards:
            blind = next(iter(faults(guard)), None)
            if blind is not None:
                return Verdict(False, Reason.GUARD_BLIND, f"guard {guard.name}: {blind}")
            if self._cluster.get(CONNECTIONS, policy.metadata.namespace, guard.connection) is None:
                missing = f"guard {guard.name}: there is no Connection {guard.connection} in the namespace; create it"
                return Verdict(False, Reason.CONNECTION_MISSING, missing)
        return Verdict(True, Reason.IN_FORCE)

    async def _connection(self, place: _Place) -> float | None:
        document = self._cluster.get(*place)
        if document is None:
            self._failures.pop(place, None)
            return None
        verdict = await self._of_connection(document)
        if verdict is None:
            return self._retry
        failures = self._failures[place] = 0 if verdict.ready else self._failures.get(place, 0) + 1
        if verdict.reason is Reason.UNREACHABLE and failures < SURE:
            return AGAIN
        await self._tell(CONNECTIONS, document, verdict)
        return self._period if verdict.ready else self._retry

    async def _of_connection(self, document: Object) -> Verdict | None:
        """None where nothing was found out."""
        try:
            connection = parse_connection(document)
        except Invalid as error:
            return Verdict(False, Reason.INVALID, error.message)
        source = self._opener(connection, lambda name, key: self._secret(connection, name, key))
        try:
            async with asyncio.timeout(PATIENCE):
                await source.reach(self._wall())
        except Unavailable:
            return None  # our own API server does not answer: that says nothing of the source
        except TimeoutError:
            return Verdict(False, Reason.UNREACHABLE, f"no answer within {PATIENCE:g} s")
        except TidegateError as error:
            return Verdict(False, _why(error), error.message)
        finally:
            await source.close()
        return Verdict(True, Reason.REACHABLE)

    # ---- telling

    async def _tell(self, resource: Resource, document: Object, verdict: Verdict) -> None:
        meta = parse_meta(document)
        old = _written(document).condition(ConditionType.READY)
        if old is not None and _says(old, verdict, meta.generation):
            return
        if not self._leadership.safe_for(self._limit):
            raise Conflict("The Lease is not surely ours just now")
        status: Literal["True", "False"] = "True" if verdict.ready else "False"
        since = old.last_transition_time if old is not None and old.status == status else round(self._wall(), 3)
        condition = Condition(
            type=ConditionType.READY,
            status=status,
            reason=verdict.reason,
            message=verdict.message[:4096],
            observed_generation=meta.generation,
            last_transition_time=since,
        )
        body = {
            "metadata": {"uid": meta.uid, "resourceVersion": meta.resource_version},
            "status": Readiness(conditions=(condition,)).document(),
        }
        with suppress(NotFound):
            async with asyncio.timeout(self._limit):
                await self._cluster.merge(resource, meta.namespace, meta.name, body, subresource="status")
        if not verdict.ready:
            logger.warning("%s %s/%s: %s", resource.kind, meta.namespace, meta.name, verdict.message)


def _why(error: TidegateError) -> Reason:
    if isinstance(error, Denied | NotPermitted):
        return Reason.NOT_PERMITTED
    return Reason.SECRET_MISSING if isinstance(error, Permanent) else Reason.UNREACHABLE


def _written(document: Object) -> Readiness:
    try:
        return Readiness.model_validate(document.get("status") or {}, by_alias=True, by_name=False)
    except ValueError:
        return Readiness()


def _says(old: Condition, verdict: Verdict, generation: int) -> bool:
    """Whether that is told already. Why a source can't be reached may change from minute to minute: that is no news."""
    if (old.status == "True", old.reason, old.observed_generation) != (verdict.ready, verdict.reason, generation):
        return False
    return verdict.reason is Reason.UNREACHABLE or old.message == verdict.message[:4096]
