"""What gateways tell of an HTTPRoute: whether they have taken its newest spec, and why not."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.kube import Object
from tidegate.targets.kubernetes.names import section


def is_followed(route: Object) -> bool:
    """Whether every gateway of the route has taken its newest spec."""
    generation = route["metadata"].get("generation", 0)
    parents = section(route, "status").get("parents") or ()
    return bool(parents) and all(
        conditions and all(condition.get("observedGeneration", 0) >= generation for condition in conditions)
        for conditions in (parent.get("conditions") or () for parent in parents)
    )


def refusals_of(route: Object) -> Iterator[tuple[str, str, str]]:
    """(gateway, condition type, message) for each condition of the newest spec by which a gateway does not take it."""
    generation = route["metadata"].get("generation", 0)
    for parent in section(route, "status").get("parents") or ():
        for condition in parent.get("conditions") or ():
            current = condition.get("observedGeneration", 0) >= generation
            if current and condition.get("type") in ("Accepted", "ResolvedRefs") and condition.get("status") == "False":
                gateway = str((parent.get("parentRef") or {}).get("name", ""))
                yield gateway, str(condition["type"]), str(condition.get("message") or condition.get("reason") or "")
