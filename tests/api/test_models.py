"""The models: the samples are read, what is nonsense gets a sentence with its place, and nothing is invented."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from tests.api.documents import Document, all_documents, changed, document
from tidegate.api import (
    Action,
    Percent,
    ReleaseStatus,
    parse_connection,
    parse_intervention,
    parse_meta,
    parse_policy,
    parse_release,
    parse_release_status,
)
from tidegate.api.revision import revision
from tidegate.errors import Invalid

PARSERS: dict[str, Callable[[Document], Any]] = {
    "Release": parse_release,
    "ReleasePolicy": parse_policy,
    "Connection": parse_connection,
    "Intervention": parse_intervention,
}


@pytest.mark.parametrize("kind", PARSERS)
def test_every_sample_is_read_and_given_back_as_it_was_written(kind: str) -> None:
    for sample in all_documents():
        if sample["kind"] == kind:
            assert PARSERS[kind](sample).spec.document() == sample["spec"]


def test_what_is_absent_stays_absent() -> None:
    spec = parse_release(document("Release")).spec
    assert spec.steps is None
    assert spec.paused is None
    assert "steps" not in spec.document()
    assert "paused" not in spec.document()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda spec: spec.pop("version"), "spec.version: is required and not there"),
        (lambda spec: spec.update(version=1.1), "spec.version: must be text: quote it"),
        (lambda spec: spec.update(version="v1/2"), "spec.version: 'v1/2' is refused; write a version"),
        (lambda spec: spec.update(verison="v1"), "spec.verison: is no field here"),
        (lambda spec: spec.update(steps=[]), "spec.steps: has too few items: write at least 1"),
        (
            lambda spec: spec.update(steps=[{"weight": 50}, {"weight": 10}, {"weight": 100}]),
            "spec.steps: steps must rise",
        ),
        (lambda spec: spec.update(steps=[{"weight": 0}, {"weight": 100}]), "spec.steps: steps must rise"),
        (lambda spec: spec.update(steps=[{"weight": 10}]), "spec.steps: the last step must have weight 100"),
        (lambda spec: spec.update(steps=[{"weight": 110}]), r"spec.steps\[0\].weight: 110 is not a percentage"),
        (
            lambda spec: spec.update(steps=[{"weight": 100, "hold": "soon"}]),
            r"spec.steps\[0\].hold: 'soon' is not a dur",
        ),
        (lambda spec: spec.update(steps=[{"weight": 100, "hold": 60}]), r"spec.steps\[0\].hold: 60 is not a duration"),
        (lambda spec: spec.update(components=[]), "spec.components: has too few items: write at least 1"),
        (lambda spec: spec.update(components=spec["components"] * 2), "spec.components: 'web' is there twice"),
        (lambda spec: spec["components"][0].update(name="Web"), r"spec.components\[0\].name: 'Web' is refused; write"),
        (lambda spec: spec["checks"][0].update(name="w" * 30), "may have 36 characters together: shorten one"),
        (lambda spec: pod(spec).update(containers=[]), "spec.containers: write at least one container"),
        (lambda spec: pod(spec).update(containers=[{"name": "web"}]), r"spec.containers\[0\].image: write an image"),
        (lambda spec: pod(spec)["containers"][0].update(image="a:$(revision)"), r"\$\(revision\) is not a placeholder"),
        (lambda spec: pod(spec).update(initContainers="x"), "spec.initContainers: write a list of containers"),
        (lambda spec: spec["checks"][0].update(http={"component": "web", "path": "/"}), "exactly one of job and http"),
        (lambda spec: spec["checks"][1]["http"].update(component="nobody"), "'nobody' is none of spec.components"),
        (lambda spec: spec["checks"][1]["http"].update(path="http://evil"), "write a path that begins with /"),
        (lambda spec: spec["checks"][1].update(when=["Sometimes"]), r"spec.checks\[1\].when\[0\]"),
        (
            lambda spec: spec["components"][0]["kubernetes"].update(replicas=0),
            "replicas: is too small: write at least 1",
        ),
        (
            lambda spec: spec["components"][0]["kubernetes"].update(preview={"header": "x tidegate"}),
            "write the name of a header, in letters, digits and '-'",
        ),
        (
            lambda spec: spec["checks"][1]["http"].update(via="Preview"),
            "checks: front: via Preview needs preview in that",
        ),
        (
            lambda spec: spec["components"][0]["kubernetes"].update(preview={}, traffic={"service": {}}),
            "preview needs traffic.httpRoute",
        ),
    ],
)
def test_nonsense_in_a_release_is_refused_with_its_place_and_what_to_write(
    change: Callable[[Document], object], sentence: str
) -> None:
    with pytest.raises(Invalid, match=sentence):
        parse_release(changed("Release", change))


@pytest.mark.parametrize(
    ("written", "header"), [(None, None), ({}, "x-tidegate-version"), ({"header": "x-try"}, "x-try")]
)
def test_a_preview_has_the_header_that_is_written_or_the_usual_one(
    written: Document | None, header: str | None
) -> None:
    def change(spec: Document) -> None:
        if written is not None:
            spec["components"][0]["kubernetes"]["preview"] = written

    (component,) = parse_release(changed("Release", change)).spec.components
    assert component.kubernetes.preview_header == header


def test_how_requests_are_marked_is_no_part_of_a_revision() -> None:
    plain = parse_release(document("Release"))
    marked = changed("Release", lambda spec: spec["components"][0]["kubernetes"].update(preview={}))
    assert revision(parse_release(marked)) == revision(plain)


def pod(spec: Document) -> Document:
    template: Document = spec["components"][0]["kubernetes"]["template"]["spec"]
    return template


def test_an_error_names_its_path_and_the_other_wrong_fields() -> None:
    with pytest.raises(Invalid) as caught:
        parse_release(changed("Release", lambda spec: spec.update(version=1, paused="maybe", odd=1)))
    assert caught.value.path == "spec.version"
    assert "(and 2 more: spec.paused, spec.odd)" in str(caught.value)


def test_the_pods_are_kept_as_they_are_also_what_we_do_not_know() -> None:
    made = changed("Release", lambda spec: pod(spec).update(newFeature={"on": True}, hostUsers=False))
    template = parse_release(made).spec.components[0].kubernetes.template
    assert template is not None
    assert template.spec["newFeature"] == {"on": True}
    assert template.spec["hostUsers"] is False


def test_models_cannot_be_changed() -> None:
    spec = parse_release(document("Release")).spec
    with pytest.raises(ValidationError, match="frozen"):
        spec.version = "v9"  # type: ignore[misc]


SECRET = {"secretKeyRef": {"name": "metrics", "key": "token"}}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda spec: spec["prometheus"].update(url="ftp://x"), "write http:// or https:// and a host"),
        (lambda spec: spec["prometheus"].update(url="http://user:word@x"), "write http:// or https:// and a host"),
        (lambda spec: spec["prometheus"].update(url="http://x?q=1"), "write http:// or https:// and a host"),
        (lambda spec: spec["prometheus"].update(matchers={"a-b": "c"}), "write label names"),
        (lambda spec: spec.update(allow=[{"guards": ["*x"]}]), "the beginning of one and a"),
        (lambda spec: spec.update(allow=[]), "spec.allow: has too few items: write at least 1"),
        (
            lambda spec: spec["prometheus"].update(
                auth={"bearerToken": SECRET, "basicAuth": {"username": SECRET, "password": SECRET}}
            ),
            "write exactly one of bearerToken and basicAuth",
        ),
        (lambda spec: spec["prometheus"].update(auth={}), "write exactly one of bearerToken and basicAuth"),
    ],
)
def test_nonsense_in_a_connection_is_refused(change: Callable[[Document], object], sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        parse_connection(changed("Connection", change))


def test_a_connection_says_whose_guards_may_ask() -> None:
    connection = parse_connection(
        changed("Connection", lambda spec: spec.update(allow=[{"guards": ["shop", "pay-*"]}]))
    )
    assert [name for name in ("shop", "shops", "pay-in", "pay", "x") if connection.allows_guards_of(name)] == [
        "shop",
        "pay-in",
    ]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda spec: spec.update(action="Explode"), "spec.action"),
        (lambda spec: spec.update(pause={"at": 10}), "pause belongs to action Pause"),
        (lambda spec: spec.update(action="Pause", rollback={"version": "v1"}), "rollback belongs to action Rollback"),
        (lambda spec: spec.update(promote={"to": 50}), "promote belongs to action Promote"),
        (lambda spec: spec.pop("reason"), "spec.reason: is required"),
        (lambda spec: spec.pop("by"), "spec.by: is required"),
        (lambda spec: spec["targetRef"].update(kind="Pod"), "spec.targetRef.kind"),
    ],
)
def test_nonsense_in_an_intervention_is_refused(change: Callable[[Document], object], sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        parse_intervention(changed("Intervention", change))


def test_the_verb_of_an_action_is_its_name_in_lower_case() -> None:
    assert {action.verb for action in Action} == {"pause", "resume", "promote", "retry", "rollback", "complete"}
    assert {action for action in Action if action.lowers} == {Action.PAUSE, Action.ROLLBACK}


def test_a_status_says_only_what_is_not_as_by_default() -> None:
    assert ReleaseStatus().document() == {"phase": "Idle", "weight": 0}
    written = {
        "phase": "Progressing",
        "weight": 10,
        "attempt": 3,
        "move": 7,
        "stable": {"version": "v1", "revision": "a" * 64, "since": "2026-11-23T18:02:11.123Z"},
        "components": [
            {
                "name": "web",
                "weight": {"desired": 10, "observed": 0, "at": "2026-11-23T18:02:11.123Z"},
                "share": 10,
                "held": "6m40s",
                "candidate": {"ref": "storefront-web-5d9f0c1e7b", "ready": 0, "wanted": 1},
            }
        ],
        "guards": [{"name": "errors", "from": "", "verdict": "Pass", "samples": {"candidate": 12}}],
        "conditions": [
            {
                "type": "Ready",
                "status": "False",
                "reason": "Progressing",
                "message": "v2 at 10 %",
                "observedGeneration": 2,
                "lastTransitionTime": "2026-11-23T18:02:11.123Z",
            }
        ],
    }
    status = parse_release_status({"status": written})
    assert status.components[0].weight is not None
    assert status.components[0].weight.observed == Percent(0)
    assert status.document() == written


def test_a_share_of_nothing_is_not_the_same_as_an_unknown_one() -> None:
    unknown = parse_release_status({"status": {"components": [{"name": "web", "weight": {"desired": 10}}]}})
    assert unknown.components[0].weight is not None
    assert unknown.components[0].weight.observed is None


def test_a_status_of_a_newer_operator_is_borne() -> None:
    status = parse_release_status({"status": {"phase": "Progressing", "mirror": {"weight": 3}, "move": 4}})
    assert (status.phase, status.move) == ("Progressing", 4)


def test_status_and_metadata_are_read_also_where_the_spec_is_nonsense() -> None:
    made = changed("Release", lambda spec: spec.update(steps="x"))
    made["status"] = {"phase": "Reverting"}
    with pytest.raises(Invalid):
        parse_release(made)
    assert parse_release_status(made).phase == "Reverting"
    assert parse_meta(made).name == "storefront"
