"""What the API server has written down of the tests that ran before: these run last, whatever the order of the rest.

What is asked of the whole suite is asked only where the whole suite ran: else it is skipped, and says what was missing.
TIDEGATE_RECORDED=all takes the whole log for the whole suite, for who runs it in pieces on one cluster.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from hack.stage import audit
from hack.stage.audit import NoLog, Request
from hack.stage.rights import is_withdrawal

TESTS = Path(__file__).resolve().parents[1]
HERE = Path(__file__).resolve().parent
RECORDED = ("integration", "e2e", "faults")
EVERYTHING = os.environ.get("TIDEGATE_RECORDED") == "all"
BEGAN = "" if EVERYTHING else datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
"""When the tests were collected, and none had run."""

_deselected: list[pytest.Item] = []


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.is_relative_to(HERE))  # stable: the rest keeps its order


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    _deselected.extend(items)


@dataclass(frozen=True)
class Record:
    """What operators asked of the API server since the tests began, when rights were taken from one, and what of the
    suite did not run ("" for nothing).

    Operators are whoever the ServiceAccount `tidegate` stands for, of any installation.
    """

    by_operators: Sequence[Request]
    withdrawals: Sequence[Request]
    missing: str

    def of_all(self) -> Sequence[Request]:
        """For what is asked of the whole suite. Skips the test where a part of it did not run."""
        if self.missing:
            pytest.skip(f"asked after the whole suite only: {self.missing}")
        return self.by_operators


@pytest.fixture(scope="session")
def record(request: pytest.FixtureRequest) -> Record:
    try:
        asked = list(audit.requests(since=BEGAN, containing=f':{audit.ACCOUNT}"', wanted=lambda one: one.by_operator))
        taken = list(audit.requests(since=BEGAN, containing="rolebindings", wanted=is_withdrawal))
    except NoLog as error:
        pytest.skip(str(error))
    return Record(asked, taken, "" if EVERYTHING else _missing(request.session))


def _missing(session: pytest.Session) -> str:
    """What of the recorded tests did not run, or not to a good end."""
    wanted = {path for folder in RECORDED for path in (TESTS / folder).rglob("test_*.py")}
    if absent := sorted(wanted - {item.path for item in session.items}):
        return f"{absent[0].relative_to(TESTS.parent)} did not run"
    if left := [item for item in _deselected if item.path in wanted]:
        return f"{left[0].nodeid} was deselected"
    if single := [word for word in session.config.args if "::" in word]:
        return f"only {single[0]} ran"
    return f"{session.testsfailed} tests failed" if session.testsfailed else ""
