"""Write crds/*.yaml from the models in tidegate.api, or check that they are as they would be written.

    python hack/generate_crds.py            write
    python hack/generate_crds.py --check    exit 1 and say which file is out of date

A model's JSON schema becomes a structural one: references are put in their places, what may be absent is just not
required, and nothing has a default. Of `status` no value is refused, only its shape is given: the operator alone
writes it, and a
rule there
would only be a way for an older server to lose a newer operator's memory.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel

from tidegate.api.connection import Connection
from tidegate.api.intervention import Intervention
from tidegate.api.meta import GROUP, PLURALS, VERSION
from tidegate.api.policy import ReleasePolicy
from tidegate.api.release import Release

FOLDER: Final = Path(__file__).resolve().parent.parent / "crds"
HEADER: Final = (
    "# Generated from operator/tidegate/api by hack/generate_crds.py (make crds): edit the models, not this file.\n"
)
BIGGEST: Final = 200_000
"""Bytes as JSON. Client-side apply keeps a copy in an annotation, and all annotations together may have 262144."""

Schema = dict[str, Any]
RULES: Final = "x-kubernetes-validations"


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`; a wide one is shown with `-o wide` only."""

    name: str
    path: str
    description: str
    type: str = "string"
    wide: bool = False

    def document(self) -> Schema:
        return {
            "name": self.name,
            "type": self.type,
            "description": self.description,
            "jsonPath": self.path,
            **({"priority": 1} if self.wide else {}),
        }


@dataclass(frozen=True)
class Kind:
    """A kind, and what there is to say of it beside its schema."""

    model: type[BaseModel]
    short_name: str
    columns: tuple[Column, ...]

    @property
    def name(self) -> str:
        return self.model.__name__

    @property
    def plural(self) -> str:
        return PLURALS[self.name]

    @property
    def file(self) -> Path:
        return FOLDER / f"{GROUP}_{self.plural}.yaml"


AGE: Final = Column("Age", ".metadata.creationTimestamp", "Time since it was made.", type="date")
READY: Final = '.status.conditions[?(@.type=="Ready")]'

KINDS: Final = (
    Kind(
        Release,
        "rel",
        (
            Column("Version", ".spec.version", "The version that should be live."),
            Column("Stable", ".status.stable.version", "The proven version."),
            Column("Phase", ".status.phase", "Where it is on its way."),
            Column("Weight", ".status.weight", "The candidate's share of the traffic, in percent."),
            Column("Step", ".status.summary.step", "Which step of how many."),
            Column("Guards", ".status.summary.guards", "How many guards say what."),
            Column("Ready", f"{READY}.status", "Whether what the spec asks for is live and completed."),
            AGE,
            Column("Message", f"{READY}.message", "What it waits for.", wide=True),
        ),
    ),
    Kind(
        ReleasePolicy,
        "relpol",
        (
            Column("Environment", ".spec.environment", "What people call the place."),
            Column("Ready", f"{READY}.status", "Whether it can be used as it stands."),
            AGE,
            Column("Message", f"{READY}.message", "Why not.", wide=True),
        ),
    ),
    Kind(
        Connection,
        "conn",
        (
            Column("Ready", f"{READY}.status", "Whether it can be used as it stands."),
            AGE,
            Column("Prometheus", ".spec.prometheus.url", "Where it is.", wide=True),
            Column("Message", f"{READY}.message", "Why not.", wide=True),
        ),
    ),
    Kind(
        Intervention,
        "iv",
        (
            Column("Target", ".spec.targetRef.name", "What the act is done to."),
            Column("Action", ".spec.action", "What is done."),
            Column("By", ".spec.by", "Who does it."),
            Column("Outcome", ".status.outcome", "What became of it."),
            AGE,
            Column("Reason", ".spec.reason", "Why.", wide=True),
            Column("Message", ".status.message", "The answer.", wide=True),
        ),
    ),
)


def definition(kind: Kind) -> Schema:
    """The CustomResourceDefinition of a kind."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}", "labels": {"app.kubernetes.io/part-of": "tidegate"}},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": [kind.short_name],
                "categories": ["tidegate"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": structural(kind.model)},
                    **({"subresources": {"status": {}}} if "status" in kind.model.model_fields else {}),
                    "additionalPrinterColumns": [column.document() for column in kind.columns],
                }
            ],
        },
    }


def structural(model: type[BaseModel]) -> Schema:
    """The structural schema of a kind's model."""
    document = model.model_json_schema(by_alias=True, mode="validation")
    shaped = _shaped(document, document.get("$defs", {}))
    properties = shaped["properties"]
    properties["apiVersion"] = {
        "description": f"{GROUP}/{VERSION}",
        "type": "string",
    }
    properties["kind"] = {"description": model.__name__, "type": "string"}
    properties["metadata"] = {"type": "object"}
    if "status" in properties:
        properties["status"] = _shape_only(properties["status"])
    shaped["properties"] = {
        key: properties[key] for key in ("apiVersion", "kind", "metadata", "spec", "status") if key in properties
    }
    shaped["required"] = ["spec"]
    return _in_order(shaped)


def _shaped(schema: Mapping[str, Any], definitions: Mapping[str, Schema]) -> Schema:
    """A schema without references, unions with null, titles, defaults, and words that a structural schema must not
    have."""
    if "$ref" in schema:
        target = definitions[schema["$ref"].removeprefix("#/$defs/")]
        return _merged(
            _shaped(target, definitions), _shaped({k: v for k, v in schema.items() if k != "$ref"}, definitions)
        )
    if "anyOf" in schema:
        (only,) = [member for member in schema["anyOf"] if member != {"type": "null"}]
        return _merged(
            _shaped(only, definitions), _shaped({k: v for k, v in schema.items() if k != "anyOf"}, definitions)
        )
    shaped: Schema = {}
    for key, value in schema.items():
        match key:
            case "$defs" | "title" | "default":
                continue
            case "const":
                shaped["enum"] = [value]
            case "description":
                shaped[key] = " ".join(value.split())
            case "properties":
                shaped[key] = {name: _shaped(member, definitions) for name, member in value.items()}
            case "items":
                shaped[key] = _shaped(value, definitions)
            case "additionalProperties" if isinstance(value, Mapping):
                shaped[key] = _shaped(value, definitions)
            case "additionalProperties":
                continue  # false: the API server refuses or prunes what it doesn't know anyway
            case _:
                shaped[key] = value
    return shaped


def _merged(inner: Schema, outer: Schema) -> Schema:
    """Words beside a reference win over those behind it; of rules, both count."""
    rules = [*inner.get(RULES, []), *outer.get(RULES, [])]
    return {**inner, **outer, **({RULES: rules} if rules else {})}


def _shape_only(schema: Schema) -> Schema:
    """The schema without what could refuse a value."""
    refusing = {RULES, "enum", "required", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems"}
    shape = {key: value for key, value in schema.items() if key not in refusing}
    if "properties" in shape:
        shape["properties"] = {name: _shape_only(member) for name, member in shape["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in shape:
            shape[key] = _shape_only(shape[key])
    if keys := shape.get("items", {}) and shape.get("x-kubernetes-list-map-keys"):
        shape["items"]["required"] = keys  # the server merges by them
    return shape


_ORDER: Final = ("description", "type", "required", "properties", "items")


def _in_order(schema: Schema) -> Schema:
    """The same with what a reader looks for first in front."""
    rank = {key: number for number, key in enumerate(_ORDER)}
    ordered = {key: schema[key] for key in sorted(schema, key=lambda key: (rank.get(key, len(rank)), key))}
    if "properties" in ordered:
        ordered["properties"] = {name: _in_order(member) for name, member in ordered["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in ordered:
            ordered[key] = _in_order(ordered[key])
    return ordered


def rendered(kind: Kind) -> str:
    """The file of a kind. Raises SystemExit where it is too big to be applied."""
    document = definition(kind)
    text = json.dumps(document, separators=(",", ":"))
    size = len(text)
    if size > BIGGEST:
        raise SystemExit(
            f"{kind.file.name} has {size} bytes as JSON; more than {BIGGEST} can't be applied by kubectl apply"
        )
    # Read back from JSON, no part of it stands there twice: YAML would write anchors.
    return HEADER + yaml.safe_dump(json.loads(text), sort_keys=False, width=120, allow_unicode=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is out of date")
    check = parser.parse_args().check
    FOLDER.mkdir(exist_ok=True)
    stale = [kind.file for kind in KINDS if not kind.file.exists() or kind.file.read_text() != rendered(kind)]
    stray = sorted(set(FOLDER.glob(f"{GROUP}_*.yaml")) - {kind.file for kind in KINDS})
    if check:
        for file in (*stale, *stray):
            print(f"crds/{file.name} is not as hack/generate_crds.py writes it: run make crds", file=sys.stderr)
        return 1 if stale or stray else 0
    for kind in KINDS:
        kind.file.write_text(rendered(kind))
    for file in stray:
        file.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
