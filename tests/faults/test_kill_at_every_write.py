"""kill -9 at every write of one release and of one revert, before it and after it: the end is the same as without.

A clean run teaches which writes there are. Then each of them is the last thing that an operator does (after: the server
has done it, and nobody hears of it), in a namespace of its own, on real pods behind the real gateway; another operator
takes over when the Lease has run out. Compared is everything that is there at the end, each object must have been
created exactly once, and no write of the route, also between, may break a rule: weights sum to 100, the steps come in
their order, and what was taken back never rises again.

A plan whose fault did not come is a failure.

By default all plans of the revert run, and of the release every write at one of the two points, in turn: that is half
of its plans. With TIDEGATE_ALL_PLANS=1 all of both run, which takes about three minutes longer on two cores.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from hack.stage.api import Api
from tests.faults.plans import ALL, Climb, Course, differences, plans, run, run_all

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
    clean = [run(api, tmp_path / f"clean-{number}", climb) for number in (1, 2)]
    assert not _faults(clean, climb)
    assert len(clean[0].end["created"]) == len(set(clean[0].end["created"])) == 3
    todo = plans(clean)
    assert len(todo) >= 24, [write.what for write in clean[0].writes]
    if climb is RELEASE and not ALL:
        todo = [fault for number, fault in enumerate(todo) if number % 2 == number // 2 % 2]
    courses = run_all(api, tmp_path, climb, todo)
    broken = [str(course) for course in courses if isinstance(course, Exception)]
    ended = [course for course in courses if isinstance(course, Course)]
    broken += _faults([clean[0], *ended], climb)
    broken += [f"{course.fault}: nobody was killed" for course in ended if not course.restarts]
    assert not broken, f"{len(broken)} faults in {len(todo)} plans:\n" + "\n".join(broken)


def _faults(courses: Sequence[Course], climb: Climb) -> list[str]:
    return [sentence for course in courses for sentence in differences(course, courses[0], climb)]
