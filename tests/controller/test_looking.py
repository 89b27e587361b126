"""What is seen of people's acts, beside what the engine decides on them."""

from tidegate.api import Intervention, InterventionStatus, parse_intervention
from tidegate.api.intervention import Answer
from tidegate.controller.looking import KEPT, _expired


def _answered(name: str, at: float | None) -> Intervention:
    spec = {
        "targetRef": {"kind": "Release", "name": "shop"},
        "action": "Pause",
        "by": "ana@example.com",
        "reason": "lunch",
    }
    made = parse_intervention({"metadata": {"name": name, "namespace": "prod"}, "spec": spec})
    if at is None:
        return made
    return made.model_copy(update={"status": InterventionStatus(outcome=Answer.DONE, at=at)})


def test_an_answered_intervention_is_kept_for_thirty_days_and_then_removed() -> None:
    old, young = _answered("old", 1000.0), _answered("young", 2000.0)
    assert _expired([old, young], 1000.0 + KEPT) == (("old",), 2000.0 + KEPT)


def test_an_intervention_without_an_answer_is_never_removed() -> None:
    assert _expired([_answered("waiting", None)], 10 * KEPT) == ((), None)
