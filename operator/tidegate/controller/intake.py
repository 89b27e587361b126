"""What the watches tell goes into the store, and wakes the Releases that it concerns. Nothing else happens here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from tidegate.api.meta import ANNOTATION_MOVE_PREFIX
from tidegate.kube.resources import (
    CONNECTIONS,
    HTTPROUTES,
    INTERVENTIONS,
    OUTLINED,
    POLICIES,
    RELEASES,
    VIRTUALSERVICES,
    Key,
    Object,
    Resource,
    key_of,
    uid_of,
    version_of,
)
from tidegate.kube.store import Store

_TOLD_OF: Final = (POLICIES, CONNECTIONS)
"""We write what we think of them into their status: that alone is no news to anybody."""

_LOOKED_INTO: Final = frozenset({*_TOLD_OF, INTERVENTIONS, HTTPROUTES, VIRTUALSERVICES})
"""Whom these concern stands in their content."""

Wake: TypeAlias = Callable[[Key, bool], None]
"""Called with the key of a Release that is concerned, and whether it goes before others."""


class Intake:
    """The only way from outside into the store. `gone` is called with the key of a Release that was deleted, `changed`
    with a policy or Connection that says something else, or is gone."""

    def __init__(
        self,
        store: Store,
        wake: Wake,
        gone: Callable[[Key], None],
        changed: Callable[[Resource, Key], None] = lambda resource, key: None,
    ) -> None:
        self.store = store
        self._wake = wake
        self._gone = gone
        self._changed = changed

    def put(self, resource: Resource, obj: Object) -> bool:
        """This is how the object is, or was. Returns whether that is news."""
        key = key_of(obj)
        known = self._known(resource, key)
        before = set(self._concerned(resource, key, known))  # a label or a reference may have been taken away
        if not self.store.put(resource, obj):
            return False
        if known is not None and resource in _TOLD_OF and _says_the_same(known, obj):
            return True
        self._tell(resource, before.union(self._concerned(resource, key, obj)))
        if resource in _TOLD_OF:
            self._changed(resource, key)
        return True

    def drop(self, resource: Resource, key: Key, uid: str | None = None, version: int | None = None) -> bool:
        """The object is gone. Returns whether that is news."""
        before = set(self._concerned(resource, key, self._known(resource, key)))
        if not self.store.drop(resource, key.namespace, key.name, uid, version):
            return False
        self._tell(resource, before)
        if resource in _TOLD_OF:
            self._changed(resource, key)
        if resource == RELEASES:
            self._gone(key)
        return True

    def took(self, resource: Resource, event: str | None, obj: Object) -> bool:
        """One line of a watch, or of the list before it (`event` is None). Returns whether it is news."""
        if event == "DELETED":
            return self.drop(resource, key_of(obj), uid_of(obj), version_of(obj))
        return self.put(resource, obj)

    def turn_back(self, resource: Resource, obj: Object) -> None:
        """The server went back to an older state (a restored backup); see `Store.turn_back`."""
        key = key_of(obj)
        before = set(self._concerned(resource, key, self._known(resource, key)))
        self.store.turn_back(resource, obj)
        self._tell(resource, before.union(self._concerned(resource, key, obj)))

    def _known(self, resource: Resource, key: Key) -> Object | None:
        """As the store has it; only of kinds that are looked into here, since it is parsed for that."""
        return self.store.get(resource, *key) if resource in _LOOKED_INTO else None

    def _concerned(self, resource: Resource, key: Key, obj: Object | None) -> Iterator[Key]:
        """The Releases whose decisions may depend on the object, as the store has it; also such as do not exist.

        `obj` is the same once more, parsed.
        """
        namespace, name = key
        if resource == RELEASES:
            yield key
        elif resource in (POLICIES, CONNECTIONS):
            yield from self.store.keys_within(RELEASES, namespace)
        elif resource == INTERVENTIONS:
            target = ((obj or {}).get("spec") or {}).get("targetRef") or {}
            if target.get("kind") == "Release":
                yield Key(namespace, str(target.get("name")))
        else:
            if release := self.store.release_of(resource, namespace, name):
                yield Key(namespace, release)
            if resource in OUTLINED:
                yield from self.store.releases_mentioning(resource, key)
            if resource in (HTTPROUTES, VIRTUALSERVICES):
                yield from self.store.releases_naming(namespace, name)
                for annotation in ((obj or {}).get("metadata") or {}).get("annotations") or ():
                    if annotation.startswith(ANNOTATION_MOVE_PREFIX):
                        yield Key(namespace, annotation.removeprefix(ANNOTATION_MOVE_PREFIX))

    def _tell(self, resource: Resource, keys: set[Key]) -> None:
        for key in sorted(keys):
            self._wake(key, resource == INTERVENTIONS)  # someone may want to stop something


def _says_the_same(old: Object, new: Object) -> bool:
    """Whether only status or metadata differ."""
    one, other = old["metadata"], new["metadata"]
    same = (one.get("uid"), one.get("generation")) == (other.get("uid"), other.get("generation"))
    return same and bool(one.get("generation"))
