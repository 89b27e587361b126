"""What a Service, and the Deployments behind it, say of a split by numbers of pods. Reads the cache alone.

As configured: a pod that crashed is no edit. What ready pods give is `achieved`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from tidegate.api.grain import pods_by_share, share_by_pods
from tidegate.api.meta import FIELD_MANAGER, short
from tidegate.api.release import Component
from tidegate.engine.values import FULL
from tidegate.kube import Object
from tidegate.targets.kubernetes.health import is_ready
from tidegate.targets.kubernetes.names import is_leaving, part_selector, section
from tidegate.targets.kubernetes.stamp import last_editor, stamp_of, writer_of
from tidegate.targets.kubernetes.view import Place, View
from tidegate.targets.port import Problem

PORTS_DIFFER: Final = "PortsDiffer"
SELECTOR: Final = ("f:spec", "f:selector")
REPLICAS: Final = ("f:spec", "f:replicas")

Split = tuple[tuple[str, int], ...]


def may_use(view: View, component: Component, service: Object) -> bool:
    """Also where the label was taken away while it led to our pods: that must not stand before a revert."""
    ours = part_selector(view.app.name, component.name)
    return view.may_use_service(component) or ours.items() <= (section(service, "spec").get("selector") or {}).items()


def is_open(view: View, component: Component, service: Object) -> bool:
    """Whether it leads to the pods of all revisions."""
    return section(service, "spec").get("selector") == part_selector(view.app.name, component.name)


def selects(view: View, component: Component, service: Object, place: Place) -> bool:
    """Whether it leads to this one's."""
    if is_open(view, component, service):
        return pods(view.deployments.get(place)) > 0 or any(map(is_ready, view.pods(place)))
    return view.pinned(component, service) == place.content


def pods(deployment: Object | None) -> int:
    """As configured; of what is being deleted, none."""
    if deployment is None or is_leaving(deployment):
        return 0
    return int(section(deployment, "spec").get("replicas", 1))


def sides(view: View, part: str, split: Mapping[str, int]) -> tuple[Place, Place] | None:
    """Which of two contents is stable's, and the other; None if they are not two, or neither is."""
    stable = view.app.status.stable
    base = stable.runs(part) if stable else None
    if base is None or base not in split or len(split) != 2:
        return None
    (top,) = (content for content in split if content != base)
    return Place(part, base), Place(part, top)


def split(view: View, component: Component, service: Object) -> Split:
    """Shares by content; "?" and the Service's name for pods that are not ours."""
    if pinned := view.pinned(component, service):
        return ((pinned, FULL),)
    if not is_open(view, component, service):
        return ((f"?{service['metadata']['name']}", FULL),)
    found = {place.content: pods(each) for place, each in view.deployments.items() if place.part == component.name}
    running = {content: number for content, number in found.items() if number}
    two = sides(view, component.name, running)
    if two is None:
        return _shares(running)
    base, top = two
    share = _share(view, service, base, top)
    return tuple(sorted(((base.content, FULL - share), (top.content, share))))


def _share(view: View, service: Object, base: Place, top: Place) -> int:
    """The candidate's: what we said when we wrote it, while the numbers of pods are as they were written then.

    Where they are not it is never just that: they were raised, or lowered.
    """
    candidate, stable = pods(view.deployments[top]), pods(view.deployments[base])
    actual, replicas = share_by_pods(candidate, stable), view.replicas(top.part)
    stamp = stamp_of(service, view.app.name, view.app.uid)
    said = stamp.splits.get(top.part, {}).get(short(top.content), 0)
    if said in (0, FULL):
        return max(1, actual)
    bare = stable < replicas and actual > share_by_pods(pods_by_share(said, replicas), replicas)
    if bare or candidate > pods_by_share(said, stable):
        return max(actual, said + 1)
    if candidate == pods_by_share(said, stable) or writer_of(view.deployments[top], *REPLICAS) == FIELD_MANAGER:
        return said
    return max(1, min(actual, said - 1))


def _shares(numbers: Mapping[str, int]) -> Split:
    """By numbers alone; the sum is FULL, or 0 where there are none."""
    found: dict[str, int] = {}
    largest = min(numbers, key=lambda each: (-numbers[each], each), default="")
    for content in numbers:
        if content != largest:
            found[content] = numbers[content] * FULL // sum(numbers.values())
    if numbers:
        found[largest] = FULL - sum(found.values())
    return tuple(sorted(found.items()))


def achieved(view: View, component: Component, service: Object) -> Mapping[str, int]:
    """Shares by ready pods; empty where all are of one revision by the selector."""
    if not is_open(view, component, service):
        return {}
    contents = [place.content for place in view.deployments if place.part == component.name]
    ready = {content: sum(map(is_ready, view.pods(Place(component.name, content)))) for content in contents}
    return dict(_shares({content: number for content, number in ready.items() if number}))


def token(view: View, component: Component, service: Object) -> str:
    """What changes with the selector, and, after a bar, with the numbers of pods."""
    chosen = section(service, "spec").get("selector") or {}
    labels = ",".join(f"{label}={value}" for label, value in sorted(chosen.items()))
    numbers = sorted(
        f"{short(place.content)}={pods(deployment)}"
        for place, deployment in view.deployments.items()
        if place.part == component.name
    )
    return f"{service['metadata'].get('uid', '')}/{labels}|{','.join(numbers)}"


def editor(view: View, component: Component, service: Object) -> str | None:
    """Who last wrote the selector, or a number of pods that it leads to, where it was not us."""
    if is_open(view, component, service):
        for place, deployment in view.deployments.items():
            writer = writer_of(deployment, *REPLICAS)
            if place.part == component.name and writer not in (None, FIELD_MANAGER):
                return writer
    return last_editor(service, *SELECTOR)


def ports_differ(view: View, component: Component, service: Object) -> Sequence[Problem]:
    """A number in a Service is one for all its pods; a name is each pod's own."""
    status, part = view.app.status, component.name
    contents = [version.runs(part) for version in (status.stable, status.candidate) if version is not None]
    ports = [view.port(Place(part, content)) for content in contents if content is not None]
    entries = section(service, "spec").get("ports") or ()
    if len(set(ports)) < 2 or all(isinstance(entry.get("targetPort"), str) for entry in entries):
        return ()
    name = service["metadata"]["name"]
    sentence = (
        f"Component {part} has port {ports[1]} now, and the stable version has {ports[0]}: Service {name} can't lead "
        f"to both by a number. Name the container's port, and write that name as targetPort of Service {name}."
    )
    return (Problem(part, "", PORTS_DIFFER, sentence, lasting=True),)
