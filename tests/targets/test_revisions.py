from __future__ import annotations

import pytest

from tests.targets.sample import NAME, NAMESPACE, app, component, release, version_of
from tidegate.api.revision import artifact, filled_template, revision
from tidegate.engine.values import Status
from tidegate.errors import Invalid, Permanent
from tidegate.targets.kubernetes import revisions, workload
from tidegate.targets.kubernetes.names import looks_like_workload, revision_name, workload_name


def test_a_revision_is_64_hexadecimal_digits_and_stands_for_what_runs() -> None:
    assert len(revision(release())) == 64
    assert int(revision(release()), 16)


@pytest.mark.parametrize(
    "changed",
    [
        release("v1.2.4"),
        release("v1.2.3", component(port=9090)),
        release("v1.2.3", component(template={"spec": {"containers": [{"name": "app", "image": "x:$(version)"}]}})),
        release("v1.2.3", component(), component("rest")),
        release("v1.2.3", component(traffic={"httpRoute": {"name": "other"}})),
        release("v1.2.3", component(service="other")),
    ],
)
def test_what_runs_otherwise_is_another_revision_also_under_the_same_version(changed: object) -> None:
    assert revision(changed) != revision(release())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changed",
    [
        release("v1.2.3", component(replicas=12)),
        release("v1.2.3", component(probes={"health": "/health"})),
        release("v1.2.3", component(drain="5s")),
        release("v1.2.3", {**component(), "steps": [{"weight": 100}]}),
        release("v1.2.3", steps=[{"weight": 1, "hold": "1m"}, {"weight": 100}]),
        release("v1.2.3", author="dan@example.com", paused=True),
        release("v1.2.3", name="another"),
    ],
)
def test_size_probes_ladders_and_words_about_it_are_not_what_runs(changed: object) -> None:
    assert revision(changed) == revision(release())  # type: ignore[arg-type]


def test_the_order_of_components_is_nothing_that_runs() -> None:
    one, other = component(), component("rest")
    assert revision(release("v1", one, other)) == revision(release("v1", other, one))


def test_a_component_whose_image_does_not_name_the_version_is_the_same_artifact() -> None:
    pinned = component("rest", template={"spec": {"containers": [{"name": "app", "image": "rest@sha256:0"}]}})
    (found,) = release("v1", pinned).spec.components
    assert artifact(found, "v1") == artifact(found, "v2")
    (moving,) = release("v1").spec.components
    assert artifact(moving, "v1") != artifact(moving, "v2")


def test_only_images_are_filled_in() -> None:
    template = {
        "spec": {
            "initContainers": [{"name": "init", "image": "init:$(version)"}],
            "containers": [
                {"name": "app", "image": "$(release)/$(component):$(version)", "args": ["$(version)", "$$(x)"]}
            ],
        }
    }
    (found,) = release("v1.2.3", component(template=template)).spec.components
    filled = filled_template(found, "v1.2.3", NAME)["spec"]
    assert filled["initContainers"][0]["image"] == "init:v1.2.3"
    assert filled["containers"][0] == {
        "name": "app",
        "image": "storefront/graphql:v1.2.3",
        "args": ["$(version)", "$$(x)"],
    }


def test_an_image_that_names_the_revision_is_refused() -> None:
    template = {"spec": {"containers": [{"name": "app", "image": "app:$(revision)"}]}}
    with pytest.raises(Invalid, match=r"\$\(revision\) is not a placeholder here"):
        revision(release("v1", component(template=template)))


def test_a_kept_revision_is_read_back_as_it_was() -> None:
    wanted = release("v1.2.3", component(drain="5s", probes={"ready": "/ready"}), component("rest", service=None))
    found = revisions.read(revisions.body(app(wanted), 7))
    assert found is not None
    assert (found.content, found.version, found.number) == (revision(wanted), "v1.2.3", 7)
    assert found.components == {part.name: part for part in wanted.spec.components}
    assert found.kept.artifacts == tuple((part.name, artifact(part, "v1.2.3")) for part in wanted.spec.components)


def test_one_that_cannot_be_read_says_so_and_does_not_stop_the_others() -> None:
    good, bad = dict(revisions.body(app(release()), 1)), dict(revisions.body(app(release("v2")), 2))
    bad["data"] = {"version": "v2"}
    with pytest.raises(Permanent, match=r"ControllerRevision storefront-[0-9a-f]{10} can't be read"):
        revisions.read(bad)
    assert list(revisions.kept([good, bad])) == [revision(release())]


def test_ten_are_kept_and_never_one_that_the_status_names() -> None:
    bodies = [revisions.body(app(release(f"v{number}")), number) for number in range(1, 15)]
    found = revisions.kept(bodies)
    oldest = version_of(release("v1"))
    gone = revisions.superfluous(found, revisions.needed(Status(stable=oldest)))
    assert [revision.version for revision in gone] == ["v2", "v3", "v4"]


def test_names_hold_the_longest_that_the_api_lets_through() -> None:
    name = workload_name("r" * 18, "c" * 18, "a" * 64)
    assert len(name) <= 63
    assert looks_like_workload("r" * 18, "c" * 18, name)
    assert not looks_like_workload("r" * 18, "c" * 17, name)
    assert revision_name(NAME, "a" * 64) == "storefront-aaaaaaaaaa"
    assert NAMESPACE


def test_the_pods_keep_the_labels_by_which_a_disruption_budget_may_select_them() -> None:
    helm = {
        "app.kubernetes.io/name": "shop",
        "app.kubernetes.io/instance": "prod",
        "app.kubernetes.io/managed-by": "Helm",
    }
    pods = {"metadata": {"labels": helm}, "spec": {"containers": [{"name": "app", "image": "x:$(version)"}]}}
    found = app(release("v1", component(template=pods)))
    (part,) = found.release.spec.components
    made = workload.deployment(found, part, "0" * 64, "v1", 2, 1)
    labels = made["spec"]["template"]["metadata"]["labels"]
    assert helm.items() <= labels.items()
    assert made["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert made["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "tidegate"
