"""A Release as the tests need it: one component, its objects as the API server would give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.api import parse_release
from tidegate.api.release import Release
from tidegate.api.revision import artifact, revision
from tidegate.engine.values import Part, Phase, Piece, Status, Version
from tidegate.targets.port import App, Resolved

NAMESPACE = "shop"
NAME = "storefront"
UID = "0f6c9a52-0000-4000-8000-000000000001"


def component(name: str = "graphql", **changes: Any) -> dict[str, Any]:
    kubernetes: dict[str, Any] = {
        "replicas": 6,
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "app", "image": f"registry.example/{name}:$(version)"}]},
        },
        "port": 8080,
        "service": name,
        "traffic": {"httpRoute": {"name": name}},
        **changes,
    }
    return {"name": name, "kubernetes": {key: value for key, value in kubernetes.items() if value is not None}}


def release(
    version: str = "v1.2.3", *components: Mapping[str, Any], name: str = NAME, namespace: str = NAMESPACE, **spec: Any
) -> Release:
    return parse_release(
        {
            "metadata": {"name": name, "namespace": namespace, "uid": UID},
            "spec": {"version": version, "components": list(components) or [component()], **spec},
        }
    )


def version_of(found: Release) -> Version:
    content, spec = revision(found), found.spec
    pieces = tuple(Piece(part.name, content, artifact(part, spec.version)) for part in spec.components)
    return Version(spec.version, content, pieces)


def app(found: Release, status: Status | None = None, *, uid: str = UID) -> App:
    status = Status() if status is None else status
    return App(found.metadata.namespace, found.metadata.name, uid, Resolved(found), status, revision(found))


def climbing(stable: Version | None, candidate: Version, attempt: int = 1, weight: int = 0) -> Status:
    parts = tuple(Part(piece.part, weight=weight) for piece in candidate.pieces)
    return Status(phase=Phase.PROGRESSING, attempt=attempt, stable=stable, candidate=candidate, parts=parts)
