"""A good version climbs, and nobody loses a request."""

import time

from hack.stage import shop as sample
from hack.stage.api import eventually
from hack.stage.operator import Operator
from tests.e2e.scenario import Shop


def test_a_good_release_climbs_rung_by_rung_and_loses_no_request(shop: Shop) -> None:
    shop.given_live("v1.0.0")
    with shop.load(rps=80) as load:
        shop.declare("v1.1.0")
        shop.then_weight("v1.1.0", 10)
        shop.then_weight("v1.1.0", 50)
        shop.then_weight("v1.1.0", 100)
        shop.then_phase("Completed", version="v1.1.0")
    requests = load.requests()
    lost = [request for request in requests if request.code != 200]
    assert len(requests) > 300
    assert not lost, lost[:5]
    assert {request.version for request in requests} == {"v1.0.0", "v1.1.0"}
    past = shop.status()["history"][0]
    assert (past["version"], past["outcome"], past["reached"]) == ("v1.1.0", "Completed", 100)


def test_the_candidate_has_its_pods_before_its_traffic(shop: Shop) -> None:
    big = [sample.component(replicas=4)]
    shop.given_live("v1.0.0", components=big)
    shop.declare("v1.1.0", components=big, steps=[{"weight": 50, "hold": "8s"}, {"weight": 100, "hold": "1s"}])
    shop.then_weight("v1.1.0", 50)
    deployment = shop.api.get("Deployment", shop.namespace, shop.service_of("v1.1.0"))
    assert deployment is not None
    assert deployment["status"].get("readyReplicas", 0) >= 2
    stable = shop.api.get("Deployment", shop.namespace, shop.service_of("v1.0.0"))
    assert stable is not None
    assert stable["spec"]["replicas"] == 4
    shop.then_weight("v1.1.0", 100)
    deployment = shop.api.get("Deployment", shop.namespace, shop.service_of("v1.1.0"))
    assert deployment is not None
    assert deployment["status"]["readyReplicas"] == 4


def test_the_drain_of_thirty_seconds_is_honoured(shop: Shop) -> None:
    slow = [sample.component()]
    slow[0]["kubernetes"]["drain"] = "30s"
    quick = [{"weight": 50, "hold": "1s"}, {"weight": 100, "hold": "1s"}]
    shop.given_live("v1.0.0", components=slow, steps=quick, keepPrevious="0s")
    shop.declare("v1.1.0", components=slow, steps=quick, keepPrevious="0s")
    shop.then_weight("v1.1.0", 100)
    left = time.time()
    old = shop.service_of("v1.0.0")
    shop.then_phase("Completed", version="v1.1.0")
    while time.time() < left + 28:
        deployment = shop.api.get("Deployment", shop.namespace, old)
        assert deployment is not None, f"taken down {time.time() - left:.1f} s after traffic left it"
        assert deployment["status"]["readyReplicas"] == 2
        time.sleep(1)
    eventually(lambda: shop.api.get("Deployment", shop.namespace, old) is None, 20, "the old pods are taken down")


def test_at_rest_nothing_is_written_not_even_after_a_restart(shop: Shop, operator: Operator) -> None:
    shop.given_live("v1.0.0", keepPrevious="0s")
    time.sleep(2)
    before = _versions(shop)
    time.sleep(5)
    assert _versions(shop) == before
    operator.stop()
    operator.start()
    eventually(lambda: "leading as" in operator.log.read_text().split("told to stop")[-1], 30, "it leads again")
    time.sleep(4)
    assert _versions(shop) == before


def _versions(shop: Shop) -> list[str]:
    """The resourceVersion of everything that the operator writes."""
    kinds = ("Release", "HTTPRoute", "Service", "ControllerRevision")
    found = [thing for kind in kinds for thing in shop.api.list(kind, shop.namespace)]
    return [f"{thing['metadata']['name']}@{thing['metadata']['resourceVersion']}" for thing in found]
