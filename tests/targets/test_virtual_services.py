"""A VirtualService split by the functions that split an HTTPRoute: what is not ours comes back as it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.targets.test_routes import NEW, NEW_SERVICE, OLD, OLD_SERVICE, backends
from tidegate.engine.values import FULL
from tidegate.errors import Permanent
from tidegate.kube.hosts import in_place_of, service_of
from tidegate.targets.kubernetes.traffic import routes
from tidegate.targets.kubernetes.traffic.virtual_services import as_http, as_rules, sends_to_nothing

NAMESPACE = "shop"


def to(host: str, weight: int | None = None, port: int | None = 8080, **more: Any) -> dict[str, Any]:
    target: dict[str, Any] = {"host": host, **({} if port is None else {"port": {"number": port}})}
    return {"destination": target, **({} if weight is None else {"weight": weight}), **more}


def split(http: list[dict[str, Any]], share: int) -> list[dict[str, Any]]:
    wanted = tuple((content, part) for content, part in ((OLD, FULL - share), (NEW, share)) if part)
    return as_http(routes.rewrite(as_rules(http, NAMESPACE), backends(), wanted))


def weights(route: Mapping[str, Any]) -> dict[str, int]:
    return {each["destination"]["host"]: each["weight"] for each in route["route"]}


def read(http: list[dict[str, Any]]) -> Any:
    return list(routes.splits(as_rules(http, NAMESPACE), backends()))


@pytest.mark.parametrize(
    "form", ["{}", "{}.shop", "{}.shop.svc", "{}.shop.svc.cluster.local", "{}.shop.svc.k8s.example"]
)
def test_each_form_of_a_services_host_is_the_service_and_a_new_one_has_the_same_form(form: str) -> None:
    assert service_of(form.format("graphql"), NAMESPACE) == "graphql"
    assert in_place_of(form.format("graphql"), "other") == form.format("other")
    (route,) = split([{"route": [to(form.format("graphql"))]}], 10_000)
    assert weights(route) == {
        form.format("graphql"): 0,
        form.format(OLD_SERVICE): 90,
        form.format(NEW_SERVICE): 10,
    }
    assert read([route]) == [((OLD, 90_000), (NEW, 10_000))]


@pytest.mark.parametrize(
    "host", ["graphql.other", "graphql.other.svc.cluster.local", "graphql.shop.example", "shop.example", "", "*"]
)
def test_another_host_is_not_ours(host: str) -> None:
    assert service_of(host, NAMESPACE) != "graphql"
    http = [{"route": [to(host)]}, {"route": [to("graphql")]}]
    assert split(http, 10_000)[0] == http[0]


def test_a_destination_that_stands_alone_has_everything_whatever_its_weight() -> None:
    for weight in (None, 0, 7):
        assert read([{"route": [to("graphql", weight)]}]) == [((OLD, FULL),)]


def test_beside_others_a_destination_without_a_weight_has_nothing() -> None:
    http = [{"route": [to(OLD_SERVICE), to(NEW_SERVICE, 100)]}]
    assert read(http) == [((NEW, FULL),)]


def test_what_a_route_has_besides_stays_and_a_new_destination_has_the_headers_of_the_old() -> None:
    headers: dict[str, Any] = {"headers": {"request": {"set": {"x-from": "istio"}}}}
    http: list[dict[str, Any]] = [
        {
            "name": "all",
            "match": [{"uri": {"prefix": "/"}}],
            "mirror": {"host": "graphql"},
            "mirrorPercentage": {"value": 5.0},
            "retries": {"attempts": 3},
            "fault": {"abort": {"httpStatus": 418, "percentage": {"value": 0.1}}},
            "timeout": "5s",
            "route": [to("graphql", **headers, subset="kept")],
        },
        {"match": [{"uri": {"prefix": "/old"}}], "redirect": {"uri": "/new"}},
        {"delegate": {"name": "other", "namespace": "elsewhere"}},
        {"route": [to("legacy.other.svc.cluster.local")]},
    ]
    first, *rest = split(http, 25_000)
    assert rest == http[1:]
    assert {key: value for key, value in first.items() if key != "route"} == {
        key: value for key, value in http[0].items() if key != "route"
    }
    assert first["route"][0] == {**http[0]["route"][0], "weight": 0}
    assert all(each["headers"] == headers["headers"] for each in first["route"])


def test_beside_others_ours_keep_together_the_weight_they_have() -> None:
    http = [{"route": [to("legacy", 300), to("graphql", 100)]}]
    (route,) = split(http, 10_000)
    assert weights(route) == {"legacy": 300, "graphql": 0, OLD_SERVICE: 90, NEW_SERVICE: 10}
    assert route["route"][0] == http[0]["route"][0]


def test_handed_back_the_apps_own_service_has_all() -> None:
    given = [{"route": [to("graphql", subset="all")]}]
    after = as_http(routes.handed_back(as_rules(split(given, 50_000), NAMESPACE), backends()))
    assert [each["destination"]["host"] for each in after[0]["route"]] == ["graphql"]
    assert read(after) == [((OLD, FULL),)]
    assert after[0]["route"][0]["subset"] == "all"


def test_nothing_at_all_is_what_istio_has_no_words_for() -> None:
    rules = as_rules([{"route": [to("graphql")]}], NAMESPACE)
    assert not sends_to_nothing(rules)
    assert sends_to_nothing(routes.rewrite(rules, backends(), ()))
    beside = as_rules([{"route": [to("graphql", 50), to("legacy", 50)]}], NAMESPACE)
    assert not sends_to_nothing(routes.rewrite(beside, backends(), ()))


hosts = st.sampled_from(["graphql", "graphql.shop", "legacy", OLD_SERVICE, "graphql.other", "x.example"])
destinations = st.lists(
    st.builds(to, hosts, st.none() | st.integers(0, 1000), st.none() | st.just(80)), min_size=1, max_size=4
)
https = st.lists(st.fixed_dictionaries({"route": destinations}, optional={"timeout": st.just("1s")}), max_size=3)


@given(https)
def test_there_and_back_without_a_split_nothing_changes(http: list[dict[str, Any]]) -> None:
    assert as_http(as_rules(http, NAMESPACE)) == http


@given(https, st.integers(0, FULL))
def test_a_split_is_read_back_exactly_and_leaves_all_that_is_not_ours(http: list[dict[str, Any]], share: int) -> None:
    try:
        after = split(http, share)
    except Permanent:
        return
    wanted = tuple(sorted((content, part) for content, part in ((OLD, FULL - share), (NEW, share)) if part))
    assert read(after) == [wanted]

    def theirs(given: list[dict[str, Any]]) -> list[Any]:
        ours = {"graphql", OLD_SERVICE, NEW_SERVICE}
        found = [each for route in given for each in route["route"]]
        return [each for each in found if service_of(each["destination"]["host"], NAMESPACE) not in ours]

    assert theirs(after) == theirs(http)
