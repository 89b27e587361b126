"""What people ask for, and what others change behind our back."""

import time

from hack.stage.api import eventually
from tests.e2e.scenario import Shop

LONG = [{"weight": 10, "hold": "120s"}, {"weight": 50, "hold": "2s"}, {"weight": 100, "hold": "2s"}]


def _edit(shop: Shop, weights: dict[str, int]) -> None:
    route = shop.route()
    rules = route["spec"]["rules"]
    for ref in rules[0]["backendRefs"]:
        ref["weight"] = weights.get(ref["name"], ref.get("weight", 1))
    shop.api.merge("HTTPRoute", shop.namespace, "web", {"spec": {"rules": rules}})


def test_an_edit_that_raises_exposure_is_put_back_with_an_event(shop: Shop) -> None:
    shop.given_live("v1.0.0")
    shop.declare("v1.1.0", steps=LONG)
    shop.then_weight("v1.1.0", 10)
    eventually(lambda: shop.status()["step"].get("shiftedAt"), 10, "the weight has landed")
    _edit(shop, {shop.service_of("v1.1.0"): 90, shop.service_of("v1.0.0"): 10})
    shop.then_weight("v1.1.0", 10, within=5)
    assert shop.status()["phase"] == "Progressing"

    def told() -> list[dict[str, object]]:
        return [e for e in shop.api.list("Event", shop.namespace) if e["reason"] == "ForeignEditPutBack"]

    event = eventually(told, 10, "an Event tells of it")[0]
    assert "stage" in str(event["note"])  # the field manager that wrote


def test_an_edit_that_lowers_exposure_is_kept_until_resume(shop: Shop) -> None:
    shop.given_live("v1.0.0")
    shop.declare("v1.1.0", steps=LONG)
    shop.then_weight("v1.1.0", 10)
    eventually(lambda: shop.status()["step"].get("shiftedAt"), 10, "the weight has landed")
    _edit(shop, {shop.service_of("v1.1.0"): 0, shop.service_of("v1.0.0"): 100})
    shop.then_ready_says("lowered by hand")
    time.sleep(3)
    assert shop.weight_of("v1.1.0") == 0
    assert shop.condition("Ready")["reason"] == "LoweredByHand"
    act = shop.act("Resume", seen={"attempt": shop.status()["attempt"]})
    shop.then_answered(act, "Done")
    shop.then_weight("v1.1.0", 10, within=20)


def test_other_backends_and_rules_of_a_shared_route_stay(shop: Shop) -> None:
    route = shop.route()
    other = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/other"}}],
        "backendRefs": [{"name": "somebody-elses", "port": 80, "weight": 7}],
    }
    rules = [*route["spec"]["rules"], other]
    shop.api.merge("HTTPRoute", shop.namespace, "web", {"spec": {"rules": rules}})
    shop.given_live("v1.0.0")
    shop.given_live("v1.1.0")
    after = shop.route()["spec"]["rules"][1]
    assert after["matches"] == other["matches"]
    assert [(r["name"], r["weight"]) for r in after["backendRefs"]] == [("somebody-elses", 7)]


def test_pause_at_a_weight_then_promote_past_the_hold(shop: Shop) -> None:
    shop.given_live("v1.0.0")
    pause = shop.act("Pause", pause={"at": 10})
    shop.then_answered(pause, "Standing")
    shop.declare("v1.1.0")
    shop.then_weight("v1.1.0", 10)
    time.sleep(6)
    assert shop.weight_of("v1.1.0") == 10
    assert shop.condition("Ready")["reason"] == "Paused"
    resume = shop.act("Resume", seen={"attempt": shop.status()["attempt"]})
    shop.then_answered(resume, "Done")
    shop.then_phase("Completed", version="v1.1.0", within=40)


def test_promote_ends_a_long_hold(shop: Shop) -> None:
    shop.given_live("v1.0.0", guards=[])
    shop.declare("v1.1.0", steps=LONG, guards=[])
    shop.then_weight("v1.1.0", 10)
    status = shop.status()
    act = shop.act("Promote", promote={"to": 50}, seen={"attempt": status["attempt"], "step": status["step"]["number"]})
    shop.then_answered(act, "Done")
    shop.then_phase("Completed", version="v1.1.0", within=40)


def test_deletion_midway_leaves_the_last_good_version_and_no_orphans(shop: Shop) -> None:
    shop.given_live("v1.0.0")
    shop.declare("v1.1.0", steps=LONG)
    shop.then_weight("v1.1.0", 10)
    with shop.load(rps=50) as load:
        shop.api.delete("Release", shop.namespace, "shop")
        eventually(lambda: shop.api.get("Release", shop.namespace, "shop") is None, 60, "the Release is gone")
        gone = time.time()
        time.sleep(2)
    assert shop.backends() == {"web": 100} or list(shop.backends()) == ["web"]
    assert shop.service_of("v1.0.0")
    eventually(lambda: not shop.service_of("v1.1.0"), 20, "the candidate is taken down")
    assert not shop.api.list("ControllerRevision", shop.namespace)
    assert all(r.code == 200 for r in load.requests())
    assert {r.version for r in load.requests(since=gone + 1)} == {"v1.0.0"}


def test_a_number_written_into_the_status_silences_nobody(shop: Shop) -> None:
    shop.given_live("v1.0.0")
    writer = shop.status()["writer"]
    forged = {"status": {"writer": {"holder": "nobody", "epoch": 10**12}}}
    shop.api.merge("Release", shop.namespace, "shop", forged, subresource="status")
    eventually(lambda: shop.status()["writer"] == writer, 15, "the writer is who it was")
    eventually(
        lambda: [e for e in shop.api.list("Event", shop.namespace) if e["reason"] == "ForgedWriter"], 10, "it is told"
    )
