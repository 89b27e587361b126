"""The Prometheus source, against a small Prometheus that keeps samples and breaks on demand."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from tests.metrics.test_answers import ANSWERS
from tidegate.api import Guard, Prometheus
from tidegate.errors import NotFound
from tidegate.metrics import PrometheusSource, Window
from tidegate.metrics import prometheus as module
from tidegate.stats import Counts, Data, Histogram, Measurement, Value

SINCE, NOW = 10_000.0, 10_060.0
VALUES = {"version": "v2"}
RATIO = Guard.model_validate({
    "name": "errors", "connection": "p", "revert": "1%",
    "ratio": {"bad": 'r{v="$(version)",code="500"}', "total": 'r{v="$(version)"}'},
})  # fmt: skip
GOOD = Guard.model_validate({
    "name": "success", "connection": "p", "revert": "-10%",
    "ratio": {"good": 'r{v="$(version)",code="200"}', "total": 'r{v="$(version)"}'},
})  # fmt: skip
LATENCY = Guard.model_validate({
    "name": "latency", "connection": "p", "revert": "+25%",
    "quantile": {"percentile": 95, "histogram": 'd{v="$(version)"}'},
})  # fmt: skip
WARM = Guard.model_validate({
    "name": "latency", "connection": "p", "revert": "+25%",
    "quantile": {"percentile": 95, "histogram": 'd{v="$(version)"}', "warmUp": "30s"},
})  # fmt: skip
QUEUE = Guard.model_validate({
    "name": "queue", "connection": "p", "revert": 80,
    "value": {"query": 'max(max_over_time(q{v="$(version)"}[$(window)]))'},
})  # fmt: skip

Samples = list[tuple[float, float]]


def scrapes(growth: float, *, start: float = 9_705.0, end: float = 10_060.0, every: float = 5.0) -> Samples:
    """A counter that is scraped every so often and grows by so much each time."""
    count = int((end - start) / every) + 1
    return [(start + every * index, growth * index) for index in range(count)]


class Stub:
    """Answers selectors with a range out of what it was given, by the labels that the selector asks for; anything
    else out of `values`, by a word of the query."""

    def __init__(self) -> None:
        self.series: list[tuple[dict[str, str], Samples]] = []
        self.values: dict[str, Any] = {}
        self.warnings: list[str] = []
        self.requests: list[httpx.Request] = []
        self.answer: Callable[[httpx.Request], httpx.Response] | None = None

    @property
    def queries(self) -> list[str]:
        return [self.form(request)["query"] for request in self.requests]

    @staticmethod
    def form(request: httpx.Request) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(request.content.decode()).items()}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.answer is not None:
            return self.answer(request)
        form = self.form(request)
        result: Any
        if match := re.fullmatch(r"(\w+)\{(.*)\}\[(\d+)ms\]", form["query"]):
            kind, result = "matrix", self.matrix(match[1], match[2], float(form["time"]), int(match[3]) / 1000)
        else:
            kind = "vector"
            found = next((value for word, value in self.values.items() if word in form["query"]), None)
            result = [] if found is None else [{"metric": {}, "value": [float(form["time"]), str(found)]}]
        document: dict[str, Any] = {"status": "success", "data": {"resultType": kind, "result": result}}
        if self.warnings:
            document["warnings"] = self.warnings
        return httpx.Response(200, json=document)

    def matrix(self, name: str, matchers: str, at: float, seconds: float) -> list[dict[str, Any]]:
        asked = dict(re.findall(r'(\w+)="([^"]*)"', matchers)) | {"__name__": name}
        found = []
        for labels, samples in self.series:
            inside = [[t, str(value)] for t, value in samples if at - seconds < t <= at]
            if inside and asked.items() <= labels.items():
                found.append({"metric": labels, "values": inside})
        return found

    def add(self, samples: Samples, **labels: str) -> None:
        self.series.append((labels, samples))

    def requests_of(self, ok: Samples, failed: Samples | None = None, pod: str = "a") -> None:
        self.add(ok, __name__="r", v="v2", code="200", pod=pod)
        if failed is not None:
            self.add(failed, __name__="r", v="v2", code="500", pod=pod)


async def no_secrets(name: str, key: str) -> str:
    raise NotFound(f"Secret {name} is not there")


def source(stub: Stub, secrets: Any = no_secrets, **spec: Any) -> PrometheusSource:
    return PrometheusSource(
        "metrics",
        Prometheus.model_validate({"url": "http://prometheus.example:9090/base/", **spec}),
        secrets,
        transport=httpx.MockTransport(stub),
    )


async def measure(stub: Stub, guard: Guard, since: float = SINCE, until: float = NOW, **spec: Any) -> Measurement:
    opened = source(stub, **spec)
    try:
        return await opened.measure(guard, VALUES, Window(since, until))
    finally:
        await opened.close()


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


# ---- looking again and again


async def test_a_second_look_reads_only_what_is_new_and_counts_the_same() -> None:
    stub = Stub()
    stub.requests_of(scrapes(90, end=10_600), scrapes(10, end=10_600))
    opened, lengths = source(stub), []
    for until in range(10_010, 10_600, 7):
        measured = await opened.measure(RATIO, VALUES, Window(SINCE, float(until)))
        fresh = await measure(stub, RATIO, until=float(until))
        assert measured.shape == fresh.shape
        lengths.append(int(stub.queries[-4].split("[")[1].removesuffix("ms]")))
    assert max(lengths[1:]) <= (7 + module.OVERLAP) * 1000, "but the first, each asks for seconds"
    await opened.close()


async def test_a_long_window_is_read_in_pieces_and_goes_on_where_it_was_cut_short() -> None:
    day = 86_400.0
    stub = Stub()
    stub.requests_of(scrapes(1, start=SINCE - 295, end=SINCE + day, every=15))
    opened = source(stub)
    whole = await opened.measure(RATIO, VALUES, Window(SINCE, SINCE + day))
    assert whole.samples == day / 15 - 1
    assert len(stub.requests) < 110
    await opened.close()

    calls = 0

    def cut_short(request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        if calls % 20 == 0:
            raise httpx.ReadTimeout("slow", request=request)
        stub.answer = None
        try:
            return stub(request)
        finally:
            stub.answer = cut_short

    opened, stub.answer, looks = source(stub), cut_short, 0
    measured = Measurement(Data.AWAITED)
    while measured.data is not Data.OK:
        measured = await opened.measure(RATIO, VALUES, Window(SINCE, SINCE + day))
        looks += 1
    assert 2 < looks < 12
    assert measured.samples == whole.samples
    await opened.close()


async def test_another_window_begins_anew() -> None:
    stub = Stub()
    stub.requests_of(scrapes(10))
    opened = source(stub)
    await opened.measure(RATIO, VALUES, Window(SINCE, NOW))
    later = await opened.measure(RATIO, VALUES, Window(SINCE + 30, NOW))
    assert later.shape == Counts(0, 50)
    await opened.close()


async def test_what_is_followed_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TALLIES", 10)
    stub = Stub()
    stub.requests_of(scrapes(10))
    opened = source(stub)
    for index in range(50):
        await opened.measure(RATIO, VALUES, Window(SINCE + index / 100, NOW))
    assert len(opened._tallies) <= 10
    await opened.close()


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
    opened = source(stub, secrets, **spec)
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
    opened = source(stub, secrets, bearerToken={"secretKeyRef": {"name": "s", "key": "token"}})
    stub.answer = lambda request: httpx.Response(401)
    await opened.measure(QUEUE, VALUES, Window(SINCE, NOW))
    stub.answer = None
    assert (await opened.measure(RATIO, VALUES, Window(SINCE, NOW))).data is Data.OK
    assert stub.requests[-1].headers["authorization"] == f"Bearer {given[-1]}"
    assert len(set(given)) > 1
    await opened.close()


# ---- what goes wrong


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("secret address", request=request)


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
    measured = await measure(Stub(), RATIO, bearerToken={"secretKeyRef": {"name": "s", "key": "token"}})
    assert (measured.data, measured.sentence) == (
        Data.PROVIDER_ERROR, "Connection metrics: Secret s is not there",
    )  # fmt: skip


async def test_after_an_outage_the_count_is_as_if_there_had_been_none() -> None:
    stub = Stub()
    stub.requests_of(scrapes(10, end=10_600))
    opened = source(stub)
    await opened.measure(RATIO, VALUES, Window(SINCE, NOW))
    stub.answer = unreachable
    assert (await opened.measure(RATIO, VALUES, Window(SINCE, NOW + 200))).data is Data.PROVIDER_ERROR
    stub.answer = None
    after = await opened.measure(RATIO, VALUES, Window(SINCE, NOW + 400))
    assert after.shape == (await measure(stub, RATIO, until=NOW + 400)).shape
    await opened.close()


async def test_two_guards_may_follow_one_selector_at_once() -> None:
    stub = Stub()
    stub.requests_of(scrapes(90), scrapes(10))
    opened = source(stub)
    both = await asyncio.gather(*(opened.measure(RATIO, VALUES, Window(SINCE, NOW)) for _ in range(5)))
    assert {measured.shape for measured in both} == {Counts(part=110, total=1100)}
    await opened.close()


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
