"""Pods behind Services: the Kubernetes target. How traffic is split among them is the business of `traffic`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tidegate.api.meta import ANNOTATION_CLAIM, short
from tidegate.api.release import Component, Release
from tidegate.engine.values import FULL, Ensure, Pin, Preview, Retire, Start
from tidegate.errors import NotPermitted, Permanent, Transient
from tidegate.kube import CONTROLLERREVISIONS, DEPLOYMENTS, SERVICES, Cluster, Key, Object
from tidegate.targets.kubernetes import adopting, pinning, revisions, taking_down, templates, workload
from tidegate.targets.kubernetes.departures import Departures
from tidegate.targets.kubernetes.keeping import Keeper
from tidegate.targets.kubernetes.likeness import may_mean
from tidegate.targets.kubernetes.names import (
    app_service_name,
    is_leaving,
    is_ours,
    resource_version,
    section,
    workload_name,
)
from tidegate.targets.kubernetes.neighbours import Neighbours
from tidegate.targets.kubernetes.observing import observe
from tidegate.targets.kubernetes.probes import Prober
from tidegate.targets.kubernetes.seal import HOME, Seal
from tidegate.targets.kubernetes.sources import Sources
from tidegate.targets.kubernetes.traffic import Carrier, Way, Write, own_port, way_of
from tidegate.targets.kubernetes.view import Place, View
from tidegate.targets.port import App, Resolved, Sight


class KubernetesTarget:
    """One for the operator. `wake` is called with a Release's key when something was learned in the background."""

    def __init__(
        self,
        cluster: Cluster,
        wake: Callable[[Key], None],
        *,
        clock: Callable[[], float] = time.time,
        prober: Prober | None = None,
        home: str = HOME,
    ) -> None:
        """`home` is the namespace of what is the operator's own."""
        self._cluster = cluster
        self._sources = Sources(cluster, Seal(cluster.client, home))
        self._clock = clock
        self._prober = prober or Prober(wake)
        self._neighbours = Neighbours(cluster, wake)
        self._keeper = Keeper(cluster, self._sources, self._neighbours)
        self._departures = Departures()

    async def close(self) -> None:
        """End what runs in the background."""
        await self._prober.close()
        await self._neighbours.close()

    async def resolve(self, release: Release) -> Resolved:
        in_force, problems = templates.in_force(self._cluster, release)
        resolved = await self._sources.resolve(in_force)
        resolved = replace(resolved, problems=(*problems, *resolved.problems))
        if not resolved.problems:
            return resolved
        meta = release.metadata
        kept = revisions.kept(self._cluster.of_release(CONTROLLERREVISIONS, meta.namespace, meta.name))
        return replace(resolved, may_mean={each.content: may_mean(resolved, each) for each in kept.values()})

    async def observe(self, app: App, demand: Mapping[tuple[str, str], int], now: float) -> Sight:
        return observe(self._view(app), demand, now, self._prober, self._neighbours)

    def dismiss(self, key: Key) -> None:
        """Keep nothing in mind of a Release that is gone."""
        self._prober.forget(key)
        self._neighbours.forget(key)
        self._departures.forget(key)
        self._sources.forget(key.namespace)

    # ---- traffic

    async def ensure(self, app: App, writes: Sequence[Ensure], now: float) -> None:
        view = self._view(app)
        by_carrier: dict[tuple[Way, Carrier], list[Write]] = {}
        unknown: list[Permanent] = []
        # One that is not known, or can't be written, must not keep the others back.
        for ensure in writes:
            try:
                component = _component(view, ensure.part)
            except Permanent as error:
                unknown.append(error)
                continue
            way = way_of(component)
            by_carrier.setdefault((way, way.carrier(app.name, component)), []).append(Write(component, ensure))
        ended = await asyncio.gather(
            *(way.ensure(view, carrier, parts, now) for (way, carrier), parts in by_carrier.items()),
            return_exceptions=True,
        )
        for failure in (*ended, *unknown):
            if failure is not None:
                raise failure

    async def pin(self, app: App, pin: Pin) -> None:
        view = self._view(app)
        component = _component(view, pin.part)
        name, target = app_service_name(app.name, component), view.port(Place(pin.part, pin.content))
        service = await self._cluster.read(SERVICES, app.namespace, name)
        if refused := pinning.may_use(app, service, name):
            raise NotPermitted(refused)
        if service is None:
            body = pinning.pinned_body(app, component, pin.content, own_port(view, component), target)
            await self._cluster.create(SERVICES, app.namespace, body)
        elif not pinning.pinned_to(service, app.name, pin.part, [pin.content]):
            left = pinning.pinned_to(service, app.name, pin.part, sorted(view.known))
            old = view.port(Place(pin.part, left)) if left else None
            patch = pinning.pin_patch(service, app.name, pin.part, pin.content, old, target)
            await self._cluster.merge(SERVICES, app.namespace, name, patch)

    async def preview(self, app: App, preview: Preview, now: float) -> None:
        view = self._view(app)
        component = _component(view, preview.part)
        await way_of(component).preview(view, component, preview.content, preview.move, now)

    # ---- what runs

    async def start(self, app: App, start: Start) -> None:
        await self._keeper.keep_revision(self._view(app), start.content)
        view = self._view(app)
        found = view.component_at(start.part, start.content)
        if found is None:
            raise Permanent(
                f"Revision {short(start.content)} of {start.part} can't be started: it is not kept any more. "
                "Ask for a version in the spec."
            )
        component, version = found
        await self._keeper.keep_copies(view, Place(start.part, start.content))
        await adopting.hold(view, start.part, start.content, self._neighbours)
        await self._start_service(view, component, start.content, version)
        await self._start_deployment(view, component, version, start)
        await self._keeper.prune(self._view(app))

    async def _start_service(self, view: View, component: Component, content: str, version: str) -> None:
        app, name = view.app, workload_name(view.app.name, component.name, content)
        service = await self._cluster.read(SERVICES, app.namespace, name)
        if service is None:
            await self._cluster.create(SERVICES, app.namespace, workload.service(app, component, content, version))
        else:
            _check_ours(view, "Service", service, Place(component.name, content))

    async def _start_deployment(self, view: View, component: Component, version: str, start: Start) -> None:
        app, name = view.app, workload_name(view.app.name, start.part, start.content)
        place, way = Place(start.part, start.content), way_of(component)
        wanted = way.pods_for(start.share, view.replicas(start.part))
        weighs = way.weighs(view, component, place)
        deployment = await self._cluster.read(DEPLOYMENTS, app.namespace, name)
        if deployment is None:
            pods, named = 1 if weighs else wanted, view.named_at(place)
            body = workload.deployment(app, component, start.content, version, pods, start.claim, named)
            await self._cluster.create(DEPLOYMENTS, app.namespace, body)
            return
        _check_ours(view, "Deployment", deployment, place)
        pods = int(section(deployment, "spec").get("replicas", 1))
        if weighs:
            wanted = max(pods, 1)  # their number is the weight: that is not given here
        elif start.share < FULL:
            wanted = max(wanted, pods)  # a late start for less takes no capacity away; full size is the spec's word
        claim = max(start.claim, workload.claim_of(deployment, app.uid))
        if wanted == pods and claim == workload.claim_of(deployment, app.uid):
            return
        body = {
            "metadata": {
                "resourceVersion": resource_version(deployment),
                "annotations": {ANNOTATION_CLAIM: workload.claim_text(app.uid, claim)},
            },
            "spec": workload.scale(wanted),
        }
        await self._cluster.merge(DEPLOYMENTS, app.namespace, name, body)

    async def retire(self, app: App, retire: Retire) -> None:
        place = Place(retire.part, retire.content)
        if adopting.is_place(place):
            await adopting.take_down(self._view(app), place, self._clock())
        else:
            await taking_down.take_down(self._view(app), place, self._clock(), retire.claim)

    async def forget(self, app: App, settled: bool) -> None:
        # `settled` is what was seen a moment ago; what is handed back is decided by what the server says now.
        await taking_down.forget(lambda: self._view(app), self._clock())
        await self._keeper.remove_copies(self._view(app), [])
        self.dismiss(Key(app.namespace, app.name))

    def _view(self, app: App) -> View:
        return View(self._cluster, app, self._departures)


def _component(view: View, part: str) -> Component:
    component = view.component(part)
    if component is None:
        raise Permanent(f"Component {part} is not in the spec, and no kept revision tells how it is reached.")
    return component


def _check_ours(view: View, kind: str, obj: Object, place: Place) -> None:
    name = obj["metadata"]["name"]
    if not is_ours(obj, view.app.name, place.part, place.content):
        raise Permanent(f"{kind} {name} is there already and was not made for this revision. Rename or delete it.")
    if is_leaving(obj):
        raise Transient(f"{kind} {name} is being deleted. It is made again when it is gone.")
