"""Rule 11: what an author can edit, annotations above all, orders nothing. Decisions are read from the status alone."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from hack.stage.api import eventually
from hack.stage.proxy import FaultProxy
from tests.faults.life import Life, route_writes, until_quiet

LONG = [{"weight": 10, "hold": "9s"}, {"weight": 50, "hold": "300s"}, {"weight": 100, "hold": "1s"}]
MOVE = "tidegate.dev/move-shop"


@pytest.fixture
def climbing(life: Life) -> tuple[Life, FaultProxy]:
    """v1.1.0 stands at 10 % in a hold."""
    operator, proxy = life.operator()
    operator.start()
    life.given_live("v1.0.0")
    life.declare("v1.1.0", steps=LONG)
    life.then_weight(10)
    until_quiet([proxy])
    proxy.begin()
    return life, proxy


def test_annotations_on_a_release_change_nothing_at_all(climbing: tuple[Life, FaultProxy]) -> None:
    life, proxy = climbing
    before = life.status()
    forged = {
        f"tidegate.dev/{name}": value
        for name, value in {
            "promote": "100",
            "weight": "100",
            "paused": "true",
            "rollback": "true",
            "claim": "9",
            "phase": "Completed",
            "move-shop": json.dumps({"uid": life.release()["metadata"]["uid"], "moves": {"web": 999}, "at": 0}),
            "status": json.dumps({"phase": "Completed", "weight": 100}),
        }.items()
    } | {"kopf.zalando.org/last-handled-configuration": "{}", "kopf.tidegate.dev/unused": "{}"}
    _annotate(life, "Release", "shop", forged)
    time.sleep(3)
    assert not proxy.writes
    assert life.status() == before


def test_a_forged_stamp_on_a_route_raises_nothing(climbing: tuple[Life, FaultProxy]) -> None:
    """One that is newer than the status is taken for a world that was set back: nothing rises until someone resumes."""
    life, proxy = climbing
    stable, candidate = life.workload("v1.0.0"), life.workload("v1.1.0")
    _annotate(life, "HTTPRoute", "web", {MOVE: "not a stamp"})
    _annotate(life, "HTTPRoute", "web", {MOVE: None})
    time.sleep(1)
    assert _split(life, stable, candidate) == (90, 10)
    uid = life.release()["metadata"]["uid"]
    stamp = {"uid": uid, "moves": {"web": 9_999}, "at": 0}
    _annotate(life, "HTTPRoute", "web", {MOVE: json.dumps(stamp)})
    time.sleep(10)  # longer than the hold
    assert _split(life, stable, candidate) == (90, 10)
    assert {weights.get(candidate) for weights in route_writes(proxy.writes)} <= {10}
    life.act("Rollback")
    eventually(lambda: _split(life, stable, candidate)[0] == 100, 8, "and a person takes it back all the same")


def test_a_forged_claim_on_a_deployment_raises_nothing_early(climbing: tuple[Life, FaultProxy]) -> None:
    life, proxy = climbing
    stable, candidate = life.workload("v1.0.0"), life.workload("v1.1.0")
    began = time.monotonic()
    uid = life.release()["metadata"]["uid"]
    for claim in ("nonsense", None, f"{uid}/999", "someone-else/3"):
        _annotate(life, "Deployment", candidate, {"tidegate.dev/claim": claim})
        _annotate(life, "Deployment", stable, {"tidegate.dev/claim": claim})
    life.then_weight(50, 60)
    assert time.monotonic() - began > 5, "the hold of 9 s was not cut short"
    assert life.names("Deployment") == sorted((stable, candidate)), "nothing was taken down"
    written = eventually(lambda: route_writes(proxy.writes), 5, "the proxy has the answer to the write, too")
    assert {weights.get(candidate) for weights in written} == {50}


def _split(life: Life, stable: str, candidate: str) -> tuple[int, int]:
    backends = life.backends()
    return backends[stable], backends.get(candidate, 0)


def _annotate(life: Life, kind: str, name: str, annotations: Mapping[str, Any]) -> None:
    life.api.merge(kind, life.namespace, name, {"metadata": {"annotations": dict(annotations)}})
