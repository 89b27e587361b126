"""What is patched in the app's own Service when the pin moves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.targets.sample import app, component, release
from tidegate.targets.kubernetes.pinning import pin_patch, pinned_body

OLD, NEW = "a" * 64, "b" * 64


def service(*ports: dict[str, Any], **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "web", "resourceVersion": "7", "labels": labels},
        "spec": {"selector": {"app": "web"}, "ports": list(ports)},
    }


def port(target: int | str, **more: Any) -> dict[str, Any]:
    return {"name": "http", "port": 80, "targetPort": target, "protocol": "TCP", **more}


def patched(found: Mapping[str, Any], old: int | None) -> Any:
    return pin_patch(found, "storefront", "web", NEW, old, 9090)["spec"].get("ports")


def test_the_pin_replaces_the_selector_and_says_which_version_of_the_service_it_was_made_for() -> None:
    patch = pin_patch(service(port(8080)), "storefront", "web", NEW, 8080, 8080)
    before = {"tidegate.dev/selector-before": '{"app":"web"}'}
    assert patch["metadata"] == {"resourceVersion": "7", "annotations": before}
    assert patch["spec"]["selector"]["app"] is None
    assert patch["spec"]["selector"]["tidegate.dev/revision"] == NEW[:10]
    assert "ports" not in patch["spec"]


def test_the_port_of_the_pods_moves_with_the_pin_and_that_of_the_service_stays() -> None:
    found = service(port(8080, nodePort=30080), port("metrics", name="metrics", port=81), port(7070, name="x", port=82))
    assert patched(found, old=8080) == [port(9090, nodePort=30080), *found["spec"]["ports"][1:]]


@pytest.mark.parametrize(("target", "old"), [(8080, None), (8080, 7070), ("http", 8080), (9090, 9090)])
def test_what_the_user_meant_otherwise_stays(target: int | str, old: int | None) -> None:
    assert patched(service(port(target)), old) is None


@pytest.mark.parametrize("old", [None, 7070, 8080])
def test_a_service_that_we_made_always_follows(old: int | None) -> None:
    found = release("v2", component("web", port=8080)).spec.components[0]
    made = pinned_body(app(release("v2")), found, OLD, 80, 8080)
    assert made["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": 8080}]
    made["metadata"]["resourceVersion"] = "7"
    assert patched(made, old) == [{"name": "http", "port": 80, "targetPort": 9090}]
