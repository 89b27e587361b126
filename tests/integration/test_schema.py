"""What the API server refuses by the schema: nonsense, each with a sentence that says what to write.

Asked as people ask, by kubectl. Nearly all of it is a dry run on the server.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.api.documents import Document, all_documents, document
from tests.integration.people import (
    DRY,
    Cluster,
    component,
    guard,
    kubernetes,
    pods,
    release,
)


def test_every_sample_is_accepted(cluster: Cluster) -> None:
    for sample in all_documents():
        if sample["apiVersion"].startswith("tidegate.dev/"):
            sample["metadata"].pop("namespace")
            if sample["kind"] == "Intervention":
                sample["spec"]["by"] = cluster.gives("auth", "whoami")["status"]["userInfo"]["username"]
            cluster.gives("create", DRY, "--filename=-", sent=sample)


def beside(*first: Document) -> Document:
    """A pod whose init containers are these."""
    spec = pods("app:$(version)")["template"]["spec"]
    return {"template": {"spec": {**spec, "initContainers": list(first)}}}


def taken_over(deployment: str, *images: str) -> list[Document]:
    """A component whose pods are a Deployment's."""
    beside = {"images": [{"container": "app", "image": image} for image in images]} if images else {}
    return kubernetes(template=None, templateFrom={"deployment": deployment}, **beside)


FALLING = [{"weight": 50}, {"weight": 10}, {"weight": 100}]

NONSENSE: list[tuple[Document, str]] = [
    ({"steps": FALLING}, "steps must rise: each weight must be greater than the one before it"),
    ({"steps": [{"weight": "9.9%"}, {"weight": "9.99%"}, {"weight": "9.98%"}, {"weight": 100}]}, "steps must rise"),
    ({"steps": [{"weight": 0}, {"weight": 100}]}, "and the first greater than 0"),
    ({"steps": [{"weight": 10}]}, "the last step must have weight 100"),
    ({"steps": [{"weight": 101}]}, "spec.steps[0].weight: Invalid value: 101: write a percentage from 0 to 100"),
    ({"steps": [{"weight": "0.0001%"}, {"weight": 100}]}, "write a percentage from 0 to 100"),
    ({"steps": [{"weight": "10"}, {"weight": 100}]}, "write a percentage from 0 to 100"),
    ({"steps": [{"weight": 100, "hold": "soon"}]}, '"soon": write a duration such as 30s, 15m, 1h30m or 500ms'),
    ({"steps": [{"weight": number + 1} for number in range(21)]}, "must have at most 20 items"),
    ({"keepPrevious": "1 hour"}, "write a duration such as 30s"),
    ({"deadlines": {"ready": "-5m"}}, "write a duration such as 30s"),
    ({"stepz": []}, 'unknown field "spec.stepz"'),
    ({"version": "v1/2"}, "write a version of up to 63 letters"),
    ({"version": 1.1}, "must be of type string"),
    ({"components": [component(), component()]}, "two items have the same name: give each its own"),
    ({"components": []}, "should have at least 1 items"),
    (
        {"components": [component(name="Web")]},
        "write a name of lower-case letters, digits and '-', with a letter first",
    ),
    ({"components": [component(steps=FALLING)]}, "spec.components[0].steps: Invalid value: steps must rise"),
    ({"components": [component(name="w" * 33)], "checks": []}, "may have 36 characters together: shorten one"),
    ({"components": kubernetes(replicas=0)}, "should be greater than or equal to 1"),
    ({"components": kubernetes(port=70000)}, "should be less than or equal to 65535"),
    ({"components": kubernetes(service="../other")}, "write the name of an object of this namespace, without a slash"),
    (
        {"components": kubernetes(traffic={"httpRoute": {"name": "a/b"}})},
        "write the name of an object of this namespace",
    ),
    ({"components": kubernetes(traffic={})}, "write exactly one of httpRoute, service and istio"),
    (
        {"components": kubernetes(traffic={"httpRoute": {"name": "web"}, "service": {}})},
        "write exactly one of httpRoute, service and istio",
    ),
    ({"components": kubernetes(traffic={"service": {"name": "web"}})}, 'unknown field "spec.components[0]'),
    ({"components": kubernetes(probes={"health": "health"})}, "write a path that begins with /"),
    ({"components": kubernetes(preview={"header": "x tidegate"})}, "write the name of a header"),
    ({"components": kubernetes(preview={}, traffic={"service": {}})}, "preview needs traffic.httpRoute"),
    (
        {"components": kubernetes(**pods("app:$(versoin)"))},
        "known placeholders are $(component), $(release), $(version)",
    ),
    ({"components": kubernetes(template={"spec": {}})}, "Required value"),
    ({"components": kubernetes(templateFrom={"deployment": "web"})}, "write exactly one of template and templateFrom"),
    ({"components": kubernetes(template=None)}, "write exactly one of template and templateFrom"),
    (
        {"components": kubernetes(images=[{"container": "app", "image": "app:v1"}])},
        "images stand beside templateFrom; in a template write the image in its container",
    ),
    ({"components": taken_over("a/b")}, "write the name of an object of this namespace"),
    ({"components": taken_over("web", "app:v1", "app:v2")}, "two images are for the same container"),
    (
        {"components": taken_over("web", "app:$(versoin)")},
        "known placeholders are $(component), $(release), $(version)",
    ),
    (
        {"components": kubernetes(**beside({"name": "init", "image": "app:$(versoin)"}))},
        "initContainers[0].image: Invalid value",
    ),
    ({"components": kubernetes(**beside({"name": "init"}))}, "initContainers[0].image: Required value"),
    ({"components": kubernetes(**beside({"image": "app"}))}, "initContainers[0].name: Required value"),
    ({"checks": [{"name": "c", "when": ["EachStep"]}]}, "write exactly one of job and http"),
    ({"checks": [{"name": "c", "when": ["Sometimes"], "job": {"cronJob": "x"}}]}, "Unsupported value"),
    (
        {"checks": [{"name": "c", "when": ["EachStep"], "http": {"component": "nobody", "path": "/"}}]},
        "a check's http.component is none of spec.components",
    ),
    (
        {"checks": [{"name": "c", "when": ["EachStep"], "http": {"component": "web", "path": "/", "via": "Preview"}}]},
        "a check's http.via Preview needs preview in that component",
    ),
    ({"guards": guard(component="nobody")}, "a guard's component is none of spec.components"),
    ({"guards": guard(value={"query": "q"})}, "write exactly one of ratio, quantile and value"),
    (
        {"guards": [{"name": "g", "connection": "p", "value": {"query": "q"}}]},
        "write hold (stop climbing), revert (go back)",
    ),
    ({"guards": guard(revert="never")}, "write a limit: +0.5pp (points against stable)"),
    ({"guards": guard(revert="800ms")}, "for a ratio write +0.5pp"),
    ({"guards": guard(ratio={"bad": "b", "good": "g", "total": "t"})}, "write either bad or good"),
    ({"guards": guard(ratio={"good": "g", "total": "t"})}, "good counts what went well"),
    ({"guards": guard(ratio={"bad": "b$(window)", "total": "t"})}, "known placeholders are"),
    ({"guards": guard(connection="https://prometheus")}, "write the name of an object of this namespace"),
    ({"guards": guard() * 2}, "two items have the same name"),
    ({"deletionPolicy": "Maybe"}, 'supported values: "Keep", "Delete"'),
]


@pytest.mark.parametrize(("change", "sentence"), NONSENSE)
def test_nonsense_in_a_release_is_refused_with_a_sentence(cluster: Cluster, change: Document, sentence: str) -> None:
    assert sentence in cluster.refuses("apply", DRY, "--filename=-", sent=release(**change))


@pytest.mark.parametrize(
    "change",
    [{"service": "other"}, {"traffic": {"httpRoute": {"name": "other"}}}, {"traffic": {"service": {}}}],
)
def test_by_which_route_a_component_is_reached_stays_once_it_has_traffic(
    cluster: Cluster, shop: Document, change: Document
) -> None:
    moved = release(components=kubernetes(**change))
    cluster.apply(moved)  # a typo in a first version can be mended
    for had in ({"stable": {"version": "v0.9.0"}}, {"stable": None, "touched": True}):
        status = json.dumps({"status": {"phase": "Completed", **had}})
        sentence = ""
        for _ in range(10):  # an operator that happens to run here writes a status of its own
            cluster.gives("patch", "release", "shop", "--subresource=status", "--type=merge", "--patch", status)
            if sentence := cluster.run("apply", DRY, "--filename=-", sent=moved).stderr:
                break
        assert "service and traffic of a component that has had traffic can't be changed" in sentence
        cluster.apply(release(components=kubernetes(replicas=9)))
        renamed = component(name="anew", kubernetes={**component()["kubernetes"], **change})
        cluster.apply(release(components=[renamed], checks=[], guards=[]))


def test_a_release_without_a_spec_is_told_so(cluster: Cluster) -> None:
    bare = {key: value for key, value in release().items() if key != "spec"}
    assert "spec: Required value" in cluster.refuses("create", DRY, "--filename=-", sent=bare)


@pytest.mark.parametrize("member", ["quantile", "value"])
def test_each_kind_of_guard_has_its_own_limits(cluster: Cluster, member: str) -> None:
    members = {"quantile": {"percentile": "99.9%", "histogram": "h"}, "value": {"query": "q[$(window)]"}}
    fits: dict[str, list[str | int]] = {
        "quantile": ["+25%", "-10%", "800ms", "1m"],
        "value": ["+25%", "-10%", 80, "0.8", "<10"],
    }
    other = {"quantile": "value", "value": "quantile"}[member]

    def made(limit: object) -> Document:
        return release(guards=[{"name": "g", "connection": "p", member: members[member], "hold": limit}])

    for limit in fits[member]:
        cluster.apply(made(limit))
    for limit in {"+1pp", "1%", *fits[other]} - set(fits[member]):
        assert f"for a {member} write" in cluster.refuses("apply", DRY, "--filename=-", sent=made(limit)), limit


@pytest.mark.parametrize(
    ("kind", "change", "sentence"),
    [
        ("ReleasePolicy", lambda spec: spec["defaults"].update(steps=FALLING), "steps must rise"),
        (
            "ReleasePolicy",
            lambda spec: spec["appliesTo"].update(names=["*-x"]),
            "write a name, or the beginning of one",
        ),
        ("ReleasePolicy", lambda spec: spec["ladder"]["weight"].update(minHold="soon"), "write a duration"),
        ("ReleasePolicy", lambda spec: spec.update(windows={}), 'unknown field "spec.windows"'),
        (
            "Connection",
            lambda spec: spec["prometheus"].update(url="prometheus:9090"),
            "write http:// or https:// and a",
        ),
        ("Connection", lambda spec: spec["prometheus"].update(matchers={"a-b": "c"}), "write label names of letters"),
        ("Connection", lambda spec: spec.update(allow=[]), "should have at least 1 items"),
        ("Connection", lambda spec: spec.update(datadog={}), 'unknown field "spec.datadog"'),
        ("Intervention", lambda spec: spec.update(pause={"at": 10}), "pause belongs to action Pause"),
        ("Intervention", lambda spec: spec.update(action="Kill"), "Unsupported value"),
        ("Intervention", lambda spec: spec.pop("reason"), "spec.reason: Required value"),
        ("Intervention", lambda spec: spec["rollback"].update(version="-"), "write a version"),
    ],
)
def test_nonsense_in_the_other_kinds_is_refused_too(
    cluster: Cluster, kind: str, change: Callable[[Document], object], sentence: str
) -> None:
    made = document(kind)
    made["metadata"].pop("namespace")
    if kind == "Intervention":
        made["spec"]["rollback"] = {"version": "v1"}
    change(made["spec"])
    assert sentence in cluster.refuses("create", DRY, "--filename=-", sent=made)


def test_explain_teaches(cluster: Cluster) -> None:
    answer = cluster.run("explain", "release.spec.components.kubernetes.drain")
    assert "its pods keep serving" in " ".join(answer.stdout.split())


def test_columns_show_what_an_sre_asks_first(cluster: Cluster, shop: Document) -> None:
    status = {
        "phase": "Progressing",
        "weight": 10,
        "stable": {"version": "v0.9.0"},
        "summary": {"step": "1/3", "guards": "1 ok"},
        "conditions": [
            {
                "type": "Ready",
                "status": "False",
                "reason": "Progressing",
                "message": "v1.0.0 at 10 %",
                "lastTransitionTime": "2026-11-23T18:02:11.123Z",
            }
        ],
    }
    cluster.gives(
        "patch", "release", "shop", "--subresource=status", "--type=merge", "--patch", json.dumps({"status": status})
    )
    table = cluster.run("get", "releases", "--output=wide").stdout
    header, row = (line.split() for line in table.splitlines())
    assert header == ["NAME", "VERSION", "STABLE", "PHASE", "WEIGHT", "STEP", "GUARDS", "READY", "AGE", "MESSAGE"]
    assert row[:9] == ["shop", "v1.0.0", "v0.9.0", "Progressing", "10", "1/3", "1", "ok", "False"]
    assert "v1.0.0 at 10 %" in table
