"""By the app's own Service alone, with no gateway: it selects the pods of both versions, their numbers are the split.

Its selector has two forms. Pinned, to release, component and revision, all requests reach one revision; open, to
release and component, the pods that are ready get them, each as much as any other. So

- a candidate is started under a pinned selector: it may be as large as it likes, and is asked by nobody;
- a first weight opens the selector, when the candidate has just the pods that give it that weight beside all of
  stable's (`api.grain`). A further weight is more pods of it, made only once the weight is recorded, and they take
  requests as they become ready: no pod ever carries more than one of stable's did before. All of it is a selector
  pinned to the candidate, when it has as many pods as stable;
- the way back is one write: the selector pinned to stable. It asks for nothing and waits for nothing.

While nobody looks, Kubernetes goes on: pods that die leave the Service, and those that replace them join it, at the
weight that stands. That is why it is not done by endpoints of our own making, which could express any weight, and would
lead to dead pods for as long as we are away.

The fence lies on the Service, with the split that was meant; numbers of pods are written before it, each over the
Deployment as it was read. A late write of pods finds another Deployment, or a selector that leaves them out. An open
selector would take in the pods of any other revision, so it is not opened before those are gone: a previous version
stays warm until the next climb, and no longer.

No data plane reports; a drain counts from the write. A connection that a client keeps open stays with its pod until
that goes: Services choose by connection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.api.grain import most_share, pods_by_share
from tidegate.api.meta import short
from tidegate.api.release import Component
from tidegate.engine.values import FULL, Reading
from tidegate.errors import Conflict, NotPermitted, Permanent, Transient
from tidegate.kube import DEPLOYMENTS, SERVICES, Object
from tidegate.targets.kubernetes import pinning, workload
from tidegate.targets.kubernetes.departures import Move
from tidegate.targets.kubernetes.health import is_ready
from tidegate.targets.kubernetes.names import (
    annotations_of,
    app_service_name,
    is_leaving,
    part_selector,
    resource_version,
    section,
    selector,
    workload_name,
)
from tidegate.targets.kubernetes.stamp import Stamp, annotation, last_change, stamp_of
from tidegate.targets.kubernetes.traffic import behind_service, fence
from tidegate.targets.kubernetes.traffic.behind_service import pods
from tidegate.targets.kubernetes.traffic.port import Carrier, InUse, Seen, Write, still_draining
from tidegate.targets.kubernetes.view import Place, View


class ByPods:
    """Stateless, as every way."""

    # ---- looking

    def carrier(self, release: str, component: Component) -> Carrier:
        return Carrier(SERVICES, app_service_name(release, component))

    def carries(self, component: Component) -> bool:
        return component.kubernetes.traffic.service is not None

    def look(self, view: View, component: Component, now: float) -> Seen:
        app, part = view.app, component.name
        service = view.app_service(component)
        if service is None:
            # One is made, but not for who goes: whoever took it away with the Release wants it gone.
            gone = Reading(None, None, absent=True) if app.release.metadata.deleting else Reading((), 0, "none")
            return Seen(gone)
        if not behind_service.may_use(view, component, service):
            return Seen(Reading(None, None))
        reading = Reading(
            behind_service.split(view, component, service),
            stamp_of(service, app.name, app.uid).move(part),
            behind_service.token(view, component, service),
        )
        return Seen(
            reading,
            refusals=tuple(behind_service.ports_differ(view, component, service)),
            editor=behind_service.editor(view, component, service),
            achieved=behind_service.achieved(view, component, service),
        )

    def port(self, view: View, component: Component) -> int | None:
        return None

    async def preview(self, view: View, component: Component, content: str, move: int, now: float) -> None:
        """A Service knows no headers: its readings offer no preview."""

    def leads_to(self, view: View, component: Component, place: Place) -> bool:
        service = view.app_service(component)
        return service is not None and behind_service.selects(view, component, service, place)

    def busy_until(self, view: View, component: Component, place: Place, now: float) -> float | None:
        service = view.app_service(component)
        if service is None or behind_service.selects(view, component, service, place):
            return None
        until = _drained_at(view, component, service, now)
        return until if until > now else None

    # ---- sizes

    def pods_for(self, share: int, replicas: int) -> int:
        return pods_by_share(share, replicas)

    def share_of(self, number: int, replicas: int) -> int:
        return number * FULL // replicas if number >= replicas else most_share(number, replicas)

    def weighs(self, view: View, component: Component, place: Place) -> bool:
        service, stable = view.app_service(component), view.app.status.stable
        is_base = stable is not None and stable.runs(place.part) == place.content
        return service is not None and not is_base and behind_service.is_open(view, component, service)

    # ---- writing

    async def ensure(self, view: View, carrier: Carrier, writes: Sequence[Write], now: float) -> None:
        for write in writes:
            await self._ensure(view, carrier, _narrowed(write), now)

    async def _ensure(self, view: View, carrier: Carrier, write: Write, now: float) -> None:
        component, shares = write.component, dict(write.ensure.split)
        service = await view.cluster.read(SERVICES, view.app.namespace, carrier.name)
        if service is not None and not is_leaving(service):
            fence.check(view, carrier, service, _token_for(view, write, service), write)
        if len(shares) > 1:
            await self._weigh(view, carrier, write, now)
            wanted = part_selector(view.app.name, component.name)
        else:
            content = next(iter(shares), "")
            if content and not self._may_have_all(view, component, service, content):
                await self._grow(view, carrier, write, Place(component.name, content))
                return
            wanted = selector(view.app.name, component.name, content)
        await self._select(view, carrier, write, wanted, service, now)

    async def _select(
        self, view: View, carrier: Carrier, write: Write, wanted: Mapping[str, str], service: Object | None, now: float
    ) -> None:
        if service is None:
            await view.cluster.create(SERVICES, view.app.namespace, _made(view, write, wanted, now))
            return

        def patch(there: Object | None) -> Object | None:
            if there is None or is_leaving(there):
                raise Transient(f"{carrier} is being deleted. It is made again when it is gone.")
            if not behind_service.may_use(view, write.component, there):
                raise NotPermitted(pinning.may_use(view.app, there, carrier.name) or "")
            spec = _selecting(view, write, there, wanted)
            token = _token_for(view, write, there)
            body = fence.stamped(view, carrier, there, token, [write], spec or None, now, says=False)
            before = pinning.remembering(there, view.app.name) if "selector" in spec else {}
            return _annotated(body, before) if body and before else body

        await fence.merged(view, carrier, service, patch)

    def _may_have_all(self, view: View, component: Component, service: Object | None, content: str) -> bool:
        """The way back is open always; a candidate that has a part takes the rest when it is as large as stable."""
        place = Place(component.name, content)
        if service is None or not self.weighs(view, component, place):
            return True
        ready = sum(map(is_ready, view.pods(place)))
        return pods(view.deployments.get(place)) >= view.replicas(place.part) <= ready

    async def _grow(self, view: View, carrier: Carrier, write: Write, place: Place) -> None:
        if pods(view.deployments.get(place)) < view.replicas(place.part):
            await self._scale(view, carrier, write, place, view.replicas(place.part))

    async def _weigh(self, view: View, carrier: Carrier, write: Write, now: float) -> None:
        """The candidate's number of pods, and none of any third revision."""
        shares = dict(write.ensure.split)
        two = behind_service.sides(view, write.component.name, shares)
        if two is None:
            raise Permanent(f"{carrier} can't be split so: it is between the stable version and one other.")
        base, top = two
        await self._clear(view, carrier, write, {base, top}, now)
        if top not in view.deployments or base not in view.deployments:
            lost = top if top not in view.deployments else base
            raise Transient(
                f"{carrier} can't be split: {workload_name(view.app.name, *lost)} is not there. It is made again when "
                "the revision is started."
            )
        wanted = pods_by_share(shares[top.content], max(pods(view.deployments[base]), view.replicas(top.part)))
        if pods(view.deployments[top]) != wanted:
            await self._scale(view, carrier, write, top, wanted)

    async def _clear(self, view: View, carrier: Carrier, write: Write, ours: set[Place], now: float) -> None:
        """Raises Transient while a third revision has pods: an open selector would lead to them."""
        component = write.component
        for place, deployment in view.deployments.items():
            if place.part != component.name or place in ours or not pods(deployment):
                continue
            until = self.busy_until(view, component, place, now)
            if until is not None:
                raise still_draining(workload_name(view.app.name, *place), until)
            await self._scale(view, carrier, write, place, 0)
        known = {short(place.content) for place in ours}
        left = sorted(pod["metadata"]["name"] for pod in view.pods_of(component.name, without=known) if is_ready(pod))
        if left:
            raise Transient(
                f"{carrier} is not opened to two versions yet: it would lead to {', '.join(left[:3])}, too, of another."
                " They are on their way out."
            )

    async def _scale(self, view: View, carrier: Carrier, write: Write, place: Place, number: int) -> None:
        """Over the Deployment as it was read. Where that has changed, only if the fence is as it was decided on."""
        cluster, namespace, name = view.cluster, view.app.namespace, workload_name(view.app.name, *place)
        deployment: Object | None = view.deployments.get(place)
        for _ in range(fence.TRIES):
            if deployment is None or is_leaving(deployment):
                raise Transient(f"Deployment {name} is being deleted. It is made again when it is gone.")
            body = {"metadata": {"resourceVersion": resource_version(deployment)}, "spec": workload.scale(number)}
            try:
                await cluster.merge(DEPLOYMENTS, namespace, name, body)
                return
            except Conflict:
                before = pods(deployment)
                deployment = await cluster.fresh(DEPLOYMENTS, namespace, name)
                if pods(deployment) != before:
                    raise
                service = await cluster.fresh(SERVICES, namespace, carrier.name)
                if service is not None:
                    fence.check(view, carrier, service, None, write)
        raise Transient(f"Deployment {name} is being written by others at the same time; it is tried again.")

    # ---- the end

    async def leave(
        self, view: View, component: Component | None, place: Place, now: float, *, unfollowed: bool
    ) -> None:
        if component is None or not self.carries(component):
            return
        name = app_service_name(view.app.name, component)
        service = await view.cluster.fresh(SERVICES, view.app.namespace, name)
        if service is None:
            return
        workload = workload_name(view.app.name, *place)
        if behind_service.selects(view, component, service, place):
            raise InUse(f"Service {name} still leads to the pods of {workload}.")
        until = _drained_at(view, component, service, now)
        if until > now:
            raise still_draining(workload, until)

    async def hand_back(self, view: View, component: Component, keeps: bool) -> None:
        """It is the app's own Service already: pinned to stable it serves on. Only the fence goes."""
        carrier, mine = self.carrier(view.app.name, component), annotation(view.app.name)

        def patch(service: Object | None) -> Object | None:
            if service is None or mine not in annotations_of(service):
                return None
            return {"metadata": {"resourceVersion": resource_version(service), "annotations": {mine: None}}}

        await fence.merged(view, carrier, await view.cluster.fresh(SERVICES, view.app.namespace, carrier.name), patch)


def _narrowed(write: Write) -> Write:
    """One revision for all asks for the selector as it was, and no more: numbers of pods do not stand before a
    revert."""
    ensure = write.ensure
    if len(ensure.split) > 1:
        return write
    expects = ensure.expects._replace(token=ensure.expects.token.partition("|")[0])
    return write._replace(ensure=ensure._replace(expects=expects))


def _token_for(view: View, write: Write, service: Object) -> str:
    token = behind_service.token(view, write.component, service)
    return token if "|" in write.ensure.expects.token else token.partition("|")[0]


def _selecting(view: View, write: Write, service: Object, wanted: Mapping[str, str]) -> dict[str, Any]:
    """The part of a patch by which the Service has the selector, and reaches the port of the one that it leads to."""
    part = write.component.name
    changed = section(service, "spec").get("selector") != wanted
    spec: dict[str, Any] = pinning.selecting(service, wanted) if changed else {}
    if len(write.ensure.split) == 1:
        ((content, _),) = write.ensure.split
        status = view.app.status
        left = view.pinned(write.component, service) or (status.stable.runs(part) if status.stable else None)
        old = view.port(Place(part, left)) if left else None
        spec |= pinning.targeting(service, old, view.port(Place(part, content)))
    return spec


def _annotated(body: Object, annotations: Mapping[str, str]) -> Object:
    metadata = body["metadata"]
    return {**body, "metadata": {**metadata, "annotations": {**metadata["annotations"], **annotations}}}


def _drained_at(view: View, component: Component, service: Object, now: float) -> float:
    stamp = stamp_of(service, view.app.name, view.app.uid)
    move = Move(stamp.at, last_change(service, *behind_service.SELECTOR, by_us=False))
    departure = view.departures.look(view.key, service["metadata"]["uid"], move, True, now)
    return (departure.followed or departure.seen) + view.drain(component.name)


def _made(view: View, write: Write, wanted: Mapping[str, str], now: float) -> Object:
    """The Service, made because there is none."""
    app, component = view.app, write.component
    shares = dict(write.ensure.split)
    content = max(shares, key=lambda each: (shares[each], each), default=app.revision)
    target = view.port(Place(component.name, content))
    body = pinning.pinned_body(app, component, content, component.kubernetes.port, target)
    stamp = Stamp({component.name: write.ensure.move}, now, {component.name: fence.in_short(write)})
    metadata = {**body["metadata"], "annotations": {annotation(app.name): stamp.written(app.uid)}}
    return {**body, "metadata": metadata, "spec": {**body["spec"], "selector": dict(wanted)}}
