"""What Prometheus reads, and that it ends with the Release."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tidegate.api.status import GuardStatus
from tidegate.controller.metrics import Metrics, numbers
from tidegate.kube import PODS, Key

WEB, API = Key("shop", "web"), Key("shop", "api")


def series(metrics: Metrics, name: str) -> dict[frozenset[str], float]:
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {
        frozenset(sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
        if sample.name == name
    }


def of(*labels: str) -> frozenset[str]:
    return frozenset(labels)


def test_a_release_has_one_phase_and_one_pair_of_versions_at_a_time() -> None:
    metrics = Metrics()
    for phase in ("Preparing", "Progressing"):
        metrics.phase(WEB, phase)
    metrics.versions(WEB, "v1", "")
    metrics.versions(WEB, "v1", "v2")
    assert series(metrics, "tidegate_release_phase") == {of("shop", "web", "Progressing"): 1}
    assert series(metrics, "tidegate_release_info") == {of("shop", "web", "v1", "v2"): 1}


def test_the_verdict_of_one_guard_does_not_touch_that_of_another() -> None:
    metrics = Metrics()
    metrics.guard(WEB, "errors", "Pass", {"candidate": 0.2, "stable": 0.1})
    metrics.guard(WEB, "latency", "Unknown", {})
    metrics.guard(WEB, "errors", "Breach", {"candidate": 25.0})
    assert series(metrics, "tidegate_guard_verdict") == {
        of("shop", "web", "errors", "", "Breach"): 1,
        of("shop", "web", "latency", "", "Unknown"): 1,
    }
    assert series(metrics, "tidegate_guard_value")[of("shop", "web", "errors", "", "candidate")] == 25


def test_all_series_of_a_release_that_is_gone_are_removed_and_no_others() -> None:
    metrics = Metrics()
    for key in (WEB, API):
        metrics.weight(key, "web", 10)
        metrics.phase(key, "Progressing")
        metrics.versions(key, "v1", "v2")
        metrics.guard(key, "errors", "Pass", {"candidate": 1.0})
    metrics.forget(WEB)
    metrics.forget(WEB)
    text = metrics.exposition().decode()
    assert 'release="web"' not in text
    assert series(metrics, "tidegate_release_weight") == {of("shop", "api", "web"): 10}


def test_the_process_counts_what_it_does() -> None:
    metrics = Metrics()
    metrics.watch(leads=lambda: True, depth=lambda: 3, oldest=lambda: 1.5)
    metrics.entered("Reverting")
    metrics.reverted("Breach", 1.4)
    metrics.reconciled(0.01, True)
    metrics.requested("get", PODS, "200")
    assert series(metrics, "tidegate_leader") == {of(): 1}
    assert series(metrics, "tidegate_queue_depth") == {of(): 3}
    assert series(metrics, "tidegate_transitions_total") == {of("Reverting"): 1}
    assert series(metrics, "tidegate_time_to_revert_seconds_sum") == {of("Breach"): 1.4}
    assert series(metrics, "tidegate_reconcile_duration_seconds_count") == {of("ok"): 1}
    assert series(metrics, "tidegate_api_requests_total") == {of("get", "pods", "200"): 1}
    assert "process_resident_memory_bytes" in metrics.exposition().decode()


@pytest.mark.parametrize(
    ("text", "number"),
    [("25.1 %", 25.1), ("412 ms", 412.0), ("+0.9 pp", 0.9), ("-3", -3.0), ("\N{MINUS SIGN}3 x", -3.0)],
)
def test_the_number_of_a_reading_is_what_its_text_begins_with(text: str, number: float) -> None:
    assert numbers(GuardStatus(name="g", from_="", candidate=text, stable="no traffic")) == {"candidate": number}
