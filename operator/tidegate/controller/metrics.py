"""What the operator tells Prometheus about itself and its Releases.

Series of a Release are removed with it. A label never holds what a user may write freely, so there are few series: by
Release, component and guard.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from tidegate.api.status import GuardStatus
from tidegate.kube.resources import Key, Resource

_REVERT_BUCKETS: Final = (0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 600)
_PASS_BUCKETS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)
_RELEASE: Final = ("namespace", "release")

_NUMBER: Final = re.compile(r"[-+\N{MINUS SIGN}]?\d+(?:\.\d+)?")

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


class Metrics:
    """All metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._series: defaultdict[Key, dict[tuple[Gauge, tuple[str, ...]], None]] = defaultdict(dict)
        r = self.registry
        self._weight = Gauge(
            "tidegate_release_weight",
            "The candidate's share of traffic, in percent.",
            (*_RELEASE, "component"),
            registry=r,
        )
        self._phase = Gauge(
            "tidegate_release_phase", "1 for the phase that the Release is in.", (*_RELEASE, "phase"), registry=r
        )
        self._info = Gauge(
            "tidegate_release_info",
            "1; the versions of the Release.",
            (*_RELEASE, "stable", "candidate"),
            registry=r,
        )
        self._guard_value = Gauge(
            "tidegate_guard_value",
            "What the guard last measured, in the unit that status shows.",
            (*_RELEASE, "guard", "component", "side"),
            registry=r,
        )
        self._guard_verdict = Gauge(
            "tidegate_guard_verdict",
            "1 for the verdict that the guard gives.",
            (*_RELEASE, "guard", "component", "verdict"),
            registry=r,
        )
        self._time_to_revert = Histogram(
            "tidegate_time_to_revert_seconds",
            "From the decision to revert until all traffic was seen to have left the candidate.",
            ("cause",),
            buckets=_REVERT_BUCKETS,
            registry=r,
        )
        self._transitions = Counter("tidegate_transitions_total", "Phases entered.", ("phase",), registry=r)
        self._reconcile = Histogram(
            "tidegate_reconcile_duration_seconds",
            "How long one pass over one object took.",
            ("result",),
            buckets=_PASS_BUCKETS,
            registry=r,
        )
        self._requests = Counter(
            "tidegate_api_requests_total",
            "Requests to the Kubernetes API server; code none: no answer.",
            ("verb", "resource", "code"),
            registry=r,
        )
        self._events = Counter(
            "tidegate_watch_events_total",
            "What watches told, and whether it was news.",
            ("resource", "news"),
            registry=r,
        )
        self._sweep_finds = Counter(
            "tidegate_sweep_finds_total",
            "What a sweep found that no watch had told: objects that vanished, or were missed.",
            ("resource", "find"),
            registry=r,
        )
        self._admission = Gauge(
            "tidegate_admission_policy_installed",
            "1 if the admission policy and its binding are there. Without them only what lowers exposure is obeyed.",
            ("policy",),
            registry=r,
        )
        self._leader = Gauge("tidegate_leader", "1 if this replica leads.", registry=r)
        self._depth = Gauge("tidegate_queue_depth", "Objects that want a look now.", registry=r)
        self._oldest = Gauge("tidegate_queue_oldest_seconds", "How long the oldest of them waits.", registry=r)
        self._lag = Gauge("tidegate_event_loop_lag_seconds", "How late the event loop last was.", registry=r)

    # ---- of Releases

    def weight(self, key: Key, component: str, percent: float) -> None:
        """The candidate's share of one component, 0 to 100."""
        self._set(key, self._weight, (component,), percent)

    def phase(self, key: Key, phase: str) -> None:
        """The phase that the Release is in."""
        self._only(key, self._phase, (), (phase,))

    def versions(self, key: Key, stable: str, candidate: str) -> None:
        """What serves, and what climbs; "" for none."""
        self._only(key, self._info, (), (stable, candidate))

    def guard(self, key: Key, guard: str, verdict: str, values: Mapping[str, float], component: str = "") -> None:
        """What one guard says, and what it measured, by side: `candidate`, `stable`; see `numbers`."""
        self._only(key, self._guard_verdict, (guard, component), (verdict,))
        for side, value in values.items():
            self._set(key, self._guard_value, (guard, component, side), value)

    def forget_readings(self, key: Key) -> None:
        """What was read before counts no more: a guard or a component may be gone, or its weight not be known."""
        known, readings = self._series.get(key, {}), (self._weight, self._guard_value, self._guard_verdict)
        for metric, labels in [each for each in known if each[0] in readings]:
            metric.remove(*key, *labels)
            del known[metric, labels]

    def entered(self, phase: str) -> None:
        """A Release entered a phase."""
        self._transitions.labels(phase).inc()

    def reverted(self, cause: str, seconds: float) -> None:
        """A revert is complete, so long after it was decided."""
        self._time_to_revert.labels(cause).observe(seconds)

    def forget(self, key: Key) -> None:
        """The Release is gone, and its series with it."""
        for metric, labels in self._series.pop(key, {}):
            metric.remove(*key, *labels)

    # ---- of the process

    def reconciled(self, seconds: float, well: bool) -> None:
        """A pass has ended."""
        self._reconcile.labels("ok" if well else "error").observe(seconds)

    def requested(self, verb: str, resource: Resource, code: str) -> None:
        """A request to the API server has ended."""
        self._requests.labels(verb, resource.full_name, code).inc()

    def told(self, resource: Resource, news: bool) -> None:
        """A watch told something."""
        self._events.labels(resource.full_name, "true" if news else "false").inc()

    def found(self, resource: Resource, find: str) -> None:
        """A sweep found something: `vanished` or `missed`."""
        self._sweep_finds.labels(resource.full_name, find).inc()

    def admission(self, policy: str, installed: bool) -> None:
        """Whether one of the admission policies that prove who wrote an act is there. Only who leads asks."""
        self._admission.labels(policy).set(installed)

    def lag(self, seconds: float) -> None:
        """The event loop was so late."""
        self._lag.set(seconds)

    def watch(self, *, leads: Callable[[], bool], depth: Callable[[], float], oldest: Callable[[], float]) -> None:
        """Ask these whenever Prometheus asks."""
        self._leader.set_function(lambda: float(leads()))
        self._depth.set_function(depth)
        self._oldest.set_function(oldest)

    def exposition(self) -> bytes:
        """All of it in Prometheus' text format; its type is CONTENT_TYPE."""
        return generate_latest(self.registry)

    # ---- inside

    def _set(self, key: Key, metric: Gauge, labels: tuple[str, ...], value: float) -> None:
        self._series[key][metric, labels] = None
        metric.labels(*key, *labels).set(value)

    def _only(self, key: Key, metric: Gauge, fixed: tuple[str, ...], rest: tuple[str, ...]) -> None:
        """1 for these labels, and no series any more for others that begin with `fixed`."""
        labels = (*fixed, *rest)
        series = self._series[key]
        for known in [place for place in series if place[0] is metric and place[1][: len(fixed)] == fixed]:
            if known[1] != labels:
                metric.remove(*key, *known[1])
                del series[known]
        self._set(key, metric, labels, 1)


def numbers(guard: GuardStatus) -> Mapping[str, float]:
    """What a guard measured, by side: the numbers that its texts begin with, in the unit that follows them there."""
    sides = {"candidate": guard.candidate, "stable": guard.stable}
    found = {side: _NUMBER.match(text) for side, text in sides.items()}
    return {side: float(match[0].replace("\N{MINUS SIGN}", "-")) for side, match in found.items() if match}
