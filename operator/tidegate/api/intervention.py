"""Intervention: one act of a person or of CI. It acts once, can't be changed, and answers in its status."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from tidegate.api.grammar import Percent, Reference, Time, Version
from tidegate.api.meta import Meta
from tidegate.api.schema import Model, Reader, Rule, words


class Action(StrEnum):
    """What a person may do to a Release. In lower case it is the RBAC verb that it takes."""

    PAUSE = "Pause"
    RESUME = "Resume"
    PROMOTE = "Promote"
    RETRY = "Retry"
    ROLLBACK = "Rollback"
    COMPLETE = "Complete"

    @property
    def verb(self) -> str:
        """The RBAC verb on the target."""
        return self.value.lower()

    @property
    def lowers(self) -> bool:
        """Whether it can only stop or lower exposure: such acts are looked at first, and obeyed where admission is
        missing."""
        return self in (Action.PAUSE, Action.ROLLBACK)


class Answer(StrEnum):
    """What became of an Intervention."""

    DONE = "Done"
    STANDING = "Standing"
    REFUSED = "Refused"


class TargetRef(Model):
    """What the act is done to."""

    kind: Literal["Release"]
    """Release."""
    name: Reference
    """Its name, in the same namespace."""
    uid: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """Its uid: the act is refused if the object of that name is another one by now."""


class Pause(Model):
    """How a Pause is meant."""

    at: Percent
    """Climb up to here, and no further."""


class Promote(Model):
    """How a Promote is meant."""

    to: Percent
    """End the holds of all steps below this weight."""


class Rollback(Model):
    """How a Rollback is meant."""

    version: Version
    """The completed version that should be live again."""


class Seen(Model):
    """What the writer saw. An act that raises is refused where that has passed."""

    attempt: Annotated[int, Field(ge=0)]
    """status.attempt."""
    step: Annotated[int, Field(ge=0, le=20)] | None = None
    """status.step.number."""


_OWN: Final = {"pause": Action.PAUSE, "promote": Action.PROMOTE, "rollback": Action.ROLLBACK}


def _own_message(member: str, action: Action) -> str:
    return f"{member} belongs to action {action}: write that action, or leave {member} out"


class InterventionSpec(Model):
    """Who does what, to what, and why."""

    model_config = ConfigDict(
        json_schema_extra=words(
            Rule("self == oldSelf", "an Intervention can't be changed: it acts once; write another one"),
            *(
                Rule(f"!has(self.{member}) || self.action == '{action}'", _own_message(member, action))
                for member, action in _OWN.items()
            ),
        )
    )

    target_ref: TargetRef
    """What the act is done to."""
    action: Action
    """Pause: climb no further. Resume: go on. Promote: end the hold. Retry: lift the rejection and begin again.
    Rollback: back to stable, or to the version named. Complete: end the bake and keepPrevious now."""
    pause: Pause | None = None
    """For Pause. Absent: at once."""
    promote: Promote | None = None
    """For Promote. Absent: this step's hold only."""
    rollback: Rollback | None = None
    """For Rollback. Absent: what was live before."""
    by: Annotated[str, Field(min_length=1, max_length=253)]
    """Who does it: your user name, as `kubectl auth whoami` says it."""
    reason: Annotated[str, Field(min_length=1, max_length=1024)]
    """Why, for those who read the history."""
    seen: Seen | None = None
    """What the writer saw; the command line fills it in."""

    @model_validator(mode="after")
    def _own_fields(self) -> Self:
        for member, action in _OWN.items():
            if getattr(self, member) is not None and self.action is not action:
                raise ValueError(_own_message(member, action))
        return self


class InterventionStatus(Reader):
    """The answer."""

    outcome: Answer | None = None
    """Done, Standing (in force until lifted) or Refused."""
    message: str = ""
    """The answer, in a sentence."""
    at: Time | None = None
    """When it was given."""


class Intervention(Model):
    """One act of a person or of CI on a Release: it acts once, can't be changed, and answers in its status."""

    model_config = ConfigDict(extra="ignore")

    metadata: Meta
    spec: InterventionSpec
    """Who does what, to what, and why."""
    status: InterventionStatus = Field(default_factory=InterventionStatus)
    """The answer. Only the operator writes it."""
