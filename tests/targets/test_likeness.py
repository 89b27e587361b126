"""A spec that can't be resolved may ask for a kept revision, or surely asks for something else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.targets.sample import NAMESPACE, UID, component, release
from tidegate.api.release import Release
from tidegate.api.revision import Named, revision
from tidegate.engine.values import Status
from tidegate.kube import Object
from tidegate.targets.kubernetes import revisions
from tidegate.targets.kubernetes.copies import MISSING
from tidegate.targets.kubernetes.likeness import may_mean
from tidegate.targets.kubernetes.revisions import Revision
from tidegate.targets.kubernetes.templates import read, with_template
from tidegate.targets.port import App, Resolved

SETTINGS = Named("ConfigMap", "settings", "a" * 64)
DB = Named("Secret", "db", "b" * 64)
NAMED = {"graphql": (SETTINGS, DB)}


def kept(found: Release, named: Mapping[str, tuple[Named, ...]] = NAMED) -> Revision:
    """As it is read back from its ControllerRevision."""
    app = App(NAMESPACE, "storefront", UID, Resolved(found, named), Status(), revision(found, named))
    made = revisions.read(revisions.body(app, 1))
    assert made is not None
    return made


def unresolved(found: Release, *named: Named) -> Resolved:
    return Resolved(found, {"graphql": named or (SETTINGS._replace(content=MISSING), DB)})


def test_what_is_missing_may_be_what_a_revision_was_made_with() -> None:
    assert may_mean(unresolved(release("v1")), kept(release("v1")))
    assert may_mean(unresolved(release("v1", component(replicas=12), paused=True)), kept(release("v1")))


@pytest.mark.parametrize(
    "asked",
    [
        unresolved(release("v2")),
        unresolved(release("v1", component(port=9090))),
        unresolved(release("v1", component(), component("other"))),
        unresolved(release("v1"), SETTINGS._replace(content=MISSING), DB._replace(content="c" * 64)),
        unresolved(release("v1"), SETTINGS._replace(name="settings-bbb", content=MISSING), DB),
        unresolved(release("v1"), SETTINGS._replace(content=MISSING)),
    ],
)
def test_what_differs_in_anything_that_is_known_asks_for_something_else(asked: Resolved) -> None:
    assert not may_mean(asked, kept(release("v1")))


FROM = {"template": None, "templateFrom": {"deployment": "web"}}
POD: Object = {"spec": {"containers": [{"name": "app", "image": "registry.example/graphql:v1"}]}}


def from_deployment(version: str = "v1", **changes: Any) -> Release:
    """While the Deployment can't be read."""
    return release(version, component(**{**FROM, **changes}))


def resolved_from(version: str = "v1", **changes: Any) -> Release:
    found = from_deployment(version, **changes)
    (part,) = found.spec.components
    spec = found.spec.model_copy(update={"components": (with_template(part, read(POD)),)})
    return found.model_copy(update={"spec": spec})


def test_a_template_that_can_not_be_read_may_be_the_one_that_was_kept() -> None:
    made = kept(resolved_from())
    assert may_mean(Resolved(from_deployment()), made)
    assert not may_mean(Resolved(from_deployment("v2")), made)
    assert not may_mean(Resolved(from_deployment(port=9090)), made)
    other = [{"container": "app", "image": "registry.example/graphql:v9"}]
    assert not may_mean(Resolved(from_deployment(images=other)), made)
    assert not may_mean(Resolved(from_deployment(images=[{"container": "none", "image": "x:v1"}])), made)
