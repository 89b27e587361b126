"""Rights, as RBAC grants them and as the audit log shows them used: granted minus used is what can go."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from hack.stage.audit import Request

RBAC = Path(__file__).resolve().parents[2] / "manifests" / "base" / "operator-rbac.yaml"


_WINDING_UP = timedelta(seconds=60)


class Right(NamedTuple):
    """One verb on one kind, and one name of it or any (""). `resource` is as in RBAC: `releases`, `releases/status`."""

    group: str
    resource: str
    verb: str
    name: str = ""

    def __str__(self) -> str:
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {kind}" + (f" {self.name}" if self.name else "")


def granted(path: Path = RBAC) -> frozenset[Right]:
    """All that the operator's roles grant, each verb of each kind, and each name where names are named."""
    documents = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    return frozenset(
        right
        for document in documents
        if document["kind"] in ("Role", "ClusterRole")
        for rule in document["rules"]
        for right in _of_rule(rule)
    )


def _of_rule(rule: Mapping[str, Any]) -> Iterator[Right]:
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                for name in rule.get("resourceNames") or [""]:
                    yield Right(group, resource, verb, name)


def used(requests: Iterable[Request]) -> frozenset[Right]:
    """What the requests needed, each by its name. What is no resource (discovery) needs no right of ours."""
    return frozenset(_needed(request) for request in requests if request.resource)


def denied(requests: Iterable[Request], *, withdrawn: Iterable[datetime] = ()) -> frozenset[tuple[Right, str]]:
    """What was refused for want of a right, and in which namespace.

    `withdrawn` are the times when rights were taken away on purpose: an uninstall removes an operator's rights before
    its pods have ended, so that for a minute it may ask in vain.
    """
    times = list(withdrawn)
    return frozenset(
        (_needed(request), request.namespace)
        for request in requests
        if request.code == 403
        and _by_rbac(request)
        and not any(timedelta() <= request.time - at <= _WINDING_UP for at in times)
    )


def is_withdrawal(request: Request) -> bool:
    """Whether this took an operator's rights away."""
    binding = request.resource in ("rolebindings", "clusterrolebindings") and request.name.startswith("tidegate-")
    return binding and request.verb == "delete" and request.code == 200


def unused(grants: Iterable[Right], uses: Iterable[Right]) -> set[Right]:
    """What was granted and never needed."""
    named = set(uses)
    unnamed = {right._replace(name="") for right in named}
    return {grant for grant in grants if grant not in (named if grant.name else unnamed)}


def _needed(request: Request) -> Right:
    resource = f"{request.resource}/{request.subresource}" if request.subresource else request.resource
    return Right(request.group, resource, request.verb, request.name)


def _by_rbac(request: Request) -> bool:
    """A quota and an admission policy refuse with 403, too."""
    annotations = request.document.get("annotations") or {}
    return annotations.get("authorization.k8s.io/decision") == "forbid"
