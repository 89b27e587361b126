"""Of what a policy asked of a climb and asks of it now, the stricter counts; what can't be compared counts both."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest

from tests.api.documents import document
from tidegate.api import Effective, PolicyRules, ReleasePolicy, effective, parse_policy, parse_release
from tidegate.api.limit import Limit, stricter
from tidegate.api.rules import fingerprint, pack, rules_of, together, unpack

ERRORS = {"name": "errors", "connection": "p", "ratio": {"bad": "b", "total": "t"}, "hold": "1%", "revert": "2%"}


def policy(*guards: dict[str, Any], generation: int = 1, name: str = "production", **weight: Any) -> ReleasePolicy:
    spec: dict[str, Any] = {"guards": list(guards)}
    if weight:
        spec["ladder"] = {"weight": weight}
    return parse_policy({"metadata": {"name": name, "generation": generation}, "spec": spec})


def asked(*guards: dict[str, Any], generation: int = 1, **weight: Any) -> PolicyRules:
    return rules_of(policy(*guards, generation=generation, **weight))


def limits(rules: PolicyRules) -> list[tuple[str, str, str]]:
    return [(each.owner, str(each.guard.hold or ""), str(each.guard.revert or "")) for each in rules.guards]


def release(**spec: Any) -> Any:
    made = document("Release")
    made["spec"] = {**made["spec"], "guards": [], **spec}
    return parse_release(made)


def in_force(found: Effective) -> list[tuple[str, str, str]]:
    return [(each.owner, each.guard.name, str(each.guard.revert)) for each in found.guards]


@pytest.mark.parametrize(
    ("strict", "loose"),
    [
        ("1%", "2%"),
        ("+0.1pp", "+0.5pp"),
        ("-0.1pp", "-0.5pp"),
        ("+10%", "+25%"),
        ("-10%", "-25%"),
        ("500ms", "2s"),
        (80, 81),
        ("<10", "<9"),
        ("<-5", "<-6"),
    ],
)
def test_the_stricter_of_two_limits_is_the_one_that_is_crossed_first(strict: object, loose: object) -> None:
    one, other = Limit.parse(strict), Limit.parse(loose)
    assert stricter(one, other) == stricter(other, one) == one
    assert stricter(one, one) == one


@pytest.mark.parametrize(("one", "other"), [("1%", "+1pp"), ("+10%", "-10%"), (10, "<10"), ("+10%", "+10pp")])
def test_limits_of_other_kinds_or_directions_can_not_be_compared(one: object, other: object) -> None:
    assert stricter(Limit.parse(one), Limit.parse(other)) is None


def test_each_limit_is_the_stricter_of_the_two_whatever_the_order_of_the_edits() -> None:
    first, second = asked(ERRORS), asked({**ERRORS, "hold": "2%", "revert": "1.5%"}, generation=2)
    (both,) = together([first], [second])
    assert limits(both) == [("production", "1%", "1.5%")]
    assert both.generation == 2
    assert limits(together([second], [first])[0]) == limits(both)
    assert together([both], [second]) == (both,), "what is merged once stays so"


def test_a_limit_that_was_taken_away_stays_and_one_that_was_added_counts() -> None:
    without = {key: value for key, value in ERRORS.items() if key != "hold"}
    (both,) = together([asked(ERRORS)], [asked(without, generation=2)])
    assert limits(both) == [("production", "1%", "2%")]
    (both,) = together([asked(without)], [asked(ERRORS, generation=2)])
    assert limits(both) == [("production", "1%", "2%")]


def test_a_guard_that_was_taken_away_stays_and_one_that_was_added_counts() -> None:
    latency = {**ERRORS, "name": "others"}
    (both,) = together([asked(ERRORS)], [asked(latency, generation=2)])
    assert [each.guard.name for each in both.guards] == ["errors", "others"]


@pytest.mark.parametrize(
    "change",
    [
        {"ratio": {"bad": "b", "total": "more"}},
        {"connection": "another"},
        {"minSamples": 5},
        {"minSamples": 5000},
        {"component": "web"},
        {"revert": "+0.5pp"},
    ],
)
def test_a_guard_with_another_question_stands_beside_what_it_was(change: dict[str, Any]) -> None:
    (both,) = together([asked(ERRORS)], [asked({**ERRORS, **change}, generation=4)])
    assert [each.owner for each in both.guards] == ["production", "production@4"]
    assert both.guards[0].guard == asked(ERRORS).guards[0].guard
    again = together([both], [asked({**ERRORS, **change, "hold": "0.5%"}, generation=5)])[0]
    assert [each.owner for each in again.guards] == ["production", "production@4"], "its limits go on from there"


def test_a_policy_that_was_deleted_and_made_anew_takes_no_name_that_stands() -> None:
    rules = asked(ERRORS)
    for query in ("t1", "t2", "t3"):
        changed = asked({**ERRORS, "ratio": {"bad": "b", "total": query}}, generation=1)
        (rules,) = together([rules], [changed])
    owners = [each.owner for each in rules.guards]
    assert len(owners) == len(set(owners)) == 4


def test_of_bounds_the_strictest_counts() -> None:
    (both,) = together([asked(maxFirst=10, minHold="10m")], [asked(maxFirst=50, maxRise=40, minHold="20m")])
    assert (both.weight.max_first, both.weight.max_rise, both.weight.min_hold) == (10_000, 40_000, 1200)
    assert together([both], [asked()]) == (both,)


def test_a_policy_that_asks_nothing_of_a_climb_is_no_rule() -> None:
    assert together([], [asked(), asked({**ERRORS, "mode": "Observe"})]) == ()


# ---- what is in force


def test_nobody_loosens_the_guards_of_a_climb_under_way() -> None:
    kept = (asked(ERRORS),)
    loose = {**ERRORS, "hold": "50%", "revert": "90%"}
    for now in ([], [policy(loose, generation=2)], [policy({**ERRORS, "mode": "Observe"}, generation=2)]):
        assert in_force(effective(release(), now, kept)) == [("production", "errors", "2%")]
        unbound = effective(release(), now).guards
        assert not [each for each in unbound if each.guard.enforced and str(each.guard.revert) == "2%"]


def test_a_stricter_policy_and_a_new_one_count_at_once() -> None:
    now = [policy({**ERRORS, "revert": "1%"}, generation=2), policy({**ERRORS, "name": "more"}, name="staging")]
    found = effective(release(), now, (asked(ERRORS),))
    assert in_force(found) == [("production", "errors", "1%"), ("staging", "more", "2%")]


def test_the_bounds_of_a_deleted_policy_still_bind_a_ladder_that_is_edited_midway() -> None:
    steps = [{"weight": 90, "hold": "1m"}, {"weight": 100}]
    assert effective(release(steps=steps), [], (asked(maxFirst=10),)).violations
    assert not effective(release(steps=steps), []).violations


def test_a_guard_that_only_observes_is_as_the_policy_has_it_now() -> None:
    watching = {**ERRORS, "name": "watching", "mode": "Observe"}
    now = [policy(ERRORS, watching, generation=2)]
    found = effective(release(), now, (asked(ERRORS),))
    assert [(each.guard.name, each.guard.enforced) for each in found.guards] == [("errors", True), ("watching", False)]


def test_a_kept_guard_of_a_component_that_the_release_does_not_have_is_about_others() -> None:
    kept = (asked({**ERRORS, "component": "elsewhere"}),)
    assert effective(release(), [], kept).guards == ()


# ---- as a line of text


def test_what_is_packed_is_read_again_as_it_was() -> None:
    latency = {
        "name": "latency",
        "connection": "p",
        "quantile": {"percentile": "99.9%", "histogram": "h", "warmUp": "2m"},
        "revert": "+25%",
    }
    rules = asked(ERRORS, latency, generation=7, maxFirst="0.1%", minHold="1h30m")
    text = pack(rules)
    assert unpack("production", 7, text) == rules
    assert pack(unpack("production", 7, text) or rules) == text
    assert fingerprint(rules) != fingerprint(asked(ERRORS))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2:later",
        "1:@@@",
        "1:AAAA",
        "1:" + base64.b64encode(zlib.compress(b"[]")).decode(),
        "1:" + base64.b64encode(zlib.compress(json.dumps({"guards": [["p", {}]], "weight": {}}).encode())).decode(),
        "1:" + base64.b64encode(zlib.compress(b"{" * 10_000_000)).decode(),
    ],
)
def test_a_text_that_can_not_be_read_is_none_and_no_error(text: str) -> None:
    assert unpack("production", 1, text) is None
