"""The sample service and the load generator, as processes on the cluster's loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

Start = Callable[..., "Sample"]


class Sample:
    def __init__(self, **environment: str) -> None:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        found_environment = {**os.environ, "ADDRESS": f"127.0.0.1:{self.port}", "VERSION": "v9", **environment}
        self.process = subprocess.Popen(["sample"], env=found_environment, stderr=subprocess.DEVNULL)

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def wait(self) -> Sample:
        deadline = time.monotonic() + 10
        while True:
            try:
                self.get("/health")
                return self
            except urllib.error.URLError:
                assert time.monotonic() < deadline, "the sample does not listen"
                time.sleep(0.02)


@pytest.fixture
def start() -> Iterator[Start]:
    begun: list[Sample] = []

    def begin(**environment: str) -> Sample:
        begun.append(Sample(**environment))
        return begun[-1]

    yield begin
    for one in begun:
        one.process.kill()
        one.process.wait()


def test_the_dependency_that_is_down_is_named(start: Start) -> None:
    sample = start(DEPENDENCY_DOWN="database").wait()
    code, body = sample.get("/ready")
    assert code == 503
    assert json.loads(body) == {"status": "unavailable", "dependencies": {"database": "down", "cache": "ok"}}
    assert sample.get("/health")[0] == 200


def test_the_error_rate_is_kept_to_the_request_and_counted(start: Start) -> None:
    sample = start(ERROR_RATE="0.25").wait()
    codes = [sample.get("/")[0] for _ in range(100)]
    assert (codes.count(200), codes.count(500)) == (75, 25)
    _, metrics = sample.get("/metrics")
    assert 'http_requests_total{version="v9",code="500"} 25\n' in metrics
    assert 'http_request_duration_seconds_bucket{version="v9",le="+Inf"} 100\n' in metrics
    assert 'http_request_duration_seconds_count{version="v9"} 100\n' in metrics


def test_latency_shows_in_the_right_bucket(start: Start) -> None:
    sample = start(LATENCY="150ms").wait()
    sample.get("/")
    _, metrics = sample.get("/metrics")
    assert 'http_request_duration_seconds_bucket{version="v9",le="0.1"} 0\n' in metrics
    assert 'http_request_duration_seconds_bucket{version="v9",le="0.5"} 1\n' in metrics


def test_told_to_end_it_is_unready_at_once_serves_on_and_finishes_what_is_under_way(start: Start) -> None:
    sample = start(LATENCY="1s", DRAIN_SECONDS="0.5").wait()
    with ThreadPoolExecutor() as pool:
        under_way = pool.submit(sample.get, "/")
        time.sleep(0.2)
        sample.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        code, body = sample.get("/ready")
        assert (code, json.loads(body)["status"]) == (503, "draining")
        assert under_way.result()[0] == 200
    assert sample.process.wait(timeout=5) == 0


def test_it_starts_late_and_crashes_when_it_is_told_to(start: Start) -> None:
    sample = start(START_DELAY="300ms", CRASH_AFTER="700ms")
    with pytest.raises(urllib.error.URLError):
        sample.get("/health")
    sample.wait()
    assert sample.process.wait(timeout=5) == 1


def test_nonsense_in_the_environment_is_refused_with_a_sentence() -> None:
    done = subprocess.run(["sample"], env={**os.environ, "LATENCY": "soon"}, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == 'sample: LATENCY is "soon", expected a duration like 250ms or 3s\n'


def test_the_load_generator_logs_every_request_and_reports_when_it_is_told_to_end(start: Start, tmp_path: Path) -> None:
    sample = start(ERROR_RATE="0.5").wait()
    log, report = tmp_path / "log", tmp_path / "report"
    command = ["sample", "load", "-url", f"http://127.0.0.1:{sample.port}/", "-rps", "100"]
    process = subprocess.Popen([*command, "-log", str(log), "-report", str(report)])
    time.sleep(1)
    sample.process.kill()
    sample.process.wait()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 0
    found = json.loads(report.read_text())
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(lines) == found["requests"] == found["failed"] + sum(one["count"] for one in found["answers"])
    assert {(one["version"], one["code"]) for one in found["answers"]} == {("v9", 200), ("v9", 500)}
    assert found["failed"] > 0
    assert {one["kind"] for one in found["errors"]} <= {"refused", "reset"}
    assert all(line["start"] <= line["end"] for line in lines)
    # Open loop: about 100 a second for one and a half, however the server fared.
    assert found["requests"] == pytest.approx(150, abs=40)


def test_a_report_written_to_a_device_leaves_the_device_in_place(start: Start) -> None:
    sample = start().wait()
    command = ["sample", "load", "-url", f"http://127.0.0.1:{sample.port}/", "-duration", "100ms"]
    subprocess.run([*command, "-report", "/dev/null"], check=True)
    assert Path("/dev/null").is_char_device()


def test_a_probe_fails_when_one_of_its_urls_does(start: Start) -> None:
    url = f"http://127.0.0.1:{start(DEPENDENCY_DOWN='cache').wait().port}"
    assert subprocess.run(["sample", "probe", "-expect-version", "v9", f"{url}/health"]).returncode == 0
    done = subprocess.run(["sample", "probe", f"{url}/health", f"{url}/ready"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "answered 503" in done.stderr
    assert '"cache":"down"' in done.stderr
