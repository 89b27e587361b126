"""The way out: one revision's part that nobody needs, or all of a Release that is deleted.

The order is always the same. A last look at the server itself: no weight in any route, no pin, drained. Then our zero
ref goes, so that no route names what is not there; then the Deployment and the Service, each only as it was seen.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tidegate.api.meta import LABEL_MANAGED_BY, MANAGED_BY
from tidegate.api.release import DeletionPolicy
from tidegate.errors import Conflict
from tidegate.kube import CONTROLLERREVISIONS, DEPLOYMENTS, SERVICES, Object, Resource
from tidegate.targets.kubernetes.giving_back import give_back
from tidegate.targets.kubernetes.names import (
    app_service_name,
    is_leaving,
    is_ours,
    labels_of,
    workload_name,
)
from tidegate.targets.kubernetes.pinning import pinned_to
from tidegate.targets.kubernetes.traffic import WAYS, InUse, way_of
from tidegate.targets.kubernetes.view import Place, View
from tidegate.targets.kubernetes.workload import claim_of


async def take_down(
    view: View, place: Place, now: float, claim: int | None = None, *, unfollowed: bool = False
) -> None:
    """Take one part of one revision down. What is not there is fine.

    `claim` is the one that was seen; None: whichever stands. `unfollowed`: do not wait for a gateway that reports
    nothing. Raises InUse where a weight or a pin leads there or its drain is not over, Conflict where another claim
    stands.
    """
    _check_claim(view, place, view.deployments.get(place), claim)
    await _last_look(view, place, now, unfollowed)
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


async def _last_look(view: View, place: Place, now: float, unfollowed: bool) -> None:
    """No pin, no traffic by any way, drained; then nothing names it any more. Raises InUse."""
    app, component = view.app, view.component(place.part)
    if component is not None:
        name = app_service_name(app.name, component)
        service = await view.cluster.fresh(SERVICES, app.namespace, name)
        if pinned_to(service, app.name, place.part, [place.content]):
            workload = workload_name(app.name, place.part, place.content)
            raise InUse(f"Service {name} still selects the pods of {workload}.")
    for way in WAYS:
        await way.leave(view, component, place, now, unfollowed=unfollowed)


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

    Keep: what stable serves, and what a person gave traffic, stays; a Deployment that was taken over serves again.
    """
    view = fresh_view()
    keeps = view.app.release.spec.deletion_policy is not DeletionPolicy.DELETE
    if keeps:
        await _remove_leftovers(view, now)
        view = fresh_view()
    for part in view.parts:
        component = view.component(part)
        if component is not None:
            await way_of(component).hand_back(view, component, keeps)
    await give_back(view, now, keeps, partial(take_down, unfollowed=True))
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
    component = view.component(place.part)
    return component is not None and (
        way_of(component).leads_to(view, component, place) or view.pin(component) == place.content
    )


async def _remove_all(view: View) -> None:
    for deployment in view.deployments.values():
        await _delete(view, DEPLOYMENTS, deployment)
    for service in view.cluster.of_release(SERVICES, view.app.namespace, view.app.name):
        if labels_of(service).get(LABEL_MANAGED_BY) == MANAGED_BY and not is_leaving(service):
            await _delete(view, SERVICES, service)
