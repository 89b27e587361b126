"""The values that a decision is made of. Tuples throughout: frozen, hashable, fast enough to enumerate by the million.

Units: a *share* is an integer number of thousandths of a percent (10 % is 10_000, all traffic is `FULL`); times are
seconds since the epoch, durations are seconds.
"""

from enum import StrEnum
from typing import NamedTuple

from tidegate.api.intervention import Action as Action
from tidegate.api.release import When as When
from tidegate.api.words import CLIMBING as CLIMBING
from tidegate.api.words import Cause as Cause
from tidegate.api.words import Phase as Phase
from tidegate.api.words import Verdict as Verdict

FULL = 100_000


class Gate(StrEnum):
    OPEN = "Open"
    SHUT = "Shut"
    UNKNOWN = "Unknown"


class State(StrEnum):
    """Health of one part of one version, against the size that was asked for it."""

    READY = "Ready"  # all endpoints wanted for the weight ahead are ready
    SHORT = "Short"  # some are
    STARTING = "Starting"  # none yet
    LOST = "Lost"  # none for a while, after there were
    ABSENT = "Absent"  # it does not run


class Outcome(StrEnum):
    """What is known of a check. One that runs is not asked for again; a status writes ends alone (`CheckOutcome`)."""

    RUNNING = "Running"
    PASSED = "Passed"
    FAILED = "Failed"


class Debt(StrEnum):
    """What the machine owes us. Each has a limit of its own; people's gates, pauses and hands are nobody's debt."""

    READY = "Ready"  # a version to start
    CHECK = "Check"  # a check to end
    WRITE = "Write"  # a write to be seen to stand
    DATA = "Data"  # a usable measurement
    STEP = "Step"  # evidence, after the hold is full
    REVERT = "Revert"  # the way back


# ---- what is wanted


class Piece(NamedTuple):
    """One part of a version: `content` is the revision under which it runs, an older one where nothing changed."""

    part: str
    content: str
    artifact: str  # hash of this part alone


class Version(NamedTuple):
    name: str  # what people call it
    content: str  # the revision: hash of all that runs
    pieces: tuple[Piece, ...]

    def piece(self, part: str) -> Piece | None:
        return next((piece for piece in self.pieces if piece.part == part), None)

    def runs(self, part: str) -> str | None:
        """The content that this version runs for a part, or None."""
        piece = self.piece(part)
        return piece.content if piece else None


class Rung(NamedTuple):
    weight: int
    hold: float


class Track(NamedTuple):
    """Parts that climb in lock-step, and their ladder, strictly rising."""

    parts: tuple[str, ...]
    ladder: tuple[Rung, ...]


class Deadlines(NamedTuple):
    ready: float = 600.0
    step: float = 21_600.0
    orphan: float = 3_600.0


class Act(NamedTuple):
    """One Intervention that has not been answered yet."""

    uid: str
    verb: Action
    by: str
    reason: str
    written: float
    at: int | None = None  # Pause
    to: int | None = None  # Promote
    version: str | None = None  # Rollback
    seen_attempt: int | None = None
    seen_step: int | None = None


class CheckKey(NamedTuple):
    """What an outcome is good for: `part` and `move` are set for EachStep alone."""

    name: str
    when: When
    attempt: int
    part: str = ""
    move: int = 0


class Check(NamedTuple):
    name: str
    when: tuple[When, ...]


class Spec(NamedTuple):
    version: Version
    tracks: tuple[Track, ...]
    checks: tuple[Check, ...] = ()
    deadlines: Deadlines = Deadlines()
    keep: float = 3_600.0
    tick: float | None = 10.0  # how often guards are asked; None: no guards
    paused: bool = False
    deleting: bool = False
    acts: tuple[Act, ...] = ()  # oldest first


# ---- what is remembered


class Part(NamedTuple):
    name: str
    weight: int = 0  # the candidate's share that we promise
    rest: int = 0  # the share that a revert goes to
    move: int = 0  # number of the last change of the promise
    moved: float = 0.0  # when that was
    held: float = 0.0  # guarded time at this weight, as last written down
    since: float | None = None  # the hold clock runs since
    landed: int = 0  # newest move that was seen to stand in the world
    landed_at: float = 0.0  # when
    stood: int = 0  # the newest side's share that it promised
    hand: int = 0  # somebody lowered it: the number under which that was noticed
    hand_at: float = 0.0


class Rejection(NamedTuple):
    content: str
    name: str
    attempt: int
    move: int
    at: float
    cause: Cause


class Recall(NamedTuple):
    """A version that is started beside what serves, then switched to in one step: a completed one that is to serve
    again, or a copy of what serves there and is not ours."""

    version: Version
    cause: Cause
    reject: bool
    wanted: str  # content the spec asked for when this was recorded: another one ends a recall that gave up
    gave_up: bool = False
    by: str = ""  # who asked for it, where a person did
    reason: str = ""


class Standing(NamedTuple):
    """A Pause in force."""

    uid: str
    by: str
    reason: str
    since: float
    at: int | None


class Handled(NamedTuple):
    """An Intervention that was obeyed or refused, and has not been seen answered."""

    uid: str
    outcome: str  # Done, Standing, Refused
    message: str


class Status(NamedTuple):
    phase: Phase = Phase.IDLE
    attempt: int = 0
    move: int = 0
    stable: Version | None = None
    previous: Version | None = None
    candidate: Version | None = None
    stable_since: float = 0.0
    started: float = 0.0  # when this attempt began
    proved: int = 0  # the attempt that made stable stable
    parts: tuple[Part, ...] = ()
    cause: Cause | None = None
    turned: float = 0.0  # when the cause was decided
    rejected: tuple[Rejection, ...] = ()
    owed: tuple[tuple[Debt, float], ...] = ()
    keep_until: float | None = None
    retiring: bool = False
    rescue: bool = False
    touched: bool = False  # this attempt has had exposure
    recall: Recall | None = None
    promoted: int = 0  # holds of rungs below this share count as full, for this attempt
    standing: tuple[Standing, ...] = ()
    handled: tuple[Handled, ...] = ()

    def part(self, name: str) -> Part | None:
        return next((part for part in self.parts if part.name == name), None)

    @property
    def guilty(self) -> bool:
        """The cause says something about the candidate."""
        return self.cause is not None and self.cause.rejects


# ---- what is seen


class Reading(NamedTuple):
    """One part's traffic as configured."""

    split: tuple[tuple[str, int], ...] | None  # ((content, share), ...) sorted, without zeros; None: unknown
    move: int | None  # newest of our moves it is known to include (0: none); None: not known
    token: str = ""  # resourceVersion, or what the target has like it
    pin: str | None = None  # content that the app's own Service selects; "" if none of ours
    absent: bool = False  # there is known to be nothing that traffic could come by; `split` is None then
    preview: str | None = None  # content that requests marked for it reach; "" if none of ours; None: not by this way


class Instance(NamedTuple):
    """One part of one version, as it runs."""

    part: str
    content: str
    state: State
    claim: int = 0  # the attempt that started it last
    sized: int = FULL  # the share it is sized for
    busy_until: float | None = None  # the data plane may still use it: not to be taken down before


class Evidence(NamedTuple):
    """What a verdict was asked for."""

    attempt: int
    moves: tuple[tuple[str, int], ...]


class Watched(NamedTuple):
    """Looking without a gap since, and the last look before this one."""

    since: float
    last: float


class Observation(NamedTuple):
    readings: tuple[tuple[str, Reading], ...]
    instances: tuple[Instance, ...] | None  # None: unknown. What is not listed is absent
    watched: Watched
    verdict: Verdict = Verdict.PASS
    evidence: Evidence | None = None
    start: Gate = Gate.OPEN
    step: Gate = Gate.OPEN
    checks: tuple[tuple[CheckKey, Outcome], ...] = ()
    kept: tuple[Version, ...] = ()  # completed revisions that could be started again, newest first
    adopt: Version | None = None  # what serves there, is not ours, and may be taken over as it is
    confirmed: bool = False  # the status was just read from the server, not from a watch


# ---- what is decided


class Ensure(NamedTuple):
    part: str
    split: tuple[tuple[str, int], ...]
    move: int
    expects: Reading


class Pin(NamedTuple):
    """Make the app's own Service select this content."""

    part: str
    content: str


class Preview(NamedTuple):
    """Let requests that are marked for it reach this content, whatever the weights say; "": let none be marked."""

    part: str
    content: str
    move: int  # the part's: a late one gives way to a newer split


class Start(NamedTuple):
    part: str
    content: str
    share: int  # size for this share of all traffic
    claim: int


class Retire(NamedTuple):
    part: str
    content: str
    claim: int


class RunCheck(NamedTuple):
    key: CheckKey


class Answer(NamedTuple):
    uid: str
    outcome: str
    message: str


class Reread(NamedTuple):
    """The world is ahead of the status: read the object again from the server, and decide anew."""


class Forget(NamedTuple):
    """Give the traffic back as deletionPolicy says and let the object go."""

    settled: bool


Effect = Ensure | Pin | Preview | Start | Retire | RunCheck | Answer | Reread | Forget


class Decision(NamedTuple):
    status: Status
    effects: tuple[Effect, ...]
    wake_at: float | None  # None: rest until something changes
