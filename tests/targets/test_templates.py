"""A Deployment's pod template as a component's own: who may name it, and which images may stand beside it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.targets.sample import NAME, NAMESPACE, component, release
from tidegate.api.release import Component, Release
from tidegate.api.revision import artifact, filled_template, revision
from tidegate.errors import Invalid
from tidegate.kube import DEPLOYMENTS, Client, Cluster, Store
from tidegate.targets.kubernetes import templates

LABELLED = {"tidegate.dev/release": NAME}


def taken(name: str = "graphql", image: str | None = None, **changes: Any) -> dict[str, Any]:
    images = [{"container": "app", "image": image}] if image else None
    return component(name, template=None, templateFrom={"deployment": "graphql"}, images=images, **changes)


def cluster(
    image: str = "registry.example/graphql:v1.2.3", labels: dict[str, str] = LABELLED, **metadata: Any
) -> Cluster:
    found = Cluster(cast(Client, None), Store())
    pods = {"metadata": {"labels": {"app": "graphql"}}, "spec": {"containers": [{"name": "app", "image": image}]}}
    found.store.put(
        DEPLOYMENTS,
        {
            "metadata": {
                "name": "graphql",
                "namespace": NAMESPACE,
                "uid": "d",
                "resourceVersion": "1",
                "labels": labels,
                **metadata,
            },
            "spec": {"template": pods},
        },
    )
    return found


def in_force(found: Release, there: Cluster) -> Component:
    resolved, problems = templates.in_force(there, found)
    assert not problems
    return resolved.spec.components[0]


def refused(found: Release, there: Cluster) -> str:
    resolved, problems = templates.in_force(there, found)
    (problem,) = problems
    assert problem.lasting
    assert resolved.spec.components[0].kubernetes.template is None
    assert len(revision(resolved)) == 64
    return problem.sentence


def test_the_template_of_the_deployment_is_the_components_own_as_if_it_were_written_there() -> None:
    found = in_force(release("v1.2.3", taken()), cluster())
    (written,) = release("v1.2.3").spec.components
    assert artifact(found, "v1.2.3") == artifact(written, "v1.2.3")


def test_an_image_beside_it_is_filled_in_and_stands_in_its_place() -> None:
    found = in_force(release("v1.3.0", taken(image="registry.example/graphql:$(version)")), cluster())
    (container,) = filled_template(found, "v1.3.0", NAME)["spec"]["containers"]
    assert container["image"] == "registry.example/graphql:v1.3.0"


@pytest.mark.parametrize(
    "image", ["evil.example/graphql:$(version)", "registry.example/other:v1", "registry.example:5000/graphql:v1"]
)
def test_another_repository_is_refused(image: str) -> None:
    assert "never another repository" in refused(release("v1.2.3", taken(image=image)), cluster())


def test_a_container_that_is_not_there_is_refused() -> None:
    found = taken()
    found["kubernetes"]["images"] = [{"container": "sidecar", "image": "registry.example/graphql:v1"}]
    assert "no container of the Deployment is called sidecar" in refused(release("v1.2.3", found), cluster())


def test_without_the_label_it_is_refused_with_the_command_that_allows_it() -> None:
    sentence = refused(release("v1.2.3", taken()), cluster(labels={}))
    assert f"kubectl label --namespace {NAMESPACE} deployment graphql tidegate.dev/release={NAME}" in sentence
    sentence = refused(release("v1.2.3", taken()), cluster(labels={"tidegate.dev/release": "other"}))
    assert "belongs to Release other" in sentence


def test_one_that_is_being_deleted_or_is_a_revisions_own_or_is_named_twice_is_refused() -> None:
    assert "is not there" in refused(release("v1", taken()), cluster(deletionTimestamp="2026-11-23T18:00:00Z"))
    ours = {**LABELLED, "app.kubernetes.io/managed-by": "tidegate"}
    made = cluster(labels=ours, annotations={"tidegate.dev/content": "0" * 64})
    assert "was made by Tidegate" in refused(release("v1", taken()), made)
    _, problems = templates.in_force(cluster(), release("v1", taken(), taken("rest")))
    assert [("graphql" in p.sentence, "rest" in p.sentence) for p in problems] == [(True, True), (True, True)]


@pytest.mark.parametrize(
    ("image", "repository", "version"),
    [
        ("nginx", "nginx", "adopted"),
        ("nginx:1.27", "nginx", "1.27"),
        ("registry.example:5000/shop/web", "registry.example:5000/shop/web", "adopted"),
        ("registry.example:5000/shop/web:v1.2.3", "registry.example:5000/shop/web", "v1.2.3"),
        ("registry.example/web@sha256:0123456789abcdef0123", "registry.example/web", "0123456789ab"),
        ("registry.example/web:v1@sha256:0123456789abcdef", "registry.example/web", "v1"),
    ],
)
def test_an_image_tells_its_repository_and_what_to_call_it(image: str, repository: str, version: str) -> None:
    assert templates.repository(image) == repository
    found = in_force(release("v9", taken()), cluster(image))
    assert found.kubernetes.template is not None
    assert templates.version_of(found.kubernetes.template, found) == version


def test_a_label_selector_is_a_query() -> None:
    selector = {
        "matchLabels": {"b": "2", "a": "1"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["api", "web"]},
            {"key": "old", "operator": "DoesNotExist"},
        ],
    }
    assert templates.selector_text(selector) == "a=1,b=2,tier in (api,web),!old"


def test_a_kept_revision_has_the_template_itself_and_not_where_it_came_from() -> None:
    found = in_force(release("v1.3.0", taken(image="registry.example/graphql:$(version)")), cluster())
    read = Component.model_validate(templates.as_written(found))
    assert (read.kubernetes.template_from, read.kubernetes.images) == (None, ())
    assert artifact(read, "v1.3.0") == artifact(found, "v1.3.0")


def test_a_template_that_can_not_be_read_is_told_by_its_place_and_nothing_that_is_in_it() -> None:
    secret = {"name": "app", "image": "app:v1", "env": [{"name": "PASSWORD", "value": "sesame"}]}
    with pytest.raises(Invalid) as caught:
        templates.read({"metadata": {"labels": {"app": 7}}, "spec": {"containers": [secret]}})
    assert caught.value.message.startswith("the Deployment's pod template can't be read: metadata.labels.app: ")
    assert "https://" not in caught.value.message
    assert "sesame" not in caught.value.message
    with pytest.raises(Invalid, match="it has no spec"):
        templates.read({})
