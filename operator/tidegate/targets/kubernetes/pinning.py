"""The app's own Service: whether we may use it, and what it selects.

Its selector is pinned to the pods of one revision, the stable one: who calls it directly never meets a candidate.
`port`, which routes and callers name, never moves; `targetPort` does, where a revision has another port.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tidegate.api.meta import LABEL_COMPONENT, LABEL_MANAGED_BY, LABEL_RELEASE, LABEL_REVISION, MANAGED_BY, short
from tidegate.api.permission import refusal
from tidegate.api.release import Component
from tidegate.kube import Object
from tidegate.targets.kubernetes.names import LABEL_NAME, annotations_of, app_service_name, labels_of, section, selector
from tidegate.targets.port import App

BEFORE: Final = "tidegate.dev/selector-before"
"""Annotation of a Service that was somebody's before it was pinned: the selector that it had, for when it is his again.
"""


def may_use(app: App, service: Object | None, name: str) -> str | None:
    """None if the Release may use the Service, or if there is none; else the sentence that says why not."""
    if service is None:
        return None
    return refusal("Service", app.namespace, name, labels_of(service), app.name)


def pinned_to(service: Object | None, release: str, part: str, contents: Sequence[str]) -> str:
    """The content among these that the Service selects; "" if none."""
    found: Mapping[str, str] = section(service, "spec").get("selector") or {} if service else {}
    digits = found.get(LABEL_REVISION)
    content = next((content for content in contents if short(content) == digits), "")
    return content if content and found == selector(release, part, content) else ""


def pinned_body(app: App, component: Component, content: str, port: int, target: int) -> Object:
    """The Service, made because there is none. `port` is the one that routes name, `target` that of the content."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": app_service_name(app.name, component),
            "namespace": app.namespace,
            "labels": {
                LABEL_NAME: component.name,
                LABEL_MANAGED_BY: MANAGED_BY,
                LABEL_RELEASE: app.name,
                LABEL_COMPONENT: component.name,
            },
        },
        "spec": {
            "selector": selector(app.name, component.name, content),
            "ports": [{"name": "http", "port": port, "targetPort": target}],
        },
    }


def pin_patch(service: Object, release: str, part: str, content: str, old: int | None, target: int) -> Object:
    """A merge patch of the Service as it was read: our selector, and nothing else in it but the port of the pods, where
    that moves along with them from `old` (None: not known) to `target`."""
    spec = selecting(service, selector(release, part, content)) | targeting(service, old, target)
    metadata: dict[str, Any] = {"resourceVersion": service["metadata"]["resourceVersion"]}
    if before := remembering(service, release):
        metadata["annotations"] = before
    return {"metadata": metadata, "spec": spec}


def selecting(service: Object, wanted: Mapping[str, str]) -> dict[str, Any]:
    """The part of a merge patch that makes this the whole selector."""
    return {"selector": {**dict.fromkeys(section(service, "spec").get("selector") or {}), **wanted}}


def targeting(service: Object, old: int | None, target: int) -> dict[str, Any]:
    """The part of a merge patch by which the Service reaches the port of other pods; empty where it does."""
    ports: Sequence[dict[str, Any]] = section(service, "spec").get("ports") or ()
    retargeted = [_retargeted(entry, _is_made(service), old, target) for entry in ports]
    return {"ports": retargeted} if retargeted != list(ports) else {}


def remembering(service: Object, release: str) -> dict[str, Any]:
    """The annotations by which a selector that is none of ours can be given back, once it is replaced."""
    if not selects_others(service, release):
        return {}
    return {BEFORE: json.dumps(section(service, "spec")["selector"], sort_keys=True, separators=(",", ":"))}


def selector_before(service: Object) -> Mapping[str, str]:
    """What the Service selected before it was pinned; empty where that is not known."""
    try:
        found = json.loads(annotations_of(service).get(BEFORE, ""))
    except ValueError:
        return {}
    is_selector = isinstance(found, dict) and all(isinstance(value, str) for value in found.values())
    return found if is_selector else {}


def selector_patch(service: Object, wanted: Mapping[str, str], *, done: bool) -> Object:
    """A merge patch by which the Service selects exactly this; `done`: nothing is to be remembered any more."""
    metadata: dict[str, Any] = {"resourceVersion": service["metadata"]["resourceVersion"]}
    if done:
        metadata["annotations"] = {BEFORE: None}
    return {"metadata": metadata, "spec": selecting(service, wanted)}


def _retargeted(entry: dict[str, Any], made: bool, old: int | None, target: int) -> dict[str, Any]:
    """In a Service that is the user's, a name, and a number that is none of ours, say what he meant."""
    there = entry.get("targetPort")
    return {**entry, "targetPort": target} if made or (isinstance(there, int) and there == old) else entry


def _is_made(service: Object) -> bool:
    return labels_of(service).get(LABEL_MANAGED_BY) == MANAGED_BY


def selects_ours(service: Object | None, release: str) -> bool:
    """Whether a Service leads to pods that are made for this Release, and to no others."""
    found: Mapping[str, str] = section(service, "spec").get("selector") or {} if service else {}
    return found.get(LABEL_RELEASE) == release and LABEL_COMPONENT in found


def selects_others(service: Object | None, release: str) -> bool:
    """Whether a Service has a selector that is none of ours: something else may serve behind it.

    A Service without a selector has none; what may serve behind it by endpoints written by hand, `Neighbours` tells.
    """
    found: Mapping[str, str] = section(service, "spec").get("selector") or {} if service else {}
    return bool(found) and not selects_ours(service, release)
