"""What a Release names, put in its place before its revision is hashed: the one door to it.

The content of a ConfigMap or Secret is asked for once, and again when the store tells of a newer version; only its hash
is kept in mind. After a restart a copy that was made of the very version that is there tells the hash without a
question. A Secret's hash is keyed; where the key is another than a copy was made under, the two contents are compared,
and what is the same keeps the hash that it had: a lost key begins no climb.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from tidegate.api.conditions import Reason
from tidegate.api.configuration import CONFIG_MAP, SECRET, Mention, mentions
from tidegate.api.meta import Meta
from tidegate.api.release import Component, Release
from tidegate.api.revision import Named
from tidegate.errors import NotFound, Permanent, TidegateError, Transient
from tidegate.kube import Cluster, Key, Object, Resource, uid_of, version_of
from tidegate.targets.kubernetes import copies
from tidegate.targets.kubernetes.copies import ABSENT, MISSING, Copy
from tidegate.targets.kubernetes.seal import Seal
from tidegate.targets.port import Problem, Resolved

PATIENCE: Final = 5.0  # seconds, for all that one Release names
SILENT: Final = 30.0  # seconds in which what gave no answer is not asked for again: it must not slow every pass down
CONFIGURATION_UNKNOWN: Final = "ConfigurationUnknown"

_SPARE: Final = 1024


class _Known(NamedTuple):
    uid: str
    version: int
    digest: str  # under the key that we have; "" where nothing is there


class _Place(NamedTuple):
    resource: Resource
    key: Key


class Sources:
    """One for the operator."""

    def __init__(self, cluster: Cluster, seal: Seal) -> None:
        self._cluster, self._seal = cluster, seal
        self._known: dict[_Place, _Known] = {}
        self._silent: dict[_Place, float] = {}  # what gave no answer, and until when (the loop's time) it is left alone
        self._digests: dict[str, str] = {}  # of copies, by their uid: what is in them, under our key

    async def resolve(self, release: Release) -> Resolved:
        """The Release with what it names in its place. Waits for the server at most `PATIENCE` seconds, and only for
        what was never read or has changed."""
        made = copies.of_release(self._cluster, release.metadata.namespace, release.metadata.name)
        until = asyncio.get_running_loop().time() + PATIENCE
        found = await asyncio.gather(
            *(self._of_component(release, component, made, until) for component in release.spec.components)
        )
        names = (component.name for component in release.spec.components)
        return Resolved(
            release,
            {name: named for name, (named, _) in zip(names, found, strict=True) if named},
            tuple(problem for _, problems in found for problem in problems),
        )

    def forget(self, namespace: str) -> None:
        """Ask again for what was not there: it may come while nobody names it, and then no watch tells."""
        missing = [place for place, known in self._known.items() if place.key.namespace == namespace and not known.uid]
        for place in missing:
            del self._known[place]

    async def read(self, namespace: str, named: Named) -> Object | None:
        """The source as it is now, if it has just this content. Raises what `Client` raises."""
        try:
            obj = await self._cluster.client.get(copies.resource_of(named.kind), namespace, named.name)
        except NotFound:
            return None
        return obj if await self.digest(namespace, Mention(named.kind, named.name), obj) == named.content else None

    async def digest(self, namespace: str, source: Mention, obj: Object) -> str:
        """Hash of what is in the object, which is this source or a copy of it: of a Secret under our key."""
        text = copies.text_of(obj)
        if source.kind == CONFIG_MAP:
            return copies.plain_digest(text)
        return await self._seal.digest(namespace, source.name, text)

    async def copied(self, release: Meta, named: Named, source: Object) -> Object:
        """The copy to make of a source that was just read."""
        key = "" if named.kind == CONFIG_MAP else await self._seal.fingerprint()
        words = copies.words(release.namespace, release.name, named, copies.origin_in(source))
        return copies.body(release.namespace, release.name, named, source, key, await self._seal.over(words))

    async def is_whole(self, release: Meta, copy: Copy) -> bool | None:
        """Whether what its name says is in it; None if it is gone. Asked for once of each: what is in a copy never
        changes. Of a Secret that was hashed under a key that is lost nobody can tell, and it is taken as it is."""
        if copy.key and copy.key != await self._seal.fingerprint():
            return True
        found = await self._digest_of(release, copy)
        return found == copy.named.content if found else None

    # ---- inside

    async def _of_component(
        self, release: Release, component: Component, made: Mapping[Named, Copy], until: float
    ) -> tuple[tuple[Named, ...], Sequence[Problem]]:
        named, problems = [], []
        for mention, optional in sorted(pinned(component).items()):
            content: str | Problem
            try:
                async with asyncio.timeout_at(until):
                    content = await self._content(release, mention, made)
            except Permanent as error:
                content = Problem(component.name, "", Reason.NOT_PERMITTED, error.message, lasting=True)
            except (TidegateError, TimeoutError) as error:
                content = _unknown(component.name, mention, error)
            if isinstance(content, Problem):
                problems.append(content)
                content = MISSING
            elif not content and not optional:
                problems.append(_missing(component.name, release.metadata.namespace, mention))
            named.append(Named(mention.kind, mention.name, content or (ABSENT if optional else MISSING)))
        return tuple(named), problems

    async def _content(self, release: Release, mention: Mention, made: Mapping[Named, Copy]) -> str:
        """Its hash; "" where it is not there."""
        resource, namespace = copies.resource_of(mention.kind), release.metadata.namespace
        store = self._cluster.store
        if why := store.trouble(resource, namespace):
            raise Permanent(_unseen(mention, why))
        place = _Place(resource, Key(namespace, mention.name))
        uid, version = store.uid(resource, *place.key), store.version(resource, *place.key)
        ours = [copy for named, copy in made.items() if (named.kind, named.name) == mention]
        for copy in ours:
            is_of_it = version and copy.origin == copies.origin_of(uid, str(version))
            if is_of_it and await self._is_sealed(release.metadata, copy):
                return copy.named.content
        known = self._known.get(place)
        if known is None or (known.uid, known.version) != (uid, version):
            known = await self._ask(place)
        if not known.digest or mention.kind != SECRET:
            return known.digest
        return await self._recognised(release.metadata, known.digest, ours)

    async def _ask(self, place: _Place) -> _Known:
        resource, key = place
        loop = asyncio.get_running_loop()
        if self._silent.get(place, 0.0) > loop.time():
            raise Transient(f"it gave no answer, and is asked again within {SILENT:g} s")
        try:
            obj = await self._cluster.client.get(resource, *key)
        except asyncio.CancelledError:
            self._silent[place] = loop.time() + SILENT
            raise
        except NotFound:
            known = _Known("", 0, "")
        else:
            content = await self.digest(key.namespace, Mention(resource.kind, key.name), obj)
            known = _Known(uid_of(obj), version_of(obj), content)
            self._cluster.store.put(resource, obj)
        if len(self._known) > 2 * self._held() + _SPARE:
            self._tidy()
        self._known[place] = known
        self._silent.pop(place, None)
        return known

    async def _is_sealed(self, release: Meta, copy: Copy) -> bool:
        words = copies.words(release.namespace, release.name, copy.named, copy.origin)
        try:
            return hmac.compare_digest(copy.seal, await self._seal.over(words))
        except TidegateError:
            return False  # then the source is asked

    async def _recognised(self, release: Meta, digest: str, ours: Iterable[Copy]) -> str:
        """The hash under which a copy of the same content is kept already, else its own."""
        fingerprint = await self._seal.fingerprint()
        for copy in ours:
            if copy.key != fingerprint and await self._digest_of(release, copy) == digest:
                return copy.named.content
        return digest

    async def _digest_of(self, release: Meta, copy: Copy) -> str:
        """Of what is in it, under our key; "" if it is gone. What is in a copy never changes."""
        if copy.uid not in self._digests:
            resource, name = copies.resource_of(copy.named.kind), copies.copy_name(release.name, copy.named)
            try:
                obj = await self._cluster.client.get(resource, release.namespace, name)
            except NotFound:
                return ""
            if len(self._digests) > 2 * self._held() + _SPARE:
                self._digests.clear()
            source = Mention(copy.named.kind, copy.named.name)
            self._digests[copy.uid] = await self.digest(release.namespace, source, obj)
        return self._digests[copy.uid]

    def _held(self) -> int:
        return sum(self._cluster.store.size(copies.resource_of(kind)) for kind in (CONFIG_MAP, SECRET))

    def _tidy(self) -> None:
        """What nobody names any more is not in the store either."""
        store = self._cluster.store
        for place in [place for place in self._known if not store.version(place.resource, *place.key)]:
            del self._known[place]
        now = asyncio.get_running_loop().time()
        self._silent = {place: until for place, until in self._silent.items() if until > now}


def pinned(component: Component) -> Mapping[Mention, bool]:
    """What a component's template names and does not read live, each with whether pods start without it."""
    template = component.kubernetes.template
    if template is None:
        return {}  # it is in a Deployment that can't be read, which is told
    live = {each.mention for each in component.kubernetes.live}
    found = mentions(template.spec)
    return {mention: optional for mention, optional in found.items() if mention not in live}


def _missing(part: str, namespace: str, mention: Mention) -> Problem:
    sentence = (
        f"{mention.kind} {mention.name}, which the template of {part} names, is not there. "
        f"Create it in namespace {namespace}, or mark it as optional."
    )
    return Problem(part, "", Reason.CONFIGURATION_MISSING, sentence, lasting=True)


def _unknown(part: str, mention: Mention, error: BaseException) -> Problem:
    why = error.message if isinstance(error, TidegateError) else f"no answer within {PATIENCE:g} s"
    sentence = f"{mention.kind} {mention.name}, which the template of {part} names, can't be read now: {why}"
    return Problem(part, "", CONFIGURATION_UNKNOWN, sentence, lasting=False)


def _unseen(mention: Mention, why: str) -> str:
    member = "configMap" if mention.kind == CONFIG_MAP else "secret"
    return (
        f"{mention.kind} {mention.name} can't be followed: {why}. Grant that, or let the pods read it as it is: "
        f"write {{{member}: {mention.name}}} under `live`"
    )
