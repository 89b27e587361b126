"""The loop: observe, decide, record, act, for one Release at a time.

1. Take the freshest object that is not older than our own last write of it; observe the world after that.
2. Decide. If the status changed, write it with the resourceVersion it was read at; whoever lost that race throws the
   decision away, effects too.
3. If it did not change but there is something to do, confirm first that we still lead: no compare-and-swap has.
4. Run the effects. The next look decides what became of them.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from tidegate.api import ReleaseStatus, Writer, parse_meta, parse_release, parse_release_status
from tidegate.api.conditions import ConditionType, Reason
from tidegate.api.meta import FINALIZER, short
from tidegate.api.release import Release
from tidegate.api.revision import revision
from tidegate.controller import logs, story
from tidegate.controller.acting import Actor
from tidegate.controller.audience import News
from tidegate.controller.looking import Looker
from tidegate.controller.memory import remember
from tidegate.controller.picture import Obstacle, Picture
from tidegate.controller.recording import READINGS_EVERY, compose, differ, worth_writing
from tidegate.controller.settling import Settler
from tidegate.controller.writers import impossible, left_alone, outranks, overwritten
from tidegate.engine import decide
from tidegate.engine.values import Decision, Effect, Phase, Reread, Status, Watched
from tidegate.errors import Conflict, Invalid, NotFound, TidegateError
from tidegate.kube.cluster import Cluster
from tidegate.kube.resources import RELEASES, Key, Object, version_of
from tidegate.targets.port import App, Resolved

logger = logging.getLogger(__name__)

SLACK = 5.0
"""A pass that comes later than promised by more than this was a gap in watching: what it missed is not credited."""

FIRST_RETRY, FIRST_REPEAT = 0.5, 0.05
LONGEST_RETRY, LONGEST_REVERT_RETRY = 60.0, 5.0
UNREAD_AGAIN = 10.0  # seconds until what the spec names and could not be read is looked at again


_EDITED = (
    "%s. Nothing is decided while the status can't be read: put it right, or remove it "
    "(kubectl edit --subresource=status); then what serves is taken for stable"
)


class Leadership(Protocol):
    @property
    def epoch(self) -> int: ...
    @property
    def holder(self) -> str: ...
    def safe_for(self, seconds: float) -> bool: ...


class Audience(Protocol):
    """Who is told of transitions: Events, metrics, logs. Telling never delays and never fails."""

    def recorded(self, document: Object, picture: Picture, before: ReleaseStatus, after: ReleaseStatus) -> None: ...
    def acting(self, document: Object, picture: Picture, effects: Iterable[Effect]) -> None: ...
    def seen(self, key: Key, picture: Picture, status: ReleaseStatus) -> None: ...
    def told(self, document: Object, item: News) -> None: ...
    def gone(self, key: Key) -> None: ...


@dataclass(slots=True)
class Attention:
    """What one process knows about one object beside its status: how it watched, and how its effects went."""

    uid: str
    since: float
    last: float
    promised: float | None = None
    wrote: float = 0.0
    readable: bytes | None = None  # the newest object that could be read, as JSON: parsed it takes ten times the memory
    rest_until: float = 0.0  # effects that failed, or changed nothing, are not done again before
    failures: int = 0  # passes in a row whose effects failed
    repeats: int = 0  # passes in a row that had something to do and nothing new to write
    troubles: tuple[Obstacle, ...] = ()


class Loop:
    def __init__(
        self,
        cluster: Cluster,
        looker: Looker,
        actor: Actor,
        settler: Settler,
        leadership: Leadership,
        audience: Audience,
        *,
        hurry: Callable[[Key], None] = lambda key: None,
        forgetting: tuple[Callable[[Key], None], ...] = (),
        closing: tuple[Callable[[], Awaitable[None]], ...] = (),
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._cluster, self._looker, self._actor, self._settler = cluster, looker, actor, settler
        self._leadership, self._audience, self._wall = leadership, audience, wall
        self._attention: dict[Key, Attention] = {}
        self._confessions: set[asyncio.Task[None]] = set()
        self._urgent, self._forgetting, self._closing = hurry, forgetting, closing

    async def reconcile(self, key: Key) -> float | None:
        """One pass. Gives the instant at which to look again (seconds since the epoch), or None."""
        document = await self._cluster.read(RELEASES, key.namespace, key.name)
        if document is None:
            self.gone(key)
            return None
        try:
            return await self._pass(key, document, confirmed=False)
        except (Conflict, NotFound):
            await self._cluster.fresh(RELEASES, key.namespace, key.name)
            return self._now()
        except Invalid as error:
            edited = _EDITED % error.message if error.path.startswith("status") else error.message
            await self._tell(key, document, Reason.INVALID, edited)
            return None

    def failed(self, key: Key, sentence: str, again_in: float) -> None:
        """A pass ended so. A poison object hurts only itself, and says so in its condition as soon as it can."""
        logger.warning("a pass failed and is tried again in %.1f s: %s", again_in, sentence)
        attention = self._attention.get(key)
        if attention is not None:
            attention.troubles = (Obstacle(Reason.INTERNAL_ERROR, sentence),)
            attention.failures += 1
        if attention is None or attention.failures > 1:
            task = asyncio.create_task(self._confess(key, sentence))
            self._confessions.add(task)
            task.add_done_callback(self._confessions.discard)

    async def _confess(self, key: Key, sentence: str) -> None:
        document = self._cluster.get(RELEASES, key.namespace, key.name)
        if document is not None and self._leadership.safe_for(self._actor.limit):
            with suppress(TidegateError):
                await self._tell(key, document, Reason.INTERNAL_ERROR, sentence)

    def gone(self, key: Key) -> None:
        """The Release was deleted: what is kept of it in memory can go."""
        self._attention.pop(key, None)
        self._audience.gone(key)
        for forget in self._forgetting:
            forget(key)

    async def close(self) -> None:
        """End what runs in the background, and all connections."""
        for task in list(self._confessions):
            task.cancel()
        for close in self._closing:
            await close()

    # ---- one pass

    async def _pass(self, key: Key, document: Object, *, confirmed: bool) -> float | None:
        meta = parse_meta(document)
        if meta.deleting and FINALIZER not in meta.finalizers:
            return None
        if FINALIZER not in meta.finalizers:
            document = await self._settler.hold(document)
        release, unreadable = self._read(key, document)
        text = None if unreadable else self._text(key, document)
        written = release.status
        now = self._now()
        if outranks(written.writer, self._leadership.epoch) and not self._disbelieved(document, written.writer, now):
            logger.warning("a newer leader has written this status; leaving it alone")
            return None
        attention = self._attend(key, release.metadata.uid, now)
        status = remember(written)
        app = _app(key, await self._looker.resolve(release), status)
        with logs.bind(revision=short(app.revision), step=str(written.step.number if written.step else 0)):
            picture = await self._looker.look(
                app,
                written,
                Watched(attention.since, attention.last),
                now,
                confirmed=confirmed,
                troubles=attention.troubles,
                unreadable=unreadable,
            )
            decision = decide(picture.spec, status, picture.seen, now)
            if not any(isinstance(effect, Reread) for effect in decision.effects):
                attention.readable = text or attention.readable
                return await self._record_and_act(key, document, app, picture, decision, attention)
        fresh = await self._cluster.fresh(RELEASES, key.namespace, key.name)
        return now if fresh is None else await self._pass(key, fresh, confirmed=True)

    def _disbelieved(self, document: Object, writer: Writer | None, now: float) -> bool:
        """Whether what claims to be of a newer leader is not; told, also where a claim that can be keeps us away though
        the Lease is surely ours."""
        assert writer is not None
        if impossible(writer, now):
            self._audience.told(document, overwritten(writer))
            return True
        if self._leadership.safe_for(self._actor.limit):
            self._audience.told(document, left_alone(document["metadata"]["name"], writer, self._leadership.epoch))
        return False

    def _read(self, key: Key, document: Object) -> tuple[Release, tuple[Obstacle, ...]]:
        """The Release; where its spec can't be read, with the newest that could, and a shut gate: guards and reverts
        go on, and so does a deletion. Raises Invalid where none is known."""
        try:
            return parse_release(document), ()
        except Invalid as error:
            attention = self._attention.get(key)
            meta = parse_meta(document)
            if attention is None or attention.readable is None or attention.uid != meta.uid:
                raise
            status = parse_release_status(document)
            readable = parse_release(json.loads(attention.readable))
            release = readable.model_copy(update={"metadata": meta, "status": status})
            return release, (Obstacle(Reason.INVALID, error.message),)

    def _text(self, key: Key, document: Object) -> bytes | None:
        """The object as the store has it, if that is still this very version."""
        if self._cluster.floor(RELEASES, key.namespace, key.name) != version_of(document):
            return None
        return self._cluster.text(RELEASES, key.namespace, key.name)

    async def _record_and_act(
        self, key: Key, document: Object, app: App, picture: Picture, decision: Decision, attention: Attention
    ) -> float | None:
        before = picture.release.status
        writer = Writer(holder=self._leadership.holder, epoch=self._leadership.epoch)
        after = compose(picture, decision.status, before, writer)
        since_last = picture.now - attention.wrote
        outranked = outranks(before.writer, writer.epoch)
        wrote = outranked or worth_writing(before, after, since_last)
        if wrote:
            document = await self._write(key, document, after)
            attention.wrote = picture.now
            self._audience.recorded(document, picture, before, after)
        await self._act(key, document, app, picture, decision, attention, confirmed=wrote)
        attention.last = picture.now
        attention.promised = self._next_look(decision, attention, picture, before, after, wrote)
        if any(not problem.lasting for problem in app.resolved.problems):
            again = self._now() + UNREAD_AGAIN  # nothing tells when it can be read
            attention.promised = min(attention.promised or again, again)
        self._audience.seen(key, picture, after)
        if decision.status.phase is Phase.REVERTING and decision.effects:
            self._hurry(key, attention)
        return attention.promised

    async def _act(
        self,
        key: Key,
        document: Object,
        app: App,
        picture: Picture,
        decision: Decision,
        attention: Attention,
        *,
        confirmed: bool,
    ) -> None:
        """Run the effects. What failed, or was asked for again and again, is backed off; looking and guarding are not.
        `confirmed`: a compare-and-swap has just told that we lead."""
        effects = (*decision.effects, *picture.refused)
        if not effects:
            attention.troubles, attention.failures, attention.repeats, attention.rest_until = (), 0, 0, 0.0
            return
        if not confirmed:
            if picture.now < attention.rest_until:
                return
            if not (self._leadership.safe_for(self._actor.limit) and await self._unchanged(key, document)):
                attention.rest_until = self._now() + FIRST_RETRY  # the Lease is renewed soon, or lost
                return
        self._audience.acting(document, picture, effects)
        attention.troubles = await self._actor.act(replace(app, status=decision.status), picture, effects)
        attention.failures = attention.failures + 1 if attention.troubles else 0
        attention.repeats = 0 if confirmed else attention.repeats + 1
        attention.rest_until = self._now() + _backoff(decision.status, attention)

    def _next_look(
        self,
        decision: Decision,
        attention: Attention,
        picture: Picture,
        before: ReleaseStatus,
        after: ReleaseStatus,
        wrote: bool,
    ) -> float | None:
        """When effects may be done again, or when the engine says, or when readings are due to be written."""
        wakes = [decision.wake_at]
        if decision.status != picture.before:
            # The engine reckons with a look at whatever has changed, its own memory too; and our own write is in the
            # store before the watch tells of it, so that it wakes nobody.
            wakes.append(self._now())
        if picture.troubles and not attention.troubles:
            wakes.append(self._now())  # what is over is not to be told any longer
        if decision.effects or picture.refused:
            wakes.append(max(attention.rest_until, self._now()))
        if not wrote and differ(before, after):
            wakes.append(attention.wrote + READINGS_EVERY)
        return min((wake for wake in wakes if wake is not None), default=None)

    def _hurry(self, key: Key, attention: Attention) -> None:
        """A revert that is not at its end comes before all else in the queue, unless it failed just now."""
        if attention.rest_until <= self._now():
            self._urgent(key)

    async def _unchanged(self, key: Key, document: Object) -> bool:
        """Whether the object on the server is as we read it: nobody who leads by now has written to it since."""
        fresh = await self._cluster.fresh(RELEASES, key.namespace, key.name)
        return fresh is not None and fresh["metadata"]["resourceVersion"] == document["metadata"]["resourceVersion"]

    async def _write(self, key: Key, document: Object, after: ReleaseStatus) -> Object:
        """Compare-and-swap. What is absent now is removed by name: a merge patch keeps what it does not hear of."""
        patch = _replacing(document.get("status") or {}, after.document())
        body = {"metadata": {"resourceVersion": document["metadata"]["resourceVersion"]}, "status": patch}
        return await self._cluster.merge(RELEASES, key.namespace, key.name, body, subresource="status")

    # ---- what no pass can be made of

    async def _tell(self, key: Key, document: Object, reason: Reason, sentence: str) -> None:
        """Ready, Reconciling and Stalled say what is wrong; the memory in the status is left as it is, also where it
        can't be read."""
        now, meta = self._now(), document["metadata"]
        written = _conditions_of(document)
        told = []
        for kind, value in (
            (ConditionType.READY, False),
            (ConditionType.RECONCILING, False),
            (ConditionType.STALLED, True),
        ):
            fact = story.fact(kind, value, reason, sentence)
            told.append(story.dated(fact, written.condition(kind), meta.get("generation", 0), now))
        kinds = {condition.type for condition in told}
        rest = tuple(condition for condition in written.conditions if condition.type not in kinds)
        after = written.model_copy(update={"conditions": (*told, *rest)})
        if after.document() != written.document():
            status = {"conditions": after.document()["conditions"]}
            body = {"metadata": {"resourceVersion": meta["resourceVersion"]}, "status": status}
            await self._cluster.merge(RELEASES, key.namespace, key.name, body, subresource="status")

    # ---- attention

    def _attend(self, key: Key, uid: str, now: float) -> Attention:
        """How this object was watched, unbroken since when. A late pass, or another object, starts anew."""
        attention = self._attention.get(key)
        if attention is None or attention.uid != uid:
            attention = self._attention[key] = Attention(uid, now, now, wrote=now)
        elif attention.promised is not None and now > attention.promised + SLACK:
            attention.since = now
        return attention

    def _now(self) -> float:
        return round(self._wall(), 3)


def _conditions_of(document: Object) -> ReleaseStatus:
    """A status of nothing but the conditions that the object has; none where these can't be read either."""
    try:
        return parse_release_status({"status": {"conditions": (document.get("status") or {}).get("conditions") or []}})
    except Invalid:
        return ReleaseStatus()


def _backoff(status: Status, attention: Attention) -> float:
    longest = LONGEST_REVERT_RETRY if status.phase in (Phase.REVERTING, Phase.GONE) else LONGEST_RETRY
    if attention.troubles:
        return min(FIRST_RETRY * 2.0 ** min(attention.failures, 10), longest)
    if attention.repeats > 1:
        return min(FIRST_REPEAT * 2.0 ** min(attention.repeats, 10), longest)
    return 0.0


def _app(key: Key, resolved: Resolved, status: Status) -> App:
    content = revision(resolved.release, resolved.named)
    return App(key.namespace, key.name, resolved.release.metadata.uid, resolved, status, content)


def _replacing(old: object, new: dict[str, object]) -> dict[str, object]:
    """A merge patch that leaves exactly `new`: what `old` has and `new` has not is set to null, at every depth."""
    if not isinstance(old, dict):
        return new
    patch: dict[str, object] = {name: None for name in old if name not in new}
    for name, value in new.items():
        was = old.get(name)
        if isinstance(value, dict) and isinstance(was, dict):
            patch[name] = _replacing(was, value)
        elif value != was:
            patch[name] = value
    return patch
