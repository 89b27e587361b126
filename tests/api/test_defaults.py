"""Two spellings of the same pods are the same pods. That these are the defaults, the API server says: see
tests/integration/test_adopting.py."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.api.defaults import without_defaults

CONTAINER = {"name": "app", "image": "registry.example/app:v1"}


def template(**container: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{**CONTAINER, **container}]}}


@pytest.mark.parametrize(
    ("said", "unsaid"),
    [
        (template(imagePullPolicy="IfNotPresent"), template()),
        (template(image="app", imagePullPolicy="Always"), template(image="app")),
        (template(image="a:5000/app:latest", imagePullPolicy="Always"), template(image="a:5000/app:latest")),
        (template(image="app@sha256:00", imagePullPolicy="IfNotPresent"), template(image="app@sha256:00")),
        (template(env=[]), template()),
        (template(env=[{"name": "A", "value": ""}]), template(env=[{"name": "A"}])),
        (template(ports=[{"containerPort": 1, "protocol": "TCP"}]), template(ports=[{"containerPort": 1}])),
        (
            template(readinessProbe={"httpGet": {"path": "/", "port": 1, "scheme": "HTTP"}, "failureThreshold": 3}),
            template(readinessProbe={"httpGet": {"port": 1}}),
        ),
        ({**template(), "metadata": {"labels": {}, "creationTimestamp": None}}, template()),
        (
            {
                "spec": {
                    "containers": [CONTAINER],
                    "volumes": [{"name": "v", "emptyDir": {}}],
                    "dnsPolicy": "ClusterFirst",
                }
            },
            {"spec": {"containers": [CONTAINER], "volumes": [{"name": "v"}]}},
        ),
        (
            {"spec": {"containers": [CONTAINER], "serviceAccountName": "a", "serviceAccount": "a"}},
            {"spec": {"containers": [CONTAINER], "serviceAccountName": "a"}},
        ),
    ],
)
def test_a_default_that_is_said_is_a_default_that_is_not(said: dict[str, Any], unsaid: dict[str, Any]) -> None:
    assert without_defaults(said) == without_defaults(unsaid)


@pytest.mark.parametrize(
    "changed",
    [
        template(imagePullPolicy="Always"),
        template(image="registry.example/app:v2"),
        template(env=[{"name": "A", "value": "1"}]),
        template(readinessProbe={"httpGet": {"port": 1}, "periodSeconds": 1}),
        {**template(), "metadata": {"labels": {"app": "web"}}},
        {"spec": {"containers": [CONTAINER], "terminationGracePeriodSeconds": 5}},
    ],
)
def test_what_is_no_default_stays(changed: dict[str, Any]) -> None:
    assert without_defaults(changed) != without_defaults(template())


@pytest.mark.parametrize(
    "nonsense", [{"spec": {"containers": "app"}}, {"spec": {"volumes": 1}}, {"spec": None}, {"metadata": "x"}, {}]
)
def test_what_is_no_template_is_left_to_the_api_server(nonsense: dict[str, Any]) -> None:
    assert isinstance(without_defaults(nonsense), dict)
