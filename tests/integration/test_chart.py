"""The chart and manifests/base are one thing, written once: compared as objects, and tried on the real API server."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.stage.pods import CHART, helm, kubectl
from tidegate import __version__
from tidegate.controller.settings import Settings

Documents = Mapping[tuple[str, str, str], Mapping[str, Any]]
SYSTEM = "tidegate-system"


def documents(text: str) -> Documents:
    """By kind, namespace and name."""
    every = [document for document in yaml.safe_load_all(text) if document]
    found = {
        (document["kind"], document["metadata"].get("namespace", ""), document["metadata"]["name"]): document
        for document in every
    }
    assert len(found) == len(every), "two objects of one name"
    return found


def rendered(*values: str, namespace: str = SYSTEM) -> Documents:
    sets = [word for value in values for word in ("--set", value)]
    return documents(helm("template", "tidegate", str(CHART), "--namespace", namespace, *sets))


def refused(*values: str) -> str:
    """What Helm says of values that the schema does not allow."""
    with pytest.raises(AssertionError) as error:
        rendered(*values)
    return str(error.value)


def container(documents: Documents) -> Mapping[str, Any]:
    deployment = documents["Deployment", SYSTEM, "tidegate"]
    found: Mapping[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
    return found


def test_the_chart_with_nothing_set_is_manifests_base() -> None:
    """But for the namespace, which Helm makes by itself, and the definitions' word that they are kept."""
    base = dict(documents(kubectl("kustomize", "manifests/base")))
    assert base.pop(("Namespace", "", SYSTEM))
    assert rendered("crds.keep=false") == base


def test_manifests_rights_is_manifests_base_without_the_pods() -> None:
    base, rights = (documents(kubectl("kustomize", f"manifests/{name}")) for name in ("base", "rights"))
    assert {key: base[key] for key in rights} == rights
    pods = {key[0] for key in base.keys() - rights.keys()}
    assert pods == {"Deployment", "Service", "PodDisruptionBudget"}


def test_definitions_outlive_the_chart_unless_that_is_not_wished() -> None:
    definitions = [one for key, one in rendered().items() if key[0] == "CustomResourceDefinition"]
    assert len(definitions) >= 4
    assert {one["metadata"]["annotations"]["helm.sh/resource-policy"] for one in definitions} == {"keep"}


def test_lint_finds_no_fault_also_with_everything_set() -> None:
    everything = ["--set", "serviceMonitor.install=true,networkPolicy.install=true,argocd.install=true"]
    everything += ["--set", "watchNamespaces={team-a,team-b}", "--set", "settings.tick=1s,image.tag=v9"]
    for words in ([], everything):
        assert "0 chart(s) failed" in helm("lint", str(CHART), "--strict", *words)


def test_with_namespaces_there_are_roles_and_nothing_reaches_beyond_them() -> None:
    wide, narrow = rendered(), rendered("watchNamespaces={team-a,team-b}")
    rules = wide["ClusterRole", "", "tidegate-operator"]["rules"]
    for team in ("team-a", "team-b"):
        assert narrow["Role", team, "tidegate-operator"]["rules"] == rules
        binding = narrow["RoleBinding", team, "tidegate-operator"]
        assert binding["roleRef"] == {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Role",
            "name": "tidegate-operator",
        }
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "tidegate", "namespace": SYSTEM}]
    bound = {key[2] for key in narrow if key[0] == "ClusterRoleBinding"}
    assert bound == {f"tidegate-admission-{SYSTEM}"}
    admission = narrow["ClusterRole", "", f"tidegate-admission-{SYSTEM}"]["rules"]
    assert admission == wide["ClusterRole", "", "tidegate-admission"]["rules"]
    assert container(narrow)["env"] == [{"name": "TIDEGATE_NAMESPACES", "value": "team-a,team-b"}]
    assert "env" not in container(wide)


def test_no_role_of_the_operator_has_a_wildcard_or_may_raise_rights() -> None:
    roles = [document for key, document in rendered().items() if key[0] in ("Role", "ClusterRole")]
    for rule in (rule for role in roles for rule in role["rules"]):
        words = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
        assert not words & {"*", "escalate", "bind", "impersonate"}, rule


def test_a_second_installation_leaves_what_belongs_to_all_to_the_first() -> None:
    second = rendered(
        "crds.install=false",
        "roles.install=false",
        "admissionPolicies.install=false",
        "watchNamespaces={team-b}",
        namespace="team-b-tidegate",
    )
    first = rendered("watchNamespaces={team-a}", namespace="team-a-tidegate")
    assert not first.keys() & second.keys()


def test_every_setting_of_the_chart_is_one_of_the_operator_and_reaches_it() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    offered = set(schema["properties"]["settings"]["properties"])
    # The rest is the installation's own: where it works, where its Lease is, and on which port it is asked.
    known = {field.name for field in fields(Settings) if "read" in field.metadata}
    snaked = {"".join(f"_{c.lower()}" if c.isupper() else c for c in name) for name in offered}
    assert known - snaked == {"namespaces", "lease_namespace", "lease_name", "port", "address"}
    assert snaked <= known
    set_to = container(rendered("settings.logLevel=debug", "settings.leaseDuration=20s", "settings.workers=4"))
    assert set_to["env"] == [
        {"name": "TIDEGATE_LEASE_DURATION", "value": "20s"},
        {"name": "TIDEGATE_LOG_LEVEL", "value": "debug"},
        {"name": "TIDEGATE_WORKERS", "value": "4"},
    ]


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("settings.tick=soon", "/settings/tick"),
        ("settings.tik=1s", "tik"),
        ("replica=3", "replica"),
        ("watchNamespaces={Team_A}", "/watchNamespaces/0"),
        ("image.digest=latest", "/image/digest"),
        ("crds.install=maybe", "/crds/install"),
    ],
)
def test_a_value_that_can_not_be_is_refused_and_named(value: str, named: str) -> None:
    assert named in refused(value)


def test_the_image_is_named_by_digest_by_tag_or_by_the_charts_version() -> None:
    digest = "sha256:" + "a" * 64
    assert container(rendered())["image"] == f"tidegate:{__version__}"
    own = "image.repository=registry.example/tidegate"
    assert container(rendered(own, "image.tag=v9"))["image"] == "registry.example/tidegate:v9"
    assert container(rendered(own, f"image.digest={digest}"))["image"] == f"registry.example/tidegate@{digest}"


def test_the_chart_has_the_version_of_the_operator() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_the_server_takes_what_is_off_by_default_too() -> None:
    """The ServiceMonitor apart: its definition is the Prometheus operator's, and not here."""
    wanted = rendered("networkPolicy.install=true", "networkPolicy.from[0].podSelector.matchLabels.app=prometheus")
    text = yaml.safe_dump(wanted["NetworkPolicy", SYSTEM, "tidegate"])
    subprocess.run(
        ["kubectl", "create", "--dry-run=server", "--namespace=default", "--filename=-"],
        input=text.replace(SYSTEM, "default"),
        text=True,
        check=True,
        capture_output=True,
    )


def test_the_service_monitor_finds_the_service_and_its_port() -> None:
    made = rendered("serviceMonitor.install=true", "serviceMonitor.labels.release=prometheus")
    monitor, service = made["ServiceMonitor", SYSTEM, "tidegate"], made["Service", SYSTEM, "tidegate-metrics"]
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    assert wanted <= service["metadata"]["labels"].items()
    assert [port["name"] for port in service["spec"]["ports"]] == [monitor["spec"]["endpoints"][0]["port"]]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"


# ---- what Argo CD reads


def release(*conditions: Mapping[str, Any], generation: int = 2, **changes: Any) -> Mapping[str, Any]:
    metadata = {"name": "shop", "generation": generation}
    return {"metadata": metadata, "spec": {}, "status": {"conditions": list(conditions)}, **changes}


def condition(kind: str, status: str, reason: str = "Because", generation: int = 2) -> Mapping[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": "v2 serves", "observedGeneration": generation}


STALLED = condition("Stalled", "True", "Reverted")


@pytest.mark.parametrize(
    ("document", "health"),
    [
        (release(condition("Ready", "True")), "Healthy"),
        (release(condition("Ready", "False", "Progressing")), "Progressing"),
        (release(condition("Ready", "False", "Reverted"), STALLED), "Degraded"),
        (release(condition("Ready", "False", "Paused")), "Suspended"),
        (release(condition("Ready", "False", "LoweredByHand")), "Suspended"),
        (release(condition("Ready", "True", generation=1)), "Progressing"),
        (release(condition("Ready", "False", generation=1), STALLED), "Progressing"),
        ({"metadata": {"generation": 1}, "spec": {}}, "Progressing"),
        (release(condition("Ready", "True"), metadata={"generation": 2, "deletionTimestamp": "now"}), "Progressing"),
    ],
)
def test_argo_cd_shows_the_health_that_the_conditions_tell(
    document: Mapping[str, Any], health: str, tmp_path: Path
) -> None:
    made = rendered("argocd.install=true")["ConfigMap", SYSTEM, "tidegate-argocd"]["data"]
    check = made["resource.customizations.health.tidegate.dev_Release"]
    script = tmp_path / "health.lua"
    script.write_text(f"obj = {lua(document)}\nlocal function check()\n{check}\nend\nprint(check().status)\n")
    done = subprocess.run(["glua", str(script)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == health


def lua(value: object) -> str:
    """As a Lua table, as Argo CD hands it to the check."""
    match value:
        case Mapping():
            return "{" + ", ".join(f"[{json.dumps(key)}] = {lua(each)}" for key, each in value.items()) + "}"
        case list():
            return "{" + ", ".join(map(lua, value)) + "}"
        case _:
            return json.dumps(value)
