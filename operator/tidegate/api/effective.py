"""What is in force for one Release: its own words, the policies' defaults and bounds, and everybody's guards.

All policies that apply do so together, and the strictest wins. Nothing here fails: what contradicts is told as a
sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeVar

from tidegate.api.grain import share_done
from tidegate.api.grammar import ZERO, Percent, format_duration
from tidegate.api.ladder import DEFAULT_LADDER, Step, ladder_text
from tidegate.api.policy import Defaults, LadderBounds, ReleasePolicy
from tidegate.api.release import Deadlines, Release
from tidegate.api.rules import OwnedGuard, PolicyRules, rules_of, together
from tidegate.api.status import PolicyRef

DEFAULT_KEEP_PREVIOUS: Final = 3600.0
DEFAULT_READY: Final = 600.0
DEFAULT_STEP: Final = 6 * 3600.0
DEFAULT_ORPHAN: Final = 3600.0

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class DeadlinesInForce:
    """In seconds."""

    ready: float = DEFAULT_READY
    step: float = DEFAULT_STEP
    orphan: float = DEFAULT_ORPHAN


@dataclass(frozen=True)
class Effective:
    """What is in force for one Release. `own_steps` has the components that climb by themselves."""

    steps: tuple[Step, ...]
    own_steps: tuple[tuple[str, tuple[Step, ...]], ...]
    keep_previous: float
    deadlines: DeadlinesInForce
    guards: tuple[OwnedGuard, ...]
    policies: tuple[PolicyRef, ...]
    rules: tuple[PolicyRules, ...]
    """What the policies ask: of a climb under way, at their strictest since it began."""
    rules_now: tuple[PolicyRules, ...]
    """What they ask as they are now: of the next climb."""
    conflicts: tuple[str, ...]
    """Policies that contradict each other, a sentence each."""
    violations: tuple[str, ...]
    """What the ladder must not be, a sentence each."""


def policies_for(release: str, policies: Iterable[ReleasePolicy]) -> tuple[ReleasePolicy, ...]:
    """The policies that apply to the Release of that name, by name, so that every pass sees them in one order."""
    return tuple(sorted((p for p in policies if p.applies_to(release)), key=lambda policy: policy.metadata.name))


def effective(release: Release, policies: Iterable[ReleasePolicy], kept: Iterable[PolicyRules] = ()) -> Effective:
    """What is in force for the Release, out of the namespace's policies; those that do not apply are left out here.

    `kept` is what was asked so far of the climb that is under way: of that nothing is dropped.
    """
    applying = policies_for(release.metadata.name, policies)
    spec = release.spec
    defaults = _Merge(applying)

    said = spec.deadlines or Deadlines()

    steps, whose = defaults.pick("steps", spec.steps, lambda given: given.steps, DEFAULT_LADDER, ladder_text)
    keep_previous = defaults.duration(
        "keepPrevious", spec.keep_previous, lambda given: given.keep_previous, DEFAULT_KEEP_PREVIOUS
    )
    deadlines = DeadlinesInForce(
        ready=defaults.duration("deadlines.ready", said.ready, lambda given: _of(given).ready, DEFAULT_READY),
        step=defaults.duration("deadlines.step", said.step, lambda given: _of(given).step, DEFAULT_STEP),
        orphan=defaults.duration("deadlines.orphan", said.orphan, lambda given: _of(given).orphan, DEFAULT_ORPHAN),
    )
    own_steps = tuple((c.name, c.steps) for c in spec.components if c.steps is not None)
    rules_now = together((), map(rules_of, applying))
    rules = together(kept, rules_now)

    violations = list(_violations(whose, steps, rules))
    for component, ladder in own_steps:
        violations += _violations(f"the steps of component {component}", ladder, rules)
    for split in spec.components:
        if split.kubernetes.traffic.service is not None:
            ladder = steps if split.steps is None else split.steps
            violations += _by_pods(split.name, split.kubernetes.replicas, ladder, rules)

    return Effective(
        steps=steps,
        own_steps=own_steps,
        keep_previous=keep_previous,
        deadlines=deadlines,
        guards=_guards(release, applying, rules),
        policies=tuple(PolicyRef(name=p.metadata.name, generation=p.metadata.generation) for p in applying),
        rules=rules,
        rules_now=rules_now,
        conflicts=tuple(defaults.conflicts),
        violations=tuple(violations),
    )


def _of(defaults: Defaults) -> Deadlines:
    return defaults.deadlines or Deadlines()


class _Merge:
    """Defaults of several policies. Two that differ are a conflict, unless the Release says it itself."""

    def __init__(self, policies: Sequence[ReleasePolicy]) -> None:
        self._defaults = [(p.metadata.name, p.spec.defaults) for p in policies if p.spec.defaults is not None]
        self.conflicts: list[str] = []

    def pick(
        self,
        field: str,
        own: _Value | None,
        default_of: Callable[[Defaults], _Value | None],
        otherwise: _Value,
        text: Callable[[_Value], str],
    ) -> tuple[_Value, str]:
        """The value in force, and a word for where it is from. In a conflict the first policy's is shown in force."""
        if own is not None:
            return own, f"spec.{field}"
        given = [(name, value) for name, each in self._defaults if (value := default_of(each)) is not None]
        if not given:
            return otherwise, f"the usual {field}"
        name, value = given[0]
        for other_name, other in given[1:]:
            if other != value:
                self.conflicts.append(
                    f"policies {name} and {other_name} give different defaults for {field} "
                    f"({text(value)}; {text(other)}): "
                    f"write spec.{field} in the Release, or except it from one of them"
                )
        return value, f"the default {field} of policy {name}"

    def duration(
        self, field: str, own: float | None, default_of: Callable[[Defaults], float | None], otherwise: float
    ) -> float:
        """`pick` for seconds, where nobody asks whose it is."""
        return self.pick(field, own, default_of, otherwise, format_duration)[0]


def _violations(whose: str, steps: Sequence[Step], rules: Sequence[PolicyRules]) -> Iterable[str]:
    """One sentence a bound that is not kept, with the strictest policy's name."""
    bounds = [(each.policy, each.weight) for each in rules]

    first = _strictest(bounds, lambda bound: bound.max_first, min)
    if first is not None and steps[0].weight > first[1]:
        yield (
            f"{whose}: the first step is {steps[0].weight.text}, and policy {first[0]} allows at most {first[1].text}: "
            f"begin with {first[1].written} or less"
        )
    rise = _strictest(bounds, lambda bound: bound.max_rise, min)
    if rise is not None:
        for lower, upper in pairwise([ZERO, *(step.weight for step in steps)]):
            if upper - lower > rise[1]:
                yield (
                    f"{whose}: the step from {lower.text} to {upper.text} rises by {Percent(upper - lower).text}, "
                    f"and policy {rise[0]} allows at most {rise[1].text}: write a step between"
                )
    hold = _strictest(bounds, lambda bound: bound.min_hold, max)
    if hold is not None:
        for step in steps[:-1]:
            if (step.hold or 0.0) < hold[1]:
                held = format_duration(step.hold or 0.0)
                yield (
                    f"{whose}: the step {step.weight.text} is held for {held}, and policy {hold[0]} asks for at least "
                    f"{format_duration(hold[1])}: write a longer hold"
                )


def _by_pods(component: str, replicas: int, steps: Sequence[Step], rules: Sequence[PolicyRules]) -> Iterable[str]:
    """Whole pods can't do every share: what becomes of the steps must keep to the bounds, too."""
    bounds = [(each.policy, each.weight) for each in rules]
    done = [Percent(share_done(int(step.weight), replicas)) for step in steps]
    what = f"component {component} is split by its {replicas} pods"

    first = _strictest(bounds, lambda bound: bound.max_first, min)
    if first is not None and steps[0].weight <= first[1] < done[0]:
        yield (
            f"{what}: the first step would be {done[0].text}, and policy {first[0]} allows at most {first[1].text}: "
            "give it more replicas, or split it by an httpRoute"
        )
    rise = _strictest(bounds, lambda bound: bound.max_rise, min)
    if rise is not None:
        for lower, upper in pairwise([ZERO, *done]):
            if upper - lower > rise[1]:
                yield (
                    f"{what}: one step would be from {lower.text} to {upper.text}, and policy {rise[0]} allows a rise "
                    f"of at most {rise[1].text}: give it more replicas, or split it by an httpRoute"
                )


_Bound = TypeVar("_Bound", Percent, float)


def _strictest(
    bounds: Sequence[tuple[str, LadderBounds]],
    bound_of: Callable[[LadderBounds], _Bound | None],
    strictest: Callable[[Iterable[_Bound]], _Bound],
) -> tuple[str, _Bound] | None:
    given = [(name, value) for name, bound in bounds if (value := bound_of(bound)) is not None]
    if not given:
        return None
    value = strictest(value for _, value in given)
    return next((name, each) for name, each in given if each == value)


def _guards(
    release: Release, policies: Sequence[ReleasePolicy], rules: Sequence[PolicyRules]
) -> tuple[OwnedGuard, ...]:
    components = {component.name for component in release.spec.components}
    own = [OwnedGuard("", guard) for guard in release.spec.guards]
    acting = [owned for each in rules for owned in each.guards]
    taken = {(owned.owner, owned.guard.name) for owned in acting}
    watching = [
        OwnedGuard(policy.metadata.name, guard)
        for policy in policies
        for guard in policy.spec.guards
        if not guard.enforced and (policy.metadata.name, guard.name) not in taken
    ]
    # A policy's guard of a component that this Release does not have is about other Releases.
    theirs = [owned for owned in (*acting, *watching) if owned.guard.component in (None, *components)]
    return (*own, *theirs)
