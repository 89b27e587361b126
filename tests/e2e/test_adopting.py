"""A Deployment that serves becomes a Release's, and is given back, and nobody loses a request."""

import time
from typing import Any

import pytest

from hack.stage import shop as sample
from hack.stage.api import eventually
from hack.stage.load import Load, Request
from tests.e2e.scenario import Shop

OWN = {"app": "web"}
FAILING = [{"name": "ERROR_RATE", "value": "0.5"}]
ANY_VERSION = "tidegate.local/sample:$(version)"


@pytest.fixture
def serving(shop: Shop) -> Shop:
    """Two pods of v1.0.0 behind Service and route, as kubectl would have made them."""
    service = sample.service(shop.namespace)
    service["spec"]["selector"] = OWN
    shop.api.apply(service, sample.deployment(shop.namespace, "v1.0.0"))
    eventually(lambda: answers(shop) == {"v1.0.0"}, 60, "the Deployment serves")
    return shop


def answers(shop: Shop) -> set[str]:
    with shop.load(rps=40) as load:
        time.sleep(0.5)
    return {request.version for request in load.requests()}


def direct(shop: Shop) -> Load:
    """Customers who call the Service itself."""
    return shop.load_on_service(rps=80)


def service(shop: Shop) -> dict[str, Any]:
    found = shop.api.get("Service", shop.namespace, "web")
    assert found is not None
    return found


def deployment(shop: Shop) -> dict[str, Any]:
    found = shop.api.get("Deployment", shop.namespace, "web")
    assert found is not None
    return found


def pods(shop: Shop) -> int:
    return int(deployment(shop)["spec"]["replicas"])


def take_over(shop: Shop, version: str = "v1.0.0", **changes: Any) -> None:
    shop.declare(version, components=[sample.adopting(**changes)])


def lost(*loads: Load) -> list[Request]:
    requests = [request for load in loads for request in load.requests()]
    assert len(requests) > 300
    return [request for request in requests if request.code != 200]


def test_what_serves_is_taken_over_and_given_back_without_one_failed_request(serving: Shop) -> None:
    before = deployment(serving)
    with serving.load(rps=80) as by_route, direct(serving) as directly:
        take_over(serving)
        serving.then_phase("Completed", version="v1.0.0", within=60)
        eventually(lambda: pods(serving) == 0, 40, "the Deployment rests")
        eventually(lambda: not own_pods(serving), 30, "its pods are gone")
        held = deployment(serving)
        assert held["metadata"]["uid"] == before["metadata"]["uid"]
        assert "ownerReferences" not in held["metadata"]
        assert held["spec"]["paused"] is True
        assert service(serving)["spec"]["selector"]["tidegate.dev/release"] == "shop"
        serving.api.delete("Release", serving.namespace, "shop", propagation="Foreground")
        eventually(lambda: serving.api.get("Release", serving.namespace, "shop") is None, 90, "the Release is gone")
        time.sleep(1)
    assert not lost(by_route, directly)
    after = deployment(serving)
    assert after["spec"] == before["spec"]
    assert "tidegate.dev/adopted" not in after["metadata"].get("annotations", {})
    assert service(serving)["spec"]["selector"] == OWN
    assert "annotations" not in service(serving)["metadata"] or not any(
        name.startswith("tidegate.dev/") for name in service(serving)["metadata"]["annotations"]
    )
    assert [ref["name"] for ref in serving.route()["spec"]["rules"][0]["backendRefs"]] == ["web"]
    assert [found["metadata"]["name"] for found in serving.api.list("Deployment", serving.namespace)] == ["web"]


def test_one_that_is_rolled_while_it_is_given_back_loses_no_request(serving: Shop) -> None:
    with direct(serving) as directly:
        take_over(serving)
        serving.then_phase("Completed", version="v1.0.0", within=60)
        eventually(lambda: pods(serving) == 0, 40, "the Deployment rests")
        serving.api.delete("Release", serving.namespace, "shop")
        eventually(lambda: "pod-template-hash" in service(serving)["spec"]["selector"], 40, "its pods serve again")
        assert deployment(serving)["spec"]["paused"] is True, "nobody rolls it by the way"
        marked = {"metadata": {"annotations": {"rolled": "yes"}}}
        serving.api.merge("Deployment", serving.namespace, "web", {"spec": {"paused": False, "template": marked}})
        eventually(lambda: service(serving)["spec"]["selector"] == OWN, 5, "all its pods are selected")
        eventually(lambda: serving.api.get("Release", serving.namespace, "shop") is None, 90, "the Release is gone")
        time.sleep(1)
    assert not lost(directly)
    assert [found["metadata"]["name"] for found in serving.api.list("Deployment", serving.namespace)] == ["web"]
    assert not deployment(serving)["spec"].get("paused")


def own_pods(shop: Shop) -> list[dict[str, Any]]:
    """Those of the Deployment itself."""
    found = shop.api.list("Pod", shop.namespace, "app=web")
    return [pod for pod in found if "tidegate.dev/revision" not in pod["metadata"]["labels"]]


def test_so_it_is_behind_a_plain_service(serving: Shop) -> None:
    serving.api.delete("HTTPRoute", serving.namespace, "web")
    before = deployment(serving)
    with direct(serving) as load:
        take_over(serving, traffic={"service": {}})
        serving.then_phase("Completed", version="v1.0.0", within=60)
        eventually(lambda: not own_pods(serving), 40, "the Deployment rests, and its pods are gone")
        serving.api.delete("Release", serving.namespace, "shop")
        eventually(lambda: serving.api.get("Release", serving.namespace, "shop") is None, 90, "the Release is gone")
        time.sleep(1)
    assert not lost(load)
    assert deployment(serving)["spec"] == before["spec"]
    assert service(serving)["spec"]["selector"] == OWN
    assert [found["metadata"]["name"] for found in serving.api.list("Deployment", serving.namespace)] == ["web"]


def test_another_version_than_runs_climbs_from_what_runs_and_a_bad_one_comes_back(serving: Shop) -> None:
    with serving.load(rps=80) as load:
        take_over(serving, "v2.0.0-bad", image=ANY_VERSION)
        serving.then_phase("Reverted", version="v1.0.0", within=90)
    serves = {request.version for request in load.requests()}
    assert serves == {"v1.0.0", "v2.0.0-bad"}
    status = serving.status()
    outcomes = [(past["version"], past["outcome"]) for past in status["history"]]
    assert outcomes == [("v2.0.0-bad", "Reverted"), ("v1.0.0", "Completed")]
    assert max(past["reached"] for past in status["history"] if past["version"] == "v2.0.0-bad") < 100


def test_an_edit_of_the_deployment_climbs_and_deleted_midway_what_is_proven_serves_on(serving: Shop) -> None:
    """The Deployment's own template is the bad version by then: it must not be what serves."""
    take_over(serving)
    serving.then_phase("Completed", version="v1.0.0")
    eventually(lambda: pods(serving) == 0, 40, "the Deployment rests")
    stable = serving.status()["stable"]["revision"]
    serving.declare("v1.0.0", components=[sample.component()])  # the same pods, written down here
    serving.then_phase("Completed", version="v1.0.0")
    eventually(lambda: not deployment(serving)["spec"].get("paused"), 20, "the Deployment is let go")
    serving.declare("v1.0.0", components=[sample.adopting()], guards=[])
    serving.api.merge("Deployment", serving.namespace, "web", {"spec": {"replicas": 1}})
    eventually(lambda: deployment(serving)["spec"].get("paused") and not pods(serving), 20, "it is taken down again")
    assert serving.status()["stable"]["revision"] == stable
    assert len(serving.status()["history"]) == 1
    with serving.load(rps=80) as by_route, direct(serving) as directly:
        new = [{"name": "app", "image": "tidegate.local/sample:v1.0.0", "env": FAILING}]
        edit = {"spec": {"template": {"spec": {"containers": new}}}}
        serving.api.merge("Deployment", serving.namespace, "web", edit)
        eventually(lambda: 500 in {request.code for request in by_route.requests()}, 40, "what it says now climbs")
        serving.api.delete("Release", serving.namespace, "shop")
        eventually(lambda: serving.api.get("Release", serving.namespace, "shop") is None, 60, "the Release is gone")
        gone = time.time()
        time.sleep(2)
    assert {request.code for request in by_route.requests()} == {200, 500}
    assert {request.code for request in by_route.requests(since=gone)} == {200}
    assert not lost(directly)
    assert (pods(serving), deployment(serving)["spec"].get("paused", False)) == (0, False)


def test_with_delete_the_app_goes_and_the_deployment_stays_at_rest(serving: Shop) -> None:
    take_over(serving)
    serving.then_phase("Completed", version="v1.0.0")
    eventually(lambda: pods(serving) == 0, 40, "the Deployment rests")
    serving.declare("v1.0.0", components=[sample.adopting()], deletionPolicy="Delete")
    eventually(lambda: serving.status().get("observedGeneration", 0) >= 2, 20, "the policy is seen")
    serving.api.delete("Release", serving.namespace, "shop")
    eventually(lambda: serving.api.get("Release", serving.namespace, "shop") is None, 60, "the Release is gone")
    left = {
        found["metadata"]["name"]: found["spec"]["replicas"]
        for found in serving.api.list("Deployment", serving.namespace)
    }
    assert left == {"web": 0}
    assert not deployment(serving)["spec"].get("paused")
    assert service(serving)["spec"]["selector"] == OWN
    serving.api.merge("Deployment", serving.namespace, "web", {"spec": {"replicas": 1}})
    eventually(lambda: answers(serving) == {"v1.0.0"}, 40, "it serves as before")
