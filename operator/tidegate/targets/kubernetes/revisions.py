"""Revisions that are kept: one ControllerRevision each, made before anything of it runs.

So a version that was lost or taken down can be started again exactly as it was, whatever the Release says by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from tidegate.api.meta import LABEL_MANAGED_BY, LABEL_RELEASE, LABEL_REVISION, LABEL_VERSION, MANAGED_BY, short
from tidegate.api.release import Component
from tidegate.api.revision import Named, artifact
from tidegate.engine.values import Status, Version
from tidegate.errors import Permanent
from tidegate.kube import Object
from tidegate.targets.kubernetes.names import ANNOTATION_CONTENT, content_of, revision_name
from tidegate.targets.kubernetes.templates import as_written
from tidegate.targets.port import App, Kept

KEEP: Final = 10


@dataclass(frozen=True, slots=True)
class Revision:
    """One kept revision: all that is needed to run it again."""

    content: str
    version: str
    number: int
    components: Mapping[str, Component]
    artifacts: Mapping[str, str]
    named: Mapping[str, tuple[Named, ...]]  # by component; the content itself is in copies

    @property
    def kept(self) -> Kept:
        return Kept(self.content, self.version, self.number, tuple(sorted(self.artifacts.items())), self.named)


def body(app: App, number: int) -> Object:
    """The ControllerRevision of what the spec asks for now. Raises Invalid where an image can't be filled in."""
    spec = app.release.spec
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": revision_name(app.name, app.revision),
            "namespace": app.namespace,
            "labels": {
                LABEL_MANAGED_BY: MANAGED_BY,
                LABEL_RELEASE: app.name,
                LABEL_REVISION: short(app.revision),
                LABEL_VERSION: spec.version,
            },
            "annotations": {ANNOTATION_CONTENT: app.revision},
        },
        "revision": number,
        "data": {
            "version": spec.version,
            "components": [as_written(component) for component in spec.components],
            "artifacts": {
                component.name: artifact(component, spec.version, app.resolved.named.get(component.name, ()))
                for component in spec.components
            },
            "named": {part: [list(each) for each in named] for part, named in sorted(app.resolved.named.items())},
        },
    }


def read(obj: Object) -> Revision | None:
    """A ControllerRevision as a value; None if it is none of ours. Raises Permanent if ours can't be read."""
    content = content_of(obj)
    if content is None:
        return None
    data: Mapping[str, Any] = obj.get("data") or {}
    try:
        components = tuple(Component.model_validate(document) for document in data["components"])
        return Revision(
            content=content,
            version=str(data["version"]),
            number=int(obj.get("revision") or 0),
            components={component.name: component for component in components},
            artifacts={str(part): str(value) for part, value in data["artifacts"].items()},
            named={
                str(part): tuple(Named(*map(str, each)) for each in named)
                for part, named in (data.get("named") or {}).items()
            },
        )
    except (ValidationError, KeyError, TypeError, ValueError) as error:
        name = obj["metadata"]["name"]
        first = str(error).splitlines()[0]
        raise Permanent(
            f"ControllerRevision {name} can't be read ({first}). Delete it if that revision is not needed."
        ) from None


def kept(objects: Iterable[Object]) -> Mapping[str, Revision]:
    """All that can be read, by content. One that can't be read is as if it were lost: it must not stop the others."""
    found: dict[str, Revision] = {}
    for obj in objects:
        try:
            revision = read(obj)
        except Permanent:
            continue
        if revision is not None:
            found[revision.content] = revision
    return found


def needed(status: Status) -> frozenset[str]:
    """Contents that a status may yet start again, or that run for it."""
    versions: Sequence[Version | None] = (
        status.stable,
        status.previous,
        status.candidate,
        status.recall.version if status.recall else None,
    )
    return frozenset(
        content
        for version in versions
        if version is not None
        for content in (version.content, *(piece.content for piece in version.pieces))
    )


def superfluous(revisions: Mapping[str, Revision], keep: frozenset[str]) -> Sequence[Revision]:
    """What is beyond the last ten, without those that are needed; oldest first."""
    newest_first = sorted(revisions.values(), key=lambda revision: -revision.number)
    return [revision for revision in reversed(newest_first[KEEP:]) if revision.content not in keep]
