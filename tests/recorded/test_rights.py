"""The operator has the rights that it uses, and no others: granted by manifests/base, used as the audit log tells.

What is granted there is what the chart grants: `tests/integration/test_chart.py` compares them.
"""

from __future__ import annotations

from collections.abc import Mapping

from hack.stage.rights import Right, denied, granted, unused, used
from tests.recorded.conftest import Record

_ODD = "the sweep asks for one object by name where a list and what was watched don't agree, which no test forces"
SELDOM: Mapping[Right, str] = {
    Right(
        "tidegate.dev", "interventions", "delete"
    ): "30 days after its answer; the wall clock of real runs is not moved",
    Right("tidegate.dev", "interventions", "get"): _ODD,
    Right("tidegate.dev", "releasepolicies", "get"): _ODD,
    Right("tidegate.dev", "connections", "get"): _ODD,
    Right("apps", "controllerrevisions", "get"): _ODD,
    Right("batch", "jobs", "get"): _ODD,
    Right("batch", "cronjobs", "get"): _ODD,
    Right("", "pods", "get"): _ODD,
}
"""What the suite may never use, and why it is granted all the same."""


def test_every_right_that_the_operator_has_is_used(record: Record) -> None:
    never = unused(granted(), used(record.of_all())) - SELDOM.keys()
    assert sorted(map(str, never)) == [], "granted in manifests/base/operator-rbac.yaml, and never used: take it out"


def test_nothing_was_refused_to_the_operator_for_want_of_a_right(record: Record) -> None:
    withdrawn = [request.time for request in record.withdrawals]
    refused = sorted(f"{right} in {place}" for right, place in denied(record.by_operators, withdrawn=withdrawn))
    assert refused == [], "manifests/base/operator-rbac.yaml does not grant what the operator asked for"


def test_what_is_seldom_used_is_granted_at_all() -> None:
    assert SELDOM.keys() - granted() == set(), "no longer granted: take it out of this list, too"
