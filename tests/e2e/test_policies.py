"""Nobody helps a version over a step by editing what it is judged by."""

import time

from hack.stage import shop as sample
from hack.stage.api import eventually
from hack.stage.operator import Operator
from tests.e2e.scenario import Shop

WAITS = [{"weight": 10, "hold": "60s"}, {"weight": 100, "hold": "1s"}]


def test_a_policy_deleted_while_the_operator_was_down_still_turns_a_bad_version_back(
    shop: Shop, operator: Operator
) -> None:
    shop.api.apply(sample.policy(shop.namespace, guards=[sample.error_rate(shop.namespace)]))
    shop.given_live("v1.0.0", guards=[])
    shop.declare("v2.0.0-bad", guards=[], steps=WAITS)
    eventually(lambda: shop.status().get("binding"), 20, "the climb has begun, and is bound by the policy", 0.02)
    operator.stop()
    shop.api.delete("ReleasePolicy", shop.namespace, "production")
    operator.start()
    with shop.load(rps=100):
        shop.then_phase("Reverted", within=60)
    status = shop.status()
    assert (status["revert"]["cause"], status["revert"]["name"]) == ("Breach", "error-rate")
    assert "binding" not in status
    assert "policies" not in status


def test_policies_and_connections_say_whether_they_can_be_used(shop: Shop) -> None:
    dead = {**sample.connection(shop.namespace, url="http://127.0.0.1:9")}
    dead["metadata"] = {**dead["metadata"], "name": "dead"}
    secret = sample.connection(shop.namespace)
    secret["metadata"] = {**secret["metadata"], "name": "secret"}
    secret["spec"]["prometheus"]["auth"] = {"bearerToken": {"secretKeyRef": {"name": "nowhere", "key": "token"}}}
    guard = sample.error_rate(shop.namespace, connection="elsewhere")
    shop.api.apply(
        dead,
        secret,
        sample.policy(shop.namespace, "production", defaults={"keepPrevious": "1h"}),
        sample.policy(shop.namespace, "other", defaults={"keepPrevious": "2h"}),
        sample.policy(shop.namespace, "guarded", guards=[guard]),
    )

    def ready(kind: str, name: str) -> str:
        status = (shop.api.get(kind, shop.namespace, name) or {}).get("status", {})
        found = [condition for condition in status.get("conditions", []) if condition["type"] == "Ready"]
        return f"{found[0]['status']} {found[0]['reason']}" if found else ""

    expected = {
        ("Connection", "prometheus"): "True Reachable",
        ("Connection", "dead"): "False Unreachable",
        ("Connection", "secret"): "False SecretMissing",
        ("ReleasePolicy", "production"): "False PolicyConflict",
        ("ReleasePolicy", "other"): "False PolicyConflict",
        ("ReleasePolicy", "guarded"): "False ConnectionMissing",
    }
    eventually(lambda: {at: ready(*at) for at in expected} == expected, 30, f"all say {expected}")
    shop.api.apply(sample.policy(shop.namespace, "other", defaults={"keepPrevious": "1h"}))
    eventually(lambda: ready("ReleasePolicy", "production") == "True InForce", 10, "the conflict is over")

    def versions() -> list[str]:
        kinds = ("Connection", "ReleasePolicy")
        return [each["metadata"]["resourceVersion"] for kind in kinds for each in shop.api.list(kind, shop.namespace)]

    before = versions()
    time.sleep(3)
    assert versions() == before, "what is told is not written again"
