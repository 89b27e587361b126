"""All policies that apply do so together, and the strictest wins."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.documents import document
from tidegate.api import DEFAULT_LADDER, ReleasePolicy, effective, parse_policy, parse_release, policies_for

GUARD = {"name": "errors", "connection": "p", "ratio": {"bad": "b", "total": "t"}, "revert": "1%"}


def policy(name: str, **spec: Any) -> ReleasePolicy:
    return parse_policy({"metadata": {"name": name, "generation": 3}, "spec": spec})


def release(**spec: Any) -> Any:
    made = document("Release")
    made["spec"] = {**made["spec"], "guards": [], **spec}
    return parse_release(made)


def ladder(*weights: object, hold: str = "15m") -> list[dict[str, object]]:
    return [{"weight": weight, "hold": hold} for weight in weights]


def bounds(**weight: object) -> dict[str, object]:
    return {"weight": weight}


def test_without_a_word_from_anybody_it_is_ten_fifty_and_a_hundred() -> None:
    found = effective(release(), [])
    assert [step.weight.written for step in found.steps] == [10, 50, 100]
    assert [step.hold for step in found.steps] == [900, 900, 900]
    assert (found.keep_previous, found.deadlines.ready, found.deadlines.step, found.deadlines.orphan) == (
        3600,
        600,
        21600,
        3600,
    )
    assert (found.conflicts, found.violations, found.policies) == ((), (), ())


def test_a_policy_gives_what_the_release_leaves_out() -> None:
    production = policy(
        "production",
        defaults={"steps": ladder(5, 100), "keepPrevious": "2h", "deadlines": {"ready": "1m"}},
    )
    found = effective(release(keepPrevious="3h"), [production])
    assert [step.weight.written for step in found.steps] == [5, 100]
    assert (found.keep_previous, found.deadlines.ready, found.deadlines.step) == (10800, 60, 21600)
    assert [(ref.name, ref.generation) for ref in found.policies] == [("production", 3)]


@pytest.mark.parametrize(
    ("names", "applies"),
    [
        (None, True),
        ({"names": ["*"]}, True),
        ({"names": ["store*"]}, True),
        ({"names": ["storefront"]}, True),
        ({"names": ["store"]}, False),
        ({"names": ["*"], "except": ["store*"]}, False),
        ({"except": ["nightly-*"]}, True),
    ],
)
def test_a_policy_applies_by_name(names: dict[str, Any] | None, applies: bool) -> None:
    production = policy("production", **({"appliesTo": names} if names else {}))
    assert (policies_for("storefront", [production]) == (production,)) is applies
    assert bool(effective(release(), [production]).policies) is applies


def test_policies_are_looked_at_in_one_order_whatever_order_they_come_in() -> None:
    one, two = policy("a"), policy("b")
    assert policies_for("storefront", [two, one]) == policies_for("storefront", [one, two]) == (one, two)


def test_two_policies_with_different_defaults_are_a_conflict_and_it_says_how_to_end_it() -> None:
    one = policy("one", defaults={"keepPrevious": "1h"})
    two = policy("two", defaults={"keepPrevious": "2h"})
    found = effective(release(), [two, one])
    assert found.conflicts == (
        "policies one and two give different defaults for keepPrevious (1h; 2h): "
        "write spec.keepPrevious in the Release, or except it from one of them",
    )
    assert effective(release(keepPrevious="1h"), [one, two]).conflicts == ()
    assert effective(release(), [one, policy("three", defaults={"keepPrevious": "1h"})]).conflicts == ()


def test_the_strictest_bound_of_all_policies_counts() -> None:
    loose = policy("loose", ladder=bounds(maxFirst=50, maxRise=90, minHold="1m"))
    strict = policy("strict", ladder=bounds(maxFirst=5, maxRise=45, minHold="20m"))
    found = effective(release(steps=ladder(10, 50, 100)), [loose, strict])
    assert found.violations == (
        "spec.steps: the first step is 10 %, and policy strict allows at most 5 %: begin with 5 or less",
        "spec.steps: the step from 50 % to 100 % rises by 50 %, and policy strict allows at most 45 %: "
        "write a step between",
        "spec.steps: the step 10 % is held for 15m, and policy strict asks for at least 20m: write a longer hold",
        "spec.steps: the step 50 % is held for 15m, and policy strict asks for at least 20m: write a longer hold",
    )


def test_the_last_step_is_free_of_the_shortest_hold() -> None:
    steps = [{"weight": 10, "hold": "10m"}, {"weight": 100}]
    assert effective(release(steps=steps), [policy("p", ladder=bounds(minHold="10m"))]).violations == ()


def test_one_step_to_a_hundred_is_a_rise_too() -> None:
    assert effective(release(steps=ladder(100)), [policy("p", ladder=bounds(maxRise=90))]).violations


def test_a_component_with_steps_of_its_own_is_bound_too() -> None:
    components = [{**document("Release")["spec"]["components"][0], "steps": ladder(60, 100)}]
    found = effective(release(components=components, checks=[]), [policy("p", ladder=bounds(maxFirst=10))])
    assert [(name, [step.weight.written for step in steps]) for name, steps in found.own_steps] == [("web", [60, 100])]
    assert found.steps == DEFAULT_LADDER
    assert found.violations == (
        "the steps of component web: the first step is 60 %, and policy p allows at most 10 %: begin with 10 or less",
    )


def test_guards_of_policies_stand_beside_the_releases_own_whatever_their_names() -> None:
    found = effective(release(guards=[GUARD]), [policy("a", guards=[GUARD]), policy("b", guards=[GUARD])])
    assert [(owned.owner, owned.guard.name) for owned in found.guards] == [
        ("", "errors"),
        ("a", "errors"),
        ("b", "errors"),
    ]


def test_a_policys_guard_of_a_component_that_is_not_there_is_about_other_releases() -> None:
    guards = [{**GUARD, "component": "web"}, {**GUARD, "name": "other", "component": "thumbnails"}]
    found = effective(release(), [policy("a", guards=guards)])
    assert [owned.guard.name for owned in found.guards] == ["errors"]


def by_pods(replicas: int) -> list[dict[str, Any]]:
    (component, *_) = document("Release")["spec"]["components"]
    kubernetes = {**component["kubernetes"], "replicas": replicas, "traffic": {"service": {}}}
    return [{"name": component["name"], "kubernetes": kubernetes}]


def test_what_whole_pods_make_of_the_steps_must_keep_to_the_bounds_too() -> None:
    strict = policy("strict", ladder=bounds(maxFirst=10, maxRise=50))
    few = effective(release(components=by_pods(6), checks=[], steps=ladder(10, 50, 100)), [strict])
    (sentence,) = few.violations
    assert "is split by its 6 pods: the first step would be 14.285 %, and policy strict allows at most 10 %" in sentence
    enough = effective(release(components=by_pods(9), checks=[], steps=ladder(10, 50, 100)), [strict])
    assert enough.violations == ()
    steep = policy("steep", ladder=bounds(maxRise=40))
    half = effective(release(components=by_pods(10), checks=[], steps=ladder(25, 50, 75, 100)), [steep])
    assert any("one step would be from 50 % to 100 %" in sentence for sentence in half.violations)
