"""A bad version goes back to 0 % by itself, and no request reaches it after."""

import time
from typing import Any

from hack.stage import shop as sample
from hack.stage.api import eventually
from tests.e2e.scenario import Shop

SLOWLY = [{"weight": 10, "hold": "60s"}, {"weight": 100, "hold": "1s"}]


def test_a_bad_version_at_ten_percent_goes_back_and_no_request_reaches_it_after(shop: Shop) -> None:
    shop.given_live("v1.0.0")
    with shop.load(rps=100) as load:
        shop.declare("v2.0.0-bad", steps=SLOWLY)
        shop.then_weight("v2.0.0-bad", 10)
        shop.then_phase("Reverted", within=40)
        assert shop.backends()[shop.service_of("v2.0.0-bad")] == 0  # written, not left out
        back = time.time()
        time.sleep(4)
    late = [r for r in load.requests(since=back + 1.0) if r.version == "v2.0.0-bad"]
    assert not late, late[:5]
    assert all(r.code == 200 for r in load.requests(since=back + 1.0))
    status = shop.status()
    assert status["stable"]["version"] == "v1.0.0"
    assert status["revert"]["cause"] == "Breach"
    assert "error-rate of v2.0.0-bad is" in status["revert"]["message"]
    assert shop.condition("Ready")["status"] == "False"
    assert shop.condition("Stalled")["reason"] == "Reverted"
    assert shop.condition("Available")["status"] == "True"
    assert status["rejected"][0]["version"] == "v2.0.0-bad"


def test_a_rejected_version_stays_down_until_retry(shop: Shop) -> None:
    shop.given_live("v1.0.0")
    with shop.load(rps=100):
        shop.declare("v2.0.0-bad", steps=SLOWLY)
        shop.then_phase("Reverted", within=60)
        time.sleep(3)
        assert shop.status()["phase"] == "Reverted"
        attempt = shop.status()["attempt"]
        retry = shop.act("Retry", seen={"attempt": attempt})
        shop.then_answered(retry, "Done")
        eventually(lambda: shop.status()["attempt"] == attempt + 1, 20, "a new attempt begins")
        shop.then_phase("Reverted", within=60)


def test_a_person_rolls_back_in_one_step(shop: Shop) -> None:
    shop.given_live("v1.0.0")
    shop.given_live("v1.1.0", steps=[{"weight": 100, "hold": "0s"}])
    with shop.load(rps=50) as load:
        act = shop.act("Rollback", seen={"attempt": shop.status()["attempt"]})
        shop.then_weight("v1.0.0", 100, within=10)
        shop.then_answered(act, "Done")
        shop.then_phase("Reverted", version="v1.0.0")
    assert all(r.code == 200 for r in load.requests())
    assert shop.condition("Ready")["reason"] == "RolledBack"


def test_a_rollback_to_a_version_that_was_taken_down_long_ago_starts_it_and_goes_in_one_step(shop: Shop) -> None:
    cold: dict[str, Any] = {
        "keepPrevious": "0s",
        "steps": [{"weight": 50, "hold": "1s"}, {"weight": 100, "hold": "1s"}],
    }
    for version in ("v1.0.0", "v1.1.0", "v1.2.0"):
        shop.given_live(version, **cold)
    eventually(lambda: not shop.service_of("v1.0.0"), 30, "v1.0.0 has been taken down")
    kept = [past["version"] for past in shop.status()["history"] if past.get("kept")]
    assert kept == ["v1.2.0", "v1.1.0", "v1.0.0"]
    refused = shop.act("Rollback", rollback={"version": "v0.9.0"})
    assert "kept are v1.2.0, v1.1.0, v1.0.0" in shop.then_answered(refused, "Refused")
    with shop.load(rps=80) as load:
        shop.act("Rollback", rollback={"version": "v1.0.0"})
        shop.then_phase("Reverted", version="v1.0.0")
        time.sleep(1)
    requests = sorted(load.requests(), key=lambda request: request.start)
    assert not [request for request in requests if request.code != 200]
    assert {request.version for request in requests} == {"v1.0.0", "v1.2.0"}
    # In one step: the gateway hands over within a moment, and there is no time in which it splits.
    last = max(request.start for request in requests if request.version == "v1.2.0")
    first = min(request.start for request in requests if request.version == "v1.0.0")
    assert last - first < 1.0
    assert shop.weight_of("v1.0.0") == 100


def test_a_newer_version_supersedes_and_stable_stays_the_way_back(shop: Shop) -> None:
    shop.given_live("v1.0.0")
    shop.declare("v1.1.0", steps=SLOWLY)
    shop.then_weight("v1.1.0", 10)
    shop.declare("v1.2.0")
    shop.then_phase("Progressing", within=30)
    assert shop.status()["stable"]["version"] == "v1.0.0"
    shop.then_phase("Completed", version="v1.2.0", within=60)
    eventually(lambda: not shop.service_of("v1.1.0"), 30, "the abandoned candidate is taken down")


def test_a_version_put_back_takes_the_fast_path(shop: Shop) -> None:
    shop.given_live("v1.0.0")
    shop.given_live("v1.1.0")
    shop.declare("v1.0.0")
    shop.then_weight("v1.0.0", 100, within=5)
    shop.then_phase("Completed", version="v1.0.0", within=10)


def test_a_failed_check_reverts_and_is_named(shop: Shop) -> None:
    shop.given_live("v1.0.0")
    checks = [{"name": "find", "when": ["EachStep"], "http": {"component": "web", "path": "/health", "status": [418]}}]
    shop.declare("v1.1.0", checks=checks)
    shop.then_phase("Reverted", within=40)
    revert = shop.status()["revert"]
    assert (revert["cause"], revert["name"]) == ("CheckFailed", "find")
    assert "200" in revert["message"]


def test_a_job_check_runs_before_traffic(shop: Shop) -> None:
    shop.api.apply(_smoke(shop.namespace))
    checks = [{"name": "smoke", "when": ["BeforeTraffic"], "job": {"cronJob": "smoke", "timeout": "30s"}}]
    shop.given_live("v1.0.0", checks=checks)
    check = shop.status()["checks"][0]
    assert (check["name"], check["outcome"]) == ("smoke", "Passed")
    assert shop.api.get("Job", shop.namespace, check["job"]) is not None


def _smoke(namespace: str) -> dict[str, object]:
    """A suspended CronJob that asks the candidate's own Service for /health."""
    container = {
        "name": "smoke",
        "image": "tidegate.local/sample:$(version)",
        "args": ["probe", "http://$(TIDEGATE_ENDPOINT_WEB)/health"],
    }
    pod = {"restartPolicy": "Never", "containers": [container]}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "smoke", "namespace": namespace, "labels": {"tidegate.dev/release": "shop"}},
        "spec": {
            "schedule": "0 0 1 1 *",
            "suspend": True,
            # a new Service takes a moment before every node knows it
            "jobTemplate": {"spec": {"backoffLimit": 3, "template": {"spec": pod}}},
        },
    }


def test_two_components_turn_back_together(shop: Shop) -> None:
    shop.api.apply(
        sample.service(shop.namespace, "api"), sample.route(shop.namespace, "api", f"api-{shop.host}", "api")
    )
    both = [sample.component("web", 1), sample.component("api", 1)]
    shop.given_live("v1.0.0", components=both)
    with shop.load(rps=100):
        shop.declare("v2.0.0-bad", components=both, steps=SLOWLY)
        shop.then_phase("Reverted", within=60)
    api = shop.api.get("HTTPRoute", shop.namespace, "api")
    assert api is not None
    weights = {ref["name"]: ref["weight"] for ref in api["spec"]["rules"][0]["backendRefs"]}
    assert {name: weight for name, weight in weights.items() if weight} == {_revision_of(shop, "api", "v1.0.0"): 100}


def _revision_of(shop: Shop, component: str, version: str) -> str:
    labels = f"tidegate.dev/component={component},app.kubernetes.io/version={version}"
    return str(shop.api.list("Service", shop.namespace, labels)[0]["metadata"]["name"])
