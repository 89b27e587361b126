"""No gateway: the app's own Service selects the pods of both versions, and their numbers are the split.

All load is on the Service's own address.
"""

import time
from typing import Any

from hack.stage import shop as sample
from hack.stage.api import eventually
from tests.e2e.scenario import Shop

PLAIN = [sample.component(replicas=3, traffic={"service": {}}, drain="5s")]  # kube-proxy is no gateway: it is later
QUICKLY = [{"weight": 10, "hold": "4s"}, {"weight": 50, "hold": "2s"}, {"weight": 100, "hold": "1s"}]
SLOWLY = [{"weight": 10, "hold": "60s"}, {"weight": 100, "hold": "1s"}]


def selected(shop: Shop) -> dict[str, str]:
    selector: dict[str, str] = (shop.api.get("Service", shop.namespace, "web") or {})["spec"]["selector"]
    return selector


def weight(shop: Shop) -> dict[str, Any]:
    (component,) = shop.status()["components"]
    found: dict[str, Any] = component["weight"]
    return found


def revision(shop: Shop, version: str) -> str:
    return shop.service_of(version).rpartition("-")[2]


def test_a_version_climbs_by_whole_pods_and_no_request_is_lost_also_while_an_older_one_was_warm(shop: Shop) -> None:
    shop.given_live("v1.0.0", components=PLAIN)
    with shop.load_on_service(rps=60) as load:
        shop.declare("v1.1.0", components=PLAIN, steps=QUICKLY)
        eventually(lambda: weight(shop).get("achieved") == 25, 40, "one pod of four is a quarter")
        assert weight(shop)["desired"] == 10
        shop.then_phase("Completed", version="v1.1.0", within=60)
        assert selected(shop)["tidegate.dev/revision"] == revision(shop, "v1.1.0")
        first = time.time()
        shop.declare("v1.2.0", components=PLAIN, steps=QUICKLY)  # v1.0.0 is still warm
        shop.then_phase("Completed", version="v1.2.0", within=60)
        last = time.time()
        time.sleep(2)
    requests = load.requests()
    assert not [r for r in requests if r.code != 200][:5]
    assert not [r for r in requests if r.start > first + 1 and r.version == "v1.0.0"][:5]
    assert {r.version for r in requests if r.start > last + 1} == {"v1.2.0"}


def test_a_bad_version_goes_back_by_one_write_and_no_new_connection_reaches_it(shop: Shop) -> None:
    shop.given_live("v1.0.0", components=PLAIN)
    with shop.load_on_service(rps=100) as load:
        shop.declare("v2.0.0-bad", components=PLAIN, steps=SLOWLY)
        eventually(lambda: "tidegate.dev/revision" not in selected(shop), 40, "the Service leads to both", 0.05)
        eventually(lambda: "tidegate.dev/revision" in selected(shop), 40, "the Service leads to one again", 0.05)
        back = time.time()
        shop.then_phase("Reverted", within=20)
        time.sleep(4)
    late = [r for r in load.requests(since=back + 1.0) if r.version != "v1.0.0" or r.code != 200]
    assert not late, late[:5]
    status = shop.status()
    assert status["revert"]["cause"] == "Breach"
    assert status["stable"]["version"] == "v1.0.0"
    assert selected(shop)["tidegate.dev/revision"] == revision(shop, "v1.0.0")


def test_who_scales_the_candidate_down_lowered_it_and_more_pods_are_taken_back(shop: Shop) -> None:
    shop.given_live("v1.0.0", components=PLAIN)
    steps = [{"weight": 50, "hold": "10m"}, {"weight": 100}]
    shop.declare("v1.1.0", components=PLAIN, steps=steps)
    eventually(lambda: weight(shop).get("achieved") == 50, 40, "three pods of six")
    candidate = shop.service_of("v1.1.0")

    def pods() -> int:
        return int((shop.api.get("Deployment", shop.namespace, candidate) or {})["spec"]["replicas"])

    shop.api.merge("Deployment", shop.namespace, candidate, {"spec": {"replicas": 5}})
    eventually(lambda: pods() == 3, 20, "more pods than the weight allows are taken back")
    shop.api.merge("Deployment", shop.namespace, candidate, {"spec": {"replicas": 1}})
    shop.then_ready_says("lowered by hand", within=20)
    time.sleep(3)
    assert pods() == 1
    shop.then_answered(shop.act("Resume"), "Done")
    eventually(lambda: weight(shop)["desired"] == 25, 20, "what was left is the weight")
    assert pods() == 1


def test_deleted_it_leaves_a_service_that_serves(shop: Shop) -> None:
    shop.given_live("v1.0.0", components=PLAIN)
    with shop.load_on_service() as load:
        shop.api.delete("Release", shop.namespace, "shop")
        eventually(lambda: shop.api.get("Release", shop.namespace, "shop") is None, 30, "the Release is gone")
        time.sleep(3)
    assert not [r for r in load.requests() if r.code != 200][:5]
    service = shop.api.get("Service", shop.namespace, "web") or {}
    assert not [name for name in service["metadata"].get("annotations", {}) if "tidegate" in name]
