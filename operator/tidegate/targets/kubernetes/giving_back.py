"""Giving back what was taken over, when its Release goes.

With `Keep` the Deployment serves again as before us, without one failed request, in steps that each can be seen in the
world, so that any of them may be the first that a new process does:

1. it is scaled to the size of the stable version, while ours serves on;
2. when all its pods are ready, it is paused again, and the Service selects them and nothing else: its selector of
   before, and the hash that the Deployment's own ReplicaSet has put on them, since ours carry the same labels beside
   that. If somebody rolls it all the same, its new pods have another hash: the Service then selects by its selector of
   before at once, ours among them, until they go;
3. when the drain is over, ours is taken down, which nothing reaches any more;
4. when its pods are gone, the Service has exactly the selector of before, and nothing of us is left on either.

That is done only where the Deployment's template, and the configuration that it names, is what stable runs. Else, an
unproven version would serve: then ours serves on, as with a template of the Release's own, and the Deployment stays at
0. So it does where its pods do not come up in time, where a person has split the traffic, and with `Delete`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

from tidegate.api.defaults import without_defaults
from tidegate.api.meta import LABEL_REVISION
from tidegate.api.release import Component
from tidegate.api.revision import filled_template
from tidegate.engine.values import FULL
from tidegate.errors import Invalid, Transient
from tidegate.kube import DEPLOYMENTS, REPLICASETS, SERVICES, Object
from tidegate.kube.resources import uid_of
from tidegate.targets.kubernetes import adopting, pinning, templates
from tidegate.targets.kubernetes.names import (
    app_service_name,
    content_of,
    is_leaving,
    labels_of,
    section,
    workload_name,
)
from tidegate.targets.kubernetes.stamp import last_change
from tidegate.targets.kubernetes.traffic import InUse, way_of
from tidegate.targets.kubernetes.traffic.port import still_draining
from tidegate.targets.kubernetes.view import Place, View

PATIENCE: Final = 3_600.0  # seconds from the deletion on, until ours serves on for good; or `deadlines.orphan`

TakeDown = Callable[[View, Place, float], Awaitable[None]]

logger = logging.getLogger(__name__)


class _Case(NamedTuple):
    """One Deployment that is held, and what serves in its stead."""

    deployment: Object
    component: Component
    place: Place
    service: Object


async def give_back(view: View, now: float, keeps: bool, take_down: TakeDown) -> None:
    """All that is held. May be repeated. Raises InUse, or Transient, while a step waits."""
    waiting: Transient | None = None
    for deployment in view.cluster.of_release(DEPLOYMENTS, view.app.namespace, view.app.name):
        if content_of(deployment) is not None or adopting.held(deployment) is None or is_leaving(deployment):
            continue
        try:
            await _give_back(view, deployment, now, keeps, take_down)
        except Transient as error:
            waiting = error  # the others need not wait for it
    if waiting is not None:
        raise waiting


async def _give_back(view: View, deployment: Object, now: float, keeps: bool, take_down: TakeDown) -> None:
    case = await _case(view, deployment)
    if case is None:
        await adopting.let_go(view, deployment)
        return
    if not keeps:
        await _select(view, case.service, pinning.selector_before(case.service), done=True)
        await adopting.let_go(view, deployment)
        return
    if not _is_handed_over(case.service, deployment):
        if why := _stays(view, case, now):
            logger.warning("Deployment %s is not given back: %s", deployment["metadata"]["name"], why)
            await adopting.let_go(view, deployment, replicas=0)
            return
        await _wake(view, case)
        before = pinning.selector_before(case.service)
        await _select(view, case.service, {**before, templates.LABEL_HASH: await _hash(view, case)}, done=False)
    elif await _is_rolled(view, case):
        await _select(view, case.service, pinning.selector_before(case.service), done=False)
    await _await_drain(view, case, now)
    await take_down(view, case.place, now)
    if view.pods(case.place):
        raise InUse(f"The pods of {case.place.part} that served in the stead of the Deployment are still ending.")
    service = await _fresh_service(view, case.component)
    if service is not None:
        await _select(view, service, pinning.selector_before(service), done=True)
    await adopting.let_go(view, deployment)


async def _case(view: View, deployment: Object) -> _Case | None:
    """None where no version of ours has taken anything from it."""
    known, stable = adopting.held(deployment), view.app.status.stable
    component = view.component(known.component) if known else None
    content = stable.runs(component.name) if stable and component else None
    service = await _fresh_service(view, component) if component else None
    if component is None or content is None or service is None:
        return None
    case = _Case(deployment, component, Place(component.name, content), service)
    return case if _is_handed_over(service, deployment) or LABEL_REVISION in _selector(service) else None


async def _fresh_service(view: View, component: Component) -> Object | None:
    name = app_service_name(view.app.name, component)
    return await view.cluster.fresh(SERVICES, view.app.namespace, name)


def _stays(view: View, case: _Case, now: float) -> str:
    """Why ours is to serve on; empty if it need not."""
    found, deleted = view.component_at(*case.place), view.app.release.metadata.deletion_timestamp
    if found is None:
        return "what stable runs is not known any more"
    try:
        theirs = without_defaults(templates.read(section(case.deployment, "spec")["template"]).document())
        ours = without_defaults(filled_template(found[0], found[1], view.app.name))
    except Invalid as error:
        return error.message
    if theirs != ours:
        return f"its template is not what {found[1]} runs, so that it would serve what is not proven"
    if tuple(view.named_at(case.place)) != tuple(view.app.resolved.named.get(case.place.part, ())):
        return f"the configuration that it names is by now another than {found[1]} runs with"
    if not pinning.pinned_to(case.service, view.app.name, case.place.part, [case.place.content]):
        return "its Service selects something else than the stable version"
    split = way_of(case.component).look(view, case.component, now).reading.split
    if split is not None and split != ((case.place.content, FULL),):
        return "somebody has split the traffic, and it is left as it is"
    if not pinning.selector_before(case.service):
        return "what its Service selected before is not known"
    if deleted is not None and now > deleted + _patience(view):
        return "its pods have not become ready"
    return ""


async def _await_drain(view: View, case: _Case, now: float) -> None:
    """Counted from our own write of the selector: no way of splitting traffic knows of that one. Raises InUse."""
    service = await _fresh_service(view, case.component)
    moved = last_change(service, "f:spec", "f:selector", by_us=True) if service else 0.0
    until = moved + view.drain(case.place.part)
    if until > now:
        raise still_draining(workload_name(view.app.name, *case.place), until)


async def _wake(view: View, case: _Case) -> None:
    """Bring it to the size of what serves in its stead, and hold it still there: a rollout would lead past the Service.
    Raises InUse until all its pods are ready."""
    spec, status = section(case.deployment, "spec"), section(case.deployment, "status")
    name = case.deployment["metadata"]["name"]
    serving = view.deployments.get(case.place)
    size = int(section(serving, "spec").get("replicas", 1)) if serving else view.replicas(case.place.part)
    wanted = int(spec.get("replicas", 1))
    observed = status.get("observedGeneration", 0) >= case.deployment["metadata"].get("generation", 0)
    whole = all(int(status.get(key, 0)) == wanted for key in ("replicas", "updatedReplicas", "availableReplicas"))
    # Only one that is not paused makes pods of the template that it has by now.
    if wanted < size or (spec.get("paused") and observed and not whole):
        await adopting.wake(view, case.deployment, max(size, wanted))
        raise InUse(f"Deployment {name} is starting its pods; until they are ready, ours serve.")
    if not observed or not whole:
        ready = status.get("availableReplicas", 0)
        raise InUse(f"Deployment {name} has {ready} of {wanted} pods ready; until it has all, ours serve.")
    if not spec.get("paused"):
        await adopting.keep_still(view, case.deployment)


async def _hash(view: View, case: _Case) -> str:
    """What the Deployment's ReplicaSet has put on its pods, and on no others."""
    found = await _hashes(view, case)
    if len(found) != 1:
        raise InUse(
            f"Deployment {case.deployment['metadata']['name']} is being rolled out; until that is done, ours serve."
        )
    return found[0]


async def _hashes(view: View, case: _Case) -> list[str]:
    """Those of its ReplicaSets that have pods, or are to have some."""
    asked = templates.selector_text(section(case.deployment, "spec").get("selector") or {})
    sets = (await view.cluster.client.list(REPLICASETS, view.app.namespace, labels=asked)).items
    return [
        labels_of(one).get(templates.LABEL_HASH, "")
        for one in sets
        if (section(one, "spec").get("replicas") or section(one, "status").get("replicas"))
        and any(owner.get("uid") == uid_of(case.deployment) for owner in one["metadata"].get("ownerReferences") or ())
    ]


async def _is_rolled(view: View, case: _Case) -> bool:
    """Whether it has, or is to have, pods that the Service does not select."""
    chosen = _selector(case.service).get(templates.LABEL_HASH)
    return chosen is not None and any(each != chosen for each in await _hashes(view, case))


def _selector(service: Object) -> dict[str, Any]:
    return dict(section(service, "spec").get("selector") or {})


def _is_handed_over(service: Object, deployment: Object) -> bool:
    """Whether it selects the pods of one ReplicaSet, or what it selected before, ours among them: step 2 is done."""
    before, chosen = pinning.selector_before(service), _selector(service)
    serves = bool(section(deployment, "status").get("availableReplicas"))
    return bool(before) and (templates.LABEL_HASH in chosen or (chosen == before and serves))


async def _select(view: View, service: Object, wanted: Mapping[str, str], *, done: bool) -> None:
    if wanted:
        body = pinning.selector_patch(service, wanted, done=done)
        await view.cluster.merge(SERVICES, view.app.namespace, service["metadata"]["name"], body)


def _patience(view: View) -> float:
    deadlines = view.app.release.spec.deadlines
    return deadlines.orphan if deadlines and deadlines.orphan is not None else PATIENCE
