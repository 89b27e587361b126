"""What is made of the numbers that were measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hack.bench import audit
from hack.bench.figures import WANTED, Figure, quantile, show, slope
from hack.bench.latency import _cost


def test_a_quantile_is_a_value_that_was_measured() -> None:
    values = [float(value) for value in range(1, 101)]
    assert quantile(values, 0.5) == 50.0
    assert quantile(values, 0.99) == 99.0
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([3.0, 1.0, 2.0], 0.99) == 3.0
    assert quantile([7.0], 0.5) == 7.0


def test_a_slope_is_that_of_the_line_through_the_points() -> None:
    assert slope([(0.0, 100.0), (0.5, 101.0), (1.0, 102.0)]) == pytest.approx(2.0)


@pytest.mark.parametrize(("value", "verdict"), [(5.5, "met"), (5.51, "MISSED")])
def test_a_figure_is_met_up_to_its_target(value: float, verdict: str) -> None:
    assert Figure("zero-10s-100-p50", value).verdict == verdict


def test_a_figure_without_a_target_is_shown_without_a_verdict() -> None:
    assert Figure("CPU a revert", 12.0, "ms").verdict == ""
    assert Figure("rest-10000-cpu", 12.0).verdict == ""
    assert "| CPU a revert |  | 12 ms |  |  |  |" in show([Figure("CPU a revert", 12.0, "ms")])


def test_the_rivals_stand_beside_ours() -> None:
    row = show([Figure("zero-10s-100-p99", 10.4)]).splitlines()[-1]
    assert [cell.strip() for cell in row.split("|")][2:7] == ["≤ 11 s", "10.4 s", "met", "18.4", "19.5"]


def test_every_target_has_words_of_its_own() -> None:
    assert len({wanted.words for wanted in WANTED.values()}) == len(WANTED)


def _line(verb: str, resource: str, second: int, *, user: str = "us", stage: str = "ResponseComplete") -> str:
    kind, _, part = resource.partition("/")
    entry = {
        "user": {"username": user},
        "verb": verb,
        "stage": stage,
        "stageTimestamp": f"2026-01-01T00:00:{second:02d}.500000Z",
        "objectRef": {"resource": kind, "namespace": "n", "name": "r", **({"subresource": part} if part else {})},
        "responseStatus": {"code": 200},
    }
    return json.dumps(entry) + "\n"


def test_the_audit_log_is_read_over_its_rotation_for_one_user_and_a_watch_counts_once(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    (tmp_path / "audit-2026.log").write_text(_line("patch", "releases/status", 1))
    log.write_text(
        _line("get", "pods", 2, user="them")
        + _line("watch", "pods", 3, stage="ResponseStarted")
        + _line("watch", "pods", 4)
        + _line("create", "events", 5)
    )
    found = audit.read(log, "us")
    assert [(each.verb, each.resource) for each in found] == [
        ("patch", "releases/status"),
        ("watch", "pods"),
        ("create", "events"),
    ]
    assert [each.verb for each in audit.read(log, "us", since=found[1].at)] == ["watch", "create"]


def test_a_revert_is_counted_up_to_the_status_that_calls_it_done_and_events_are_not(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    lines = [
        _line("patch", "releases/status", 1),
        _line("create", "events", 2),
        _line("patch", "httproutes", 3),
        _line("patch", "releases/status", 4),
        _line("get", "services", 5),
        _line("patch", "httproutes", 6),
        _line("delete", "deployments", 7),
    ]
    log.write_text("".join(lines))
    assert _cost(audit.read(log, "us")) == ((3, 0), (2, 1))
