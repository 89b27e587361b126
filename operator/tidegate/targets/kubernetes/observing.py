"""The world of one Release, as a `Sight`. From the cache alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tidegate.api.conditions import Reason
from tidegate.api.permission import refusal
from tidegate.api.release import Component
from tidegate.engine.values import CLIMBING, FULL, Instance, Reading, State
from tidegate.kube import CRONJOBS
from tidegate.targets.kubernetes import adopting, health, pinning, problems
from tidegate.targets.kubernetes.keeping import lost
from tidegate.targets.kubernetes.names import app_service_name, labels_of, section, workload_name
from tidegate.targets.kubernetes.neighbours import Neighbours
from tidegate.targets.kubernetes.probes import Asked, Prober
from tidegate.targets.kubernetes.revisions import Revision
from tidegate.targets.kubernetes.traffic import way_of
from tidegate.targets.kubernetes.view import Place, View
from tidegate.targets.kubernetes.workload import claim_of
from tidegate.targets.port import Kept, Problem, Sight, Size

ROUTE_CHANGED: Final = "RouteChanged"
SERVICE_SHARED: Final = "ServiceShared"
CRONJOB_MISSING: Final = "CronJobMissing"
REVISION_LOST: Final = "RevisionLost"
CONFIGURATION_LOST: Final = "ConfigurationLost"

UNKNOWN: Final = Reading(None, None)


@dataclass(slots=True)
class Notes:
    """What one look writes down."""

    readings: dict[str, Reading] = field(default_factory=dict)
    instances: list[Instance] = field(default_factory=list)
    sizes: dict[tuple[str, str], Size] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    refusals: list[Problem] = field(default_factory=list)
    foreign: dict[str, str] = field(default_factory=dict)
    achieved: dict[tuple[str, str], int] = field(default_factory=dict)
    marked: set[tuple[str, str]] = field(default_factory=set)


def observe(
    view: View, demand: Mapping[tuple[str, str], int], now: float, prober: Prober, neighbours: Neighbours
) -> Sight:
    """What is. Sees to the readings of probes, and of neighbours, that are due."""
    notes = Notes()
    for part in view.parts:
        _observe_part(view, part, now, notes)
    offered = adopting.offer(view, neighbours)
    probed = _probe(view, prober)
    for place in sorted({*view.deployments, *view.services, *(Place(*wanted) for wanted in demand)}):
        _observe_place(view, place, demand, now, probed, prober, notes)
    for found in adopting.places(view, notes.readings, now):
        if isinstance(found, Problem):
            notes.problems.append(found)
        else:
            notes.instances.append(found)
    notes.refusals += _cronjobs(view)
    return Sight(
        readings=notes.readings,
        instances=tuple(notes.instances),
        sizes=notes.sizes,
        kept=_kept(view),
        problems=tuple(notes.problems),
        refusals=tuple(notes.refusals),
        occupied=offered.occupied,
        adopt=offered.kept,
        foreign=notes.foreign,
        achieved=notes.achieved,
    )


def _kept(view: View) -> tuple[Kept, ...]:
    """What could be started again, the newest first: not what neither runs nor has its configuration any more."""
    running = {place.content for place in view.deployments}
    found = [
        revision.kept
        for revision in view.revisions.values()
        if revision.content in running or not _is_lost(view, revision)
    ]
    return tuple(sorted(found, key=lambda kept: -kept.number))


def _is_lost(view: View, revision: Revision) -> bool:
    places = (Place(part, revision.content) for part in revision.named)
    return any(view.is_lost(place, named) for place in places for named in view.uncopied(place))


# ---- how it is reached


def _observe_part(view: View, part: str, now: float, notes: Notes) -> None:
    component = view.component(part)
    if component is None:
        notes.readings[part] = UNKNOWN
        notes.problems.append(_forgotten(part))
        return
    app, service = view.app, view.app_service(component)
    name = app_service_name(app.name, component)
    refused = pinning.may_use(app, service, name)
    if view.reached_anew(part):
        notes.refusals.append(_reached_anew(view, part, component))
    if refused:
        notes.refusals.append(Problem(part, "", Reason.NOT_PERMITTED, refused, lasting=True))
    elif other := _same_service(view, part, name):
        notes.refusals.append(other)
    seen = way_of(component).look(view, component, now)
    notes.problems += seen.problems
    notes.refusals += seen.refusals
    notes.readings[part] = seen.reading
    notes.achieved |= {(part, content): share for content, share in seen.achieved.items()}
    if seen.marked:
        notes.marked.add((part, seen.marked))
    if seen.editor:
        notes.foreign[part] = seen.editor


def _same_service(view: View, part: str, name: str) -> Problem | None:
    """A Service has one selector: two components of one cannot both be behind it."""
    others = [
        component.name
        for component in view.app.components.values()
        if component.name != part and app_service_name(view.app.name, component) == name
    ]
    if not others:
        return None
    sentence = f"Components {part} and {others[0]} name the same Service, {name}. Give each a Service of its own."
    return Problem(part, "", SERVICE_SHARED, sentence, lasting=True)


def _reached_anew(view: View, part: str, component: Component) -> Problem:
    """`component` is as the stable version is reached."""
    carrier, service = way_of(component).carrier(view.app.name, component), app_service_name(view.app.name, component)
    sentence = (
        f"Component {part} is reached by {carrier} and Service {service}, and the spec names others; the old "
        f"route would stay on the old version for ever. Write {carrier.name} and {service} again, or remove the "
        "component and add it under another name."
    )
    return Problem(part, "", ROUTE_CHANGED, sentence, lasting=True)


def _forgotten(part: str) -> Problem:
    sentence = (
        f"Component {part} is no longer in the spec, and no kept revision tells by which route it was reached. "
        "Put it back into the spec, or remove its backendRefs and its Deployment by hand."
    )
    return Problem(part, "", REVISION_LOST, sentence, lasting=True)


# ---- what runs


def _observe_place(
    view: View,
    place: Place,
    demand: Mapping[tuple[str, str], int],
    now: float,
    probed: Mapping[str, bool],
    prober: Prober,
    notes: Notes,
) -> None:
    deployment, has_service = view.deployments.get(place), place in view.services
    pods = view.pods(place)
    wanted, sized = sizes(view, place, demand.get(place))
    ready = [pod for pod in pods if health.is_ready(pod) and probed.get(pod["metadata"]["uid"], True)]
    state = health.state(deployment, has_service, len(ready), wanted, now)
    component = view.component(place.part)
    uncopied = view.uncopied(place) if deployment is not None else ()
    mendable = bool(uncopied) and not any(view.is_lost(place, named) for named in uncopied)
    if mendable and state is State.READY:
        state = State.SHORT  # pods that run go on, and no new one starts
    if state is not State.ABSENT or place in view.deployments:
        notes.instances.append(
            Instance(
                part=place.part,
                content=place.content,
                state=state,
                claim=claim_of(deployment, view.app.uid),
                sized=sized if has_service and not mendable else 0,
                busy_until=way_of(component).busy_until(view, component, place, now) if component else None,
            )
        )
    ref = workload_name(view.app.name, place.part, place.content)
    notes.sizes[place] = Size(
        ref, len(ready), wanted, health.endpoints(ready, view.port(place)), marked=place in notes.marked
    )
    if place.content in view.needed or place in demand:
        notes.problems += problems.of_workload(place.part, place.content, deployment, pods)
        uids = {pod["metadata"]["uid"] for pod in pods}
        notes.problems += [Problem(place.part, place.content, *found) for found in prober.findings(view.key, uids)]
        notes.problems += [
            Problem(place.part, place.content, CONFIGURATION_LOST, lost(place, view.app.name, named), lasting=True)
            for named in uncopied
            if view.is_lost(place, named)
        ]
        if deployment is not None and not has_service:
            notes.problems.append(_service_missing(place, ref))


def sizes(view: View, place: Place, share: int | None) -> tuple[int, int]:
    """(pods that are wanted for a share of all traffic, share for which those that there are suffice). Without a share
    as many are wanted as there are; and also where their number is the weight, which `ensure` alone may change."""
    component, deployment = view.component(place.part), view.deployments.get(place)
    pods = int(section(deployment, "spec").get("replicas", 1)) if deployment else 0
    if component is None:
        return pods, FULL if pods else 0
    way, replicas = way_of(component), view.replicas(place.part)
    if way.weighs(view, component, place):
        return pods, FULL if pods else 0
    return pods if share is None else way.pods_for(share, replicas), way.share_of(pods, replicas)


def _service_missing(place: Place, name: str) -> Problem:
    sentence = f"Service {name} is not there, so its pods can't be reached. It is made again if the revision is needed."
    return Problem(place.part, place.content, problems.SERVICE_MISSING, sentence, lasting=False)


def _probe(view: View, prober: Prober) -> Mapping[str, bool]:
    """By uid of the candidate's pods: whether they have passed. Pods that are not in it need not."""
    asked = tuple(_to_ask(view))
    uids = {pod["metadata"]["uid"]: False for place in _probed_places(view) for pod in view.pods(place)}
    return uids | dict(prober.look(view.key, asked))


def _probed_places(view: View) -> Iterator[Place]:
    status = view.app.status
    if status.phase not in CLIMBING or status.candidate is None:
        return
    for piece in status.candidate.pieces:
        component = view.component(piece.part)
        is_new = status.stable is None or status.stable.runs(piece.part) != piece.content
        if is_new and component is not None and _has_probes(component):
            yield Place(piece.part, piece.content)


def _to_ask(view: View) -> Iterator[Asked]:
    for place in _probed_places(view):
        component = view.component(place.part)
        version = view.component_at(*place)
        if component is None or component.kubernetes.probes is None or version is None:
            continue
        for pod in view.pods(place):
            if health.is_reachable(pod):
                yield Asked(
                    uid=pod["metadata"]["uid"],
                    pod=pod["metadata"]["name"],
                    endpoint=health.endpoints([pod], view.port(place))[0],
                    version=version[1],
                    probes=component.kubernetes.probes,
                    settled=health.is_ready(pod),
                )


def _has_probes(component: Component) -> bool:
    probes = component.kubernetes.probes
    return probes is not None and any((probes.health, probes.ready, probes.version))


# ---- what checks name


def _cronjobs(view: View) -> Sequence[Problem]:
    """A check's CronJob that is not there, or that does not name this Release: told before anything starts."""
    found = []
    app = view.app
    for check in app.release.spec.checks:
        if check.job is None:
            continue
        name = check.job.cron_job
        cronjob = view.cluster.get(CRONJOBS, app.namespace, name)
        if cronjob is None:
            sentence = f"CronJob {name} of check {check.name} is not there. Create it in this namespace, suspended."
            found.append(Problem("", "", CRONJOB_MISSING, sentence, lasting=True))
        elif refused := refusal("CronJob", app.namespace, name, labels_of(cronjob), app.name):
            found.append(Problem("", "", Reason.NOT_PERMITTED, refused, lasting=True))
    return found
