from __future__ import annotations

from typing import Any

from hack.cluster.discovery import targets_of


def pod(
    labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None, **status: str
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "shop-1",
            "namespace": "production",
            "labels": labels or {},
            "annotations": annotations or {},
        },
        "spec": {
            "containers": [
                {"name": "app", "ports": [{"containerPort": 8080}, {"containerPort": 53, "protocol": "UDP"}]},
                {"name": "sidecar"},
            ]
        },
        "status": {"podIP": "10.88.0.7", "phase": "Running", **status},
    }


OF_A_RELEASE = {
    "tidegate.dev/release": "shop",
    "tidegate.dev/revision": "abc",
    "tidegate.dev/component": "web",
    "app.kubernetes.io/version": "v1.0.0",
}


def test_a_pod_of_a_release_is_scraped_at_its_tcp_ports_with_the_labels_of_its_revision() -> None:
    (target,) = targets_of(pod(OF_A_RELEASE))
    assert target.address == "10.88.0.7:8080"
    assert dict(target.labels) == {
        "namespace": "production",
        "pod": "shop-1",
        "release": "shop",
        "revision": "abc",
        "component": "web",
        "version": "v1.0.0",
    }


def test_any_other_pod_is_scraped_only_if_it_asks() -> None:
    assert targets_of(pod()) == []
    (target,) = targets_of(pod(annotations={"prometheus.io/scrape": "true"}))
    assert dict(target.labels) == {"namespace": "production", "pod": "shop-1"}


def test_a_pod_of_a_release_may_refuse() -> None:
    assert targets_of(pod(OF_A_RELEASE, {"prometheus.io/scrape": "false"})) == []


def test_annotations_name_another_port_and_path() -> None:
    (target,) = targets_of(pod(OF_A_RELEASE, {"prometheus.io/port": "9102", "prometheus.io/path": "/stats"}))
    assert target.address == "10.88.0.7:9102"
    assert dict(target.labels)["__metrics_path__"] == "/stats"


def test_a_pod_without_an_address_or_that_is_over_is_not_scraped() -> None:
    assert targets_of(pod(OF_A_RELEASE, podIP="")) == []
    assert targets_of(pod(OF_A_RELEASE, phase="Succeeded")) == []
    assert targets_of(pod(OF_A_RELEASE, phase="Failed")) == []
