"""Names and labels of what the target makes, and how a content is read back from them.

A label holds 63 characters and a content has 64: labels and names carry its first ten, an annotation the whole, and
only the whole is compared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tidegate.api.meta import (
    LABEL_COMPONENT,
    LABEL_MANAGED_BY,
    LABEL_RELEASE,
    LABEL_REVISION,
    LABEL_VERSION,
    MANAGED_BY,
    REVISION_DIGITS,
    short,
)
from tidegate.api.release import Component
from tidegate.kube import Object

LABEL_NAME: Final = "app.kubernetes.io/name"
ANNOTATION_CONTENT: Final = "tidegate.dev/content"  # the revision in whole, on what the target makes


def revision_name(release: str, content: str) -> str:
    """Of the ControllerRevision that keeps a revision."""
    return f"{release}-{short(content)}"


def workload_name(release: str, part: str, content: str) -> str:
    """Of the Deployment and of the Service of one part of one revision."""
    return f"{release}-{part}-{short(content)}"


def app_service_name(release: str, component: Component) -> str:
    """Of the app's own Service, which routes name."""
    return component.kubernetes.service or f"{release}-{component.name}"


def looks_like_workload(release: str, part: str, name: str) -> bool:
    """Whether a name is one that a Service of this part would have, be it there or not."""
    pattern = rf"{re.escape(release)}-{re.escape(part)}-[0-9a-f]{{{REVISION_DIGITS}}}"
    return re.fullmatch(pattern, name) is not None


def part_selector(release: str, part: str) -> dict[str, str]:
    """What selects the pods of one part, whatever their revision."""
    return {LABEL_RELEASE: release, LABEL_COMPONENT: part}


def selector(release: str, part: str, content: str) -> dict[str, str]:
    """What selects the pods of one part of one revision, and nothing else: no label of a user's template."""
    return {**part_selector(release, part), LABEL_REVISION: short(content)}


def labels(release: str, part: str, content: str, version: str) -> dict[str, str]:
    """All labels of what runs for one part of one revision."""
    return {
        LABEL_NAME: part,
        LABEL_VERSION: version,
        LABEL_MANAGED_BY: MANAGED_BY,
        **selector(release, part, content),
    }


def labels_of(obj: Object) -> Mapping[str, str]:
    """Never None."""
    return obj["metadata"].get("labels") or {}


def annotations_of(obj: Object) -> Mapping[str, str]:
    """Never None."""
    return obj["metadata"].get("annotations") or {}


def content_of(obj: Object) -> str | None:
    """The whole revision that an object was made for; None if we did not make it."""
    content = annotations_of(obj).get(ANNOTATION_CONTENT)
    return content if content and labels_of(obj).get(LABEL_MANAGED_BY) == MANAGED_BY else None


def is_ours(obj: Object, release: str, part: str, content: str) -> bool:
    """Whether an object was made by us for exactly this."""
    found = labels_of(obj)
    return content_of(obj) == content and found.get(LABEL_RELEASE) == release and found.get(LABEL_COMPONENT) == part


def is_leaving(obj: Object) -> bool:
    """Whether the object is being deleted."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def resource_version(obj: Object) -> str:
    """For a precondition."""
    return str(obj["metadata"]["resourceVersion"])


def section(obj: Object, name: str) -> Mapping[str, Any]:
    """`spec` or `status`; never None."""
    return obj.get(name) or {}
