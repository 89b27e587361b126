"""What the watches have told, and our own writes: the view that every decision is made on.

Objects lie here as compact JSON and are parsed when they are asked for: a parsed one takes eight times the memory, so
only the few hundred that were asked for last are kept so. An object is only ever replaced by a newer one, so neither a
late watch line nor a slow answer can turn the view back, and a decision never sees a state older than our own last
write.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from tidegate.api.configuration import Mention, mentions
from tidegate.api.meta import LABEL_MANAGED_BY, LABEL_RELEASE, MANAGED_BY
from tidegate.kube.hosts import service_of
from tidegate.kube.resources import (
    DEPLOYMENTS,
    HTTPROUTES,
    LABELLED_ONLY,
    OPTIONAL,
    OUTLINED,
    RELEASES,
    SERVICES,
    VIRTUALSERVICES,
    WATCHED,
    Key,
    Object,
    Resource,
    key_of,
    uid_of,
    version_of,
)

_KEEPS_MANAGERS: Final = frozenset(
    {HTTPROUTES, SERVICES, VIRTUALSERVICES}
)  # who edited a route or a pin is told, or scaled what was taken over; elsewhere it is ballast
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"  # the whole object once more
_GRAVES: Final = 20_000
_LATELY: Final = 96  # parsed objects that are kept: those of the passes that run, not of all Releases


class _Place(NamedTuple):
    resource: Resource
    key: Key


@dataclass(frozen=True, slots=True)
class _Entry:
    uid: str
    version: int
    release: str  # value of the label; "" without
    names: frozenset[str]  # what it names of other objects: Services of a route, routes and configuration of a Release
    body: bytes


class _Grave(NamedTuple):
    uid: str
    version: int


class Store:
    """One replica's view of the watched kinds. Not for threads: one event loop reads and writes it."""

    def __init__(self, watched: Collection[Resource] = (*WATCHED, *OUTLINED, *OPTIONAL)) -> None:
        self._entries: dict[Resource, dict[Key, _Entry]] = {resource: {} for resource in watched}
        self._by_namespace: defaultdict[tuple[Resource, str], set[str]] = defaultdict(set)
        self._by_release: defaultdict[tuple[Resource, str, str], set[str]] = defaultdict(set)
        self._by_name: defaultdict[tuple[Resource, str, str], set[str]] = defaultdict(set)
        self._graves: OrderedDict[_Place, _Grave] = OrderedDict()
        self._synced: set[Resource] = set()
        self._wanted: defaultdict[tuple[Resource, str | None], asyncio.Event] = defaultdict(asyncio.Event)
        self._lately: OrderedDict[_Place, tuple[_Entry, Object]] = OrderedDict()  # the one used last is the last
        self._followed: dict[tuple[Resource, str | None], str] = {}

    # ---- writes

    def put(self, resource: Resource, obj: Object) -> bool:
        """Take the object if it is newer than what is known of that name. Returns whether the view has changed.

        What is not watched is not kept. A version that is not above that of the deletion of the same uid is a late word
        about the dead.
        """
        entries = self._entries.get(resource)
        if entries is None:
            return False
        key, uid, version = key_of(obj), uid_of(obj), version_of(obj)
        known = entries.get(key)
        if known is not None and version <= known.version:
            return False
        grave = self._graves.get(_Place(resource, key))
        if grave is not None and grave.uid == uid and version <= grave.version:
            return False
        labels = obj["metadata"].get("labels") or {}
        release = str(labels.get(LABEL_RELEASE) or "")
        if resource in OUTLINED and not release and not self.releases_mentioning(resource, key):
            return self._let_go(resource, key, known)
        if resource in LABELLED_ONLY and not release:
            return self.drop(resource, key.namespace, key.name, uid, version)
        if known is not None:
            self._forget(resource, key, known)
        body = _outline(resource, obj, bool(release)) if resource in OUTLINED else _compact(resource, obj)
        entry = _Entry(uid, version, release, frozenset(_named(resource, obj)), body)
        entries[key] = entry
        self._by_namespace[resource, key.namespace].add(key.name)
        if release:
            self._by_release[resource, key.namespace, release].add(key.name)
        for name in entry.names:
            self._by_name[resource, key.namespace, name].add(key.name)
        return True

    def drop(
        self, resource: Resource, namespace: str, name: str, uid: str | None = None, version: int | None = None
    ) -> bool:
        """It is gone. With `uid` only that one, with `version` only if nothing newer of it is known.

        Returns whether the view has changed.
        """
        key = Key(namespace, name)
        known = self._entries.get(resource, {}).get(key)
        if known is None:
            if uid is not None and version is not None:
                self._bury(_Place(resource, key), _Grave(uid, version))
            return False
        if uid is not None and known.uid != uid:
            return False
        if version is not None and version < known.version:
            return False
        self._forget(resource, key, known)
        self._bury(_Place(resource, key), _Grave(known.uid, max(known.version, version or 0)))
        return True

    def turn_back(self, resource: Resource, obj: Object) -> None:
        """Take an older object in the place of a newer one: the server itself went back (etcd was restored).

        Only for who has read the server after the newer one was known, and not from its cache.
        """
        key = key_of(obj)
        known = self._entries[resource].get(key)
        if known is not None:
            self._forget(resource, key, known)
        self._graves.pop(_Place(resource, key), None)
        self.put(resource, obj)

    # ---- reads

    def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """The object; others may hold the same one, so it is not to be changed. Raises LookupError for a kind that is
        not watched."""
        key = Key(namespace, name)
        entry = self._of(resource).get(key)
        return None if entry is None else self._read(_Place(resource, key), entry)

    def text(self, resource: Resource, namespace: str, name: str) -> bytes | None:
        """The object as it lies here, in JSON: whoever keeps it takes no memory for it while it is the newest."""
        entry = self._of(resource).get(Key(namespace, name))
        return None if entry is None else entry.body

    def of_release(self, resource: Resource, namespace: str, release: str) -> Sequence[Object]:
        """All objects of the namespace with the label `tidegate.dev/release: <release>`, by name."""
        self._of(resource)
        return self._parsed(resource, namespace, self._by_release.get((resource, namespace, release), ()))

    def within(self, resource: Resource, namespace: str) -> Sequence[Object]:
        """All objects of the namespace, by name."""
        self._of(resource)
        return self._parsed(resource, namespace, self._by_namespace.get((resource, namespace), ()))

    def routes_naming(self, namespace: str, service: str, kind: Resource = HTTPROUTES) -> Sequence[Object]:
        """The HTTPRoutes, or VirtualServices, of the namespace that send requests to this Service of the namespace."""
        return self._parsed(kind, namespace, self._by_name.get((kind, namespace, service), ()))

    def releases_naming(self, namespace: str, route: str) -> Sequence[Key]:
        """The Releases of the namespace with a component whose traffic goes by a route of this name, of any kind."""
        return [Key(namespace, name) for name in sorted(self._by_name.get((RELEASES, namespace, route), ()))]

    def releases_mentioning(self, resource: Resource, key: Key) -> Sequence[Key]:
        """The Releases of the namespace whose templates name this ConfigMap or Secret: those in them, and those of the
        Deployments that they may use."""
        name = _mentioned(Mention(resource.kind, key.name))
        found = set(self._by_name.get((RELEASES, key.namespace, name), ()))
        for deployment in self._by_name.get((DEPLOYMENTS, key.namespace, name), ()):
            found.add(self.release_of(DEPLOYMENTS, key.namespace, deployment))
        return [Key(key.namespace, release) for release in sorted(found)]

    def keys(self, resource: Resource) -> Sequence[Key]:
        """Where all objects of the kind live, in no order."""
        return list(self._of(resource))

    def keys_within(self, resource: Resource, namespace: str) -> Sequence[Key]:
        """As `keys`, of one namespace."""
        return [Key(namespace, name) for name in sorted(self._by_namespace.get((resource, namespace), ()))]

    def version(self, resource: Resource, namespace: str, name: str) -> int:
        """The version of the object as it is known here; 0 if it is not."""
        entry = self._of(resource).get(Key(namespace, name))
        return 0 if entry is None else entry.version

    def uid(self, resource: Resource, namespace: str, name: str) -> str:
        """The uid of the object as it is known here; "" if it is not."""
        entry = self._of(resource).get(Key(namespace, name))
        return "" if entry is None else entry.uid

    def release_of(self, resource: Resource, namespace: str, name: str) -> str:
        """Value of the label `tidegate.dev/release` of the object as it is known here; "" without."""
        entry = self._of(resource).get(Key(namespace, name))
        return "" if entry is None else entry.release

    def watches(self, resource: Resource) -> bool:
        """Whether the kind is kept here."""
        return resource in self._entries

    def holds(self, resource: Resource) -> bool:
        """Whether objects of the kind are kept here whole."""
        return self.watches(resource) and resource not in OUTLINED

    def size(self, resource: Resource) -> int:
        """How many objects of the kind there are."""
        return len(self._of(resource))

    # ---- is the view whole

    def synced(self, resource: Resource) -> bool:
        """Whether all that existed at the start has arrived. Before that nothing may be decided."""
        return resource in self._synced

    @property
    def all_synced(self) -> bool:
        """Whether that is so for every kind whose objects are kept whole."""
        return self._synced.issuperset(resource for resource in self._entries if resource not in (*OUTLINED, *OPTIONAL))

    def mark_synced(self, resource: Resource) -> None:
        """All that existed when this process started has arrived."""
        self._of(resource)
        self._synced.add(resource)

    def trouble(self, resource: Resource, namespace: str | None) -> str | None:
        """Of a kind that need not be seen for the others to be worked on: why nobody tells of it in this namespace, in
        a sentence; "" where somebody does; None while that is not known."""
        found = self._followed.get((resource, namespace))
        return self._followed.get((resource, None)) if found is None else found

    def mark_followed(self, resource: Resource, namespace: str | None, trouble: str = "") -> None:
        """All there is of it in a namespace (None: in all) is here, and somebody tells of what changes; or why not."""
        self._followed[resource, namespace] = trouble

    def want(self, resource: Resource, namespace: str) -> bool:
        """Remember that somebody asked for a kind that is not here. Always false: it still is not."""
        for where in (namespace, None):
            self._wanted[resource, where].set()
        return False

    async def wants(self, resource: Resource, namespace: str | None) -> None:
        """Return when somebody has asked for a kind that was not here, in a namespace (None: in any)."""
        await self._wanted[resource, namespace].wait()

    # ---- inside

    def _let_go(self, resource: Resource, key: Key, known: _Entry | None) -> bool:
        """It exists, but is none of ours to know."""
        if known is not None:
            self._forget(resource, key, known)
        return False

    def _of(self, resource: Resource) -> dict[Key, _Entry]:
        entries = self._entries.get(resource)
        if entries is None:
            raise LookupError(f"{resource} is not watched: read it from the server")
        return entries

    def _parsed(self, resource: Resource, namespace: str, names: Iterable[str]) -> Sequence[Object]:
        entries = self._of(resource)
        keys = (Key(namespace, name) for name in sorted(names))
        return [self._read(_Place(resource, key), entries[key]) for key in keys]

    def _read(self, place: _Place, entry: _Entry) -> Object:
        """Parsed, and kept for a while: one pass asks for an object several times, and the next pass soon after."""
        known = self._lately.get(place)
        if known is not None and known[0] is entry:
            self._lately.move_to_end(place)
            return known[1]
        parsed: Object = json.loads(entry.body)
        self._lately[place] = (entry, parsed)
        self._lately.move_to_end(place)
        if len(self._lately) > _LATELY:
            self._lately.popitem(last=False)
        return parsed

    def _forget(self, resource: Resource, key: Key, entry: _Entry) -> None:
        del self._entries[resource][key]
        self._lately.pop(_Place(resource, key), None)
        _discard(self._by_namespace, (resource, key.namespace), key.name)
        if entry.release:
            _discard(self._by_release, (resource, key.namespace, entry.release), key.name)
        for name in entry.names:
            _discard(self._by_name, (resource, key.namespace, name), key.name)

    def _bury(self, place: _Place, stone: _Grave) -> None:
        known = self._graves.get(place)
        if known is not None and known.version > stone.version:
            return
        self._graves[place] = stone
        self._graves.move_to_end(place)
        if len(self._graves) > _GRAVES:
            self._graves.popitem(last=False)


def _discard(index: defaultdict[Any, set[str]], at: object, name: str) -> None:
    names = index[at]
    names.discard(name)
    if not names:
        del index[at]


def _compact(resource: Resource, obj: Object) -> bytes:
    """The object as bytes, without what nobody here reads."""
    metadata = dict(obj["metadata"])
    is_theirs = resource == DEPLOYMENTS and (metadata.get("labels") or {}).get(LABEL_MANAGED_BY) != MANAGED_BY
    if resource == DEPLOYMENTS and not is_theirs:
        metadata["managedFields"] = list(_managers_of_replicas(metadata))
    elif resource not in _KEEPS_MANAGERS and not is_theirs:
        metadata.pop("managedFields", None)
    if _LAST_APPLIED in (metadata.get("annotations") or ()):
        metadata["annotations"] = {key: value for key, value in metadata["annotations"].items() if key != _LAST_APPLIED}
    slim = {"apiVersion": resource.api_version, "kind": resource.kind, **obj, "metadata": metadata}
    return json.dumps(slim, separators=(",", ":")).encode()


def _managers_of_replicas(metadata: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Who set the number of pods is told; the rest of a Deployment's managers is ballast by the kilobyte."""
    for entry in metadata.get("managedFields") or ():
        if "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {}):
            kept = {key: entry[key] for key in ("manager", "time", "subresource") if key in entry}
            yield {**kept, "fieldsV1": {"f:spec": {"f:replicas": {}}}}


def _outline(resource: Resource, obj: Object, labelled: bool) -> bytes:
    """Its metadata; of what is only named, no more than tells that it has changed. Never the content of a Secret."""
    metadata, wanted = obj["metadata"], ["name", "namespace", "uid", "resourceVersion", "deletionTimestamp"]
    wanted += ["labels", "annotations"] if labelled else []
    slim = {name: metadata[name] for name in wanted if name in metadata}
    return _compact(resource, {"metadata": slim})


def _mentioned(mention: Mention) -> str:
    return f"{mention.kind}/{mention.name}"  # no name of an object has a slash


def _named(resource: Resource, obj: Object) -> Iterator[str]:
    spec, namespace = obj.get("spec") or {}, str(obj["metadata"].get("namespace"))
    if resource == HTTPROUTES:
        yield from _backends(spec, namespace)
    elif resource == VIRTUALSERVICES:
        yield from _destinations(spec, namespace)
    elif resource == RELEASES:
        for component in spec.get("components") or ():
            yield from _of_component(component.get("kubernetes") or {})
    elif resource == DEPLOYMENTS and (obj["metadata"].get("labels") or {}).get(LABEL_MANAGED_BY) != MANAGED_BY:
        template = spec.get("template") or {}
        yield from map(_mentioned, mentions(template.get("spec") or {}))


def _of_component(kubernetes: Mapping[str, Any]) -> Iterator[str]:
    traffic, template = kubernetes.get("traffic") or {}, kubernetes.get("template") or {}
    for member, field in (("httpRoute", "name"), ("istio", "virtualService")):
        if route := (traffic.get(member) or {}).get(field):
            yield str(route)
    yield from map(_mentioned, mentions(template.get("spec") or {}))


def _backends(spec: Mapping[str, Any], namespace: str) -> Iterator[str]:
    for rule in spec.get("rules") or ():
        for ref in rule.get("backendRefs") or ():
            if ref.get("kind", "Service") == "Service" and ref.get("namespace", namespace) == namespace:
                yield str(ref.get("name"))


def _destinations(spec: Mapping[str, Any], namespace: str) -> Iterator[str]:
    for route in spec.get("http") or ():
        for destination in route.get("route") or ():
            if service := service_of((destination.get("destination") or {}).get("host"), namespace):
                yield service
