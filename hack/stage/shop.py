"""The sample app as a user would declare it: a Service, a route, a Connection, a policy and a Release."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

# As seen from where the tests and the operator run. The defaults are those of the local cluster.
GATEWAY = os.environ.get("TIDEGATE_GATEWAY", "http://127.0.0.1:8080/")
PROMETHEUS = os.environ.get("TIDEGATE_PROMETHEUS", "http://127.0.0.1:9090")
PORT = 8080
QUICK = ({"weight": 10, "hold": "3s"}, {"weight": 50, "hold": "3s"}, {"weight": 100, "hold": "3s"})

ERROR_RATE: Mapping[str, Any] = {
    "name": "error-rate",
    "connection": "prometheus",
    "ratio": {
        "bad": 'http_requests_total{namespace="%(namespace)s",revision="$(revision)",code=~"5.."}',
        "total": 'http_requests_total{namespace="%(namespace)s",revision="$(revision)"}',
    },
    "revert": "+5pp",
    "minSamples": 20,
}


def error_rate(namespace: str, **changes: Any) -> dict[str, Any]:
    """The guard on the share of 5xx answers, against stable."""
    ratio = {name: query % {"namespace": namespace} for name, query in ERROR_RATE["ratio"].items()}
    return {**ERROR_RATE, "ratio": ratio, **changes}


def namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def service(namespace: str, name: str = "web", release: str = "shop") -> dict[str, Any]:
    """The app's own Service. It selects nothing at first: the operator pins it to the stable revision."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "labels": {"tidegate.dev/release": release}},
        "spec": {"ports": [{"name": "http", "port": PORT, "targetPort": PORT}]},
    }


def route(namespace: str, name: str = "web", host: str = "", service: str = "web") -> dict[str, Any]:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "parentRefs": [{"name": "tidegate", "namespace": "gateway"}],
            "hostnames": [host or f"{namespace}.example"],
            "rules": [{"backendRefs": [{"name": service, "port": PORT}]}],
        },
    }


def virtual_service(namespace: str, name: str = "web", service: str = "web") -> dict[str, Any]:
    """A route of Istio's, as a user would write it: no weight, the Service's short name."""
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "hosts": [f"{namespace}.example"],
            "http": [{"name": "all", "route": [{"destination": {"host": service, "port": {"number": PORT}}}]}],
        },
    }


def connection(namespace: str, url: str = PROMETHEUS) -> dict[str, Any]:
    return {
        "apiVersion": "tidegate.dev/v1alpha1",
        "kind": "Connection",
        "metadata": {"name": "prometheus", "namespace": namespace},
        "spec": {"prometheus": {"url": url}, "allow": [{"guards": ["*"]}]},
    }


def policy(namespace: str, name: str = "production", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "tidegate.dev/v1alpha1",
        "kind": "ReleasePolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def component(
    name: str = "web",
    replicas: int = 2,
    environment: Mapping[str, str] | None = None,
    traffic: Mapping[str, Any] | None = None,
    drain: str = "2s",
) -> dict[str, Any]:
    variables = [{"name": key, "value": value} for key, value in (environment or {}).items()]
    container = {
        "name": "app",
        "image": "tidegate.local/sample:$(version)",
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": PORT}, "periodSeconds": 1},
        **({"env": variables} if variables else {}),
    }
    return {
        "name": name,
        "kubernetes": {
            "replicas": replicas,
            "port": PORT,
            "service": name,
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"terminationGracePeriodSeconds": 5, "containers": [container]},
            },
            "traffic": {"httpRoute": {"name": name}} if traffic is None else dict(traffic),
            "probes": {"health": "/health", "ready": "/ready", "version": "/version"},
            "drain": drain,
        },
    }


def deployment(
    namespace: str, version: str, name: str = "web", replicas: int = 2, release: str = "shop"
) -> dict[str, Any]:
    """What ran before there was a Release; it may be taken over."""
    template = component(name)["kubernetes"]["template"]
    for container in template["spec"]["containers"]:
        container["image"] = container["image"].replace("$(version)", version)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": {"tidegate.dev/release": release}},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


def adopting(
    name: str = "web", replicas: int = 2, image: str = "", traffic: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A component whose pods are those of the Deployment of that name; `image`: of another version."""
    adopting = component(name, replicas, traffic=traffic, drain="8s")  # kube-proxy follows later than a gateway
    del adopting["kubernetes"]["template"]
    adopting["kubernetes"]["templateFrom"] = {"deployment": name}
    if image:
        adopting["kubernetes"]["images"] = [{"container": "app", "image": image}]
    return adopting


def release(
    namespace: str,
    version: str,
    *,
    name: str = "shop",
    steps: Sequence[Mapping[str, Any]] = QUICK,
    components: Sequence[Mapping[str, Any]] | None = None,
    guards: Sequence[Mapping[str, Any]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "version": version,
        "steps": list(steps),
        "keepPrevious": "5m",
        "components": list(components or [component()]),
        "guards": list(guards if guards is not None else [error_rate(namespace)]),
        **more,
    }
    return {
        "apiVersion": "tidegate.dev/v1alpha1",
        "kind": "Release",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def intervention(namespace: str, action: str, by: str, *, release: str = "shop", **more: Any) -> dict[str, Any]:
    """For `Api.create`: named by the server."""
    return {
        "apiVersion": "tidegate.dev/v1alpha1",
        "kind": "Intervention",
        "metadata": {"generateName": f"{release}-", "namespace": namespace},
        "spec": {
            "targetRef": {"kind": "Release", "name": release},
            "action": action,
            "by": by,
            "reason": "asked for by a test",
            **more,
        },
    }
