"""The way out: one revision's part that nobody needs, or all of a Release that is deleted.

The order is always the same. A last look at the server itself: no weight in any route, no pin, drained. Then our zero
ref goes, so that no route names what is not there; then the Deployment and the Service, each only as it was seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from tidegate.api.meta import LABEL_MANAGED_BY, MANAGED_BY
from tidegate.api.release import Component, DeletionPolicy
from tidegate.engine.values import FULL
from tidegate.errors import Conflict, Transient
from tidegate.kube import CONTROLLERREVISIONS, DEPLOYMENTS, HTTPROUTES, SERVICES, Object, Resource
from tidegate.targets.kubernetes import routes
from tidegate.targets.kubernetes.names import (
    app_service_name,
    is_leaving,
    is_ours,
    labels_of,
    resource_version,
    workload_name,
)
from tidegate.targets.kubernetes.observing import busy_until, drained_at
from tidegate.targets.kubernetes.pinning import pinned_to
from tidegate.targets.kubernetes.stamp import annotation
from tidegate.targets.kubernetes.view import Place, View, rules_of
from tidegate.targets.kubernetes.workload import claim_of

TRIES = 3  # of a write that somebody else's write came before, though not to what ours is about


class InUse(Transient):
    """Traffic may still reach it."""


async def take_down(
    view: View, place: Place, now: float, claim: int | None = None, *, unfollowed: bool = False
) -> None:
    """Take one part of one revision down. What is not there is fine.

    `claim` is the one that was seen; None: whichever stands. `unfollowed`: do not wait for a gateway that reports
    nothing. Raises InUse where a weight or a pin leads there or its drain is not over, Conflict where another claim
    stands.
    """
    _check_claim(view, place, view.deployments.get(place), claim)
    leading = await _last_look(view, place, now, unfollowed)
    for route in leading:
        await _drop_ref(view, place, route)
    name = workload_name(view.app.name, place.part, place.content)
    deployment = await view.cluster.fresh(DEPLOYMENTS, view.app.namespace, name)
    _check_claim(view, place, deployment, claim)
    for resource, obj in (
        (DEPLOYMENTS, deployment),
        (SERVICES, await view.cluster.fresh(SERVICES, view.app.namespace, name)),
    ):
        if obj is not None and is_ours(obj, view.app.name, place.part, place.content) and not is_leaving(obj):
            await _delete(view, resource, obj)


def _check_claim(view: View, place: Place, deployment: Object | None, claim: int | None) -> None:
    if deployment is None or claim is None:
        return
    stands = claim_of(deployment, view.app.uid)
    if stands != claim:
        name = workload_name(view.app.name, place.part, place.content)
        raise Conflict(
            f"Deployment {name} was started again by attempt {stands}, after attempt {claim}: it is not taken down."
        )


async def _last_look(view: View, place: Place, now: float, unfollowed: bool) -> Sequence[Object]:
    """The routes that name the revision's Service, as the server has them; all with weight 0, and drained. Raises
    InUse."""
    app, name = view.app, workload_name(view.app.name, place.part, place.content)
    names = {route["metadata"]["name"] for route in view.cluster.store.routes_naming(app.namespace, name)}
    own = view.route_name(place.part)
    found = await asyncio.gather(
        *(view.cluster.fresh(HTTPROUTES, app.namespace, route) for route in sorted(names | ({own} if own else set())))
    )
    there = [route for route in found if route is not None]
    component = view.component(place.part)
    if component is not None:
        service = await view.cluster.fresh(SERVICES, app.namespace, app_service_name(app.name, component))
        if pinned_to(service, app.name, place.part, [place.content]):
            raise InUse(f"Service {app_service_name(app.name, component)} still selects the pods of {name}.")
    for route in there:
        if routes.weight_of(rules_of(route), frozenset({name})):
            raise InUse(f"HTTPRoute {route['metadata']['name']} still sends traffic to {name}.")
        if component is not None:
            _check_drained(view, place, component, route, now, unfollowed)
    return [route for route in there if any(ref.get("name") == name for ref in routes.each_ref(rules_of(route)))]


def _check_drained(view: View, place: Place, component: Component, route: Object, now: float, unfollowed: bool) -> None:
    until = (
        drained_at(view, component, view.departure(route, now).seen)
        if unfollowed
        else busy_until(view, place, now, route)
    )
    if until is not None and until > now:
        moment = f"{datetime.fromtimestamp(until, UTC):%H:%M:%S} UTC"
        name = workload_name(view.app.name, place.part, place.content)
        raise InUse(f"{name} is kept until {moment}: requests that began before traffic left it may still be running.")


async def _drop_ref(view: View, place: Place, route: Object) -> None:
    component = view.component(place.part)
    if component is None:
        return
    rules = routes.without(rules_of(route), view.backends(component), place.content)
    if rules != list(rules_of(route)):
        body = {"metadata": {"resourceVersion": resource_version(route)}, "spec": {"rules": rules}}
        await view.cluster.merge(HTTPROUTES, view.app.namespace, route["metadata"]["name"], body)


async def _delete(view: View, resource: Resource, obj: Object) -> None:
    metadata = obj["metadata"]
    await view.cluster.delete(
        resource,
        view.app.namespace,
        metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
    )


# ---- all of a Release


async def forget(fresh_view: Callable[[], View], now: float) -> None:
    """As deletionPolicy says. May be repeated. Raises InUse while something that goes still drains.

    Keep: a route whose traffic all goes where the app's own Service is pinned names that Service again. One that a
    person split otherwise stays as it is, with what it leads to: no route is left to lead nowhere.
    """
    view = fresh_view()
    keeps = view.app.release.spec.deletion_policy is not DeletionPolicy.DELETE
    if keeps:
        await _remove_leftovers(view, now)
        view = fresh_view()
    for part in view.parts:
        component = view.component(part)
        if component is not None:
            await _hand_back(view, component, keeps)
    if not keeps:
        await _remove_all(view)
    for revision in view.cluster.of_release(CONTROLLERREVISIONS, view.app.namespace, view.app.name):
        await _delete(view, CONTROLLERREVISIONS, revision)


async def _remove_leftovers(view: View, now: float) -> None:
    """All that runs but stable, and but what a weight or a pin leads to: there someone wants it."""
    stable = view.app.status.stable
    draining: InUse | None = None
    for place in sorted({*view.deployments, *view.services}):
        if (stable is not None and stable.runs(place.part) == place.content) or _serves(view, place):
            continue
        try:
            await take_down(view, place, now, unfollowed=True)
        except InUse as error:
            draining = error
    if draining is not None:
        raise draining


def _serves(view: View, place: Place) -> bool:
    component, route = view.component(place.part), view.route(place.part)
    if component is None:
        return False
    name = workload_name(view.app.name, place.part, place.content)
    weight = routes.weight_of(rules_of(route), frozenset({name})) if route else 0
    return weight > 0 or view.pin(component) == place.content


async def _hand_back(view: View, component: Component, keeps: bool) -> None:
    name = component.kubernetes.traffic.http_route.name
    for _ in range(TRIES):
        route = await view.cluster.fresh(HTTPROUTES, view.app.namespace, name)
        if route is None:
            return
        body = _handing_back(view, component, route, keeps)
        if body is None:
            return
        try:
            await view.cluster.merge(HTTPROUTES, view.app.namespace, name, body)
            return
        except Conflict:
            continue
    raise Transient(f"HTTPRoute {name} is being written by others at the same time; it is handed back at the next try.")


def _handing_back(view: View, component: Component, route: Object, keeps: bool) -> Object | None:
    """The patch, or None if there is nothing of ours left in it."""
    backends, rules = view.backends(component), rules_of(route)
    whole = backends.may_use_service and list(routes.splits(rules, backends)) == [((backends.pinned, FULL),)]
    mine = annotation(view.app.name)
    marked = mine in (route["metadata"].get("annotations") or {})
    wanted = routes.handed_back(rules, backends) if whole or not keeps else list(rules)
    if wanted == list(rules) and not marked:
        return None
    body = {"metadata": {"resourceVersion": resource_version(route), "annotations": {mine: None}}}
    return body if wanted == list(rules) else {**body, "spec": {"rules": wanted}}


async def _remove_all(view: View) -> None:
    for deployment in view.deployments.values():
        await _delete(view, DEPLOYMENTS, deployment)
    for service in view.cluster.of_release(SERVICES, view.app.namespace, view.app.name):
        if labels_of(service).get(LABEL_MANAGED_BY) == MANAGED_BY and not is_leaving(service):
            await _delete(view, SERVICES, service)
