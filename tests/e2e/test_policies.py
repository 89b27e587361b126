"""Nobody helps a version over a step by editing what it is judged by."""

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
