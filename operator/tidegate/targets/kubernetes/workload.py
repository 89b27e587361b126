"""What runs for one part of one revision: a Deployment and a Service of the same name.

Neither has an ownerReference, nor a label or annotation of the Release: what serves must not go when the Release is
deleted in the foreground, and no GitOps tool must take it for something of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tidegate.api.configuration import Mention, rename
from tidegate.api.meta import ANNOTATION_CLAIM, LABEL_MANAGED_BY
from tidegate.api.release import Component
from tidegate.api.revision import Named, filled_template
from tidegate.kube import Object
from tidegate.targets.kubernetes.copies import copy_name
from tidegate.targets.kubernetes.names import (
    ANNOTATION_CONTENT,
    LABEL_NAME,
    annotations_of,
    labels,
    selector,
    workload_name,
)
from tidegate.targets.port import App

_THEIRS: Final = frozenset({LABEL_NAME, LABEL_MANAGED_BY})
_MOST_DIGITS: Final = 15  # of a claim: anybody may edit an annotation


def deployment(
    app: App,
    component: Component,
    content: str,
    version: str,
    pods: int,
    claim: int,
    named: Sequence[Named] = (),
) -> Object:
    """The Deployment, for so many pods, which read the copies of what is named. Raises Invalid where an image can't be
    filled in."""
    template = filled_template(component, version, app.name)
    names = {Mention(each.kind, each.name): copy_name(app.name, each) for each in named}
    rename(template["spec"], names.get)
    ours = labels(app.name, component.name, content, version)
    metadata: dict[str, Any] = template.get("metadata") or {}
    # What names the app may be what a PodDisruptionBudget or another Service selects by: the template's word counts.
    theirs = {name: value for name, value in (metadata.get("labels") or {}).items() if name in _THEIRS}
    metadata["labels"] = {**(metadata.get("labels") or {}), **ours, **theirs}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": workload_name(app.name, component.name, content),
            "namespace": app.namespace,
            "labels": ours,
            "annotations": {ANNOTATION_CONTENT: content, ANNOTATION_CLAIM: claim_text(app.uid, claim)},
        },
        "spec": {
            **scale(pods),
            "selector": {"matchLabels": selector(app.name, component.name, content)},
            "template": {**template, "metadata": metadata},
        },
    }


def scale(pods: int) -> Mapping[str, Any]:
    """The fields of a Deployment's spec that say how large it is.

    A revision's template never changes, so that nothing is ever rolled; `maxUnavailable` says only when the Deployment
    counts as `Available`: as long as one pod is. Its last transition then tells since when there has been none, over
    restarts of ours.
    """
    return {
        "replicas": pods,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": max(pods - 1, 0)}},
    }


def service(app: App, component: Component, content: str, version: str) -> Object:
    """The Service that a route names to reach this revision alone."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": workload_name(app.name, component.name, content),
            "namespace": app.namespace,
            "labels": labels(app.name, component.name, content, version),
            "annotations": {ANNOTATION_CONTENT: content},
        },
        "spec": {
            "selector": selector(app.name, component.name, content),
            "ports": [{"name": "http", "port": component.kubernetes.port, "targetPort": component.kubernetes.port}],
        },
    }


# ---- the claim


def claim_text(uid: str, claim: int) -> str:
    """The annotation's value: which Release, and in which of its attempts."""
    return f"{uid}/{claim}"


def claim_of(obj: Object | None, uid: str) -> int:
    """The attempt that started it last; 0 if there is none, or if it was for a Release of another uid."""
    if obj is None:
        return 0
    owner, _, number = annotations_of(obj).get(ANNOTATION_CLAIM, "").rpartition("/")
    return int(number) if owner == uid and number.isdecimal() and len(number) <= _MOST_DIGITS else 0
