"""Policies that contradict each other: two that give different defaults to Releases that both apply to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any, Final

from tidegate.api.grammar import format_duration
from tidegate.api.ladder import ladder_text
from tidegate.api.policy import AppliesTo, Defaults, ReleasePolicy, matches

_DEFAULTS: Final[Mapping[str, tuple[Callable[[Defaults], Any], Callable[[Any], str]]]] = {
    "steps": (lambda given: given.steps, ladder_text),
    "keepPrevious": (lambda given: given.keep_previous, format_duration),
    "deadlines.ready": (lambda given: given.deadlines and given.deadlines.ready, format_duration),
    "deadlines.step": (lambda given: given.deadlines and given.deadlines.step, format_duration),
    "deadlines.orphan": (lambda given: given.deadlines and given.deadlines.orphan, format_duration),
}


def conflicts(policies: Sequence[ReleasePolicy]) -> Mapping[str, tuple[str, ...]]:
    """By policy of the namespace, what stands against another one, a sentence each; policies without are left out.

    Also where no Release is concerned yet, or each says itself what it wants: the next one may not.
    """
    found: dict[str, list[str]] = {}
    for one, other in combinations(sorted(policies, key=lambda policy: policy.metadata.name), 2):
        if one.spec.defaults is None or other.spec.defaults is None or not overlap(one, other):
            continue
        for field, (of, text) in _DEFAULTS.items():
            mine, others = of(one.spec.defaults), of(other.spec.defaults)
            if mine is None or others is None or mine == others:
                continue
            for policy, value, against, its in ((one, mine, other, others), (other, others, one, mine)):
                found.setdefault(policy.metadata.name, []).append(
                    f"the default for {field} is {text(value)}, and {text(its)} in policy {against.metadata.name}, "
                    "which applies to the same Releases: give one default, or except those Releases from one of them"
                )
    return {name: tuple(sentences) for name, sentences in found.items()}


def overlap(one: ReleasePolicy, other: ReleasePolicy) -> bool:
    """Whether there can be a Release that both apply to."""
    excepted = (*_excepted(one), *_excepted(other))
    return any(
        (both := _both(mine, others)) is not None and not any(_covers(away, both) for away in excepted)
        for mine in _names(one)
        for others in _names(other)
    )


def _names(policy: ReleasePolicy) -> tuple[str, ...]:
    return (policy.spec.applies_to or AppliesTo()).names or ("*",)


def _excepted(policy: ReleasePolicy) -> tuple[str, ...]:
    return (policy.spec.applies_to or AppliesTo()).except_ or ()


def _both(one: str, other: str) -> str | None:
    """The pattern of what both patterns match; None if there is nothing."""
    narrow, wide = sorted((one, other), key=lambda pattern: (pattern.endswith("*"), -len(pattern)))
    return narrow if _covers(wide, narrow) else None


def _covers(wide: str, narrow: str) -> bool:
    """Whether all that the second pattern matches is matched by the first."""
    return matches(wide, narrow) if not narrow.endswith("*") else wide.endswith("*") and matches(wide, narrow[:-1])
