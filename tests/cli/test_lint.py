"""Lint refuses what the API server refuses, and what objects that are together in files say of each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.api.documents import SAMPLES, Document, changed, document
from tests.integration.people import release
from tests.integration.test_schema import NONSENSE
from tidegate.cli.documents import read
from tidegate.cli.findings import Finding, Severity
from tidegate.cli.lint import lint
from tidegate.cli.main import main


def linted(folder: Path, *documents: Document | str, namespace: str = "") -> tuple[Finding, ...]:
    file = folder / "objects.yaml"
    texts = [each if isinstance(each, str) else yaml.safe_dump(each, sort_keys=False) for each in documents]
    file.write_text("---\n".join(texts))
    return lint(list(read([str(file)])), namespace)


def only(findings: tuple[Finding, ...]) -> Finding:
    (finding,) = findings
    return finding


# ---- one object


def test_the_samples_have_no_fault() -> None:
    assert lint(list(read([str(SAMPLES)]))) == ()


@pytest.mark.parametrize("change", [change for change, _ in NONSENSE])
def test_what_the_api_server_refuses_is_refused_without_it(tmp_path: Path, change: Document) -> None:
    findings = linted(tmp_path, release(**change))
    assert any(finding.severity is Severity.ERROR for finding in findings)


@pytest.mark.parametrize(
    ("change", "path", "sentence"),
    [
        ({"stepz": []}, "spec.stepz", "is no field here"),
        ({"paused": "yes"}, "spec.paused", "must be true or false"),
        ({"version": 1.1}, "spec.version", "must be text: quote it"),
        ({"keepPrevious": "1 hour"}, "spec.keepPrevious", "write a duration such as 30s"),
    ],
)
def test_a_field_is_named_with_what_to_write(tmp_path: Path, change: Document, path: str, sentence: str) -> None:
    finding = only(linted(tmp_path, release(**change)))
    assert (finding.path, sentence in finding.sentence) == (path, True)


def test_text_is_no_number_as_it_is_none_to_the_api_server(tmp_path: Path) -> None:
    made = document("Release")
    made["spec"]["components"][0]["kubernetes"]["port"] = "8080"
    finding = only(linted(tmp_path, made))
    assert finding.path == "spec.components[0].kubernetes.port"
    assert finding.sentence == "must be a whole number, without quotes"


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    findings = linted(tmp_path, release(stepz=[], version="v1/2", paused=1))
    assert {finding.path for finding in findings} == {"spec.version", "spec.paused", "spec.stepz"}


def test_unknown_fields_beside_the_spec_are_told(tmp_path: Path) -> None:
    made = {**release(), "sepc": {}}
    made["metadata"] = {**made["metadata"], "label": {}}
    assert {finding.path for finding in linted(tmp_path, made)} == {"sepc", "metadata.label"}


def test_a_status_in_a_file_is_a_warning(tmp_path: Path) -> None:
    assert only(linted(tmp_path, {**release(), "status": {}})).severity is Severity.WARNING


@pytest.mark.parametrize(
    ("kind", "name", "sentence"),
    [("Release", "9lives", "a letter first"), ("Connection", "Prom", "lower-case"), ("Release", "", "has no name")],
)
def test_names_are_looked_at(tmp_path: Path, kind: str, name: str, sentence: str) -> None:
    made = document(kind)
    made["metadata"]["name"] = name
    assert sentence in only(linted(tmp_path, made)).sentence


def test_an_unknown_kind_or_version_names_those_that_are(tmp_path: Path) -> None:
    finding = only(linted(tmp_path, {"apiVersion": "tidegate.dev/v1alpha1", "kind": "Relase"}))
    assert "write one of Connection, Intervention, Release, ReleasePolicy" in finding.sentence
    finding = only(linted(tmp_path, {"apiVersion": "tidegate.dev/v9", "kind": "Release"}))
    assert "write tidegate.dev/v1alpha1" in finding.sentence


# ---- files


def test_the_line_is_that_of_the_field(tmp_path: Path) -> None:
    text = yaml.safe_dump(release(keepPrevious="soon"), sort_keys=False)
    line = next(n for n, each in enumerate(text.splitlines(), start=1) if "keepPrevious" in each)
    finding = only(linted(tmp_path, "# a comment\n" + text))
    assert finding.line == line + 1
    assert str(finding).startswith(f"{tmp_path}/objects.yaml:{line + 1}: Release shop: spec.keepPrevious: ")


def test_the_number_of_the_document_is_told(tmp_path: Path) -> None:
    finding = only(linted(tmp_path, document("Connection"), release(stepz=[])))
    assert finding.document()["document"] == 2


def test_what_is_not_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    finding = only(linted(tmp_path, "a: 1\nb: {{ .Values.x }}\n"))
    assert "is not YAML" in finding.sentence
    assert "helm template" in finding.sentence
    assert finding.line == 2


def test_a_key_that_is_there_twice_is_told(tmp_path: Path) -> None:
    text = yaml.safe_dump(release(), sort_keys=False).replace("  version: ", "  version: v0\n  version: ", 1)
    assert "'version' is there twice" in only(linted(tmp_path, text)).sentence


@pytest.mark.parametrize("version", ["2026-11-23", "10:30"])
def test_text_that_kubectl_reads_as_text_is_text(tmp_path: Path, version: str) -> None:
    text = yaml.safe_dump(release(version="HERE"), sort_keys=False).replace("HERE", version)
    findings = linted(tmp_path, text)
    assert ("must be text" in "".join(finding.sentence for finding in findings)) is False


def test_lists_are_opened(tmp_path: Path) -> None:
    finding = only(linted(tmp_path, {"apiVersion": "v1", "kind": "List", "items": [release(stepz=[])]}))
    assert finding.path == "spec.stepz"
    assert finding.line > 3


def test_two_of_one_name_are_told(tmp_path: Path) -> None:
    assert "is there twice" in only(linted(tmp_path, release(), release())).sentence


def test_other_objects_are_nobodys_business(tmp_path: Path) -> None:
    assert (
        linted(tmp_path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": 1}}) == ()
    )


# ---- together


def test_a_ladder_that_a_policy_forbids_is_told(tmp_path: Path) -> None:
    policy = changed("ReleasePolicy", lambda spec: spec["ladder"]["weight"].update(maxFirst=5))
    made = document("Release")
    made["spec"]["steps"] = [{"weight": 50, "hold": "10m"}, {"weight": 100}]
    findings = linted(tmp_path, policy, made)
    assert any(f.path == "spec.steps" and "allows at most 5 %" in f.sentence for f in findings)


def test_a_policy_of_another_namespace_does_not_apply(tmp_path: Path) -> None:
    policy = changed("ReleasePolicy", lambda spec: spec["ladder"]["weight"].update(maxFirst=5))
    policy["metadata"]["namespace"] = "elsewhere"
    assert linted(tmp_path, policy, document("Release")) == ()


def test_a_connection_that_does_not_allow_the_guard_is_told(tmp_path: Path) -> None:
    connection = changed("Connection", lambda spec: spec.update(allow=[{"guards": ["other"]}]))
    connection["metadata"]["name"] = document("Release")["spec"]["guards"][0]["connection"]
    finding = only(linted(tmp_path, connection, document("Release")))
    assert finding.path == "spec.guards[0].connection"
    assert "add 'storefront' to spec.allow[].guards" in finding.sentence


def test_a_connection_that_is_not_there_may_be_in_the_cluster(tmp_path: Path) -> None:
    made = changed("Release", lambda spec: spec["guards"][0].update(connection="another"))
    assert linted(tmp_path, made) == ()
    assert only(linted(tmp_path, document("Connection"), made)).severity is Severity.WARNING


def test_a_query_that_is_none_is_told(tmp_path: Path) -> None:
    made = changed("Release", lambda spec: spec["guards"][0]["quantile"].update(histogram='x{version="$(version)"'))
    assert "is not PromQL" in only(linted(tmp_path, made)).sentence


def test_a_query_that_is_the_same_for_every_version_is_told(tmp_path: Path) -> None:
    made = changed("Release", lambda spec: spec["guards"][0]["quantile"].update(histogram='x{app="shop"}'))
    finding = only(linted(tmp_path, made))
    assert finding.path == "spec.guards[0]"
    assert "the same for every version" in finding.sentence


@pytest.mark.parametrize(("kind", "path"), [("Service", ".service"), ("CronJob", ".cronJob")])
def test_what_is_named_must_carry_the_label(tmp_path: Path, kind: str, path: str) -> None:
    named = document(kind)
    named["metadata"]["labels"] = {"tidegate.dev/release": "other"}
    finding = only(linted(tmp_path, named, document("Release")))
    assert finding.path.endswith(path)
    assert f"{kind} {named['metadata']['name']} belongs to Release other" in finding.sentence


def test_a_route_that_does_not_name_the_service_is_told(tmp_path: Path) -> None:
    route = changed("HTTPRoute", lambda spec: spec["rules"][0]["backendRefs"][0].update(name="other"))
    assert "names Service storefront" in only(linted(tmp_path, route, document("Release"))).sentence


def test_a_virtual_service_that_does_not_name_the_service_is_told(tmp_path: Path) -> None:
    def by_istio(spec: Document) -> None:
        spec["components"][0]["kubernetes"]["traffic"] = {"istio": {"virtualService": "storefront"}}

    def virtual_service(host: str) -> Document:
        spec = {"hosts": ["shop.example"], "http": [{"route": [{"destination": {"host": host}}]}]}
        metadata = {"name": "storefront", "namespace": "shop"}
        return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata, "spec": spec}

    release = changed("Release", by_istio)
    assert linted(tmp_path, virtual_service("storefront.shop.svc.cluster.local"), release) == ()
    finding = only(linted(tmp_path, virtual_service("storefront.other.svc.cluster.local"), release))
    assert finding.path.endswith("traffic.istio.virtualService")
    assert "VirtualService storefront has no destination that names Service storefront" in finding.sentence


def test_a_service_that_is_not_named_is_that_of_release_and_component(tmp_path: Path) -> None:
    unnamed = changed("Release", lambda spec: spec["components"][0]["kubernetes"].pop("service"))
    assert "names Service storefront-web, so" in only(linted(tmp_path, document("HTTPRoute"), unnamed)).sentence
    route = changed("HTTPRoute", lambda spec: spec["rules"][0]["backendRefs"][0].update(name="storefront-web"))
    assert linted(tmp_path, route, unnamed) == ()
    service = {**document("Service"), "metadata": {"name": "storefront-web", "namespace": "shop"}}
    finding = only(linted(tmp_path, route, service, unnamed))
    assert finding.path == "spec.components[0].kubernetes"
    assert "Service storefront-web" in finding.sentence


def test_inside_a_pod_spec_only_the_api_server_knows_the_fields(tmp_path: Path) -> None:
    def slip(spec: Document) -> None:
        template = spec["components"][0]["kubernetes"]["template"]
        template["spec"]["containers"][0]["readynessProbe"] = {}

    assert linted(tmp_path, changed("Release", slip)) == ()


# ---- the command


def test_the_command_says_file_line_object_path_and_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "release.yaml"
    file.write_text(yaml.safe_dump(release(stepz=[]), sort_keys=False))
    assert main(["lint", str(file)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"{file}:")
    assert ": Release shop: spec.stepz: is no field here" in said[0]
    assert said[1] == "1 object: 1 error"


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_programs_get_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    file = tmp_path / "release.yaml"
    file.write_text(yaml.safe_dump(release(stepz=[])))
    assert main(["lint", str(file), "--output", form]) == 1
    text = capsys.readouterr().out
    said: dict[str, Any] = json.loads(text) if form == "json" else yaml.safe_load(text)
    (finding,) = said["findings"]
    assert (finding["path"], finding["severity"], finding["name"]) == ("spec.stepz", "error", "shop")


def test_warnings_alone_are_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "release.yaml"
    file.write_text(yaml.safe_dump({**release(), "status": {}}))
    assert main(["lint", str(file)]) == 0
    assert "warning: Release shop: status: " in capsys.readouterr().out


def test_a_file_that_is_not_there_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "/nowhere.yaml"]) == 2
    assert capsys.readouterr().err == "tidegate: /nowhere.yaml can't be read: No such file or directory\n"
