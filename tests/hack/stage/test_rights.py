from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from hack.stage.audit import Request
from hack.stage.rights import Right, denied, granted, is_withdrawal, unused, used
from tests.hack.stage.test_audit import event

RBAC = """\
kind: ServiceAccount
metadata: {name: tidegate}
---
kind: ClusterRole
metadata: {name: tidegate-operator}
rules:
- {apiGroups: [apps], resources: [deployments, replicasets], verbs: [get, list]}
- {apiGroups: [""], resources: [secrets], resourceNames: [one, two], verbs: [get]}
"""
FORBIDDEN: dict[str, Any] = {
    "annotations": {"authorization.k8s.io/decision": "forbid"},
    "responseStatus": {"code": 403},
}
ABOUT = {"resource": "deployments", "apiGroup": "apps", "namespace": "shop", "name": "web"}


def test_each_verb_of_each_kind_and_each_name_is_a_right_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "rbac.yaml"
    file.write_text(RBAC)
    assert granted(file) == {
        Right("apps", "deployments", "get"),
        Right("apps", "deployments", "list"),
        Right("apps", "replicasets", "get"),
        Right("apps", "replicasets", "list"),
        Right("", "secrets", "get", "one"),
        Right("", "secrets", "get", "two"),
    }


def test_what_was_granted_and_never_asked_for_is_found(tmp_path: Path) -> None:
    file = tmp_path / "rbac.yaml"
    file.write_text(RBAC)
    secret = {"resource": "secrets", "namespace": "shop", "name": "one"}
    asked = [
        Request(event("01.000000", "get", objectRef=ABOUT)),
        Request(event("02.000000", "get", objectRef=secret)),
        Request(event("03.000000", "list", objectRef={"resource": "deployments", "apiGroup": "apps"})),
        Request(event("04.000000", "get", objectRef=None)),  # discovery
    ]
    assert unused(granted(file), used(asked)) == {
        Right("apps", "replicasets", "get"),
        Right("apps", "replicasets", "list"),
        Right("", "secrets", "get", "two"),
    }


def test_a_subresource_is_a_right_of_its_own() -> None:
    request = Request(event("01.000000", "patch", objectRef={**ABOUT, "subresource": "scale"}))
    assert used([request]) == {Right("apps", "deployments/scale", "patch", "web")}


def test_a_refusal_for_want_of_a_right_is_found_and_that_of_a_quota_is_none() -> None:
    refused = Request(event("01.000000", "delete", objectRef=ABOUT, **FORBIDDEN))
    by_quota = Request(event("02.000000", "create", objectRef=ABOUT, responseStatus={"code": 403}))
    assert denied([refused, by_quota]) == {(Right("apps", "deployments", "delete", "web"), "shop")}


def test_who_was_just_uninstalled_may_ask_in_vain_for_a_minute() -> None:
    binding = {"resource": "rolebindings", "apiGroup": "rbac.authorization.k8s.io", "name": "tidegate-lease"}
    taken = Request(event("01.000000", "delete", objectRef=binding, user={"username": "admin"}))
    assert is_withdrawal(taken)
    refused = Request(event("05.000000", objectRef=ABOUT, **FORBIDDEN))
    assert denied([refused], withdrawn=[taken.time]) == frozenset()
    assert denied([refused], withdrawn=[taken.time - timedelta(minutes=2)]) != frozenset()
    assert denied([refused], withdrawn=[taken.time + timedelta(seconds=30)]) != frozenset()
