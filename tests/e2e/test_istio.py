"""Istio's VirtualService: the object, as Istio defines it, on the real API server. No proxy obeys it here."""

from hack.stage import istio
from hack.stage import shop as sample
from hack.stage.api import eventually
from tests.e2e.scenario import Shop

MESH = [sample.component(replicas=1, traffic={"istio": {"virtualService": "web"}})]
QUICKLY = [{"weight": "0.1%", "hold": "1s"}, {"weight": 50, "hold": "1s"}, {"weight": 100, "hold": "1s"}]


def weights(shop: Shop) -> dict[str, int]:
    found = shop.api.get("VirtualService", shop.namespace, "web") or {}
    return {each["destination"]["host"]: each.get("weight", 0) for each in found["spec"]["http"][0]["route"]}


def test_without_istio_it_is_told_and_when_istio_comes_a_version_climbs_and_is_given_back(shop: Shop) -> None:
    istio.remove(shop.api)
    shop.declare("v1.0.0", components=MESH, guards=[])
    shop.then_ready_says("does not serve networking.istio.io/v1")
    istio.install(shop.api)
    shop.api.apply(sample.virtual_service(shop.namespace))
    shop.then_phase("Completed", version="v1.0.0", within=60)
    old = shop.service_of("v1.0.0")
    assert weights(shop) == {"web": 0, old: 100}
    shop.declare("v1.1.0", components=MESH, guards=[], steps=QUICKLY)
    new = eventually(lambda: shop.service_of("v1.1.0"), 20, "the candidate is started")
    eventually(lambda: weights(shop).get(new) == 100 and weights(shop)[old] == 99_900, 30, "a thousandth", 0.05)
    shop.then_phase("Completed", version="v1.1.0", within=40)
    assert weights(shop) == {"web": 0, old: 0, new: 100}
    shop.api.delete("Release", shop.namespace, "shop")
    eventually(lambda: weights(shop) == {"web": 100}, 30, "it names the app's own Service again")
