"""Weights below one percent reach the requests: a thousandth, then a tenth, then all, counted at the real gateway."""

import time
from math import sqrt

from hack.stage import shop as sample
from hack.stage.api import eventually
from hack.stage.load import Load
from tests.e2e.scenario import Shop

FINELY = [{"weight": "0.1%", "hold": "12s"}, {"weight": 10, "hold": "4s"}, {"weight": 100, "hold": "1s"}]
SMALL = [sample.component(replicas=1)]
BEHIND = 1.0  # seconds that a gateway may be behind a route, and the load's log behind its requests


def then_weights(shop: Shop, old: int, new: int) -> None:
    """The route says so, by the weights of the two revisions."""

    def there() -> bool:
        backends = shop.backends()
        return [backends.get(shop.service_of(version)) for version in ("v1.0.0", "v1.1.0")] == [old, new]

    eventually(there, 60, f"{old} to {new}", 0.05)


def then_counted(load: Load, begun: float, ended: float, share: float) -> None:
    """Between those instants the candidate answered as many requests as it should, give or take four sigmas."""
    answers = [r.version for r in load.requests(since=begun) if r.end < ended]
    count, expected = answers.count("v1.1.0"), share * len(answers)
    sigma = sqrt(len(answers) * share * (1 - share))
    assert abs(count - expected) <= 4 * sigma, f"{count} of {len(answers)}, not {expected:.1f} ± {4 * sigma:.1f}"
    assert count > 0


def test_a_thousandth_of_the_requests_then_a_tenth_then_all(shop: Shop) -> None:
    shop.given_live("v1.0.0", components=SMALL)
    with shop.load(rps=300) as load:
        shop.declare("v1.1.0", components=SMALL, steps=FINELY, guards=[])
        then_weights(shop, 99_900, 100)
        assert shop.status()["weight"] == "0.1%"
        begun = time.time() + BEHIND
        then_weights(shop, 90, 10)
        raised = time.time()
        shop.then_phase("Completed", version="v1.1.0", within=40)
        completed = time.time()
        time.sleep(2 * BEHIND)
    then_counted(load, begun, raised - BEHIND, 0.001)
    then_counted(load, raised + BEHIND, raised + 4 - BEHIND, 0.1)
    after = load.requests(since=completed + BEHIND)
    assert {r.version for r in after} == {"v1.1.0"}
    assert all(r.code == 200 for r in load.requests())
