from __future__ import annotations

from pathlib import Path

import pytest

from hack import generate_chart

RIGHTS = """\
kind: ServiceAccount
metadata:
  name: tidegate-operator
---
kind: ClusterRole
metadata:
  name: tidegate-operator
rules:
# Why.
- apiGroups: [""]
  resources: [pods]
  verbs: [get]
---
kind: ClusterRoleBinding
metadata:
  name: tidegate-operator
"""


def test_a_roles_rules_come_along_with_their_comments() -> None:
    made = generate_chart.rules(RIGHTS, "tidegate-operator")
    header, _, rest = made.partition("\n")
    assert header.startswith("# Generated from manifests/base/operator-rbac.yaml")
    assert rest == '# Why.\n- apiGroups: [""]\n  resources: [pods]\n  verbs: [get]\n'


def test_a_role_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="has no role tidegate-lease"):
        generate_chart.rules(RIGHTS, "tidegate-lease")


def test_a_definition_is_kept_and_stays_what_it_is() -> None:
    made = generate_chart.kept("# Generated\nkind: CustomResourceDefinition\nmetadata:\n  name: a\nspec:\n  group: g\n")
    assert made.splitlines()[:3] == ["kind: CustomResourceDefinition", "metadata:", "  {{- if .Values.crds.keep }}"]
    assert made.endswith("  {{- end }}\n  name: a\nspec:\n  group: g\n")


def test_a_definition_with_annotations_of_its_own_is_refused() -> None:
    with pytest.raises(ValueError, match="annotations of its own"):
        generate_chart.kept("kind: X\nmetadata:\n  annotations: {}\nspec:\n")


def test_what_a_template_would_take_for_its_own_is_escaped() -> None:
    assert generate_chart.escaped("a {{ b }}") == 'a {{ "{{" }} b }}'


def test_a_changed_source_is_seen_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chart = tmp_path / "charts" / "tidegate"
    (chart / "files").mkdir(parents=True)
    (chart / "templates").mkdir()
    monkeypatch.setattr(generate_chart, "ROOT", tmp_path)
    monkeypatch.setattr(generate_chart, "CHART", chart)
    monkeypatch.setattr("sys.argv", ["generate_chart.py"])
    assert generate_chart.main() == 0
    monkeypatch.setattr("sys.argv", ["generate_chart.py", "--check"])
    assert generate_chart.main() == 0
    role = chart / "files" / "tidegate-operator.yaml"
    role.write_text(role.read_text() + "- {apiGroups: ['*'], resources: ['*'], verbs: ['*']}\n")
    capsys.readouterr()
    assert generate_chart.main() == 1
    assert "charts/tidegate/files/tidegate-operator.yaml is out of date: run make chart" in capsys.readouterr().err
