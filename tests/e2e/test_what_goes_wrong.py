"""What goes wrong in a cluster is said in a sentence, and takes no traffic with it."""

import pytest

from hack.stage import shop as sample
from hack.stage.api import eventually
from tests.e2e.scenario import Shop


@pytest.mark.parametrize(
    ("version", "environment", "words"),
    [
        ("v9.9.9", {}, "image"),
        ("v1.1.0", {"ERROR_RATE": "nonsense"}, "crash"),
        ("v2.3.0-unready", {}, "database"),
    ],
    ids=["no image", "a crash", "a dependency down"],
)
def test_a_candidate_that_does_not_start_says_why_and_serves_nobody(
    shop: Shop, version: str, environment: dict[str, str], words: str
) -> None:
    shop.given_live("v1.0.0")
    shop.declare(version, deadlines={"ready": "12s"}, components=[sample.component(environment=environment)])
    shop.then_ready_says(words, within=30)
    shop.then_phase("Failed", within=60)
    assert words in shop.status()["revert"]["message"].lower()
    assert shop.weight_of("v1.0.0") == 100
    assert shop.condition("Stalled")["status"] == "True"


def test_an_absent_route_is_named(shop: Shop) -> None:
    shop.api.delete("HTTPRoute", shop.namespace, "web")
    shop.declare("v1.0.0")
    shop.then_ready_says("HTTPRoute", within=20)
    assert shop.condition("Stalled")["status"] == "True"
    shop.api.apply(sample.route(shop.namespace, host=shop.host))
    shop.then_phase("Completed", version="v1.0.0", within=60)


def test_a_quota_that_is_used_up_is_named(shop: Shop) -> None:
    shop.given_live("v1.0.0")
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "few", "namespace": shop.namespace},
        "spec": {"hard": {"pods": "2"}},
    }
    shop.api.apply(quota)
    shop.declare("v1.1.0", deadlines={"ready": "10s"})
    shop.then_ready_says("quota", within=30)
    shop.then_phase("Failed", within=40)


def test_a_service_without_the_label_is_refused_with_the_command_that_allows_it(shop: Shop) -> None:
    service = sample.service(shop.namespace)
    shop.api.merge("Service", shop.namespace, "web", {"metadata": {"labels": {"tidegate.dev/release": None}}})
    shop.declare("v1.0.0")
    shop.then_ready_says("kubectl label", within=20)
    assert shop.status().get("phase") in ("Idle", "Waiting", None)
    shop.api.apply(service)
    shop.then_phase("Completed", version="v1.0.0", within=60)


def test_a_candidate_whose_pods_go_away_under_traffic_is_reverted(shop: Shop) -> None:
    shop.given_live("v1.0.0", guards=[])
    shop.declare("v1.1.0", guards=[], steps=[{"weight": 10, "hold": "300s"}, {"weight": 100}])
    shop.then_weight("v1.1.0", 10)
    eventually(lambda: shop.status()["step"].get("shiftedAt"), 10, "the weight has landed")
    shop.api.merge("Deployment", shop.namespace, shop.service_of("v1.1.0"), {"spec": {"replicas": 0}})
    shop.then_phase("Reverted", within=60)
    assert shop.status()["revert"]["cause"] == "HealthLost"
    assert shop.backends()[shop.service_of("v1.0.0")] == 100
