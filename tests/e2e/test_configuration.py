"""A changed ConfigMap climbs as a version does, and a revert brings the old configuration back."""

import json
import time
from typing import Any

from hack.stage import shop as sample
from hack.stage.api import eventually
from tests.e2e.scenario import Shop

SLOWLY = [{"weight": 10, "hold": "60s"}, {"weight": 100, "hold": "1s"}]


def configured() -> dict[str, Any]:
    """The component, with how often it fails out of a ConfigMap."""
    component = sample.component()
    (container,) = component["kubernetes"]["template"]["spec"]["containers"]
    container["envFrom"] = [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "db"}}]
    return component


def settings(shop: Shop, error_rate: str) -> None:
    metadata = {"name": "settings", "namespace": shop.namespace}
    shop.api.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ERROR_RATE": error_rate}})


def password(shop: Shop, text: str) -> None:
    metadata = {"name": "db", "namespace": shop.namespace}
    shop.api.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"PASSWORD": text}})


def copies(shop: Shop, kind: str, key: str) -> set[str]:
    """What is in the copies under that key."""
    return {each["data"][key] for each in shop.api.list(kind, shop.namespace, "tidegate.dev/release=shop")}


def test_a_bad_configmap_climbs_to_ten_percent_and_goes_back_and_the_old_configuration_serves(shop: Shop) -> None:
    settings(shop, "0")
    password(shop, "sesame")
    shop.given_live("v1.0.0", components=[configured()], steps=SLOWLY)
    stable = shop.status()["stable"]["revision"]
    with shop.load(rps=100) as load:
        settings(shop, "0.25")
        shop.then_phase("Reverted", within=60)
        eventually(lambda: set(shop.backends().values()) == {0, 100}, 10, "all traffic is back")
        status = shop.status()
        assert status["history"][0]["reached"] == 10
        assert status["revert"]["cause"] == "Breach"
        assert status["history"][0]["changed"] == ["ConfigMap settings"]
        assert "ConfigMap settings" in shop.condition("Ready")["message"]
        back = time.time()
        time.sleep(3)
    late = [r for r in load.requests(since=back + 1.0) if r.code != 200]
    assert not late, late[:5]
    assert status["stable"]["revision"] == stable
    source = shop.api.get("ConfigMap", shop.namespace, "settings") or {}
    assert source["data"] == {"ERROR_RATE": "0.25"}, "what people wrote stays theirs"
    assert copies(shop, "ConfigMap", "ERROR_RATE") == {"0", "0.25"}

    settings(shop, "0")
    shop.then_phase("Completed", version="v1.0.0")
    assert shop.status()["stable"]["revision"] == stable, "what was put back is what serves: nothing climbs for it"


def test_a_changed_secret_climbs_too_and_is_told_by_its_name_alone(shop: Shop) -> None:
    settings(shop, "0")
    password(shop, "sesame")
    shop.given_live("v1.0.0", components=[configured()], steps=SLOWLY)
    password(shop, "open sesame")
    eventually(lambda: 10 in shop.backends().values(), 40, "it climbs to ten percent")
    assert shop.status()["candidate"]["changed"] == ["Secret db"]
    shop.act("Rollback", seen={"attempt": shop.status()["attempt"]})
    shop.then_phase("Reverted", version="v1.0.0")
    assert copies(shop, "Secret", "PASSWORD") == {"c2VzYW1l", "b3BlbiBzZXNhbWU="}
    told = json.dumps([shop.api.get("Release", shop.namespace, "shop"), shop.api.list("Event", shop.namespace)])
    assert "v1.0.0 with another Secret db was rolled back" in told
    assert "sesame" not in told
