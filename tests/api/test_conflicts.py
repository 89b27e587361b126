"""Two policies conflict where they give different defaults to Releases that both apply to."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.api import ReleasePolicy, parse_policy
from tidegate.api.conflicts import conflicts, overlap


def policy(name: str, applies: dict[str, Any] | None = None, **defaults: Any) -> ReleasePolicy:
    spec: dict[str, Any] = {"defaults": defaults} if defaults else {}
    return parse_policy({"metadata": {"name": name}, "spec": {**spec, **({"appliesTo": applies} if applies else {})}})


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (None, None, True),
        ({"names": ["shop"]}, None, True),
        ({"names": ["shop"]}, {"names": ["shop", "cart"]}, True),
        ({"names": ["shop"]}, {"names": ["cart"]}, False),
        ({"names": ["shop-*"]}, {"names": ["shop"]}, False),
        ({"names": ["sh*"]}, {"names": ["shop-*"]}, True),
        ({"names": ["sh*"]}, {"names": ["ca*"]}, False),
        (None, {"except": ["*"]}, False),
        ({"names": ["nightly-*"]}, {"except": ["nightly-*"]}, False),
        ({"names": ["nightly-*"]}, {"except": ["night*"]}, False),
        ({"names": ["night*"]}, {"except": ["nightly-*"]}, True),
        ({"names": ["shop"], "except": ["shop"]}, None, False),
        ({"names": ["nightly-*"]}, {"except": ["nightly-"]}, True),
    ],
)
def test_two_policies_overlap_where_there_can_be_a_release_that_both_apply_to(
    one: dict[str, Any] | None, other: dict[str, Any] | None, both: bool
) -> None:
    assert overlap(policy("a", one), policy("b", other)) is both
    assert overlap(policy("b", other), policy("a", one)) is both


def test_each_of_the_two_says_what_stands_against_the_other() -> None:
    one = policy("one", keepPrevious="1h", steps=[{"weight": 10, "hold": "5m"}, {"weight": 100}])
    other = policy("other", keepPrevious="2h", deadlines={"ready": "1m"}, steps=[{"weight": 100}])
    found = conflicts([other, one])
    assert found["one"] == (
        "the default for steps is 10 % for 5m, 100 %, and 100 % in policy other, which applies to the same Releases: "
        "give one default, or except those Releases from one of them",
        "the default for keepPrevious is 1h, and 2h in policy other, which applies to the same Releases: "
        "give one default, or except those Releases from one of them",
    )
    assert "is 2h, and 1h in policy one" in found["other"][1]


def test_the_same_default_or_one_that_only_one_gives_is_none() -> None:
    one, other = policy("one", keepPrevious="1h"), policy("other", keepPrevious="60m", deadlines={"step": "1h"})
    assert conflicts([one, other, policy("third")]) == {}
