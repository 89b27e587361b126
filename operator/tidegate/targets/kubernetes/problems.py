"""What keeps pods from running, as sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tidegate.api.conditions import Reason
from tidegate.api.meta import LABEL_VERSION
from tidegate.kube import Object
from tidegate.scrubbing import scrub
from tidegate.targets.kubernetes.health import condition, is_ready
from tidegate.targets.kubernetes.names import is_leaving, labels_of, section
from tidegate.targets.port import Problem

UNSCHEDULABLE: Final = "Unschedulable"
PODS_REFUSED: Final = "PodsRefused"
CONTAINER_CONFIG: Final = "ContainerConfigError"
CRASHED: Final = "Crashed"
SERVICE_MISSING: Final = "ServiceMissing"

_PULL_TRIED: Final = frozenset({"ErrImagePull", "RegistryUnavailable"})
_PULL_FAILED: Final = frozenset({"ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError"})
_CONFIG: Final = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_LONGEST: Final = 300
_LAST_WORDS: Final = 200  # of a container: who may read a Release may not be who may read its pods' logs


class _Found(NamedTuple):
    reason: str
    sentence: str
    lasting: bool


def of_workload(part: str, content: str, deployment: Object | None, pods: Sequence[Object]) -> Sequence[Problem]:
    """One problem a reason: of several pods with the same trouble the first speaks, and how many there are is said."""
    by_reason: dict[str, list[_Found]] = {}
    for pod in pods:
        if not is_leaving(pod) and not is_ready(pod):
            for trouble in _of_pod(pod):
                by_reason.setdefault(trouble.reason, []).append(trouble)
    if deployment is not None:
        for refused in _of_deployment(deployment):
            by_reason.setdefault(refused.reason, []).append(refused)
    return [
        Problem(part, content, reason, _with_count(several), any(found.lasting for found in several))
        for reason, several in by_reason.items()
    ]


def _with_count(several: Sequence[_Found]) -> str:
    first = several[0].sentence
    return first if len(several) == 1 else f"{first} ({len(several)} pods in all)"


def _of_deployment(deployment: Object) -> Iterator[_Found]:
    failure = condition(deployment, "ReplicaFailure")
    if failure.get("status") != "True":
        return
    name, message = deployment["metadata"]["name"], one_line(failure.get("message"))
    if "exceeded quota" in message:
        yield _Found(
            Reason.QUOTA_EXCEEDED, f"The namespace's quota leaves no room for pods of {name}: {message}", lasting=True
        )
    else:
        yield _Found(PODS_REFUSED, f"The API server refuses the pods of {name}: {message}", lasting=True)


def _of_pod(pod: Object) -> Iterator[_Found]:
    name, version = pod["metadata"]["name"], labels_of(pod).get(LABEL_VERSION, "?")
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        yield _Found(
            UNSCHEDULABLE, f"No node takes pod {name} of {version}: {one_line(scheduled.get('message'))}", lasting=False
        )
    status = section(pod, "status")
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        if found := _of_container(container, name, version):
            yield found


def _of_container(container: Mapping[str, Any], pod: str, version: str) -> _Found | None:
    state: Mapping[str, Any] = container.get("state") or {}
    waiting: Mapping[str, Any] = state.get("waiting") or {}
    reason, message = str(waiting.get("reason", "")), one_line(waiting.get("message"))
    where = f"container {container.get('name')} of pod {pod} ({version})"
    if reason in _PULL_TRIED | _PULL_FAILED:
        sentence = (
            f"Image {container.get('image')} of {where} can't be pulled ({reason}): {message}. "
            "Check its name and tag, and the pods' imagePullSecrets."
        )
        return _Found(Reason.IMAGE_PULL_FAILED, sentence, reason in _PULL_FAILED)
    if reason in _CONFIG:
        return _Found(CONTAINER_CONFIG, f"The {where} can't be made ({reason}): {message}", lasting=True)
    last: Mapping[str, Any] = (container.get("lastState") or {}).get("terminated") or {}
    if reason == "CrashLoopBackOff":
        return _Found(Reason.CRASH_LOOP, f"The {where} crashes again and again{_end(last)}", lasting=True)
    ended: Mapping[str, Any] = state.get("terminated") or (last if container.get("restartCount") else {})
    if ended.get("exitCode"):
        return _Found(CRASHED, f"The {where} has crashed{_end(ended)}", lasting=False)
    return None


def _end(ended: Mapping[str, Any]) -> str:
    """How it ended: ": it exited with code 3 (OOMKilled): its last message"."""
    if "exitCode" not in ended:
        return ""
    reason = f" ({ended['reason']})" if ended.get("reason") and ended["reason"] != "Error" else ""
    message = one_line(ended.get("message"), _LAST_WORDS)
    return f": it exited with code {ended['exitCode']}{reason}" + (f": {message}" if message else "")


def one_line(message: object, longest: int = _LONGEST) -> str:
    """One line, not too long, without credentials and without the full stop that our sentence sets."""
    text = " ".join(scrub(str(message or "")).split()).rstrip(".")
    return text if len(text) <= longest else text[: longest - 1] + "…"
