"""The Prometheus source, against a small Prometheus: what it counts, what goes out, and what is said where it fails."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest

from tests.metrics.stub import (
    GOOD,
    LATENCY,
    NOW,
    QUEUE,
    RATIO,
    SINCE,
    VALUES,
    WARM,
    Stub,
    measure,
    no_secrets,
    scrapes,
    source,
    unreachable,
)
from tests.metrics.test_answers import ANSWERS
from tidegate.api import Guard
from tidegate.errors import NotFound, Transient
from tidegate.metrics import Window
from tidegate.metrics import prometheus as module
from tidegate.stats import Counts, Data, Histogram, Value

# ---- counters


async def test_errors_are_counted_out_of_all_requests_of_the_window() -> None:
    stub = Stub()
    stub.requests_of(scrapes(90), scrapes(10))
    measured = await measure(stub, RATIO)
    # scrapes at 10 005 to 10 060 inside: eleven times 100
    assert (measured.data, measured.shape) == (Data.OK, Counts(part=110, total=1100))
    assert (measured.since, measured.through) == (SINCE, NOW)


async def test_no_series_of_errors_are_no_errors() -> None:
    stub = Stub()
    stub.requests_of(scrapes(90))
    assert (await measure(stub, RATIO)).shape == Counts(part=0, total=990)


async def test_what_went_well_is_counted_likewise() -> None:
    stub = Stub()
    stub.requests_of(scrapes(90), scrapes(10))
    assert (await measure(stub, GOOD)).shape == Counts(part=990, total=1100)


async def test_a_pod_that_restarts_and_one_that_is_born_and_one_that_vanishes_all_count() -> None:
    stub = Stub()
    stub.requests_of([*scrapes(10, end=10_030), *scrapes(10, start=10_035)], pod="restarts")
    stub.requests_of(scrapes(10, start=10_040), pod="born")
    stub.requests_of(scrapes(10, end=10_020), pod="vanishes")
    measured = await measure(stub, RATIO)
    assert measured.shape == Counts(0, (50 + 50) + 40 + 30)


@pytest.mark.parametrize("guard", [RATIO, LATENCY])
async def test_no_series_at_all_is_no_data(guard: Guard) -> None:
    measured = await measure(Stub(), guard)
    assert (measured.data, measured.shape) == (Data.NO_SERIES, None)
    assert measured.sentence.startswith("no series: ")


async def test_series_that_do_not_move_are_no_traffic() -> None:
    stub = Stub()
    stub.requests_of(scrapes(0))
    assert (await measure(stub, RATIO)).data is Data.NO_TRAFFIC


async def test_right_after_a_move_nothing_is_concluded_from_nothing() -> None:
    stub = Stub()
    stub.requests_of(scrapes(10))
    for until in (SINCE + 1, SINCE + 6):
        measured = await measure(stub, RATIO, until=until)
        assert (measured.data, measured.samples) == (Data.OK, 0)


async def test_samples_that_stopped_coming_are_stale() -> None:
    stub = Stub()
    stub.requests_of(scrapes(10, end=10_025))
    measured = await measure(stub, RATIO)
    assert measured.data is Data.STALE
    assert measured.sentence.startswith("the newest sample is 35 s old: ")
    assert (await measure(stub, RATIO, until=10_050)).data is Data.OK


async def test_a_slow_scrape_is_not_taken_for_a_stale_one() -> None:
    stub = Stub()
    stub.requests_of(scrapes(10, every=60, end=10_020))
    assert (await measure(stub, RATIO, until=10_090)).data is Data.OK


@pytest.mark.parametrize("number", [math.nan, math.inf, -1.0])
async def test_a_counter_that_is_no_number_is_no_data(number: float) -> None:
    stub = Stub()
    stub.requests_of([*scrapes(10, end=10_055), (10_060, number)])
    assert (await measure(stub, RATIO)).data is Data.NAN


async def test_an_answer_that_left_something_out_is_partial() -> None:
    stub = Stub()
    stub.requests_of(scrapes(10))
    stub.warnings = ["one store did not answer"]
    for guard in (RATIO, LATENCY, QUEUE):
        assert (await measure(stub, guard)).data is Data.PARTIAL


async def test_buckets_of_all_pods_are_summed_by_their_edge() -> None:
    stub = Stub()
    for pod, factor in (("a", 1), ("b", 3)):
        for edge, growth in (("0.1", 1), ("+Inf", 10), ("0.5", 5)):
            stub.add(scrapes(growth * factor), __name__="d_bucket", v="v2", le=edge, pod=pod)
    measured = await measure(stub, LATENCY)
    assert measured.shape == Histogram(((0.1, 44), (0.5, 220), (math.inf, 440)))
    assert measured.samples == 440


async def test_latencies_of_the_warm_up_are_not_looked_at() -> None:
    stub = Stub()
    for edge, growth in (("0.1", 1), ("+Inf", 10)):
        stub.add(scrapes(growth), __name__="d_bucket", v="v2", le=edge)
    measured = await measure(stub, WARM)
    assert (measured.since, measured.samples) == (SINCE + 30, 50)
    early = await measure(stub, WARM, until=SINCE + 20)
    assert (early.data, early.samples) == (Data.OK, 0)
    assert early.sentence == "warming up: its latencies do not count yet"


async def test_a_histogram_without_its_last_edge_is_no_data() -> None:
    stub = Stub()
    stub.add(scrapes(10), __name__="d_bucket", v="v2", le="0.5")
    assert (await measure(stub, LATENCY)).data is Data.NAN


async def test_native_histograms_are_told_of() -> None:
    stub = Stub()
    series = {"metric": {}, "histograms": [[NOW, {}]]}
    document = {"status": "success", "data": {"resultType": "matrix", "result": [series]}}
    stub.answer = lambda request: httpx.Response(200, json=document)
    measured = await measure(stub, LATENCY)
    assert measured.data is Data.BLIND
    assert "name a classic histogram" in measured.sentence


# ---- values


async def test_a_value_is_what_the_query_gives_with_the_window_filled_in() -> None:
    stub = Stub()
    stub.values = {"timestamp": NOW + 30, "max_over_time": 42.5}
    measured = await measure(stub, QUEUE)
    assert (measured.data, measured.shape) == (Data.OK, Value(42.5))
    assert stub.queries[0] == 'max(max_over_time(q{v="v2"}[1m]))'


@pytest.mark.parametrize(
    ("values", "data", "says"),
    [
        ({"timestamp": NOW + 30}, Data.NO_SERIES, "no series: "),
        ({}, Data.NO_SERIES, "no series: "),
        ({"timestamp": NOW + 30, "max(max": "NaN"}, Data.NAN, "the query gives nan"),
        ({"timestamp": NOW + 30, "max(max": "+Inf"}, Data.NAN, "the query gives inf"),
        ({"timestamp": NOW - 12, "max(max": "7"}, Data.STALE, "its samples have been too old for 12 s"),
        ({"max(max": "7"}, Data.OK, ""),
    ],
)
async def test_a_value_without_a_number_is_no_data(values: Mapping[str, Any], data: Data, says: str) -> None:
    stub = Stub()
    stub.values = dict(values)
    measured = await measure(stub, QUEUE)
    assert measured.data is data
    assert measured.sentence.startswith(says)


@pytest.mark.parametrize(("name", "says"), [("several", "gives 2 numbers"), ("string", "gives a string")])
async def test_a_query_that_gives_no_single_number_is_the_authors_to_mend(name: str, says: str) -> None:
    stub = Stub()
    stub.answer = lambda request: httpx.Response(200, content=(ANSWERS / f"{name}.json").read_bytes())
    measured = await measure(stub, QUEUE)
    assert measured.data is Data.BLIND
    assert says in measured.sentence


async def test_a_query_that_cannot_be_read_asks_nobody() -> None:
    stub = Stub()
    measured = await measure(stub, QUEUE, matchers={"v": "v1"})
    assert (measured.data, stub.requests) == (Data.BLIND, [])


# ---- what goes out


async def test_a_query_is_posted_as_a_form_and_confined() -> None:
    stub = Stub()
    stub.requests_of(scrapes(10))
    await measure(stub, RATIO, matchers={"namespace": "production"})
    request = stub.requests[0]
    assert (request.method, str(request.url)) == ("POST", "http://prometheus.example:9090/base/api/v1/query")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert all('namespace="production"' in query for query in stub.queries)
    assert stub.form(request)["time"] == "10060.000"


@pytest.mark.parametrize(
    ("spec", "sent"),
    [
        ({"bearerToken": {"secretKeyRef": {"name": "s", "key": "token"}}}, "Bearer token-of-s"),
        ({"basicAuth": {"username": {"secretKeyRef": {"name": "s", "key": "user"}},
                        "password": {"secretKeyRef": {"name": "s", "key": "pass"}}}},
         "Basic dXNlci1vZi1zOnBhc3Mtb2Ytcw=="),
    ],
)  # fmt: skip
async def test_credentials_come_from_a_secret_and_are_shown_nowhere(
    spec: Mapping[str, Any], sent: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def secrets(name: str, key: str) -> str:
        return f"{key}-of-{name}\n"

    stub = Stub()
    stub.requests_of(scrapes(10))
    opened = source(stub, secrets, auth=spec)
    with caplog.at_level(logging.DEBUG):
        assert (await opened.measure(RATIO, VALUES, Window(SINCE, NOW))).data is Data.OK
        stub.answer = lambda request: httpx.Response(401, text=request.headers["authorization"])
        refused = await opened.measure(RATIO, VALUES, Window(SINCE, NOW + 1))
    assert stub.requests[0].headers["authorization"] == sent
    assert (refused.data, refused.sentence) == (
        Data.PROVIDER_ERROR,
        "Connection metrics: it refuses our credentials (HTTP 401); see the Secret that the Connection names",
    )
    shown = caplog.text + repr(opened) + repr(opened._credentials) + repr(vars(opened)) + refused.sentence
    assert not any(word in shown for word in ("token-of-s", "pass-of-s", "user-of-s", sent))
    await opened.close()


async def test_credentials_that_were_refused_are_read_again() -> None:
    given: list[str] = []

    async def secrets(name: str, key: str) -> str:
        given.append(f"token-{len(given)}")
        return given[-1]

    stub = Stub()
    stub.requests_of(scrapes(10))
    opened = source(stub, secrets, auth={"bearerToken": {"secretKeyRef": {"name": "s", "key": "token"}}})
    stub.answer = lambda request: httpx.Response(401)
    await opened.measure(QUEUE, VALUES, Window(SINCE, NOW))
    stub.answer = None
    assert (await opened.measure(RATIO, VALUES, Window(SINCE, NOW))).data is Data.OK
    assert stub.requests[-1].headers["authorization"] == f"Bearer {given[-1]}"
    assert len(set(given)) > 1
    await opened.close()


# ---- what goes wrong


def slow(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("slow", request=request)


def huge(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=b" " * (module.LARGEST_ANSWER + 1))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (unreachable, "Connection metrics: it can't be reached (ConnectError)"),
        (slow, "Connection metrics: no answer within 10 s"),
        (huge, "Connection metrics: its answer is larger than 16 MiB; narrow the query"),
        (lambda request: httpx.Response(503, text="secret"),
         "Connection metrics: it answers (HTTP 503), but not as Prometheus does; see the url"),
        (lambda request: httpx.Response(302, headers={"location": "http://169.254.169.254/"}),
         "Connection metrics: it answers with a redirect (HTTP 302), which is not followed; write the final url"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("guard", [RATIO, LATENCY, QUEUE])
async def test_a_source_that_fails_is_told_by_the_connections_name(
    answer: Callable[[httpx.Request], httpx.Response], says: str, guard: Guard
) -> None:
    stub = Stub()
    stub.answer = answer
    measured = await measure(stub, guard)
    assert (measured.data, measured.shape, measured.sentence) == (Data.PROVIDER_ERROR, None, says)
    assert all(request.url.host == "prometheus.example" for request in stub.requests), "no redirect was followed"


async def test_a_secret_that_is_not_there_is_told() -> None:
    measured = await measure(Stub(), RATIO, auth={"bearerToken": {"secretKeyRef": {"name": "s", "key": "token"}}})
    assert (measured.data, measured.sentence) == (
        Data.PROVIDER_ERROR, "Connection metrics: Secret s is not there",
    )  # fmt: skip


async def test_a_source_that_answers_can_be_reached_and_one_that_does_not_says_why() -> None:
    stub = Stub()
    opened = source(stub, no_secrets)
    await opened.reach(NOW)
    assert stub.queries == ["vector(1)"]
    stub.answer = lambda request: httpx.Response(401)
    with pytest.raises(Transient, match="refuses our credentials"):
        await opened.reach(NOW)
    stub.answer = unreachable
    with pytest.raises(Transient, match="can't be reached"):
        await opened.reach(NOW)
    await opened.close()
    guarded = source(Stub(), no_secrets, auth={"bearerToken": {"secretKeyRef": {"name": "s", "key": "token"}}})
    with pytest.raises(NotFound, match="Secret s is not there"):
        await guarded.reach(NOW)
    await guarded.close()


def test_the_answers_of_the_stub_are_as_recorded_ones() -> None:
    stub = Stub()
    stub.requests_of(scrapes(10), scrapes(1))
    request = httpx.Request("POST", "http://x/", data={"query": 'r{v="v2"}[5000ms]', "time": "10060"})
    made, real = stub(request).json(), json.loads((ANSWERS / "counters.json").read_text())

    def kinds(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: kinds(each) for key, each in value.items() if key != "metric"}
        return [kinds(value[0])] if isinstance(value, list) and value else type(value)

    assert kinds(made) == kinds(real)
