"""Status of a Release: what is, and the operator's whole memory. All else is read from the world again.

Everything is optional to the API server, so that a status may be written from nothing; here an absent number is 0, an
absent text is "" and an absent list is empty. An instant or a share that may really not be there is None.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from tidegate.api.conditions import Condition
from tidegate.api.grammar import ZERO, Duration, Percent, Time
from tidegate.api.ladder import Step
from tidegate.api.memory import Debt, Handled, Past, Recall, Rejected, Revert, Standing
from tidegate.api.schema import Part, Schema
from tidegate.api.versions import CandidateRef, PreviousRef, StableRef
from tidegate.api.words import Phase, Verdict


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
    achieved: Percent | None = None
    """What ready pods really give, where a Service splits the traffic by them. Absent: the data plane does as the route
    says."""
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

    always_written = frozenset({"verdict"})

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
    record: str = ""
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


class Binding(Part):
    """What one policy asks of the climb that is under way, at its strictest since the climb began."""

    policy: str
    """Name of the policy."""
    generation: int = 0
    """The newest of its generations that is in it."""
    loosened: bool = False
    """The policy asks for less by now, no longer applies, or is gone: what it asked counts until the next climb."""
    rules: str = ""
    """Its guards and the bounds of ladders, packed; of more than a status should bear only a hash."""


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
    steps: Annotated[tuple[Step, ...], _ATOMIC] = ()
    """The ladder in force."""
    components: Annotated[tuple[ComponentStatus, ...], _ATOMIC] = ()
    """Where the traffic of each component is."""
    guards: Annotated[tuple[GuardStatus, ...], _ATOMIC] = ()
    """The last reading of each guard."""
    checks: Annotated[tuple[CheckStatus, ...], _ATOMIC] = ()
    """The checks of this attempt."""
    policies: Annotated[tuple[PolicyRef, ...], _ATOMIC] = ()
    """The policies that apply."""
    binding: Annotated[tuple[Binding, ...], _ATOMIC] = ()
    """While something climbs: what the policies ask of it. Who loosens or deletes one then makes no climb easier."""
    attempt: int = 0
    """Number of the last climb, or of a version that was called back once more. It never falls."""
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
    owed: Annotated[tuple[Debt, ...], _ATOMIC] = ()
    """What the machine owes us; each debt has its deadline."""
    recall: Recall | None = None
    """A cold version that is being started for a rollback."""
    standing: Annotated[tuple[Standing, ...], _ATOMIC] = ()
    """Interventions in force."""
    handled: Annotated[tuple[Handled, ...], _ATOMIC] = ()
    """Interventions obeyed and not yet seen answered."""
    rejected: Annotated[tuple[Rejected, ...], _ATOMIC] = ()
    """Revisions that never rise again without a Retry."""
    history: Annotated[tuple[Past, ...], _ATOMIC] = ()
    """The last attempts, the newest first."""
    revert: Revert | None = None
    """The revert that is under way or was the last one."""
    conditions: Annotated[tuple[Condition, ...], Schema(list_type="map", list_map_keys=["type"])] = ()
    """Ready, Reconciling, Stalled, Available, GatesOpen, GuardsHealthy and Reverted, each with a reason and a sentence;
    IdentityUnproven only while it is true."""

    @field_validator("phase", mode="before")
    @classmethod
    def _unwritten(cls, value: object) -> object:
        return value or Phase.IDLE

    def condition(self, type_: str) -> Condition | None:
        """The condition of that type, if it is there."""
        return next((condition for condition in self.conditions if condition.type == type_), None)
