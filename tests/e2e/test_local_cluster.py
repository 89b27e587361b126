"""That the local cluster is a real one: pods run, the gateway splits by weight, Prometheus sees who answered."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hack.cluster.elsewhere import elsewhere
from hack.cluster.layout import current_layout

pytestmark = pytest.mark.skipif(elsewhere(current_layout()) is not None, reason="it is about our own cluster")

VERSIONS = {"stable": "v1.0.0", "candidate": "v2.0.0-bad"}


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    return subprocess.run(["kubectl", *arguments], input=stdin, check=True, capture_output=True, text=True).stdout


def deployment(name: str, version: str) -> dict[str, Any]:
    labels = {
        "app": name,
        "tidegate.dev/release": "smoke",
        "tidegate.dev/revision": name,
        "app.kubernetes.io/version": version,
    }
    container = {
        "name": "app",
        "image": f"tidegate.local/sample:{version}",
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def service(name: str) -> dict[str, Any]:
    ports = [{"port": 80, "targetPort": 8080}]
    spec = {"selector": {"app": name}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def route(host: str) -> dict[str, Any]:
    backends = [{"name": "stable", "port": 80, "weight": 90}, {"name": "candidate", "port": 80, "weight": 10}]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "smoke"},
        "spec": {
            "parentRefs": [{"name": "tidegate", "namespace": "gateway"}],
            "hostnames": [host],
            "rules": [{"backendRefs": backends}],
        },
    }


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    """Two Deployments of two pods each, behind one route that gives the candidate 10 %."""
    name = f"smoke-{uuid.uuid4().hex[:6]}"
    kubectl("create", "namespace", name)
    items = [route(f"{name}.example")]
    for one, version in VERSIONS.items():
        items += [deployment(one, version), service(one)]
    try:
        kubectl("-n", name, "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        kubectl("-n", name, "wait", "--for=condition=Available", "deployment", "--all", "--timeout=60s")
        yield name
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


def query(promql: str) -> dict[str, float]:
    """Value by version."""
    url = "http://127.0.0.1:9090/api/v1/query?" + urllib.parse.urlencode({"query": promql})
    with urllib.request.urlopen(url, timeout=5) as answer:
        found = json.load(answer)["data"]["result"]
    return {one["metric"].get("version", ""): float(one["value"][1]) for one in found}


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, f"after 30 s: {what}"
        time.sleep(0.2)


def load(host: str, seconds: float, report: Path) -> dict[str, Any]:
    command = ["sample", "load", "-host", host, "-rps", "100", "-duration", f"{seconds}s", "-report", str(report)]
    subprocess.run(command, check=True)
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def test_the_gateway_gives_each_version_its_exact_share(namespace: str, tmp_path: Path) -> None:
    host = f"{namespace}.example"

    def both_answer() -> bool:
        answers = load(host, 0.295, tmp_path / "warm.json")["answers"]
        return {one["version"] for one in answers} == set(VERSIONS.values())

    until(both_answer, "the gateway does not reach both versions")
    report = load(host, 2.995, tmp_path / "report.json")
    assert report["failed"] == 0
    by_version = dict.fromkeys(VERSIONS.values(), 0)
    for one in report["answers"]:
        by_version[one["version"]] += one["count"]
    # Traefik's round robin is exact over ten requests; the warm-up may have left it in the middle of ten.
    assert sum(by_version.values()) == pytest.approx(300, abs=2)
    assert by_version["v2.0.0-bad"] == pytest.approx(30, abs=1)


def test_prometheus_counts_what_each_version_answered(namespace: str) -> None:
    counted = f'sum by (version) (http_requests_total{{namespace="{namespace}"}})'
    until(lambda: set(query(f"{counted} > 0")) == set(VERSIONS.values()), "one version has no samples")
    errors = f'sum by (version) (http_requests_total{{namespace="{namespace}", code="500"}})'
    assert query(errors)["v1.0.0"] == 0
    until(lambda: query(errors)["v2.0.0-bad"] > 0, "the bad version shows no errors")


def test_prometheus_sees_the_requests_at_the_gateway_too(namespace: str) -> None:
    service_label = f".*-svc-{namespace}-candidate-.*"
    until(
        lambda: bool(query(f'traefik_service_requests_total{{service=~"{service_label}"}} > 0')),
        "Traefik's metrics are not there",
    )


def test_the_api_server_serves_what_the_admission_policies_need() -> None:
    served = json.loads(kubectl("get", "--raw", "/apis/admissionregistration.k8s.io/v1"))
    names = {one["name"] for one in served["resources"]}
    assert {"mutatingadmissionpolicies", "validatingadmissionpolicies"} <= names
