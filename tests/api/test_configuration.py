"""Which ConfigMaps and Secrets a pod template names, and how it is made to name others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tidegate.api.configuration import CONFIG_MAP, SECRET, Mention, mentions, rename

SPEC: dict[str, Any] = {
    "imagePullSecrets": [{"name": "registry"}],
    "volumes": [
        {"name": "a", "configMap": {"name": "volume"}},
        {"name": "b", "secret": {"secretName": "volume", "optional": True}},
        {
            "name": "c",
            "projected": {
                "sources": [
                    {"configMap": {"name": "projected"}},
                    {"secret": {"name": "projected"}},
                    {"serviceAccountToken": {"path": "token"}},
                ]
            },
        },
        {"name": "d", "emptyDir": {}},
    ],
    "initContainers": [{"name": "init", "image": "i", "envFrom": [{"configMapRef": {"name": "whole"}}]}],
    "containers": [
        {
            "name": "app",
            "image": "i",
            "envFrom": [{"prefix": "X_", "secretRef": {"name": "whole"}}],
            "env": [
                {"name": "A", "value": "plain"},
                {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "one-key", "key": "k", "optional": True}}},
                {"name": "C", "valueFrom": {"secretKeyRef": {"name": "one-key", "key": "k"}}},
                {"name": "D", "valueFrom": {"configMapKeyRef": {"name": "volume", "key": "k", "optional": True}}},
            ],
        }
    ],
}


def test_all_that_containers_read_is_found_and_nothing_of_the_machinery() -> None:
    assert mentions(SPEC) == {
        Mention(CONFIG_MAP, "volume"): False,
        Mention(SECRET, "volume"): True,
        Mention(CONFIG_MAP, "projected"): False,
        Mention(SECRET, "projected"): False,
        Mention(CONFIG_MAP, "whole"): False,
        Mention(SECRET, "whole"): False,
        Mention(CONFIG_MAP, "one-key"): True,
        Mention(SECRET, "one-key"): False,
    }


def test_what_must_be_there_for_one_container_must_be_there() -> None:
    assert mentions(SPEC)[Mention(CONFIG_MAP, "volume")] is False, "a variable could do without, the volume can't"


def test_every_place_that_names_it_is_renamed_and_nothing_else() -> None:
    spec = json.loads(json.dumps(SPEC))
    rename(spec, {mention: f"{mention.name}-{mention.kind}" for mention in mentions(SPEC)}.get)
    assert set(mentions(spec)) == {Mention(kind, f"{name}-{kind}") for kind, name in mentions(SPEC)}
    assert spec["imagePullSecrets"] == SPEC["imagePullSecrets"]
    assert spec["volumes"][3] == SPEC["volumes"][3]
    rename(spec, {Mention(kind, f"{name}-{kind}"): name for kind, name in mentions(SPEC)}.get)
    assert spec == SPEC


@pytest.mark.parametrize(
    "spec",
    [
        {"volumes": None, "containers": "no list"},
        {"volumes": [None, {"configMap": "no object"}, {"configMap": {"name": 5}}, {"projected": {"sources": {}}}]},
        {"containers": [{"env": [{"valueFrom": []}], "envFrom": [{"configMapRef": {}}]}]},
    ],
)
def test_what_no_pod_could_be_made_of_names_nothing(spec: dict[str, Any]) -> None:
    assert mentions(spec) == {}
