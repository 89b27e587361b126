from __future__ import annotations

from typing import Any

import pytest

from tests.targets.test_routes import NEW, NEW_SERVICE, OLD, OLD_SERVICE, backends, ref, rule, split_of
from tidegate.engine.values import FULL
from tidegate.targets.kubernetes.traffic import previews, routes

HEADER = "x-tidegate-version"
VERSIONS = {OLD: "v1", NEW: "v2"}
SERVING = routes.rewrite([rule(ref("graphql", 1))], backends(), ((OLD, FULL),))


def led(rules: list[dict[str, Any]] = SERVING, content: str = NEW) -> list[dict[str, Any]]:
    return previews.leading(rules, backends(), HEADER, VERSIONS[content], content)


def read(rules: list[dict[str, Any]], header: str | None = HEADER) -> str | None:
    return previews.reading(rules, backends(), header, VERSIONS)


def marks(entry: dict[str, Any]) -> list[Any]:
    return [[(header["name"], header["value"]) for header in match.get("headers", ())] for match in entry["matches"]]


def test_a_preview_rule_has_the_same_matches_and_the_header_and_leads_to_the_candidate_alone() -> None:
    *before, added = led()
    assert before == SERVING
    assert marks(added) == [[(HEADER, "v2")], [(HEADER, NEW[:10])]]
    assert all(match["path"] == {"type": "PathPrefix", "value": "/"} for match in added["matches"])
    assert [(entry["name"], entry["weight"]) for entry in added["backendRefs"]] == [(NEW_SERVICE, 1)]


def test_a_rule_without_matches_is_met_by_every_path() -> None:
    bare = {key: value for key, value in SERVING[0].items() if key != "matches"}
    assert {match["path"]["value"] for match in led([bare])[-1]["matches"]} == {"/"}


def test_filters_and_time_outs_of_the_rule_stand_in_its_preview_too_but_not_its_name() -> None:
    named = {**SERVING[0], "name": "all", "timeouts": {"request": "5s"}, "filters": [{"type": "URLRewrite"}]}
    added = led([named])[-1]
    assert (added["timeouts"], added["filters"], "name" in added) == (named["timeouts"], named["filters"], False)


def test_what_was_written_is_read_and_to_write_it_again_changes_nothing() -> None:
    assert [read(SERVING), read(led()), read(led(content=OLD))] == ["", NEW, OLD]
    assert led(led()) == led()
    assert led(led(content=OLD)) == led()


@pytest.mark.parametrize("share", [0, 1, 10_000, FULL])
def test_a_preview_is_no_exposure_and_weights_leave_it_as_it_is(share: int) -> None:
    assert routes.splits(led(), backends()) == [((OLD, FULL),)]
    weighted = routes.rewrite(led(), backends(), split_of(share))
    assert routes.splits(weighted, backends()) == [split_of(share)]
    assert (weighted[-1], read(weighted)) == (led()[-1], NEW)


def test_without_previews_all_is_as_before() -> None:
    assert previews.apart(led(), backends()) == SERVING
    assert previews.apart(SERVING, backends()) == SERVING


def test_a_preview_that_was_edited_or_lost_in_one_rule_is_unclear_and_put_right() -> None:
    two = [*SERVING, rule(ref(OLD_SERVICE, 100), matches=[{"path": {"type": "Exact", "value": "/a"}}])]
    whole = led(two)
    assert len(whole) == 4
    assert read(whole[:-1]) == previews.UNCLEAR
    edited = [*whole[:-1], {**whole[-1], "matches": whole[-1]["matches"][1:]}]
    assert read(edited) == previews.UNCLEAR
    assert led(edited) == whole


def test_a_preview_by_a_header_that_is_no_longer_asked_for_is_taken_away() -> None:
    assert read(led(), header=None) == previews.UNCLEAR
    assert read(led(), header="x-other") == previews.UNCLEAR
    assert (read(SERVING, header=None), previews.apart(led(), backends())) == (None, SERVING)


def test_rules_that_people_wrote_for_a_header_are_not_ours() -> None:
    asked = [{"headers": [{"name": HEADER, "value": "v2"}]}]
    for own in (rule(ref("graphql", 0), matches=asked), rule(ref("legacy", 1), matches=asked)):
        assert routes.previewed(own, backends()) is None
    beside = rule(ref("legacy"), matches=asked)
    assert previews.apart([*led(), beside], backends()) == [*SERVING, beside]
    assert read([*led(), beside]) == NEW


def test_a_match_that_asks_for_the_header_itself_gets_none() -> None:
    own = rule(ref(OLD_SERVICE, 1), matches=[{"headers": [{"name": HEADER.upper(), "value": "beta"}]}])
    assert led([own]) == [own]
    refused = previews.refusal([own], backends(), HEADER)
    assert refused is not None
    assert "no rule that carries the traffic is without that header" in refused
    assert read([own]) is None


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ([*SERVING, *(rule(ref("legacy")) for _ in range(15))], "over 16 rules"),
        ([{**SERVING[0], "matches": SERVING[0]["matches"] * 33}], "over 64 matches in a rule or 128 in all"),
        (
            [{**each, "matches": each["matches"] * 22} for each in SERVING * 2],
            "over 64 matches in a rule or 128 in all",
        ),
    ],
)
def test_what_the_api_has_no_room_for_is_said_in_a_sentence(rules: list[dict[str, Any]], sentence: str) -> None:
    refused = previews.refusal(rules, backends(), HEADER)
    assert refused is not None
    assert sentence in refused
    assert read(rules) is None


def test_what_just_fits_is_not_refused() -> None:
    fits = [*SERVING, *(rule(ref("legacy")) for _ in range(14))]
    assert previews.refusal(fits, backends(), HEADER) is None
