"""How a watch tells a change, and what ends it."""

from __future__ import annotations

import pytest

from tests.cli import releases
from tidegate.cli.exits import Exit
from tidegate.cli.view import view
from tidegate.cli.watch import end, line


def test_it_ends_when_it_is_ready_and_when_it_is_stalled() -> None:
    assert end(view(releases.completed())) is Exit.OK
    assert end(view(releases.reverted())) is Exit.NO


@pytest.mark.parametrize("release", [releases.climbing(), releases.new(), releases.completed(generation=42)])
def test_it_goes_on_while_it_is_on_its_way_or_nobody_has_looked(release: dict[str, object]) -> None:
    assert end(view(release)) is None


def test_what_is_being_deleted_ends_only_when_it_is_gone() -> None:
    release = releases.reverted()
    release["metadata"]["deletionTimestamp"] = "2026-11-23T18:08:30Z"
    assert end(view(release)) is None


def test_a_line_says_phase_version_weight_step_guards_and_the_sentence() -> None:
    assert line(view(releases.climbing())) == (
        "Progressing v1.2.3 10 % step 1/3 [1 ok, 1 no data] "
        "v1.2.3 at 10 %, step 1 of 3; latency-p95: no data since 18:04:00 UTC, hold not counting"
    )
    assert line(view(releases.new())) == "Idle v1.2.3 0 % the operator has not looked at this yet"
