"""Adopting what runs: the Deployment of somebody that a component's `templateFrom` names.

While it serves behind the app's own Service and no version of ours does, it is *offered*: what it runs, read from its
ReplicaSet and not from its template, which may be newer. From there the engine goes as with any version that is started
beside what serves (`engine/adopting.py`); here is what becomes of the Deployment itself:

1. *held*, before the copy is started: `paused`, so that an edit of it from here on climbs and does not roll. Only what
   was offered is held: an edit that came first is a newer offer. If the copy is given up, it is let go again.
2. *at rest*, once the Service is pinned to us, no route leads past it and the drain is over: `replicas` 0. Nothing is
   deleted, and nothing gets an owner.
3. *given back*, when the Release goes: see `giving_back`.

What it was is written down in an annotation of the Deployment together with the first change, so that a crash at any
moment leaves either both or none. Whoever raises `replicas` again gets pods without traffic. Once, that is put right;
one that does it again soon after us is an automat, and two automats should not fight: it is told, and left.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tidegate.api.conditions import Reason
from tidegate.api.configuration import mentions
from tidegate.api.grammar import parse_time
from tidegate.api.meta import FIELD_MANAGER
from tidegate.api.release import Component
from tidegate.api.revision import Named, artifact, revision
from tidegate.engine.values import Cause, Instance, Reading, State
from tidegate.errors import Invalid, TidegateError, Transient
from tidegate.kube import DEPLOYMENTS, SERVICES, Object
from tidegate.targets.kubernetes import pinning, templates
from tidegate.targets.kubernetes.names import (
    annotations_of,
    app_service_name,
    content_of,
    is_leaving,
    resource_version,
    section,
)
from tidegate.targets.kubernetes.neighbours import Neighbour, Neighbours, Unknown
from tidegate.targets.kubernetes.traffic import WAYS, InUse, way_of
from tidegate.targets.kubernetes.view import Place, View
from tidegate.targets.port import App, Kept, Problem, Resolved

ADOPTED: Final = "tidegate.dev/adopted"
"""Annotation of a Deployment that is held: whose it is, and what it was. Obeyed by nobody."""

NOT_KNOWN_YET: Final = "ServiceNotKnownYet"
ROLLING: Final = "DeploymentRolling"
TOO_SMALL: Final = "TooFewReplicas"
SCALED_AGAIN: Final = "AdoptedScaledAgain"
SOON: Final = 600.0  # seconds after our write in which only an automat writes the opposite


_MOST_REPLICAS: Final = 2**31 - 1
_SOMEBODYS: Final = "?deployment/"  # + its name: the content under which it is taken for something that runs


class Held(NamedTuple):
    """What a Deployment was before it was held."""

    component: str
    replicas: int
    paused: bool
    at: float = 0.0  # when its replicas were taken to 0 last, seconds since the epoch; 0: not yet


def held(deployment: Object) -> Held | None:
    """What is written down of it; None if it is not held."""
    try:
        value = json.loads(annotations_of(deployment).get(ADOPTED, ""))
        found = Held(str(value["component"]), int(value["replicas"]), bool(value["paused"]), float(value["at"]))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    return found if 0 <= found.replicas <= _MOST_REPLICAS and found.at >= 0.0 else None


def is_place(place: Place) -> bool:
    """Whether it stands for a Deployment of somebody, and not for a revision."""
    return place.content.startswith(_SOMEBODYS)


# ---- what is offered


class Offer(NamedTuple):
    """`adopt` is what may be taken over, as the App that would ask for it; None while anything stands in the way."""

    occupied: tuple[Problem, ...] = ()
    adopt: App | None = None

    @property
    def kept(self) -> Kept | None:
        if self.adopt is None:
            return None
        release, named = self.adopt.release, self.adopt.resolved.named
        made = [
            (component.name, artifact(component, release.spec.version, named.get(component.name, ())))
            for component in release.spec.components
        ]
        return Kept(self.adopt.revision, release.spec.version, 0, tuple(sorted(made)))


def offer(view: View, neighbours: Neighbours) -> Offer:
    """What serves behind the app's own Services before the first version of ours, all components together."""
    found = [_look(view, component, neighbours) for component in view.app.components.values()]
    if occupied := tuple(one for one in found if isinstance(one, Problem)):
        return Offer(occupied)
    running = [one for one in found if isinstance(one, Component)]
    return Offer(adopt=_as_asked_for(view.app, running) if running else None)


def _look(view: View, component: Component, neighbours: Neighbours) -> Problem | Component | None:
    """The component as it runs there now; None where nothing serves."""
    service = view.app_service(component)
    if service is None or not is_first(view, component.name) or not view.may_use_service(component):
        return None
    chosen = section(service, "spec").get("selector")
    if chosen and not pinning.selects_others(service, view.app.name):
        return None
    deployment = source(view, component)
    seen = neighbours.look(view.key, service, deployment)
    name = service["metadata"]["name"]
    if isinstance(seen, Unknown):
        sentence = f"What Service {name} selects is not known yet: {seen.why}"
        return Problem(component.name, "", NOT_KNOWN_YET, sentence, lasting=False)
    if seen.written:
        return _written(component, name, seen.written)
    if not seen.pods:
        return None
    if seen.strangers or seen.deployment is None:
        return _occupied(component, name, seen)
    return _running(component, seen, seen.deployment)


def is_first(view: View, part: str) -> bool:
    """Whether no version of ours has served this part yet."""
    stable = view.app.status.stable
    return stable is None or stable.runs(part) is None


def source(view: View, component: Component) -> Object | None:
    """The Deployment that the component's template comes from; None where it may not be used."""
    if component.kubernetes.template_from is None:
        return None
    try:
        return templates.deployment_of(view.cluster, view.app.release, component)
    except TidegateError:
        return None  # `templates.in_force` tells why


def _occupied(component: Component, service: str, seen: Neighbour) -> Problem:
    from_it = component.kubernetes.template_from
    if from_it is None:
        what, do = f"that are not of this Release ({seen.pods})", "Name another Service, scale down what serves there"
        do += ", or take it over with templateFrom."
    else:
        what = f"that are neither of this Release nor of Deployment {from_it.deployment} ({seen.strangers})"
        do = "Name the Deployment that serves there, or scale down the others."
    sentence = (
        f"Service {service} already selects ready pods {what}, and the first version would take all traffic from them "
        f"at once. {do}"
    )
    return Problem(component.name, "", Reason.SERVICE_IN_USE, sentence, lasting=True)


def _written(component: Component, service: str, count: int) -> Problem:
    sentence = (
        f"Service {service} has no selector, and endpoints that somebody has written for it ({count}): they would go "
        "on beside the first version. Remove those EndpointSlices or Endpoints, or name another Service."
    )
    return Problem(component.name, "", Reason.SERVICE_IN_USE, sentence, lasting=True)


def _running(component: Component, seen: Neighbour, deployment: Object) -> Problem | Component:
    name, spec = deployment["metadata"]["name"], section(deployment, "spec")
    paused = bool(spec.get("paused"))
    try:
        running = [templates.read(template) for template in seen.running]
        asked = templates.read(spec["template"])
    except Invalid as error:
        return Problem(component.name, "", templates.DEPLOYMENT_UNUSABLE, error.message, lasting=True)
    if len(running) != 1 or not _is_observed(deployment) or not (paused or running[0] == asked):
        sentence = f"Deployment {name} is being rolled out, and is taken over when that is done."
        if paused and len(running) > 1:
            sentence = (
                f"Deployment {name} is paused in the middle of a rollout. kubectl rollout resume deployment {name}"
            )
        return Problem(component.name, "", ROLLING, sentence, lasting=paused and len(running) > 1)
    size = int(spec.get("replicas", 1))
    if size > component.kubernetes.replicas:
        sentence = (
            f"Deployment {name} serves with {size} pods, and component {component.name} asks for "
            f"{component.kubernetes.replicas}: nothing is taken over by fewer pods than serve now. "
            f"Write replicas: {size}, and lower it later."
        )
        return Problem(component.name, "", TOO_SMALL, sentence, lasting=True)
    return templates.with_template(component, running[0])


def _is_observed(deployment: Object) -> bool:
    seen = section(deployment, "status").get("observedGeneration", 0)
    return bool(seen >= deployment["metadata"].get("generation", 0))


def _as_asked_for(app: App, running: Sequence[Component]) -> App | None:
    """What runs, as the App that would ask for it: under the version that the spec says, if nothing differs from what
    that asks for; else under the name that its images tell."""
    spec, named = app.release.spec, app.resolved.named
    asked = [app.components[component.name] for component in running]
    if any(component.kubernetes.template is None for component in asked):
        return None  # nobody knows what the spec asks for, and a problem says so
    same = all(
        artifact(one, spec.version) == artifact(other, spec.version) for one, other in zip(running, asked, strict=True)
    )
    version = spec.version if same else templates.version_of(_template(running[0]), running[0])
    release = templates.with_components(app.release, asked if same else running)
    release = release.model_copy(update={"spec": release.spec.model_copy(update={"version": version})})
    kept = {component.name: _of(component, named.get(component.name, ())) for component in release.spec.components}
    kept = {name: each for name, each in kept.items() if each}
    resolved = Resolved(release, kept)
    return App(app.namespace, app.name, app.uid, resolved, app.status, revision(release, kept))


def _of(component: Component, named: Sequence[Named]) -> tuple[Named, ...]:
    """What of it the template names that runs. What only that one names is read as it is: nobody has looked at it."""
    template = component.kubernetes.template
    there = mentions(template.spec) if template else {}
    return tuple(each for each in named if (each.kind, each.name) in there)


def _template(component: Component) -> Any:
    return component.kubernetes.template


# ---- holding it


async def hold(view: View, part: str, content: str, neighbours: Neighbours) -> None:
    """Before the copy of what was offered is started. Does nothing for a version that is no copy.

    Raises Transient where by now something else is offered.
    """
    recall, component = view.app.status.recall, view.component(part)
    if recall is None or recall.cause is not Cause.ADOPTED or component is None:
        return
    if recall.version.runs(part) != content:
        return
    deployment, offered = source(view, component), offer(view, neighbours).adopt
    if deployment is None or offered is None or offered.revision != content:
        raise Transient(f"What serves behind component {part} is another than a moment ago. It is looked at again.")
    spec, known = section(deployment, "spec"), held(deployment)
    if known is not None and spec.get("paused"):
        return
    known = known or Held(part, int(spec.get("replicas", 1)), bool(spec.get("paused")))
    await _write(view, deployment, known._replace(component=part), {"paused": True})


# ---- at rest


def places(view: View, readings: Mapping[str, Reading], now: float) -> Iterator[Instance | Problem]:
    """Those Deployments of people that still run though traffic has left them, and those that are held for nothing, as
    what is to be taken down."""
    named = set()
    for component in view.app.components.values():
        deployment = source(view, component)
        if deployment is None:
            continue
        named.add(deployment["metadata"]["name"])
        if held(deployment) is not None and _is_given_up(view, component.name):
            yield _instance(component.name, deployment)
        elif _is_left(view, component, readings.get(component.name)) and section(deployment, "spec").get("replicas", 1):
            yield _at_work(view, component, deployment, now)
    for deployment in view.cluster.of_release(DEPLOYMENTS, view.app.namespace, view.app.name):
        name, known = deployment["metadata"]["name"], held(deployment)
        if content_of(deployment) is None and known is not None and name not in named and not is_leaving(deployment):
            yield _instance(known.component, deployment)  # the spec has let go of it


def _instance(part: str, deployment: Object, busy_until: float | None = None) -> Instance:
    content = _SOMEBODYS + deployment["metadata"]["name"]
    return Instance(part, content, State.READY, sized=0, busy_until=busy_until)


def _is_given_up(view: View, part: str) -> bool:
    """Whether no version of ours serves, and nobody is about to copy what does."""
    recall = view.app.status.recall
    under_way = recall is not None and recall.cause is Cause.ADOPTED and not recall.gave_up
    return is_first(view, part) and not under_way


def _is_left(view: View, component: Component, reading: Reading | None) -> bool:
    """Whether everything that came to the Deployment comes to a revision of ours now."""
    if is_first(view, component.name) or reading is None or reading.split is None:
        return False
    if not pinning.selects_ours(view.app_service(component), view.app.name):
        return False
    return all(not content.startswith("?") for content, _ in reading.split)


def _at_work(view: View, component: Component, deployment: Object, now: float) -> Instance | Problem:
    name, known = deployment["metadata"]["name"], held(deployment)
    scaled_at, who = _last_scaled(deployment)
    if known is not None and known.at and scaled_at < known.at + SOON:
        sentence = (
            f"Deployment {name} was taken over, and {who} has scaled it up again. Its pods get no traffic. Leave its "
            f"replicas and paused out of what {who} writes; then: kubectl scale deployment {name} --replicas=0"
        )
        return Problem(component.name, "", SCALED_AGAIN, sentence, lasting=False)
    place = Place(component.name, _SOMEBODYS + name)
    return _instance(component.name, deployment, way_of(component).busy_until(view, component, place, now))


def _last_scaled(deployment: Object) -> tuple[float, str]:
    """When others wrote `replicas` last, and who; at the beginning of time if nobody tells."""
    found = (0.0, "somebody")
    for entry in deployment["metadata"].get("managedFields") or ():
        if (
            "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
            and entry.get("manager") != FIELD_MANAGER
        ):
            found = max(found, (_time(entry), str(entry.get("manager") or "somebody")))
    return found


def _time(entry: Mapping[str, Any]) -> float:
    try:
        return parse_time(entry.get("time"))
    except ValueError:
        return 0.0


async def take_down(view: View, place: Place, now: float) -> None:
    """Scale a Deployment to 0 that traffic has left, or let one go that is held for nothing.

    Raises InUse where traffic may still reach it.
    """
    name = place.content.removeprefix(_SOMEBODYS)
    deployment = await view.cluster.fresh(DEPLOYMENTS, view.app.namespace, name)
    if deployment is None or is_leaving(deployment):
        return
    component = view.component(place.part)
    from_it = component.kubernetes.template_from if component else None
    if component is None or from_it is None or from_it.deployment != name or _is_given_up(view, place.part):
        await let_go(view, deployment)
        return
    service_name = app_service_name(view.app.name, component)
    service = await view.cluster.fresh(SERVICES, view.app.namespace, service_name)
    if not pinning.selects_ours(service, view.app.name):
        raise InUse(f"Service {service_name} may still select the pods of Deployment {name}.")
    for way in WAYS:
        await way.leave(view, component, place, now, unfollowed=False)
    spec = section(deployment, "spec")
    known = held(deployment) or Held(place.part, int(spec.get("replicas", 1)), bool(spec.get("paused")))
    if spec.get("replicas", 1):
        await _write(view, deployment, known._replace(at=now), {"paused": True, "replicas": 0})


async def let_go(view: View, deployment: Object, *, replicas: int | None = None) -> None:
    """Not held any more: as it was, but for its size, which is as it is, or as said."""
    known = held(deployment)
    if known is not None:
        size = {} if replicas is None else {"replicas": replicas}
        await _write(view, deployment, None, {"paused": known.paused, **size})


async def wake(view: View, deployment: Object, replicas: int) -> None:
    """Let it make its pods, so many."""
    await _write(view, deployment, held(deployment), {"paused": False, "replicas": replicas})


async def keep_still(view: View, deployment: Object) -> None:
    """Let it keep the pods that it has."""
    await _write(view, deployment, held(deployment), {"paused": True})


async def _write(view: View, deployment: Object, known: Held | None, spec: Mapping[str, Any]) -> None:
    written = None if known is None else json.dumps(known._asdict(), separators=(",", ":"))
    body = {
        "metadata": {"resourceVersion": resource_version(deployment), "annotations": {ADOPTED: written}},
        "spec": dict(spec),
    }
    await view.cluster.merge(DEPLOYMENTS, view.app.namespace, deployment["metadata"]["name"], body)
