"""Status of a Release: what is, and the operator's whole memory. All else is read from the world again.

Everything is optional to the API server, so that a status may be written from nothing; here an absent number is 0, an
absent text
is "" and an absent list is empty. An instant or a share that may really not be there is None.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer

from tidegate.api.conditions import Condition
from tidegate.api.grammar import ZERO, Duration, Percent, Time
from tidegate.api.ladder import Step
from tidegate.api.schema import Reader, Schema


class Phase(StrEnum):
    """Where a Release is, for people. Paused is no phase."""

    IDLE = "Idle"
    WAITING = "Waiting"
    PREPARING = "Preparing"
    PROGRESSING = "Progressing"
    COMPLETING = "Completing"
    COMPLETED = "Completed"
    REVERTING = "Reverting"
    REVERTED = "Reverted"
    FAILED = "Failed"
    GONE = "Gone"


CLIMBING = frozenset({Phase.PREPARING, Phase.PROGRESSING, Phase.COMPLETING})


class Cause(StrEnum):
    """Why an attempt was turned back, in the order in which they are asked for."""

    PERSON = "Person"
    BREACH = "Breach"
    CHECK_FAILED = "CheckFailed"
    HEALTH_LOST = "HealthLost"
    DEADLINE = "Deadline"
    DELETED = "Deleted"
    PUT_BACK = "PutBack"
    SUPERSEDED = "Superseded"

    @property
    def rejects(self) -> bool:
        """Whether the revision is not to rise again without a Retry."""
        return self in (Cause.PERSON, Cause.BREACH, Cause.CHECK_FAILED, Cause.HEALTH_LOST, Cause.DEADLINE)


class Verdict(StrEnum):
    """What a guard says, strongest first; the strongest of all counts."""

    BREACH = "Breach"
    UNKNOWN = "Unknown"
    HOLD = "Hold"
    NO_TRAFFIC = "NoTraffic"
    INCONCLUSIVE = "Inconclusive"
    PASS = "Pass"


class Outcome(StrEnum):
    """How an attempt ended."""

    COMPLETED = "Completed"
    REVERTED = "Reverted"
    ROLLED_BACK = "RolledBack"
    SUPERSEDED = "Superseded"
    FAILED = "Failed"


class CheckOutcome(StrEnum):
    """How a check ended."""

    PASSED = "Passed"
    FAILED = "Failed"


class Part(Reader):
    """A piece of status. What is as it is by default is not written, so that equal statuses are written equally."""

    always_written: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _sparse(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        for name, field in type(self).model_fields.items():
            if (
                name not in self.always_written
                and not field.is_required()
                and getattr(self, name) == field.get_default(call_default_factory=True)
            ):
                written.pop(name, None)
                written.pop(field.alias or name, None)
        return written

    def document(self) -> dict[str, Any]:
        """The piece as JSON has it."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Piece(Part):
    """Under which revision a component runs, where that is not the version's own: an unchanged one keeps its pods."""

    component: str
    """Name of the component."""
    revision: str
    """The revision under which it runs."""
    artifact: str = ""
    """SHA-256 of this component alone: while it stays, the component takes no part in a climb."""


class VersionRef(Part):
    """A version of the whole app, as it was declared once."""

    version: str = ""
    """The version, as people call it."""
    revision: str = ""
    """SHA-256 of what runs; the first ten characters stand in names and labels."""
    attempt: int = 0
    """The attempt that it climbed, or climbs, in."""
    author: str = ""
    """Who wrote the spec that asked for it."""
    pieces: Annotated[tuple[Piece, ...], Field(max_length=16)] = ()
    """Its components, each with the revision under which it runs."""


class StableRef(VersionRef):
    """The proven version: where a revert goes."""

    since: Time | None = None
    """When it was proven."""


class PreviousRef(VersionRef):
    """The version before the stable one."""

    warm_until: Time | None = None
    """Until then its pods stay, for a rollback in seconds. Absent: it is cold."""


class CandidateRef(VersionRef):
    """The version that climbs, or would begin to."""

    started_at: Time | None = None
    """When the attempt began. Absent: it waits."""


class Summary(Part):
    """For the columns of kubectl get."""

    step: str = ""
    """Which step of how many, as in 1/3."""
    guards: str = ""
    """How many guards say what, as in "1 ok, 1 no data"."""


class Writer(Part):
    """Which replica of the operator wrote this status."""

    holder: str = ""
    """Its name in the Lease."""
    epoch: int = 0
    """The Lease's transitions; a status is never overwritten by an older epoch."""


class StepState(Part):
    """The step on which the ladder stands."""

    number: int = 0
    """Counted from 1."""
    decided_at: Time | None = None
    """When it was decided."""
    shifted_at: Time | None = None
    """When the traffic was seen to have followed."""
    guarded: Duration = 0.0
    """How much of the hold is done: time in which guards saw data and passed."""


class Weight(Part):
    """The candidate's share: recorded before the write, read back after it."""

    always_written = frozenset({"desired"})

    desired: Percent = ZERO
    """What was decided."""
    observed: Percent | None = None
    """What the route says. Absent: unknown."""
    at: Time | None = None
    """When observed became so."""


class Instances(Part):
    """The pods of one version of one component."""

    always_written = frozenset({"ready", "wanted"})

    ref: str = ""
    """Name of their Deployment and Service."""
    ready: int = 0
    """So many are ready."""
    wanted: int = 0
    """So many should be."""


class ComponentStatus(Part):
    """One component: where its traffic is, and the counters by which a late write is told from a new one."""

    name: str
    """Name of the component."""
    state: str = ""
    """Pending, Starting, Shifting, Shifted, Reverting, Reverted, Stable, or Unknown."""
    weight: Weight | None = None
    """The candidate's share of the traffic, for people; `share` is what is promised."""
    stable: Instances | None = None
    """Pods of the stable version."""
    candidate: Instances | None = None
    """Pods of the candidate."""
    share: Percent = ZERO
    """The candidate's share that is promised."""
    rest: Percent = ZERO
    """The share to which a revert goes."""
    move: int = 0
    """Number of the last change of that promise."""
    moved: Time | None = None
    """When that was decided."""
    held: Duration = 0.0
    """Guarded time at this share, as last written down."""
    since: Time | None = None
    """The hold clock runs since then. Absent: it stands."""
    landed: int = 0
    """The newest move that was seen to stand in the route."""
    landed_at: Time | None = None
    """When it was."""
    stood: Percent = ZERO
    """The newest version's share that it promised."""
    hand: int = 0
    """Somebody lowered the share by hand: the number under which that was noticed. 0: nobody did."""
    hand_at: Time | None = None
    """When."""
    message: str = ""
    """What it waits for or suffers from, in a sentence."""


class Samples(Part):
    """How much a reading stands on."""

    candidate: int = 0
    """Samples of the candidate in this step."""
    stable: int = 0
    """Samples of the stable version in the same time."""


class GuardStatus(Part):
    """The last reading of a guard."""

    name: str
    """Name of the guard."""
    from_: Annotated[str, Field(alias="from")]
    """The policy that it comes from; empty: the Release."""
    component: str = ""
    """The component that it was judged for; empty: all."""
    verdict: Verdict = Verdict.UNKNOWN
    """Breach, Unknown, Hold, NoTraffic, Inconclusive or Pass."""
    data: str = ""
    """OK, or what is the matter with the data: NoTraffic, NoSeries, NaN, Stale, Partial, ProviderError, Awaited,
    NotPermitted, Blind, NoBaseline."""
    candidate: str = ""
    """The candidate's number, with its unit."""
    stable: str = ""
    """The stable version's number, with its unit."""
    hold: str = ""
    """The limit that stops the climb, as written."""
    revert: str = ""
    """The limit that turns back, as written."""
    samples: Samples | None = None
    """How much the reading stands on."""
    since: Time | None = None
    """Since when the verdict is this one."""
    through: Time | None = None
    """The reading includes samples up to then."""
    message: str = ""
    """The verdict in a sentence."""
    record: Annotated[str, Field(max_length=2048)] = ""
    """The stable version's own numbers from the climb: the baseline at 100 %, when it has no traffic any more."""


class CheckStatus(Part):
    """One asking of a check."""

    name: str
    """Name of the check."""
    when: str = ""
    """BeforeTraffic, EachStep or BeforeCompletion."""
    key: str = ""
    """What it was asked for; an answer to anything else does not count."""
    attempt: int = 0
    """The attempt that it was asked in."""
    move: int = 0
    """The move that it was asked at."""
    outcome: str = ""
    """Passed or Failed. Absent: it runs."""
    job: str = ""
    """Name of the Job, if it is one."""
    at: Time | None = None
    """When it was asked, and, once there is an outcome, when that was seen."""
    message: str = ""
    """What it said, in a sentence."""


class PolicyRef(Part):
    """A policy that applies."""

    name: str
    """Its name."""
    generation: int = 0
    """Its metadata.generation, as it was looked at."""


class Debt(Part):
    """Something that the machine owes us."""

    debt: str
    """What: Ready, Check, Write, Data, Step or Revert."""
    since: Time
    """Since when."""


class Recall(Part):
    """A cold version that is being started beside what serves, to take all traffic in one step once it is ready."""

    version: VersionRef
    """Which one."""
    cause: str = ""
    """Person, or PutBack."""
    reject: bool = False
    """Whether the revision that is left is rejected."""
    wanted: str = ""
    """The revision that the spec asked for when this was decided."""
    gave_up: bool = False
    """It did not become ready in time: nothing was changed."""


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


_ATOMIC = Schema(list_type="atomic")


class ReleaseStatus(Part):
    """What is. Written by compare-and-swap before anything is done, and never when equal."""

    always_written = frozenset({"phase", "weight"})

    observed_generation: int = 0
    """The metadata.generation that was last looked at."""
    phase: Phase = Phase.IDLE
    """Idle, Waiting, Preparing, Progressing, Completing, Completed, Reverting, Reverted or Failed."""
    weight: Percent = ZERO
    """The candidate's exposure that is declared now."""
    summary: Summary | None = None
    """For the columns of kubectl get."""
    writer: Writer | None = None
    """Which replica of the operator wrote this."""
    stable: StableRef | None = None
    """The proven version: where a revert goes."""
    previous: PreviousRef | None = None
    """The version before the stable one."""
    candidate: CandidateRef | None = None
    """The version that climbs, or would begin to."""
    step: StepState | None = None
    """The step on which the ladder stands."""
    steps: Annotated[tuple[Step, ...], Field(max_length=20), _ATOMIC] = ()
    """The ladder in force."""
    components: Annotated[tuple[ComponentStatus, ...], Field(max_length=32), _ATOMIC] = ()
    """Where the traffic of each component is."""
    guards: Annotated[tuple[GuardStatus, ...], Field(max_length=256), _ATOMIC] = ()
    """The last reading of each guard."""
    checks: Annotated[tuple[CheckStatus, ...], Field(max_length=64), _ATOMIC] = ()
    """The checks of this attempt."""
    policies: Annotated[tuple[PolicyRef, ...], Field(max_length=64), _ATOMIC] = ()
    """The policies that apply."""
    attempt: int = 0
    """Number of the last climb. It never falls."""
    move: int = 0
    """Number of the last change of any promise. It never falls."""
    proved: int = 0
    """The attempt that proved the stable version."""
    retiring: bool = False
    """Previous is past its time and may be taken down."""
    rescue: bool = False
    """This attempt goes straight to the last step, because nothing serves that it could go back to."""
    touched: bool = False
    """This attempt has had traffic."""
    owed: Annotated[tuple[Debt, ...], Field(max_length=64), _ATOMIC] = ()
    """What the machine owes us; each debt has its deadline."""
    recall: Recall | None = None
    """A cold version that is being started for a rollback."""
    standing: Annotated[tuple[Standing, ...], Field(max_length=32), _ATOMIC] = ()
    """Interventions in force."""
    handled: Annotated[tuple[Handled, ...], Field(max_length=20), _ATOMIC] = ()
    """Interventions obeyed and not yet seen answered."""
    rejected: Annotated[tuple[Rejected, ...], Field(max_length=20), _ATOMIC] = ()
    """Revisions that never rise again without a Retry."""
    history: Annotated[tuple[Past, ...], Field(max_length=10), _ATOMIC] = ()
    """The last attempts, the newest first."""
    revert: Revert | None = None
    """The revert that is under way or was the last one."""
    conditions: Annotated[
        tuple[Condition, ...], Field(max_length=16), Schema(list_type="map", list_map_keys=["type"])
    ] = ()
    """Ready, Reconciling, Stalled, Available, GatesOpen, GuardsHealthy and Reverted, each with a reason and a
    sentence."""

    @field_validator("phase", mode="before")
    @classmethod
    def _unwritten(cls, value: object) -> object:
        return value or Phase.IDLE

    def condition(self, type_: str) -> Condition | None:
        """The condition of that type, if it is there."""
        return next((condition for condition in self.conditions if condition.type == type_), None)
