"""What objects say of each other, as far as they are among the files. What is not there may be in the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tidegate.api.effective import effective
from tidegate.api.guard import Guard
from tidegate.api.meta import GROUP, KIND_CONNECTION, KIND_INTERVENTION, KIND_POLICY, KIND_RELEASE
from tidegate.api.parse import parse_connection, parse_intervention, parse_policy, parse_release
from tidegate.api.permission import refusal
from tidegate.api.policy import ReleasePolicy
from tidegate.api.release import Release, Traffic
from tidegate.api.rules import OwnedGuard
from tidegate.cli.documents import Document
from tidegate.cli.findings import Finding, Severity

_THEIRS: Final[Mapping[tuple[str, str], str]] = {
    ("", "Service"): "Service",
    ("batch", "CronJob"): "CronJob",
    ("gateway.networking.k8s.io", "HTTPRoute"): "HTTPRoute",
    ("networking.istio.io", "VirtualService"): "VirtualService",
}


@dataclass
class _Place:
    """What there is in one namespace, by name."""

    name: str
    releases: list[tuple[Document, Release]] = field(default_factory=list)
    policies: list[tuple[Document, ReleasePolicy]] = field(default_factory=list)
    connections: dict[str, Document] = field(default_factory=dict)
    interventions: list[Document] = field(default_factory=list)
    theirs: dict[tuple[str, str], Document] = field(default_factory=dict)  # of a user, by kind and name


def together(documents: Sequence[Document], namespace: str) -> Iterator[Finding]:
    """Findings about objects that are sound by themselves. `namespace` is that of objects that name none."""
    for place in _places(documents, namespace):
        for document, policy in place.policies:
            for index, guard in enumerate(policy.spec.guards):
                yield from _queries(document, index, guard)
        for document, release in place.releases:
            for index, guard in enumerate(release.spec.guards):
                yield from _queries(document, index, guard)
            yield from _policies(document, release, place)
            yield from _connections(document, release, place)
            yield from _named(document, release, place)
        for document in place.interventions:
            yield from _target(document, place)


def _places(documents: Iterable[Document], namespace: str) -> Iterable[_Place]:
    places: dict[str, _Place] = {}
    for document in documents:
        name = str(document.metadata.get("namespace") or namespace)
        place = places.setdefault(name, _Place(name))
        content = document.content or {}
        match document.group, document.kind:
            case group, kind if group == GROUP and kind == KIND_RELEASE:
                place.releases.append((document, parse_release(content)))
            case group, kind if group == GROUP and kind == KIND_POLICY:
                place.policies.append((document, parse_policy(content)))
            case group, kind if group == GROUP and kind == KIND_CONNECTION:
                place.connections[document.name] = document
            case group, kind if group == GROUP and kind == KIND_INTERVENTION:
                place.interventions.append(document)
            case known if known in _THEIRS:
                place.theirs[document.kind, document.name] = document
    return places.values()


# ---- guards


def _queries(document: Document, index: int, guard: Guard) -> Iterator[Finding]:
    """What the guard would say about every candidate, before it asks anything."""
    # Dear to load, and many Releases have no guard of their own.
    from tidegate.engine.guards import Arm, Ask, Side, blindness
    from tidegate.metrics.promql import faults

    path = f"spec.guards[{index}]"
    for sentence in faults(guard):
        yield Finding(document, path, sentence)
    if why := blindness(Ask(guard, "", Side("", Arm("", "", ()), None, 0, 0.0))):
        yield Finding(document, path, why)


def _connections(document: Document, release: Release, place: _Place) -> Iterator[Finding]:
    if not place.connections:
        return
    own = {guard.name: index for index, guard in enumerate(release.spec.guards)}
    for owned in effective(release, [policy for _, policy in place.policies]).guards:
        path = "spec.guards" if owned.owner else f"spec.guards[{own[owned.guard.name]}].connection"
        name = owned.guard.connection
        found = place.connections.get(name)
        if found is None:
            sentence = f"{_whose(owned)} asks Connection {name!r}, which is not among the files"
            yield Finding(document, path, sentence, severity=Severity.WARNING)
        elif not parse_connection(found.content or {}).allows_guards_of(release.metadata.name):
            yield Finding(
                document,
                path,
                f"{_whose(owned)} asks Connection {name!r}, which does not allow it: add {release.metadata.name!r} to "
                f"spec.allow[].guards there ({found.file}:{found.line('spec.allow')})",
            )


def _whose(owned: OwnedGuard) -> str:
    return f"guard {owned.guard.name}" + (f" of policy {owned.owner}" if owned.owner else "")


# ---- policies


def _policies(document: Document, release: Release, place: _Place) -> Iterator[Finding]:
    force = effective(release, [policy for _, policy in place.policies])
    for sentence in force.conflicts:
        yield Finding(document, "spec", sentence)
    for sentence in force.violations:
        yield Finding(document, "spec.steps" if sentence.startswith("spec.steps") else "spec", sentence)


# ---- what a Release names


def _named(document: Document, release: Release, place: _Place) -> Iterator[Finding]:
    from tidegate.targets.kubernetes.names import app_service_name  # dear to load

    for index, component in enumerate(release.spec.components):
        path = f"spec.components[{index}].kubernetes"
        kubernetes = component.kubernetes
        service = app_service_name(release.metadata.name, component)
        where = path if kubernetes.service is None else f"{path}.service"
        yield from _label(document, where, "Service", service, release, place)
        yield from _routed(document, f"{path}.traffic", kubernetes.traffic, service, place)
    for index, check in enumerate(release.spec.checks):
        if check.job is None:
            continue
        path = f"spec.checks[{index}].job.cronJob"
        yield from _label(document, path, "CronJob", check.job.cron_job, release, place)
        job = place.theirs.get(("CronJob", check.job.cron_job))
        if job is not None and (job.content or {}).get("spec", {}).get("suspend") is not True:
            sentence = (
                f"CronJob {job.name} runs by its own schedule too: write suspend: true there, if it is for checks"
            )
            yield Finding(document, path, sentence, severity=Severity.WARNING)


def _routed(document: Document, path: str, traffic: Traffic, service: str, place: _Place) -> Iterator[Finding]:
    """A route that is among the files must name the Service."""
    if traffic.http_route is not None:
        field, ref, rules = "httpRoute.name", "backendRef", "spec.rules"
        route = place.theirs.get(("HTTPRoute", traffic.http_route.name))
        named = _backends((route.content if route else None) or {})
    elif traffic.istio is not None:
        field, ref, rules = "istio.virtualService", "destination", "spec.http"
        route = place.theirs.get(("VirtualService", traffic.istio.virtual_service))
        named = _destinations((route.content if route else None) or {}, place.name)
    else:
        return
    if route is not None and service not in named:
        yield Finding(
            document,
            f"{path}.{field}",
            f"{route.kind} {route.name} has no {ref} that names Service {service}, so no traffic could be moved: "
            f"name it there ({route.file}:{route.line(rules)})",
        )


def _label(document: Document, path: str, kind: str, name: str, release: Release, place: _Place) -> Iterator[Finding]:
    found = place.theirs.get((kind, name))
    if found is None:
        return
    namespace = place.name or "default"
    if sentence := refusal(kind, namespace, name, found.metadata.get("labels"), release.metadata.name):
        yield Finding(document, path, f"{sentence}; or write it in {found.file}:{found.line('metadata')}")


def _backends(route: Mapping[str, Any]) -> frozenset[str | None]:
    rules = (route.get("spec") or {}).get("rules") or ()
    return frozenset(str(ref.get("name")) for rule in rules for ref in rule.get("backendRefs") or ())


def _destinations(route: Mapping[str, Any], namespace: str) -> frozenset[str | None]:
    from tidegate.kube.hosts import service_of  # dear to load

    found = (each for http in (route.get("spec") or {}).get("http") or () for each in http.get("route") or ())
    hosts = ((each.get("destination") or {}).get("host") for each in found)
    return frozenset(service_of(host, namespace or "default") for host in hosts)


def _target(document: Document, place: _Place) -> Iterator[Finding]:
    name = parse_intervention(document.content or {}).spec.target_ref.name
    if place.releases and name not in {release.metadata.name for _, release in place.releases}:
        sentence = f"Release {name!r} is not among the files"
        yield Finding(document, "spec.targetRef.name", sentence, severity=Severity.WARNING)
