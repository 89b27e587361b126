"""Releases as an API server gives them, at the moments that people look at them."""

from __future__ import annotations

from typing import Any

import yaml

from tidegate.api.grammar import parse_time

NOW = parse_time("2026-11-23T18:09:00Z")

_HEAD = """
apiVersion: tidegate.dev/v1alpha1
kind: Release
metadata:
  name: storefront
  namespace: production
  uid: 0f6c9a52-0000-4000-8000-000000000001
  resourceVersion: "4711"
  generation: 41
  managedFields: [{manager: tidegate, operation: Update}]
spec:
  version: v1.2.3
  components:
  - name: graphql
    kubernetes:
      replicas: 6
      port: 8080
      template: {spec: {containers: [{name: app, image: "registry.example/graphql:$(version)"}]}}
      traffic: {httpRoute: {name: graphql}}
  - name: thumbnails
    steps: [{weight: 20, hold: 10m}, {weight: 100}]
    kubernetes:
      replicas: 2
      port: 8080
      template: {spec: {containers: [{name: app, image: "registry.example/thumbnails:$(version)"}]}}
      traffic: {httpRoute: {name: thumbnails}}
"""

_LADDER = "[{weight: 10, hold: 15m}, {weight: 50, hold: 15m}, {weight: 100, hold: 15m}]"

_CLIMBING = f"""
observedGeneration: 41
phase: Progressing
weight: 10
summary: {{step: 1/3, guards: "1 ok, 1 no data"}}
stable: {{version: v1.2.2, revision: 8a71c2d94e00, attempt: 2, author: ana@example.com, since: "2026-11-16T19:02:40Z"}}
previous: {{version: v1.2.1, revision: 77b0e1a2c300, warmUntil: "2026-11-23T20:02:40Z"}}
candidate: {{version: v1.2.3, revision: 5d9f0c1e7b00, attempt: 3, author: dan@example.com,
  startedAt: "2026-11-23T18:00:00Z"}}
attempt: 3
step: {{number: 1, decidedAt: "2026-11-23T18:02:11Z", shiftedAt: "2026-11-23T18:02:13Z", guarded: 1m}}
steps: {_LADDER}
components:
- name: graphql
  state: Shifted
  weight: {{desired: 10, observed: 10, at: "2026-11-23T18:02:13Z"}}
  stable: {{ref: storefront-graphql-8a71c2d94e, ready: 6, wanted: 6}}
  candidate: {{ref: storefront-graphql-5d9f0c1e7b, ready: 3, wanted: 3}}
  share: 10
  move: 7
  landed: 7
  held: 1m
  since: "2026-11-23T18:05:00Z"
- name: thumbnails
  state: Shifting
  weight: {{desired: 20}}
  candidate: {{ref: storefront-thumbnails-5d9f0c1e7b, ready: 1, wanted: 2}}
  share: 20
  move: 8
  held: 2m
guards:
- {{name: error-rate, from: production, verdict: Pass, data: OK, candidate: "0.12 %", stable: "0.10 %", hold: +0.1pp,
   revert: +0.5pp, samples: {{candidate: 1211, stable: 10480}}, through: "2026-11-23T18:08:50Z"}}
- {{name: latency-p95, from: "", verdict: Unknown, data: NoSeries, revert: +25%, since: "2026-11-23T18:04:00Z",
   message: "latency-p95: no data since 18:04:00 UTC"}}
checks:
- {{name: smoke, when: BeforeTraffic, outcome: Passed, job: storefront-smoke-3, at: "2026-11-23T18:01:00Z"}}
owed: [{{debt: Data, since: "2026-11-23T18:04:00Z"}}]
standing:
- {{action: Pause, at: 50, by: ana@example.com, uid: c1, since: "2026-11-23T18:07:00Z", reason: lunch}}
conditions:
- {{type: Ready, status: "False", reason: NoData, observedGeneration: 41,
   message: "v1.2.3 at 10 %, step 1 of 3; latency-p95: no data since 18:04:00 UTC, hold not counting"}}
- {{type: Stalled, status: "False", reason: Progressing, observedGeneration: 41}}
- {{type: GatesOpen, status: "True", reason: Open, observedGeneration: 41}}
"""

_REVERTED = f"""
observedGeneration: 41
phase: Reverted
stable: {{version: v1.2.2, revision: 8a71c2d94e00, since: "2026-11-16T19:02:40Z"}}
attempt: 3
steps: {_LADDER}
components:
- {{name: graphql, state: Stable, weight: {{desired: 0, observed: 0}}}}
- {{name: thumbnails, state: Stable, weight: {{desired: 0, observed: 0}}}}
revert:
  cause: Breach
  name: error-rate
  at: "2026-11-23T18:08:07Z"
  finishedAt: "2026-11-23T18:08:09.5Z"
  message: error-rate of v1.2.3 is 0.9 pp above v1.2.2; limit +0.5pp
rejected:
- {{revision: 5d9f0c1e7b00, version: v1.2.3, attempt: 3, at: "2026-11-23T18:08:07Z", cause: Breach}}
history:
- {{version: v1.2.3, revision: 5d9f0c1e7b00, attempt: 3, outcome: Reverted, reached: 50, author: dan@example.com,
   startedAt: "2026-11-23T17:00:00Z", endedAt: "2026-11-23T18:08:07Z"}}
- {{version: v1.2.2, revision: 8a71c2d94e00, attempt: 2, outcome: Completed, reached: 100,
   startedAt: "2026-11-16T17:00:00Z", endedAt: "2026-11-16T19:02:40Z"}}
conditions:
- {{type: Ready, status: "False", reason: Reverted, observedGeneration: 41,
   message: "v1.2.2 serves; v1.2.3 was reverted. Change the spec, or: kubectl tidegate retry storefront"}}
- {{type: Stalled, status: "True", reason: Reverted, observedGeneration: 41,
   message: "v1.2.2 serves; v1.2.3 was reverted. Change the spec, or: kubectl tidegate retry storefront"}}
"""

_COMPLETED = f"""
observedGeneration: 41
phase: Completed
weight: 100
stable: {{version: v1.2.3, revision: 5d9f0c1e7b00, since: "2026-11-23T18:08:00Z"}}
previous: {{version: v1.2.2, revision: 8a71c2d94e00}}
attempt: 3
steps: {_LADDER}
components:
- {{name: graphql, state: Stable, weight: {{desired: 100, observed: 100}}}}
conditions:
- {{type: Ready, status: "True", reason: Completed, observedGeneration: 41, message: v1.2.3 serves}}
"""


def climbing(**spec: Any) -> dict[str, Any]:
    """At 10 %, with one guard that sees nothing, and somebody's pause."""
    return _release(_CLIMBING, spec)


def reverted() -> dict[str, Any]:
    """Taken back by a guard from 50 %."""
    return _release(_REVERTED, {})


def completed(generation: int = 41) -> dict[str, Any]:
    """Live and proven. With a greater generation: the spec has changed since."""
    release = _release(_COMPLETED, {})
    release["metadata"]["generation"] = generation
    return release


def new() -> dict[str, Any]:
    """Nobody has looked at it."""
    return _release("{}", {})


def _release(status: str, spec: dict[str, Any]) -> dict[str, Any]:
    release: dict[str, Any] = yaml.safe_load(_HEAD)
    release["spec"].update(spec)
    release["status"] = yaml.safe_load(status)
    return release
