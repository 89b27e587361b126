"""All that the cache holds of one Release, sorted by part and content. Made for one call, and thrown away."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Final, NamedTuple

from tidegate.api.meta import LABEL_COMPONENT, LABEL_REVISION, short
from tidegate.api.release import Component
from tidegate.api.revision import Named
from tidegate.engine.values import Version
from tidegate.kube import CONTROLLERREVISIONS, DEPLOYMENTS, PODS, SERVICES, Cluster, Key, Object, Resource
from tidegate.targets.kubernetes import pinning
from tidegate.targets.kubernetes.copies import ABSENT, Copy, of_release
from tidegate.targets.kubernetes.departures import Departures
from tidegate.targets.kubernetes.names import (
    app_service_name,
    content_of,
    is_leaving,
    labels_of,
    section,
)
from tidegate.targets.kubernetes.revisions import Revision, kept, needed
from tidegate.targets.port import App

DRAIN: Final = 30.0  # seconds, where the component says nothing


class Place(NamedTuple):
    """One part of one revision."""

    part: str
    content: str


class View:
    """Nothing here asks the server."""

    def __init__(self, cluster: Cluster, app: App, departures: Departures) -> None:
        self.cluster, self.app, self.departures = cluster, app, departures
        self.key = Key(app.namespace, app.name)

    # ---- what is kept

    @cached_property
    def revisions(self) -> Mapping[str, Revision]:
        return kept(self._ours(CONTROLLERREVISIONS))

    @cached_property
    def needed(self) -> frozenset[str]:
        """Contents that the status names."""
        return needed(self.app.status)

    @cached_property
    def known(self) -> frozenset[str]:
        """Every content that anything here tells of."""
        running = {place.content for place in (*self.deployments, *self.services)}
        return frozenset({*self.revisions, *self.needed, *running, self.app.revision})

    def component(self, part: str) -> Component | None:
        """As the spec has it now; a part that it no longer has, as a version that still matters had it.

        Its traffic comes the way that it came to the stable version, whatever the spec says: see `reached_anew`.
        """
        if found := self.app.components.get(part):
            stable = self._stable_component(part)
            if stable is None or not self.reached_anew(part):
                return found
            way = {"traffic": stable.kubernetes.traffic, "service": stable.kubernetes.service}
            return found.model_copy(update={"kubernetes": found.kubernetes.model_copy(update=way)})
        status = self.app.status
        versions: Sequence[Version | None] = (status.stable, status.candidate, status.previous)
        contents = [version.runs(part) or "" for version in versions if version is not None]
        ranked = [self.revisions[content] for content in contents if content in self.revisions]
        ranked += sorted(self.revisions.values(), key=lambda revision: -revision.number)
        return next((found for revision in ranked if (found := revision.components.get(part))), None)

    def _stable_component(self, part: str) -> Component | None:
        stable = self.app.status.stable
        revision = self.revisions.get(stable.runs(part) or "") if stable else None
        return revision.components.get(part) if revision else None

    def reached_anew(self, part: str) -> bool:
        """Whether the spec names another route or Service than that by which the stable version is reached.

        The API server refuses such an edit; followed, it would leave the old route on the old version for ever.
        """
        now, stable = self.app.components.get(part), self._stable_component(part)
        if now is None or stable is None:
            return False
        name = self.app.name
        return now.kubernetes.traffic != stable.kubernetes.traffic or app_service_name(name, now) != app_service_name(
            name, stable
        )

    def component_at(self, part: str, content: str) -> tuple[Component, str] | None:
        """As it is to run at a content, with its version; None if that revision is not kept and is not the spec's."""
        if content == self.app.revision and part in self.app.components:
            return self.app.components[part], self.app.release.spec.version
        revision = self.revisions.get(content)
        if revision is None or part not in revision.components:
            return None
        return revision.components[part], revision.version

    def named_at(self, place: Place) -> Sequence[Named]:
        """What one part of one revision reads beside its images; nothing where that revision is not known."""
        if place.content == self.app.revision:
            return self.app.resolved.named.get(place.part, ())
        revision = self.revisions.get(place.content)
        return revision.named.get(place.part, ()) if revision else ()

    @cached_property
    def copies(self) -> Mapping[Named, Copy]:
        return of_release(self.cluster, self.app.namespace, self.app.name)

    def uncopied(self, place: Place) -> Sequence[Named]:
        """What it should read and can't: the copies that are gone."""
        return [each for each in self.named_at(place) if each.content != ABSENT and each not in self.copies]

    def is_lost(self, place: Place, named: Named) -> bool:
        """Whether a copy that is gone can't be made again: its source has other content by now."""
        return named not in self.app.resolved.named.get(place.part, ())

    def replicas(self, part: str) -> int:
        """Pods at FULL. As the spec says now, for old revisions too: it is the app that is so large."""
        component = self.component(part)
        return component.kubernetes.replicas if component else 1

    def drain(self, part: str) -> float:
        component = self.component(part)
        drain = component.kubernetes.drain if component else None
        return DRAIN if drain is None else drain

    def port(self, place: Place) -> int:
        """By which the pods of a revision, and its Service, are reached: not always the one that the spec has today."""
        for entry in section(self.services.get(place, {}), "spec").get("ports") or ():
            return int(entry["port"])
        found = self.component_at(*place)
        component = found[0] if found else self.component(place.part)
        return component.kubernetes.port if component else 0

    # ---- what runs

    @cached_property
    def deployments(self) -> Mapping[Place, Object]:
        return _by_place(self._ours(DEPLOYMENTS))

    @cached_property
    def services(self) -> Mapping[Place, Object]:
        """Of revisions, without those that are being deleted. The app's own are not among them."""
        return _by_place(service for service in self._ours(SERVICES) if not is_leaving(service))

    @cached_property
    def _pods(self) -> Mapping[tuple[str, str], Sequence[Object]]:
        found: dict[tuple[str, str], list[Object]] = {}
        for pod in self._ours(PODS):
            labels = labels_of(pod)
            if LABEL_COMPONENT in labels and LABEL_REVISION in labels:
                found.setdefault((labels[LABEL_COMPONENT], labels[LABEL_REVISION]), []).append(pod)
        return found

    def pods(self, place: Place) -> Sequence[Object]:
        return self._pods.get((place.part, short(place.content)), ())

    def pods_of(self, part: str, *, without: Collection[str]) -> Sequence[Object]:
        """Of all revisions but these (short)."""
        groups = (pods for (name, revision), pods in self._pods.items() if name == part and revision not in without)
        return [pod for pods in groups for pod in pods]

    # ---- how it is reached

    @cached_property
    def parts(self) -> Sequence[str]:
        """Those that the spec has, and those that the status still remembers."""
        return sorted({*self.app.components, *(part.name for part in self.app.status.parts)})

    def app_service(self, component: Component) -> Object | None:
        """The app's own."""
        service = self.cluster.get(SERVICES, self.app.namespace, app_service_name(self.app.name, component))
        return None if service is None or is_leaving(service) else service

    def pin(self, component: Component) -> str:
        """The content that the app's own Service selects; "" if none that we know."""
        return self.pinned(component, self.app_service(component))

    def pinned(self, component: Component, service: Object | None) -> str:
        """The same, of a Service as it was read elsewhere."""
        return pinning.pinned_to(service, self.app.name, component.name, sorted(self.known))

    def may_use_service(self, component: Component) -> bool:
        """Whether the app's own Service is labelled for this Release, or absent."""
        name = app_service_name(self.app.name, component)
        return pinning.may_use(self.app, self.app_service(component), name) is None

    def service_port(self, component: Component) -> int | None:
        """Of the app's own Service; None while there is none."""
        for entry in section(self.app_service(component) or {}, "spec").get("ports") or ():
            return int(entry["port"])
        return None

    def _ours(self, resource: Resource) -> Sequence[Object]:
        return self.cluster.of_release(resource, self.app.namespace, self.app.name)


def _by_place(objects: Iterable[Object]) -> Mapping[Place, Object]:
    found: dict[Place, Object] = {}
    for obj in objects:
        content, part = content_of(obj), labels_of(obj).get(LABEL_COMPONENT)
        if content and part:
            found[Place(part, content)] = obj
    return found
