"""How one part of one revision is, against the size that was asked for. Pure: objects as the API has them, and now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tidegate.api.grammar import parse_time
from tidegate.engine.values import State
from tidegate.kube import Object
from tidegate.targets.kubernetes.names import is_leaving, section

LOST_AFTER: Final = 30.0  # seconds without a ready pod, after there were


def is_ready(pod: Object) -> bool:
    """Whether the kubelet calls the pod ready and nobody has asked it to go."""
    return not is_leaving(pod) and condition(pod, "Ready").get("status") == "True"


def is_reachable(pod: Object) -> bool:
    """Whether it runs and has an address: it may be asked how it is."""
    status = section(pod, "status")
    return not is_leaving(pod) and status.get("phase") == "Running" and bool(status.get("podIP"))


def state(deployment: Object | None, has_service: bool, ready: int, wanted: int, now: float) -> State:
    """`ready` pods of `wanted`, after our own probes.

    What is half there, without its Service or scaled to nothing by somebody, is lost: it is there to be mended or to be
    taken down, but serves nobody.
    """
    if deployment is None:
        return State.LOST if has_service else State.ABSENT
    if is_leaving(deployment):
        return State.ABSENT
    spec = section(deployment, "spec")
    if not has_service or spec.get("replicas", 1) == 0:
        return State.LOST
    current = section(deployment, "status").get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    if ready >= wanted and current:
        return State.READY
    if ready:
        return State.SHORT
    return State.LOST if _none_since(deployment) <= now - LOST_AFTER and has_served(deployment) else State.STARTING


def has_served(deployment: Object) -> bool:
    """Whether all its pods were ready once. The reason stays, whatever becomes of them: it is our memory of it."""
    return condition(deployment, "Progressing").get("reason") == "NewReplicaSetAvailable"


def _none_since(deployment: Object) -> float:
    """Since when not one pod is available (see `workload.scale`), or infinitely late while one is."""
    available = condition(deployment, "Available")
    if available.get("status") != "False":
        return float("inf")
    try:
        return parse_time(available.get("lastTransitionTime"))
    except ValueError:
        return float("inf")


def endpoints(pods: Sequence[Object], port: int) -> tuple[str, ...]:
    """host:port of each pod, sorted; an IPv6 address in brackets."""
    addresses = [str(section(pod, "status").get("podIP")) for pod in pods]
    return tuple(sorted(f"[{address}]:{port}" if ":" in address else f"{address}:{port}" for address in addresses))


def condition(obj: Object, kind: str) -> Mapping[str, Any]:
    """The condition of that type; empty if there is none."""
    return next((found for found in conditions(obj) if found.get("type") == kind), {})


def conditions(obj: Object) -> Iterator[Mapping[str, Any]]:
    yield from section(obj, "status").get("conditions") or ()
