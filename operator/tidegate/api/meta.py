"""Names under which Tidegate is known to Kubernetes, and the metadata of an object as we read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import Field

from tidegate.api.grammar import Time
from tidegate.api.schema import Reader

GROUP: Final = "tidegate.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

# Labels. On objects of a user, `LABEL_RELEASE` is the owner's yes: only the Release that it names may use the object.
LABEL_RELEASE: Final = "tidegate.dev/release"
LABEL_CONNECTION: Final = "tidegate.dev/connection"  # on a Secret: the Connection that may use it
LABEL_COMPONENT: Final = "tidegate.dev/component"
LABEL_REVISION: Final = "tidegate.dev/revision"
LABEL_VERSION: Final = "app.kubernetes.io/version"
LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGED_BY: Final = "tidegate"

# Annotations. None is ever obeyed; they are what an outside write is fenced with, and what a claim is marked with.
ANNOTATION_MOVE_PREFIX: Final = "tidegate.dev/move-"  # + release, on a route: uid and moves of its last write
ANNOTATION_CLAIM: Final = "tidegate.dev/claim"  # on a revision's Deployment: uid and attempt it was started for

FINALIZER: Final = "tidegate.dev/settle"
FIELD_MANAGER: Final = "tidegate"

KIND_RELEASE: Final = "Release"
KIND_POLICY: Final = "ReleasePolicy"
KIND_CONNECTION: Final = "Connection"
KIND_INTERVENTION: Final = "Intervention"

PLURALS: Final[Mapping[str, str]] = {
    KIND_RELEASE: "releases",
    KIND_POLICY: "releasepolicies",
    KIND_CONNECTION: "connections",
    KIND_INTERVENTION: "interventions",
}

REVISION_DIGITS: Final = 10
"""So many characters of a revision stand in names, labels and `$(revision)`; it is compared whole."""


def short(revision: str) -> str:
    """The part of a revision (64 hexadecimal digits) that stands in names and labels."""
    return revision[:REVISION_DIGITS]


class Meta(Reader):
    """`metadata` of an object: what we need of it; the rest is left alone."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: Mapping[str, str] = Field(default_factory=dict)
    annotations: Mapping[str, str] = Field(default_factory=dict)
    finalizers: tuple[str, ...] = ()

    @property
    def deleting(self) -> bool:
        """Whether someone has asked for the object's deletion."""
        return self.deletion_timestamp is not None
