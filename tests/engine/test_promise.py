"""The promise is a function of the status alone: what each part should be, who is pinned, who runs how large."""

from __future__ import annotations

import pytest

from tests.engine.world import percent, spec, version
from tidegate.engine import demand, pin, promise, takes_part
from tidegate.engine.values import FULL, Cause, Part, Phase, Recall, Status

A = version("A", "web")
B = version("B", "web")


def status(phase: Phase = Phase.PROGRESSING, weight: float = 10, rest: float = 0, **fields: object) -> Status:
    part = Part("web", weight=percent(weight), rest=percent(rest))
    known: dict[str, object] = {"stable": A, "candidate": B, "parts": (part,)} | fields
    return Status(phase=phase)._replace(**known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("weight", "split"),
    [
        (0, {"A": 100}),
        (0.1, {"A": 99.9, "B": 0.1}),
        (10, {"A": 90, "B": 10}),
        (100, {"B": 100}),
    ],
)
def test_while_it_climbs_the_candidate_has_its_weight_and_stable_the_remainder(
    weight: float, split: dict[str, float]
) -> None:
    now = status(weight=weight)
    assert dict(promise(now, now.parts[0])) == {content: percent(share) for content, share in split.items()}


@pytest.mark.parametrize("phase", [Phase.WAITING, Phase.REVERTING, Phase.REVERTED, Phase.COMPLETED])
def test_where_nothing_climbs_the_rest_is_promised_whatever_the_weight(phase: Phase) -> None:
    now = status(phase, weight=50)
    assert promise(now, now.parts[0]) == (("A", FULL),)


def test_a_part_that_stable_does_not_have_gives_the_candidate_all_or_nothing() -> None:
    now = status(stable=version("A", "api"))
    assert promise(now, Part("web", weight=percent(10))) == (("B", FULL),)
    assert promise(now, Part("web", weight=0)) == ()


def test_a_part_that_the_candidate_does_not_have_stays_with_stable() -> None:
    now = status(candidate=version("B", "api"), weight=50)
    assert promise(now, now.parts[0]) == (("A", FULL),)


def test_a_part_that_is_the_same_in_both_versions_does_not_climb() -> None:
    newer = version("B", "api", like=version("A", "api", "web"))
    now = status(stable=version("A", "api", "web"), candidate=newer)
    assert promise(now, Part("web", weight=percent(50))) == (("A", FULL),)
    assert not takes_part(now, "web")
    assert takes_part(now, "api")


def test_the_apps_own_service_is_pinned_to_stable_while_a_candidate_climbs() -> None:
    now = status(weight=100)
    assert pin(now, now.parts[0]) == "A"


def test_the_very_first_version_is_pinned_once_it_is_promised_traffic() -> None:
    assert pin(status(stable=None, weight=0), Part("web")) is None
    assert pin(status(stable=None, weight=100), Part("web", weight=FULL)) == "B"


def test_the_candidate_is_sized_for_the_rung_ahead_and_stable_for_all_traffic() -> None:
    assert demand(spec(B), status(weight=10)) == {("web", "B"): percent(50), ("web", "A"): FULL}


def test_a_warm_previous_version_is_kept_at_full_size_until_it_is_let_go() -> None:
    at_rest = status(Phase.COMPLETED, candidate=None, stable=B, previous=A, keep_until=10.0)
    assert demand(spec(B), at_rest) == {("web", "B"): FULL, ("web", "A"): FULL}
    assert demand(spec(B), at_rest._replace(keep_until=None, retiring=True)) == {("web", "B"): FULL}


def test_what_is_to_serve_again_is_sized_for_all_traffic_until_that_is_given_up() -> None:
    back = Recall(A, Cause.PERSON, reject=True, wanted="B")
    at_rest = status(Phase.COMPLETED, candidate=None, stable=B, recall=back)
    assert demand(spec(B), at_rest)[("web", "A")] == FULL
    assert ("web", "A") not in demand(spec(B), at_rest._replace(recall=back._replace(gave_up=True)))
