"""ReleasePolicy: what Releases of the namespace must satisfy, and their defaults."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import ConfigDict, Field

from tidegate.api.grammar import Duration, Percent
from tidegate.api.guard import Guard
from tidegate.api.ladder import Ladder
from tidegate.api.meta import Meta
from tidegate.api.named import BY_NAME, MERGED_BY_NAME
from tidegate.api.readiness import ReadinessField
from tidegate.api.release import Deadlines
from tidegate.api.schema import Matching, Model, Schema

NAME_PATTERN_MESSAGE: Final = "write a name, or the beginning of one and a *, as in nightly-*"

NamePattern = Annotated[
    str, Field(min_length=1, max_length=63), Matching("([a-z0-9][a-z0-9.-]*)?[*]?", NAME_PATTERN_MESSAGE)
]
"""A name, or the beginning of one and a `*`."""


def matches(pattern: str, name: str) -> bool:
    """Whether the name is the pattern, or begins with what stands before its `*`."""
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


class AppliesTo(Model):
    """By name, not by labels that an author could change."""

    names: Annotated[tuple[NamePattern, ...], Field(min_length=1, max_length=64), Schema(list_type="set")] | None = None
    """Names of Releases, or beginnings of names with a *. Absent: all."""
    except_: Annotated[
        tuple[NamePattern, ...] | None,
        Field(alias="except", min_length=1, max_length=64),
        Schema(list_type="set"),
    ] = None
    """Names, or beginnings of names with a *, to which it does not apply all the same."""


class Defaults(Model):
    """What counts where a Release says nothing."""

    steps: Ladder | None = None
    """The ladder."""
    keep_previous: Duration | None = None
    """So long after completion the old version stays warm."""
    deadlines: Deadlines | None = None
    """How long the machine may owe something."""


class LadderBounds(Model):
    """What any ladder must keep to."""

    max_first: Percent | None = None
    """The first step may not be greater."""
    max_rise: Percent | None = None
    """No step may be greater than the one before by more."""
    min_hold: Duration | None = None
    """No step, but the last, may be held for less."""


class Bounds(Model):
    """Bounds by what is laddered."""

    weight: LadderBounds
    """Of Releases."""


class ReleasePolicySpec(Model):
    """What Releases must satisfy."""

    environment: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    """What people call the place, as in production."""
    applies_to: AppliesTo | None = None
    """To which Releases of the namespace it applies. Absent: to all."""
    defaults: Defaults | None = None
    """What counts where a Release says nothing."""
    ladder: Bounds | None = None
    """What any ladder must keep to."""
    guards: Annotated[tuple[Guard, ...], Field(max_length=32), BY_NAME, MERGED_BY_NAME] = ()
    """Guards of every Release that it applies to, beside the Release's own: nobody overrides one."""


class ReleasePolicy(Model):
    """What Releases of the namespace must satisfy, and their defaults. All that apply do so together, the strictest
    wins."""

    model_config = ConfigDict(extra="ignore")

    metadata: Meta
    spec: ReleasePolicySpec
    """What Releases must satisfy."""
    status: ReadinessField
    """Whether it can be used as it stands. Only the operator writes it."""

    def applies_to(self, release: str) -> bool:
        """Whether it applies to the Release of that name."""
        names = self.spec.applies_to
        if names is None:
            return True
        named_here = names.names is None or any(matches(pattern, release) for pattern in names.names)
        return named_here and not any(matches(pattern, release) for pattern in names.except_ or ())
