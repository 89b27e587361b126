"""The generated definitions: they teach, they are small, and they are what the models say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hack.generate_crds import KINDS, Kind, definition, rendered

FORBIDDEN = {"$ref", "$defs", "anyOf", "oneOf", "allOf", "not", "default", "title", "pattern", "const"}


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, member in schema.get("properties", {}).items():
        yield from nodes(member, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from nodes(schema[key], f"{path}[]")


def schema_of(kind: Kind) -> dict[str, Any]:
    schema: dict[str, Any] = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@every_kind
def test_the_files_are_as_they_would_be_written(kind: Kind) -> None:
    assert kind.file.read_text() == rendered(kind), "run make crds"


@every_kind
def test_every_field_has_a_description(kind: Kind) -> None:
    silent = [
        path
        for path, node in nodes(schema_of(kind))
        if not node.get("description") and not path.endswith("[]") and path != ".metadata"
    ]
    assert silent == []


@every_kind
def test_schemas_are_structural_and_set_no_default(kind: Kind) -> None:
    for path, node in nodes(schema_of(kind)):
        assert not FORBIDDEN & node.keys(), path
        assert node.get("x-kubernetes-int-or-string") or node["type"], path


@every_kind
def test_of_status_nothing_is_refused_but_its_shape(kind: Kind) -> None:
    status = schema_of(kind)["properties"].get("status", {"type": "object"})
    for path, node in nodes(status):
        assert "enum" not in node, path
        assert "x-kubernetes-validations" not in node, path
        assert node.get("required", ["type"]) == ["type"], path


def test_lists_in_status_are_atomic_but_for_conditions() -> None:
    status = schema_of(KINDS[0])["properties"]["status"]
    kinds = {name: node.get("x-kubernetes-list-type") for name, node in status["properties"].items() if "items" in node}
    assert kinds.pop("conditions") == "map"
    assert set(kinds.values()) == {"atomic"}


@every_kind
def test_client_side_apply_can_keep_a_copy(kind: Kind) -> None:
    assert len(json.dumps(definition(kind))) < 60_000


@every_kind
def test_each_rule_has_a_sentence_that_says_what_to_do(kind: Kind) -> None:
    for path, node in nodes(schema_of(kind)):
        for rule in node.get("x-kubernetes-validations", []):
            assert len(rule["message"].split()) > 3, path
            assert "\n" not in rule["message"], path
