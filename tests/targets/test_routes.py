from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.engine.values import FULL
from tidegate.errors import Permanent, Transient
from tidegate.targets.kubernetes.traffic import routes
from tidegate.targets.kubernetes.traffic.routes import Backends

OLD, NEW, LOST = "a" * 64, "b" * 64, "c" * 64
OLD_SERVICE, NEW_SERVICE, LOST_SERVICE = (f"storefront-graphql-{content[:10]}" for content in (OLD, NEW, LOST))


def backends(**changes: Any) -> Backends:
    values: dict[str, Any] = {
        "namespace": "shop",
        "route": "graphql",
        "service": "graphql",
        "port": 8080,
        "pinned": OLD,
        "contents": {OLD_SERVICE: OLD, NEW_SERVICE: NEW},
        "may_use_service": True,
        "is_dangling": lambda name: name == LOST_SERVICE,
        "lost": {LOST_SERVICE: LOST},
        **changes,
    }
    return Backends(**{"ports": dict.fromkeys(values["contents"], 8080), **values})


def rule(*refs: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "backendRefs": [dict(ref) for ref in refs],
        **more,
    }


def ref(name: str, weight: int | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "port": 80, **({} if weight is None else {"weight": weight}), **more}


def weights(rewritten: Mapping[str, Any]) -> dict[str, int]:
    return {entry["name"]: entry["weight"] for entry in rewritten["backendRefs"]}


shares = st.integers(min_value=0, max_value=FULL)
others = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["legacy", "static", "storefront-graphql", "storefront-rest-aaaaaaaaaa"]),
            "port": st.just(80),
        },
        optional={
            "weight": st.integers(0, 1_000_000),
            "filters": st.just([{"type": "RequestHeaderModifier"}]),
            "kind": st.sampled_from(["Service", "Bucket"]),
        },
    ),
    max_size=3,
)
mine = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["graphql", OLD_SERVICE, NEW_SERVICE, LOST_SERVICE])},
        optional={"weight": st.integers(0, 1_000_000)},
    ),
    min_size=1,
    max_size=4,
)


def split_of(share: int) -> routes.Split:
    return tuple(sorted((content, part) for content, part in ((NEW, share), (OLD, FULL - share)) if part))


@given(share=shares, ours=mine)
def test_every_weight_with_three_decimals_is_read_back_as_it_was_written(
    share: int, ours: list[dict[str, Any]]
) -> None:
    written = routes.rewrite([rule(*ours)], backends(), split_of(share))
    assert routes.splits(written, backends()) == [split_of(share)]


@given(share=shares, ours=mine)
def test_weights_sum_to_one_hundred_or_one_hundred_thousand_and_zero_is_written(
    share: int, ours: list[dict[str, Any]]
) -> None:
    written = routes.rewrite([rule(*ours)], backends(), split_of(share))[0]["backendRefs"]
    assert all("weight" in entry for entry in written)
    assert sum(entry["weight"] for entry in written) == (100 if share % 1000 == 0 else FULL)
    assert {OLD_SERVICE, NEW_SERVICE} <= {entry["name"] for entry in written}
    assert LOST_SERVICE not in {entry["name"] for entry in written}


@given(share=shares, rules=st.lists(st.tuples(others, mine, others), min_size=1, max_size=3), strange=others)
def test_what_is_not_ours_stays_where_and_as_it_is(
    share: int,
    rules: list[tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]],
    strange: list[dict[str, Any]],
) -> None:
    before = [rule(*first, *ours, *last, filters=[{"type": "x"}]) for first, ours, last in rules] + [rule(*strange)]
    untouched = deepcopy(before)
    try:
        after = routes.rewrite(before, backends(), split_of(share))
    except Permanent:
        return
    assert before == untouched
    assert after[-1] == before[-1]
    for old, new in zip(before, after, strict=True):
        assert {key: value for key, value in old.items() if key != "backendRefs"} == {
            key: value for key, value in new.items() if key != "backendRefs"
        }
        foreign = [entry for entry in old["backendRefs"] if backends().content(entry) is None]
        assert [entry for entry in new["backendRefs"] if backends().content(entry) is None] == foreign


@given(share=shares, weight=st.integers(1, 1000), foreign=st.integers(0, 1000))
def test_beside_others_ours_keep_the_weight_they_have_together(share: int, weight: int, foreign: int) -> None:
    before = [rule(ref("legacy", foreign), ref("graphql", weight))]
    if share * weight % FULL:
        with pytest.raises(Permanent, match=f"{weight}, is too small to split"):
            routes.rewrite(before, backends(), split_of(share))
        return
    after = routes.rewrite(before, backends(), split_of(share))
    ours = [entry for entry in after[0]["backendRefs"] if entry["name"] != "legacy"]
    assert sum(entry["weight"] for entry in ours) == weight
    assert routes.splits(after, backends()) == [split_of(share)]


def test_too_coarse_a_weight_is_refused_with_the_least_factor_that_helps() -> None:
    before = rule(ref("legacy", 60), ref("graphql", 40))
    with pytest.raises(Permanent, match=r"in rule 1 .* Multiply all weights of that rule by 25:"):
        routes.rewrite([before], backends(), split_of(100))
    helped = rule(ref("legacy", 60 * 25), ref("graphql", 40 * 25))
    assert weights(routes.rewrite([helped], backends(), split_of(100))[0])[NEW_SERVICE] == 1


@given(found=st.dictionaries(st.sampled_from([OLD, NEW, LOST]), st.integers(1, 1_000_000), min_size=1))
def test_foreign_weights_are_read_so_that_shares_sum_up_and_none_is_rounded_away(found: dict[str, int]) -> None:
    names = {OLD: OLD_SERVICE, NEW: NEW_SERVICE, LOST: LOST_SERVICE}
    (split,) = routes.splits([rule(*(ref(names[content], weight) for content, weight in found.items()))], backends())
    assert sum(share for _, share in split) == FULL
    assert {content for content, _ in split} == set(found)


def test_a_rewritten_rule_keeps_the_order_and_puts_new_refs_behind_ours() -> None:
    before = [rule(ref("legacy", 900), ref("graphql", 100), ref("static", 0))]
    (after,) = routes.rewrite(before, backends(), split_of(10_000))
    assert [entry["name"] for entry in after["backendRefs"]] == [
        "legacy",
        "graphql",
        OLD_SERVICE,
        NEW_SERVICE,
        "static",
    ]
    assert weights(after) == {"legacy": 900, "graphql": 0, OLD_SERVICE: 90, NEW_SERVICE: 10, "static": 0}


def test_the_apps_own_service_counts_as_what_it_is_pinned_to() -> None:
    assert routes.splits([rule(ref("graphql"))], backends()) == [((OLD, FULL),)]
    assert routes.splits([rule(ref("graphql"))], backends(pinned=None)) == [(("?graphql", FULL),)]


def test_a_service_that_we_may_not_use_is_one_of_the_others() -> None:
    stranger = backends(may_use_service=False)
    assert not routes.names_any([rule(ref("graphql", 1))], stranger)
    (after,) = routes.rewrite([rule(ref("graphql", 5), ref(OLD_SERVICE, 100))], stranger, split_of(50_000))
    assert weights(after) == {"graphql": 5, OLD_SERVICE: 50, NEW_SERVICE: 50}


def test_the_same_name_in_another_namespace_or_of_another_kind_is_not_ours() -> None:
    before = [
        rule(
            ref("graphql", 1),
            ref("graphql", 3, namespace="elsewhere"),
            ref("graphql", 4, kind="Bucket", group="s3.example"),
        )
    ]
    (after,) = routes.rewrite([rule(*before[0]["backendRefs"])], backends(contents={OLD_SERVICE: OLD}), ((OLD, FULL),))
    assert [entry.get("weight") for entry in after["backendRefs"]] == [0, 1, 3, 4]


def test_one_service_named_twice_in_a_rule_has_its_weight_once() -> None:
    before = [rule(ref(OLD_SERVICE, 50, filters=[{"type": "a"}]), ref(OLD_SERVICE, 50))]
    (after,) = routes.rewrite(before, backends(), ((OLD, FULL),))
    assert [entry["weight"] for entry in after["backendRefs"]] == [100, 0, 0]
    assert routes.splits([after], backends()) == [((OLD, FULL),)]


def test_filters_of_a_ref_of_ours_come_with_the_new_ones() -> None:
    filters = [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x"]}}]
    (after,) = routes.rewrite([rule(ref("graphql", 1, filters=filters))], backends(), split_of(10_000))
    assert all(entry["filters"] == filters for entry in after["backendRefs"])


def test_a_rule_that_sends_all_to_others_carries_nothing_of_ours_and_is_left_so() -> None:
    maintenance = rule(ref("sorry", 100), ref("graphql", 0))
    both = [maintenance, rule(ref("graphql", 1))]
    assert routes.splits(both, backends()) == [((OLD, FULL),)]
    after = routes.rewrite(both, backends(), split_of(10_000))
    assert weights(after[0]) == {"sorry": 100, "graphql": 0, OLD_SERVICE: 0, NEW_SERVICE: 0}
    with pytest.raises(Permanent, match="weight 0 and sends all to other backends"):
        routes.rewrite([maintenance], backends(), split_of(10_000))


def test_each_revision_is_reached_by_its_own_port() -> None:
    ported = backends(ports={OLD_SERVICE: 8080, NEW_SERVICE: 9090})
    (after,) = routes.rewrite([rule(ref("graphql", 1))], ported, split_of(10_000))
    assert {entry["name"]: entry["port"] for entry in after["backendRefs"]} == {
        "graphql": 80,
        OLD_SERVICE: 8080,
        NEW_SERVICE: 9090,
    }
    (mended,) = routes.rewrite([rule(ref("graphql", 0), ref(OLD_SERVICE, 0, port=9090))], ported, split_of(0))
    assert {entry["name"]: entry["port"] for entry in mended["backendRefs"]}[OLD_SERVICE] == 8080


def test_a_rule_never_grows_beyond_what_the_gateway_api_takes() -> None:
    many = {f"storefront-graphql-{number:010x}": f"{number:064x}" for number in range(20)}
    crowd = backends(contents={**many, OLD_SERVICE: OLD, NEW_SERVICE: NEW})
    before = rule(ref("legacy", 100), *(ref(name, 0) for name in list(many)[:13]), ref("graphql", 100))
    (after,) = routes.rewrite([before], crowd, split_of(10_000))
    assert len(after["backendRefs"]) == routes.MOST_REFS
    assert after["backendRefs"][0]["name"] == "legacy"
    assert routes.splits([after], crowd) == [split_of(10_000)]


def test_no_traffic_at_all_is_an_empty_split_and_can_be_written() -> None:
    (after,) = routes.rewrite([rule(ref("graphql"))], backends(), ())
    assert weights(after) == {"graphql": 0, OLD_SERVICE: 0, NEW_SERVICE: 0}
    assert routes.splits([after], backends()) == [()]


def test_nothing_is_sent_to_a_revision_without_a_service() -> None:
    with pytest.raises(Transient, match="it has no Service"):
        routes.rewrite([rule(ref("graphql"))], backends(), ((LOST, FULL),))


def test_a_route_that_names_nothing_of_ours_is_refused_with_what_to_write() -> None:
    with pytest.raises(Permanent, match="Add a backendRef with name graphql and port 8080"):
        routes.rewrite([rule(ref("legacy"))], backends(), ((OLD, FULL),))


class TestRulesThatDiffer:
    promised = split_of(50_000)

    def test_one_rule_raised_is_reported_as_raised(self) -> None:
        found = [split_of(50_000), split_of(80_000), split_of(10_000)]
        assert routes.one_split(found, self.promised, NEW) == split_of(80_000)

    def test_one_rule_lowered_is_reported_as_lowered(self) -> None:
        assert routes.one_split([split_of(50_000), split_of(0)], self.promised, NEW) == split_of(0)

    @given(st.lists(shares.map(split_of), min_size=2, max_size=4, unique=True), shares)
    def test_the_promise_is_never_what_is_reported(self, found: list[routes.Split], promised: int) -> None:
        assert routes.one_split(found, split_of(promised), NEW) != split_of(promised)


class TestHandingBack:
    def test_the_apps_own_service_has_all_again_and_no_revision_is_named(self) -> None:
        climbed = routes.rewrite([rule(ref("graphql"))], backends(), ((OLD, FULL),))
        (after,) = routes.handed_back(climbed, backends())
        assert after["backendRefs"] == [ref("graphql", 100)]

    def test_beside_others_it_has_the_weight_that_ours_had(self) -> None:
        climbed = routes.rewrite([rule(ref("legacy", 30), ref("graphql", 70))], backends(), ((OLD, FULL),))
        (after,) = routes.handed_back(climbed, backends())
        assert weights(after) == {"legacy": 30, "graphql": 70}

    def test_a_rule_that_lost_the_name_of_the_service_gets_it_back(self) -> None:
        (after,) = routes.handed_back([rule(ref("legacy", 1), ref(OLD_SERVICE, 5), ref("static", 1))], backends())
        assert [entry["name"] for entry in after["backendRefs"]] == ["legacy", "graphql", "static"]
        assert weights(after)["graphql"] == 5

    def test_twice_is_as_once(self) -> None:
        once = routes.handed_back([rule(ref("graphql", 0), ref(OLD_SERVICE, 100))], backends())
        assert routes.handed_back(once, backends()) == once


def test_without_a_revision_only_its_refs_are_gone() -> None:
    (after,) = routes.without(
        [rule(ref("legacy"), ref("graphql", 0), ref(OLD_SERVICE, 0), ref(NEW_SERVICE, 100))], OLD_SERVICE
    )
    assert [entry["name"] for entry in after["backendRefs"]] == ["legacy", "graphql", NEW_SERVICE]
