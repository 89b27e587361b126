"""The stand-in gateway: who served how many requests, and which was whose last."""

from __future__ import annotations

import pytest

from hack.bench.gateway import PER_SECOND, Lane, route_status, weights


def test_requests_are_shared_out_by_the_weights_exactly() -> None:
    lane = Lane(taken={"stable": 90, "candidate": 10})
    lane.count(1000 / PER_SECOND + 0.001)
    assert lane.served == {"stable": 900, "candidate": 100}


def test_the_last_request_of_who_has_no_weight_any_more_is_known() -> None:
    lane = Lane(taken={"stable": 50, "candidate": 50})
    lane.count(10.01)
    lane.taken = {"stable": 100, "candidate": 0}
    lane.count(20.01)
    assert 9.7 < lane.last["candidate"] <= 10.01
    assert lane.last["stable"] == pytest.approx(20.0)


def test_a_route_without_weights_serves_nobody() -> None:
    lane = Lane()
    lane.count(100.0)
    assert lane.served == {}
    lane.taken = {"stable": 1}
    lane.count(101.01)
    assert lane.served == {"stable": round(PER_SECOND)}


def test_weights_are_those_of_all_rules_and_one_where_none_is_written() -> None:
    rules = [
        {"backendRefs": [{"name": "a", "weight": 90}, {"name": "b", "weight": 10}]},
        {"backendRefs": [{"name": "a"}]},
        {},
    ]
    assert weights({"spec": {"rules": rules}}) == {"a": 91, "b": 10}


def test_the_status_tells_of_the_generation_that_was_taken() -> None:
    (parent,) = route_status(7)["parents"]
    assert {condition["observedGeneration"] for condition in parent["conditions"]} == {7}
