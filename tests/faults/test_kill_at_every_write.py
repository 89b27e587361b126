"""kill -9 at every write of one release and of one revert, before it and after it: the end is the same as without.

A clean run teaches which writes there are. Then each of them is the last thing that an operator does (after: the server
has done it, and nobody hears of it), in a namespace of its own, on real pods behind the real gateway; another operator
takes over when the Lease has run out. Compared is everything that is there at the end, each object must have been
created exactly once, and no write of the route, also between, may break a rule: weights sum to 100, the steps come in
their order, and what was taken back never rises again.

An operator has many of these namespaces at the same time, so that one kill serves many plans: from its write on the
server hears nothing more of a namespace, and when that is so for all of them, the operator is killed.

A plan whose fault did not come is a failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from hack.stage.api import Api
from tests.faults.plans import Climb, Course, differences, plans, run, run_all

RELEASE = Climb(
    words="release",
    version="v1.1.0",
    phase="Completed",
    declared={"steps": [{"weight": 10, "hold": "0s"}, {"weight": 50, "hold": "1s"}, {"weight": 100, "hold": "0s"}]},
    rungs=(10, 50, 100),
)
REVERT = Climb(
    words="revert",
    version="v2.0.0-bad",
    phase="Reverted",
    declared={
        "steps": [{"weight": 10, "hold": "1s"}, {"weight": 100, "hold": "0s"}],
        "checks": [
            {"name": "find", "when": ["EachStep"], "http": {"component": "web", "path": "/health", "status": [418]}}
        ],
    },
    rungs=(10, 0),
)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("climb", [RELEASE, REVERT], ids=lambda climb: climb.words)
def test_killed_at_any_write_the_end_is_the_same_as_without(climb: Climb, api: Api, tmp_path: Path) -> None:
    clean = run(api, tmp_path / "clean", climb, [None, None]).courses
    assert not _faults(clean, climb)
    assert len(clean[0].end["created"]) == len(set(clean[0].end["created"])) == 3
    todo = plans(clean)
    assert len(todo) >= 24, [write.what for write in clean[0].writes]
    outcome = run_all(api, tmp_path, climb, clean[0], todo)
    broken = [*_faults([clean[0], *outcome.courses], climb), *outcome.strangers]
    assert not broken, f"{len(broken)} faults in {len(todo)} plans:\n" + "\n".join(broken)
    assert {course.fault for course in outcome.courses} == set(todo)
    assert outcome.deaths


def _faults(courses: Sequence[Course], climb: Climb) -> list[str]:
    return [sentence for course in courses for sentence in differences(course, courses[0], climb)]
