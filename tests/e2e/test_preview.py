"""The candidate through the front door, before anyone is sent there."""

from typing import Any

import httpx

from hack.stage import shop as sample
from hack.stage.api import eventually
from tests.e2e.scenario import Shop

HEADER = "x-tidegate-version"
LATER = [{"weight": 10, "hold": "60s"}, {"weight": 100, "hold": "1s"}]


def component(**environment: str) -> dict[str, Any]:
    made = sample.component(environment=environment)
    made["kubernetes"]["preview"] = {}
    return made


def answered_by(shop: Shop, mark: str) -> str:
    """The version that answers a request with this value in the header."""
    answer = httpx.get(sample.GATEWAY, headers={"Host": shop.host, HEADER: mark}, trust_env=False)
    return str(answer.headers.get("X-Version", answer.status_code))


def test_marked_requests_reach_the_candidate_at_weight_0_and_no_other_does(shop: Shop) -> None:
    shop.given_live("v1.0.0", components=[component()])
    never = [{"name": "wait", "when": ["BeforeTraffic"], "job": {"cronJob": "wait", "timeout": "5m"}}]
    shop.api.apply(_waiting(shop.namespace))
    with shop.load(rps=100) as load:
        shop.declare("v1.1.0", components=[component()], steps=LATER, checks=never)
        eventually(lambda: answered_by(shop, "v1.1.0") == "v1.1.0", 40, "a marked request reaches v1.1.0")
        revision = shop.service_of("v1.1.0").rsplit("-", 1)[1]
        assert answered_by(shop, revision) == "v1.1.0"
        assert answered_by(shop, "v9") == "v1.0.0"
        assert shop.weight_of("v1.1.0") in (None, 0)
        shop.declare("v1.0.0", components=[component()])
        eventually(lambda: len(shop.route()["spec"]["rules"]) == 1, 30, "the preview goes with the climb")
    assert {r.version for r in load.requests()} == {"v1.0.0"}
    assert all(r.code == 200 for r in load.requests())
    eventually(lambda: not shop.service_of("v1.1.0"), 30, "the abandoned candidate is taken down")


def test_a_check_through_the_gateway_fails_a_bad_candidate_before_any_traffic(shop: Shop) -> None:
    checks = [{"name": "front", "when": ["BeforeTraffic"], "http": {"component": "web", "path": "/", "via": "Preview"}}]
    shop.given_live("v1.0.0", components=[component()])
    with shop.load(rps=100) as load:
        shop.declare("v1.1.0", components=[component(ERROR_RATE="1")], checks=checks)
        shop.then_phase("Failed", within=60)
    revert = shop.status()["revert"]
    assert (revert["cause"], revert["name"]) == ("CheckFailed", "front")
    assert "through its Gateway answered 500, not 200" in revert["message"]
    assert {(r.version, r.code) for r in load.requests()} == {("v1.0.0", 200)}


def _waiting(namespace: str) -> dict[str, Any]:
    """A suspended CronJob whose Jobs never end: so long the candidate stands at weight 0."""
    container = {"name": "wait", "image": "tidegate.local/sample:$(version)", "args": ["pause"]}
    pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container]}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "wait", "namespace": namespace, "labels": {"tidegate.dev/release": "shop"}},
        "spec": {
            "schedule": "0 0 1 1 *",
            "suspend": True,
            "jobTemplate": {"spec": {"template": {"spec": pod}}},
        },
    }
