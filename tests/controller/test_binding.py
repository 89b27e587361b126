"""What policies asked of a climb stands in the status for as long as it climbs, and takes little room there."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.controller.bench import KEY, NEW, OLD, Bench
from tests.controller.scenes import V2, V3, climbing, picture, recorded, release, resting, reverting
from tests.kube.fake import FakeApi
from tidegate.api import Binding, ReleasePolicy, effective, parse_policy
from tidegate.api.parse import parse_release_status
from tidegate.controller.binding import LARGEST, begun, goes_on, remembered
from tidegate.engine.values import Phase
from tidegate.kube import Client
from tidegate.kube.resources import POLICIES

ERRORS = {"name": "errors", "connection": "p", "ratio": {"bad": "b", "total": "t"}, "revert": "2%"}


def policy(*guards: dict[str, Any], generation: int = 1, name: str = "production", **spec: Any) -> ReleasePolicy:
    return parse_policy(
        {"metadata": {"name": name, "generation": generation}, "spec": {"guards": list(guards), **spec}}
    )


def noise(seed: int, count: int = 32) -> list[dict[str, Any]]:
    """Guards that no packing makes small."""
    dice = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    return [
        {**ERRORS, "name": f"g{index}", "ratio": {"bad": "b", "total": "".join(dice.choices(letters, k=1000))}}
        for index in range(count)
    ]


def forced(*policies: ReleasePolicy, kept: Any = ()) -> Any:
    return effective(release(), policies, kept)


def test_a_climb_that_begins_is_bound_by_what_its_policies_ask_then() -> None:
    status = climbing(0, phase=Phase.PREPARING)
    seen = picture(status, before=resting(), force=forced(policy(ERRORS, generation=3)))
    (binding,) = recorded(status, picture_=seen).binding
    assert (binding.policy, binding.generation, binding.loosened) == ("production", 3, False)


def test_at_rest_nothing_of_it_stands_in_the_status() -> None:
    seen = picture(resting(), force=forced(policy(ERRORS)))
    assert recorded(resting(), picture_=seen).binding == ()
    assert remembered(resting(), begun(forced(policy(ERRORS)))) == ()


def test_the_next_climb_is_asked_what_the_policies_ask_now_also_where_it_begins_in_the_same_pass() -> None:
    kept = begun(forced(policy(ERRORS)))
    loose = policy({**ERRORS, "revert": "90%"}, generation=2)
    force = forced(loose, kept=remembered(climbing(), kept))
    after = climbing(0, phase=Phase.PREPARING, attempt=3, candidate=V3)
    seen = picture(after, wanted=V3, before=climbing(), force=force, binding=goes_on(force, kept).bindings)
    (binding,) = recorded(after, picture_=seen).binding
    assert binding == begun(forced(loose))[0]


@pytest.mark.parametrize("status", [climbing(), reverting(), climbing(100, phase=Phase.COMPLETING)])
def test_on_the_way_up_and_back_it_stays(status: Any) -> None:
    kept = begun(forced(policy(ERRORS)))
    force = forced(kept=remembered(status, kept))
    assert [each.guard.name for each in force.guards] == ["errors"]
    (binding,) = goes_on(force, kept).bindings
    assert (binding.rules, binding.loosened) == (kept[0].rules, True)
    seen = picture(status, wanted=V2, force=force, binding=(binding,))
    assert recorded(status, picture_=seen).binding == (binding,)


def test_a_policy_that_stays_as_it_is_changes_nothing_in_the_status() -> None:
    kept = begun(forced(policy(ERRORS)))
    force = forced(policy(ERRORS), kept=remembered(climbing(), kept))
    assert goes_on(force, kept) == (kept, ())


def test_what_became_stricter_midway_and_was_loosened_again_stays_strict() -> None:
    kept = begun(forced(policy(ERRORS)))
    for generation, revert in ((2, "1%"), (3, "50%")):
        force = forced(policy({**ERRORS, "revert": revert}, generation=generation), kept=remembered(climbing(), kept))
        kept, obstacles = goes_on(force, kept)
        assert (str(force.guards[0].guard.revert), obstacles) == ("1%", ())
    assert (kept[0].generation, kept[0].loosened) == (3, True)


def test_the_status_stays_small_whatever_the_policies_are() -> None:
    many = [policy(*noise(index), name=f"policy-{index:02}") for index in range(20)]
    bindings = begun(forced(*many))
    assert len(bindings) == 20
    hashes = [binding for binding in bindings if binding.rules.startswith("0:")]
    assert hashes
    assert sum(len(binding.rules) for binding in bindings) <= LARGEST + 66 * len(hashes)


def test_the_usual_policies_are_kept_whole() -> None:
    usual = [
        {
            **ERRORS,
            "name": f"errors-{index}",
            "ratio": {
                "bad": f'requests_total{{namespace="production",job="job-{index}",version="$(version)",code=~"5.."}}',
                "total": f'requests_total{{namespace="production",job="job-{index}",version="$(version)"}}',
            },
        }
        for index in range(32)
    ]
    bindings = begun(forced(*(policy(*usual, name=f"policy-{index}") for index in range(8))))
    assert not [binding for binding in bindings if binding.rules.startswith("0:")]


def test_of_a_policy_too_large_to_be_kept_a_change_stops_the_climb_and_is_told() -> None:
    large = [policy(*noise(index), name=f"policy-{index}") for index in range(3)]
    kept = begun(forced(*large))
    assert [binding.rules[:2] for binding in kept] == ["1:", "1:", "0:"] or kept[-1].rules.startswith("0:")
    same = forced(*large, kept=remembered(climbing(), kept))
    assert goes_on(same, kept) == (kept, ())
    fewer = forced(*large[:-1], kept=remembered(climbing(), kept))
    changed = goes_on(fewer, kept)
    assert [obstacle.reason for obstacle in changed.obstacles] == ["PolicyChanged"]
    assert "policy policy-2 has changed" in changed.obstacles[0].sentence
    assert goes_on(same, changed.bindings) == (kept, ()), "put back as it was, nothing is lost"


def test_edits_without_end_do_not_fill_the_status() -> None:
    kept = begun(forced(policy(*noise(0, 5))))
    crowded = False
    for generation in range(2, 12):
        now = policy(*noise(generation, 5), generation=generation)
        kept, obstacles = goes_on(forced(now, kept=remembered(climbing(), kept)), kept)
        crowded = crowded or bool(obstacles)
    assert crowded
    assert sum(len(binding.rules) for binding in kept) <= LARGEST


def test_what_can_not_be_read_is_left_as_it_is_and_stops_the_climb() -> None:
    kept = (Binding(policy="production", generation=1, rules="9:of a newer Tidegate"),)
    bound = goes_on(forced(policy(ERRORS), kept=remembered(climbing(), kept)), kept)
    assert bound.bindings[0].rules == kept[0].rules
    assert bound.obstacles


# ---- in the loop


@pytest.fixture
async def server() -> AsyncIterator[tuple[FakeApi, Client]]:
    async with FakeApi() as api, api.client() as client:
        yield api, client


def put_policy(bench: Bench, *guards: dict[str, Any], generation: int = 1, **spec: Any) -> None:
    body = {
        "metadata": {"name": "production", "namespace": KEY.namespace, "uid": "p", "generation": generation},
        "spec": {"guards": list(guards), **spec},
    }
    bench.cluster.store.put(POLICIES, bench.server.put(POLICIES, body))


def shown(bench: Bench) -> list[tuple[str, str]]:
    return [(guard.from_, guard.revert) for guard in parse_release_status(bench.stored()).guards]


@pytest.mark.parametrize("how", ["loosened", "narrowed", "deleted"])
async def test_a_policy_is_loosened_midway_and_binds_on_also_after_a_restart(
    server: tuple[FakeApi, Client], how: str
) -> None:
    first = Bench(*server)
    put_policy(first, ERRORS)
    first.given(climbing(stable=OLD, candidate=NEW))
    await first.look()
    assert len(parse_release_status(first.stored()).binding) == 1

    # the operator is down when the policy is edited
    second = Bench(*server, world=first.target.world)
    second.declare(first.stored())
    if how == "loosened":
        put_policy(second, {**ERRORS, "revert": "99%"}, generation=2)
    elif how == "narrowed":
        put_policy(second, ERRORS, generation=2, appliesTo={"names": ["others-*"]})
    await second.look()
    assert shown(second) == [("production", "2%")]
    assert parse_release_status(second.stored()).binding[0].loosened

    put_policy(second, {**ERRORS, "revert": "0.5%"}, generation=3)
    await second.look()
    assert shown(second) == [("production", "0.5%")]
    assert not parse_release_status(second.stored()).binding[0].loosened


async def test_a_ladder_that_is_edited_midway_keeps_to_the_bounds_that_it_began_under(
    server: tuple[FakeApi, Client],
) -> None:
    bench = Bench(*server)
    put_policy(bench, ladder={"weight": {"maxRise": 50}})
    bench.given(resting(stable=OLD))
    await bench.look()
    assert bench.phase is Phase.PREPARING
    put_policy(bench, generation=2)
    bench.edit(steps=[{"weight": 1, "hold": "1m"}, {"weight": 100}])
    await bench.look()
    assert bench.condition("Stalled")["reason"] == "PolicyViolated"
    assert "rises by 99 %, and policy production allows at most 50 %" in bench.condition("Stalled")["message"]


async def test_the_same_climb_under_the_same_policies_is_written_once(server: tuple[FakeApi, Client]) -> None:
    bench = Bench(*server)
    put_policy(bench, ERRORS)
    bench.given(climbing(stable=OLD, candidate=NEW))
    await bench.look()
    await bench.look()
    before = bench.stored()["metadata"]["resourceVersion"]
    for _ in range(3):
        bench.now += 1
        await bench.look()
    assert bench.stored()["metadata"]["resourceVersion"] == before
