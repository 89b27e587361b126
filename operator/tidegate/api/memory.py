"""What the operator remembers in a status: debts, acts of people, rejections, and how earlier attempts ended."""

from __future__ import annotations

from typing import Annotated

from tidegate.api.grammar import ZERO, Percent, Time
from tidegate.api.schema import Part, Schema
from tidegate.api.versions import VersionRef
from tidegate.api.words import Cause


class Debt(Part):
    """Something that the machine owes us."""

    debt: str
    """What: Ready, Check, Write, Data, Step or Revert."""
    since: Time
    """Since when."""


class Recall(Part):
    """A version that is being started beside what serves, to take all traffic in one step once it is ready: an earlier
    one that is cold, or a copy of what somebody else's Deployment serves."""

    version: VersionRef
    """Which one."""
    cause: str = ""
    """Person, PutBack, or Adopted."""
    reject: bool = False
    """Whether the revision that is left is rejected."""
    wanted: str = ""
    """The revision that the spec asked for when this was decided."""
    gave_up: bool = False
    """It did not become ready in time: nothing was changed."""
    by: str = ""
    """Who asked for it, where a person did."""
    reason: str = ""
    """Why, as they wrote."""


class Standing(Part):
    """An Intervention in force."""

    action: str
    """What it does."""
    at: Percent | None = None
    """Pause: climb no further than this."""
    to: Percent | None = None
    """Promote: the holds up to there count as full."""
    by: str = ""
    """Whose it is."""
    uid: str = ""
    """Uid of the Intervention."""
    since: Time | None = None
    """When it was obeyed."""
    reason: str = ""
    """Why, as they wrote."""
    attempt: int = 0
    """The attempt that it is bound to; 0: to none."""


class Handled(Part):
    """An Intervention that was obeyed or refused and has not yet been seen answered."""

    uid: str
    """Its uid."""
    outcome: str = ""
    """Done, Standing or Refused."""
    message: str = ""
    """The answer, in a sentence."""


class Rejected(Part):
    """A revision that never rises again without a Retry."""

    revision: str
    """Which one."""
    version: str = ""
    """The version that it was called."""
    attempt: int = 0
    """The attempt in which it was rejected."""
    move: int = 0
    """The move of that revert: a Retry written before it lifts nothing."""
    at: Time | None = None
    """When."""
    cause: str = ""
    """Why."""


class Past(Part):
    """An attempt that has ended."""

    version: str = ""
    """The version."""
    revision: str = ""
    """The revision."""
    attempt: int = 0
    """The attempt."""
    outcome: str = ""
    """Completed, Reverted, RolledBack, Superseded or Failed."""
    reached: Percent = ZERO
    """The greatest share that it had."""
    started_at: Time | None = None
    """When the attempt began."""
    ended_at: Time | None = None
    """When it ended."""
    author: str = ""
    """Who wrote the spec."""
    kept: bool = False
    """It completed, and its revision is kept: a rollback may name it."""
    changed: Annotated[tuple[str, ...], Schema(list_type="atomic")] = ()
    """What differed from the version before it: Version, or what else, as in ConfigMap settings."""


class Revert(Part):
    """The revert that is under way or was the last one. Until it is finished it is done again, whatever else is
    true."""

    cause: Cause
    """Why."""
    name: str = ""
    """Which guard, check, component or person."""
    at: Time | None = None
    """When it was decided."""
    finished_at: Time | None = None
    """When all traffic was seen to be back."""
    message: str = ""
    """Why, in a sentence with the numbers."""
