"""Real answers of Prometheus 2.42, and what is no answer."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import pytest

from tidegate.errors import Transient
from tidegate.metrics.answers import Answer, read

ANSWERS = Path(__file__).parent / "answers"


def recorded(name: str, status: int = 200) -> Answer:
    return read(status, (ANSWERS / f"{name}.json").read_bytes())


def test_counters_are_series_of_samples() -> None:
    answer = recorded("counters")
    assert answer.kind == "matrix"
    assert [len(samples) for _, samples in answer.found] == [5, 5]
    labels, samples = answer.found[1]
    assert ("code", "500") in labels
    assert labels == tuple(sorted(labels))
    assert all(after.at - before.at == pytest.approx(1.0) for before, after in pairwise(samples))


def test_buckets_have_their_edges_as_labels() -> None:
    edges = {dict(labels)["le"] for labels, _ in recorded("buckets").found}
    assert edges == {"0.1", "0.25", "0.5", "1", "+Inf"}


@pytest.mark.parametrize(
    ("name", "kind", "series"),
    [("empty", "matrix", 0), ("vector", "vector", 1), ("several", "vector", 2), ("nothing", "vector", 0),
     ("scalar", "scalar", 1), ("string", "string", 0)],
)  # fmt: skip
def test_each_kind_of_result_is_read(name: str, kind: str, series: int) -> None:
    answer = recorded(name)
    assert (answer.kind, len(answer.found), answer.partial, answer.native) == (kind, series, False, False)


def test_a_number_that_is_none_is_read_as_such() -> None:
    assert math.isnan(recorded("nan").found[0][1][0].value)
    assert math.isinf(recorded("infinite").found[0][1][0].value)


def test_a_warning_makes_an_answer_partial() -> None:
    assert recorded("warning").partial


def test_native_histograms_are_left_out_and_told() -> None:
    series = {"metric": {"__name__": "d"}, "histograms": [[1, {"count": "3", "sum": "1"}]]}
    body = {"status": "success", "data": {"resultType": "matrix", "result": [series]}}
    answer = read(200, json.dumps(body).encode())
    assert (answer.found, answer.native) == ((), True)


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (400, "bad_data", "Prometheus could not answer the query: bad_data (HTTP 400)"),
        (422, "execution", "Prometheus could not answer the query: execution (HTTP 422)"),
        (401, b"<p>secret</p>", "it refuses our credentials (HTTP 401); see the Secret that the Connection names"),
        (302, b"", "it answers with a redirect (HTTP 302), which is not followed; write the final url"),
        (503, b"upstream secret", "it answers (HTTP 503), but not as Prometheus does; see the url"),
        (200, b'{"kind":"Secret"}', "it answers (HTTP 200), but not as Prometheus does; see the url"),
        (200, b"[]", "it answers (HTTP 200), but not as Prometheus does; see the url"),
        (200, b"\xff\xfe", "it answers (HTTP 200), but not as Prometheus does; see the url"),
        (200, b'{"status":"success"}', "its answer has not the shape of Prometheus's"),
        (200, b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"x"]]}]}}',
         "its answer has not the shape of Prometheus's"),
        (200, b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,2]}]}}',
         "its answer has not the shape of Prometheus's"),
        (200, b'{"status":"error","errorType":"secret","error":"secret"}',
         "Prometheus could not answer the query: an unknown error (HTTP 200)"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_told_without_a_word_of_its_text(status: int, body: bytes | str, says: str) -> None:
    raw = (ANSWERS / f"{body}.json").read_bytes() if isinstance(body, str) else body
    with pytest.raises(Transient) as told:
        read(status, raw)
    assert told.value.message == says


def test_an_answer_that_is_nested_without_end_is_no_answer() -> None:
    with pytest.raises(Transient, match="not as Prometheus does"):
        read(200, b"[" * 100_000)
