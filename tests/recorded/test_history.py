"""Whatever the tests did to the operators, no history of a Release breaks a rule: by all that the audit log has."""

from __future__ import annotations

from collections import Counter

import pytest

from hack.stage import audit
from hack.stage.audit import NoLog
from hack.stage.history import History, histories, is_of_interest
from hack.stage.invariants import broken, premises
from tests.recorded.conftest import BEGAN, Record

WHOLE = '"level":"RequestResponse"'


@pytest.fixture(scope="session")
def recorded() -> list[History]:
    try:
        requests = list(audit.requests(since=BEGAN, containing=WHOLE, wanted=is_of_interest))
    except NoLog as error:
        pytest.skip(str(error))
    found = histories(requests)
    if not any(history.steps for history in found):
        pytest.skip("no operator wrote a status in the tests that ran")
    return found


def test_no_release_was_ever_treated_against_a_rule(recorded: list[History]) -> None:
    assert [sentence for history in recorded for sentence in broken(history)] == []


def test_the_whole_suite_puts_every_rule_to_the_test(record: Record, recorded: list[History]) -> None:
    record.of_all()
    counts: Counter[str] = sum((premises(history) for history in recorded), Counter())
    assert {what for what, count in counts.items() if not count} == set(), counts
