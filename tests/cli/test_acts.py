"""What is written for a person, and what it is bound to."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli import releases
from tidegate.api import Action, Percent
from tidegate.cli.acts import intervention


def written(action: Action, **options: Any) -> dict[str, Any]:
    return intervention(action, releases.climbing(), by="ana", reason="INC-1", **options).document()


@pytest.mark.parametrize(
    ("action", "seen"),
    [
        (Action.PAUSE, None),
        (Action.RESUME, {"attempt": 3, "step": 1}),
        (Action.PROMOTE, {"attempt": 3, "step": 1}),
        (Action.RETRY, {"attempt": 3, "step": 1}),
        (Action.COMPLETE, {"attempt": 3, "step": 1}),
        (Action.ROLLBACK, {"attempt": 3}),
    ],
)
def test_an_act_that_raises_is_bound_to_what_was_seen(action: Action, seen: object) -> None:
    assert written(action).get("seen") == seen


def test_an_act_names_the_very_object() -> None:
    assert written(Action.PAUSE)["targetRef"] == {
        "kind": "Release",
        "name": "storefront",
        "uid": "0f6c9a52-0000-4000-8000-000000000001",
    }


def test_each_act_has_its_own_words_and_no_others() -> None:
    ten = Percent.parse(10)
    assert written(Action.PAUSE, percent=ten)["pause"] == {"at": 10}
    assert written(Action.PROMOTE, percent=ten)["promote"] == {"to": 10}
    assert written(Action.ROLLBACK, version="v1.2.1")["rollback"] == {"version": "v1.2.1"}
    assert written(Action.PAUSE).keys() == {"targetRef", "action", "by", "reason"}


def test_at_rest_there_is_no_step_to_be_bound_to() -> None:
    spec = intervention(Action.RETRY, releases.reverted(), by="ana", reason="fixed")
    assert spec.document()["seen"] == {"attempt": 3}
