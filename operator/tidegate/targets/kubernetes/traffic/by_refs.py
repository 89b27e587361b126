"""Ways whose split is the weights of refs to Services, in the rules of a route: all that they have in common.

The refs of revisions carry the traffic; the app's own Service stands beside them with weight 0, pinned to the stable
revision, for those who call it directly. Which refs are ours, and how they are weighted, is in `routes`.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from tidegate.api.release import Component
from tidegate.engine.promise import promise
from tidegate.engine.values import FULL, Part, Reading
from tidegate.errors import Conflict, Permanent
from tidegate.kube import SERVICES, Object, Resource
from tidegate.targets.kubernetes import sizing
from tidegate.targets.kubernetes.departures import Departure, Move
from tidegate.targets.kubernetes.names import (
    annotations_of,
    app_service_name,
    is_leaving,
    looks_like_workload,
    resource_version,
    workload_name,
)
from tidegate.targets.kubernetes.stamp import annotation, last_change, last_editor, left_at, stamp_of, token_of
from tidegate.targets.kubernetes.traffic import previews, routes
from tidegate.targets.kubernetes.traffic.fence import merged, stamped
from tidegate.targets.kubernetes.traffic.port import Carrier, InUse, Seen, Write, still_draining
from tidegate.targets.kubernetes.traffic.routes import Backends, Rule
from tidegate.targets.kubernetes.view import Place, View
from tidegate.targets.port import Problem

ROUTE_NAMES_NOTHING: Final = "RouteNamesNothing"
NO_PREVIEW: Final = "NoPreview"
FOLLOWS_WITHIN: Final = 5.0  # seconds after a data plane has reported a route: Traefik, say, gathers changes for 2
NOT_FOLLOWED: Final = 1.0  # seconds until the next look, while the data plane has not been seen to follow


class ByRefs(ABC):
    """A kind of route says where its rules are, and what it tells of its data plane."""

    resource: ClassVar[Resource]
    path: ClassVar[tuple[str, str]]  # of the rules in managedFields
    ref: ClassVar[str] = "backendRef"  # what people call one
    tells_headers: ClassVar[bool] = False  # whether its rules can lead requests by a header

    @abstractmethod
    def carrier(self, release: str, component: Component) -> Carrier: ...

    @abstractmethod
    def carries(self, component: Component) -> bool:
        """Whether the component's traffic comes this way."""

    @abstractmethod
    def rules_of(self, route: Object) -> Sequence[Rule]: ...

    @abstractmethod
    def spec_with(self, rules: Sequence[Rule]) -> Mapping[str, Any]:
        """The part of a merge patch that is about the rules."""

    @abstractmethod
    def is_followed(self, route: Object) -> bool:
        """Whether the data plane has taken the newest spec."""

    @abstractmethod
    def troubles(self, part: str, route: Object, left: float, now: float) -> Sequence[Problem]:
        """What the route's data plane tells; `left` is when traffic was last moved."""

    @abstractmethod
    def missing(self, view: View, component: Component) -> Problem: ...

    # ---- looking

    def look(self, view: View, component: Component, now: float) -> Seen:
        carrier, route = self.carrier(view.app.name, component), self._route(view, component)
        if route is None or is_leaving(route):
            # Also while it is being deleted it leads where it led, until a finalizer is done.
            return Seen(Reading(None, None, absent=route is None), problems=(self.missing(view, component),))
        app, part = view.app, component.name
        permitted = view.may_use_service(component)
        pin = view.pin(component) if permitted else None
        stamp = stamp_of(route, app.name, app.uid)
        problems = tuple(self.troubles(part, route, left_at(route, stamp, *self.path), now))
        backends, rules = self.backends(view, component), self.rules_of(route)
        editor = last_editor(route, *self.path)
        if not routes.names_any(rules, backends):
            nothing = (self._names_nothing(part, carrier, backends.service),) if permitted else ()
            return Seen(Reading(None, None, token_of(route), pin), problems, nothing, editor)
        split = routes.one_split(routes.splits(rules, backends), *_promised(view, part))
        preview, refused = self._look_for_preview(view, component, rules, backends)
        reading = Reading(split, stamp.move(part), token_of(route), pin, preview=preview)
        marked = preview if preview and self._has_followed(view, route, now) else None
        return Seen(reading, (*problems, *refused), editor=editor, marked=marked)

    def _has_followed(self, view: View, route: Object, now: float) -> bool:
        """Whether the data plane has taken the route as it is: some report so a moment before they do."""
        followed = self._departure(view, route, now).followed
        return followed is not None and self.is_followed(route) and now - followed >= FOLLOWS_WITHIN

    def _look_for_preview(
        self, view: View, component: Component, rules: Sequence[Rule], backends: Backends
    ) -> tuple[str | None, tuple[Problem, ...]]:
        if not self.tells_headers:
            return None, ()
        header, part = component.kubernetes.preview_header, component.name
        versions = {
            content: found[1] for content in backends.contents.values() if (found := view.component_at(part, content))
        }
        refused = previews.refusal(rules, backends, header) if header else None
        problems = (Problem(part, "", NO_PREVIEW, refused, lasting=True),) if refused else ()
        return previews.reading(rules, backends, header, versions), problems

    def port(self, view: View, component: Component) -> int | None:
        name, route = app_service_name(view.app.name, component), self._there(view, component)
        refs = routes.each_ref(self.rules_of(route)) if route else ()
        return next((int(ref["port"]) for ref in refs if ref.get("name") == name and ref.get("port")), None)

    def leads_to(self, view: View, component: Component, place: Place) -> bool:
        route = self._there(view, component)
        return route is not None and self._weight(view, component, route, place) > 0

    def busy_until(self, view: View, component: Component, place: Place, now: float) -> float | None:
        route = self._there(view, component)
        return self._drained(view, component, place, route, now) if route else None

    # ---- sizes

    def pods_for(self, share: int, replicas: int) -> int:
        return sizing.pods_for(share, replicas)

    def share_of(self, pods: int, replicas: int) -> int:
        return sizing.share_of(pods, replicas)

    def weighs(self, view: View, component: Component, place: Place) -> bool:
        return False

    # ---- writing

    async def ensure(self, view: View, carrier: Carrier, writes: Sequence[Write], now: float) -> None:
        def patch(route: Object | None) -> Object | None:
            if route is None or is_leaving(route):
                raise Permanent(self.missing(view, writes[0].component).sentence)
            rules = list(self.rules_of(route))
            wanted = rules
            for component, ensure in writes:
                wanted = routes.rewrite(wanted, self.backends(view, component), ensure.split)
            spec = self.spec_with(wanted) if wanted != rules else None
            return stamped(view, carrier, route, token_of(route), writes, spec, now)

        await merged(view, carrier, await view.cluster.read(carrier.resource, view.app.namespace, carrier.name), patch)

    async def preview(self, view: View, component: Component, content: str, move: int, now: float) -> None:
        carrier, header = self.carrier(view.app.name, component), component.kubernetes.preview_header

        def patch(route: Object | None) -> Object | None:
            if route is None or is_leaving(route):
                return None
            there = stamp_of(route, view.app.name, view.app.uid).move(component.name)
            if there > move:
                raise Conflict(f"{carrier} has move {there} of {component.name} already, which is newer than {move}.")
            backends, rules = self.backends(view, component), list(self.rules_of(route))
            found = view.component_at(component.name, content) if content and header else None
            wanted = previews.apart(rules, backends)
            if found and header and backends.service_of(content) and not previews.refusal(rules, backends, header):
                wanted = previews.leading(rules, backends, header, found[1], content)
            spec = self.spec_with(wanted) if wanted != rules else None
            return stamped(view, carrier, route, token_of(route), [], spec, now)

        await merged(view, carrier, await view.cluster.read(carrier.resource, view.app.namespace, carrier.name), patch)

    # ---- the end

    async def leave(
        self, view: View, component: Component | None, place: Place, now: float, *, unfollowed: bool
    ) -> None:
        app, name = view.app, _service_of(view, place)
        names = {
            route["metadata"]["name"] for route in view.cluster.store.routes_naming(app.namespace, name, self.resource)
        }
        if component is not None and self.carries(component):
            names.add(self.carrier(app.name, component).name)
        found = await asyncio.gather(
            *(view.cluster.fresh(self.resource, app.namespace, route) for route in sorted(names))
        )
        there = [route for route in found if route is not None]
        for route in there:
            if component is not None and self.carries(component):
                await self._end_preview(view, component, place, route, now)
            if self._weight(view, component, route, place):
                raise InUse(f"{self.resource.kind} {route['metadata']['name']} still sends traffic to {name}.")
            if component is not None:
                self._check_drained(view, component, place, route, now, unfollowed)
        for route in there:
            if component is not None and any(ref.get("name") == name for ref in routes.each_ref(self.rules_of(route))):
                await self._drop(view, place, route)

    async def _end_preview(self, view: View, component: Component, place: Place, route: Object, now: float) -> None:
        """From here its drain counts, as from any last request. Raises InUse where there was one."""
        backends, rules = self.backends(view, component), list(self.rules_of(route))
        if not any(routes.previewed(rule, backends) == place.content for rule in rules):
            return
        name = route["metadata"]["name"]
        spec = self.spec_with(previews.apart(rules, backends))
        body = stamped(view, Carrier(self.resource, name), route, token_of(route), [], spec, now)
        if body is not None:
            await view.cluster.merge(self.resource, view.app.namespace, name, body)
        raise InUse(f"{self.resource.kind} {name} sent marked requests to {_service_of(view, place)} until now.")

    async def _drop(self, view: View, place: Place, route: Object) -> None:
        """Out of any route, also where the component's traffic comes by another way."""
        rules = list(self.rules_of(route))
        left = routes.without(rules, _service_of(view, place))
        if left != rules:
            body = {"metadata": {"resourceVersion": resource_version(route)}, "spec": self.spec_with(left)}
            await view.cluster.merge(self.resource, view.app.namespace, route["metadata"]["name"], body)

    async def hand_back(self, view: View, component: Component, keeps: bool) -> None:
        """A route whose traffic all goes where the app's own Service is pinned names that Service again. One that a
        person split otherwise stays as it is, with what it leads to: no route is left to lead nowhere."""
        carrier = self.carrier(view.app.name, component)
        mine = annotation(view.app.name)

        def patch(route: Object | None) -> Object | None:
            if route is None:
                return None
            backends, written = self.backends(view, component), list(self.rules_of(route))
            rules = previews.apart(written, backends)
            whole = backends.may_use_service and list(routes.splits(rules, backends)) == [((backends.pinned, FULL),)]
            wanted = routes.handed_back(rules, backends) if whole or not keeps else rules
            if wanted == written and mine not in annotations_of(route):
                return None
            body = {"metadata": {"resourceVersion": resource_version(route), "annotations": {mine: None}}}
            return body if wanted == written else {**body, "spec": self.spec_with(wanted)}

        await merged(view, carrier, await view.cluster.fresh(carrier.resource, view.app.namespace, carrier.name), patch)

    # ---- inside

    def _route(self, view: View, component: Component) -> Object | None:
        return view.cluster.get(self.resource, view.app.namespace, self.carrier(view.app.name, component).name)

    def _there(self, view: View, component: Component) -> Object | None:
        route = self._route(view, component)
        return None if route is None or is_leaving(route) else route

    def _weight(self, view: View, component: Component | None, route: Object, place: Place) -> int:
        """Without preview rules, which only a route of the component's own way can have."""
        rules = self.rules_of(route)
        if component is not None and self.carries(component):
            rules = previews.apart(rules, self.backends(view, component))
        return routes.weight_of(rules, frozenset({_service_of(view, place)}))

    def _departure(self, view: View, route: Object, now: float) -> Departure:
        """The last move of the route's traffic."""
        stamp = stamp_of(route, view.app.name, view.app.uid)
        move = Move(stamp.at, last_change(route, *self.path, by_us=False))
        return view.departures.look(view.key, route["metadata"]["uid"], move, self.is_followed(route), now)

    def _drained(self, view: View, component: Component, place: Place, route: Object, now: float) -> float | None:
        departure = self._departure(view, route, now)
        if self._weight(view, component, route, place):
            return None
        if departure.followed is None or not self.is_followed(route):
            return now + NOT_FOLLOWED
        until = _drained_at(view, component, departure.followed)
        return until if until > now else None

    def _check_drained(
        self, view: View, component: Component, place: Place, route: Object, now: float, unfollowed: bool
    ) -> None:
        until = (
            _drained_at(view, component, self._departure(view, route, now).seen)
            if unfollowed
            else self._drained(view, component, place, route, now)
        )
        if until is not None and until > now:
            raise still_draining(_service_of(view, place), until)

    def _names_nothing(self, part: str, carrier: Carrier, service: str) -> Problem:
        sentence = (
            f"{carrier} names neither Service {service} nor a revision of it, so this Release may not change it. "
            f"Add a {self.ref} to {service} to the rules that should reach it."
        )
        return Problem(part, "", ROUTE_NAMES_NOTHING, sentence, lasting=True)

    def backends(self, view: View, component: Component) -> Backends:
        """The Services of the component that a route may name."""
        app, part = view.app, component.name
        service = app_service_name(app.name, component)
        contents = {
            workload_name(app.name, part, place.content): place.content for place in view.services if place.part == part
        }
        lost = {
            name: content
            for content in view.known
            if (name := workload_name(app.name, part, content)) not in contents and _is_lost(view, part, name)
        }
        return Backends(
            namespace=app.namespace,
            kind=self.resource.kind,
            ref=self.ref,
            route=self.carrier(app.name, component).name,
            service=service,
            port=view.service_port(component) or self.port(view, component) or component.kubernetes.port,
            pinned=view.pin(component) or None,
            contents=contents,
            ports={name: view.port(Place(part, content)) for name, content in contents.items()},
            may_use_service=view.may_use_service(component),
            is_dangling=lambda name: _is_lost(view, part, name),
            lost=lost,
        )


def _drained_at(view: View, component: Component, left: float) -> float:
    """When the drain is over, after traffic left by the route and after the pin was moved."""
    service = view.app_service(component)
    unpinned = last_change(service, "f:spec", "f:selector", by_us=True) if service else 0.0
    return max(left, unpinned) + view.drain(component.name)


def _service_of(view: View, place: Place) -> str:
    return workload_name(view.app.name, place.part, place.content)


def _is_lost(view: View, part: str, name: str) -> bool:
    if not looks_like_workload(view.app.name, part, name):
        return False
    service = view.cluster.get(SERVICES, view.app.namespace, name)
    return service is None or is_leaving(service)


def _promised(view: View, name: str) -> tuple[routes.Split, str | None]:
    """What the status promises this part, and which content of it is the newest."""
    status = view.app.status
    part = status.part(name) or Part(name)
    newest = status.candidate or status.stable
    return promise(status, part), newest.runs(name) if newest else None
